// Package parquet makes store/bulk read and write Parquet files, in a program that
// imports it:
//
//	import _ "github.com/latentdb/latentdb/store/bulk/parquet"
//
// A row is a table record. If the file has one column of lists of numbers, that is
// the row's vector, or else one binary column, that is its picture or sound; then all
// other columns are the payload, save "id". Options.Record names the column where
// there are more. Columns of lists of lists or of objects are not read, nor are
// decimals, encrypted files, and compression other than snappy, gzip and zstd.
package parquet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"github.com/latentdb/latentdb/store/bulk"
)

func init() {
	bulk.Register(bulk.Codec{Format: bulk.Parquet, Read: read, Plan: newPlan})
}

// reader reads the rows of a file.
type reader struct {
	file    *parquet.File
	guard   *guard
	columns []column
	line    int
	group   int // the row group that is read next
}

func read(in io.ReaderAt, size int64, opt bulk.Options) (_ iter.Seq2[bulk.Row, error], err error) {
	defer recovered(&err)
	if err := checkFooter(in, size); err != nil {
		return nil, fileError(err)
	}
	file, err := parquet.OpenFile(in, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fileError(err)
	}
	columns, err := columnsOf(file.Schema())
	if err != nil {
		return nil, err
	}
	var own layout
	if text, there := file.Lookup(layoutKey); there {
		_ = json.Unmarshal([]byte(text), &own) // what is not ours says nothing
	}
	if err := assign(columns, opt, own); err != nil {
		return nil, err
	}
	g, err := newGuard(in, size)
	if err != nil {
		return nil, err
	}
	return (&reader{file: file, guard: g, columns: columns}).rows, nil
}

// rows gives the row groups that are left; one that was left in the middle is not
// gone on with.
func (r *reader) rows(yield func(bulk.Row, error) bool) {
	defer r.guard.zstd.Close()
	for r.group < len(r.file.RowGroups()) {
		goOn, err := r.rowGroup(yield)
		if err != nil {
			r.group = len(r.file.RowGroups())
			yield(bulk.Row{}, fileError(fmt.Errorf("row %d: %w", r.line+1, err)))
			return
		}
		if !goOn {
			return
		}
	}
}

// rowGroup gives the rows of the next row group. The library panics on some files
// that are damaged, which is an error of the file; a panic of whoever takes the rows
// is not ours to stop.
func (r *reader) rowGroup(yield func(bulk.Row, error) bool) (goOn bool, err error) {
	group := r.file.RowGroups()[r.group]
	meta := &r.file.Metadata().RowGroups[r.group]
	r.group++
	if err := r.guard.rowGroup(meta, r.columns); err != nil {
		return false, err
	}
	cursors := make([]*cursor, 0, len(r.columns))
	defer func() {
		for _, c := range cursors {
			c.close()
		}
	}()
	chunks := group.ColumnChunks()
	for _, c := range r.columns {
		cursors = append(cursors, &cursor{column: c, pages: chunks[c.index].Pages()})
	}
	for range group.NumRows() {
		row, bad, err := r.row(cursors)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return false, err
		}
		r.line++
		row.Line = r.line
		var lineError error
		if bad != nil {
			row = bulk.Row{Line: r.line}
			lineError = row.Refuse(bad.Error())
		}
		if !yield(row, lineError) {
			return false, nil
		}
	}
	return true, nil
}

// row reads the next value of every column.
func (r *reader) row(cursors []*cursor) (row bulk.Row, bad, err error) {
	defer recovered(&err)
	record := make(map[string]any, len(cursors))
	for _, c := range cursors {
		v, wrong, err := c.next()
		if err != nil {
			return row, nil, err
		}
		if wrong == nil {
			wrong = c.put(&row, record, v)
		}
		if wrong != nil && bad == nil {
			bad = fmt.Errorf("column %q: %w", c.name, wrong)
		}
	}
	if row.Record == nil && row.Vector == nil {
		row.Record = record
	}
	return row, bad, nil
}

// put gives a value its place in the row.
func (c *cursor) put(row *bulk.Row, record map[string]any, v any) error {
	switch c.role {
	case toID:
		if n, ok := v.(int64); ok && n >= 0 {
			row.ID = uint64(n)
			return nil
		}
		switch v := v.(type) {
		case json.Number: // above int64
			n, err := strconv.ParseUint(v.String(), 10, 64)
			row.ID = n
			return err
		case string:
			if v != "" {
				row.ID = v
				return nil
			}
		}
		return fmt.Errorf("id %v is neither a whole number from 0 on nor text", v)
	case toContent:
		return row.SetContent(v)
	case toPayload:
		if v != nil {
			if row.Payload == nil {
				row.Payload = map[string]any{}
			}
			row.Payload[c.name] = v
		}
	default:
		record[c.name] = v
	}
	return nil
}

// recovered makes an error of a panic of the library, which damaged files bring about.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: parquet: damaged: %v", bulk.ErrFile, p)
	}
}

func fileError(err error) error {
	if errors.Is(err, bulk.ErrFile) || errors.Is(err, bulk.ErrOption) {
		return err
	}
	return fmt.Errorf("%w: parquet: %w", bulk.ErrFile, err)
}
