package bulk

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/latentdb/latentdb/embed/source/cells"
)

const (
	// maxCSVRecord bounds a record of a CSV, which a quote that is never closed
	// would stretch to the end of the file.
	maxCSVRecord = 4 << 20
	// maxCSVColumns bounds its header.
	maxCSVColumns = 1 << 14
	// sampleRecords and sampleBytes bound what is read to infer types.
	sampleRecords = 1000
	sampleBytes   = 16 << 20
)

// recordKinds are the kinds of a record's cells.
var recordKinds = map[cellKind]cells.Kind{textCell: cells.Text, numberCell: cells.Number, booleanCell: cells.Boolean}

// csvFile reads the records of a CSV. Types are inferred from the first ones.
type csvFile struct {
	in      *csvLines
	columns []csvColumn
	header  *cells.Header // of the columns that are the record
	asMaps  bool
	sample  []csvRecord // read, not yet given
	end     error       // what ended reading, io.EOF included
	spare   []cells.Row // see room
}

// csvColumn is a column: where its values go and how they are read.
type csvColumn struct {
	name string
	role role
	kind cellKind
}

type role uint8

const (
	toRecord role = iota // a column of the record
	toPayload
	toID
	toContent // the record itself
)

func readCSV(in *bufio.Reader, opt Options) (iter.Seq2[Row, error], error) {
	skipMark(in)
	f := &csvFile{in: newCSVLines(in), asMaps: !opt.Cells || len(opt.Files) > 0}
	if err := f.readHeader(opt); err != nil {
		return nil, err
	}
	f.readSample()
	columns := make([]cells.Column, len(f.columns))
	for i := range f.columns {
		c := &f.columns[i]
		if c.role != toContent && !slices.Contains(opt.Text, c.name) && !slices.Contains(opt.Files, c.name) {
			c.kind = inferKind(f.sample, i, c.role == toID)
		}
		if c.role == toRecord {
			columns[i] = cells.Column{Name: opt.key(c.name), Kind: recordKinds[c.kind]}
		}
	}
	f.header = cells.NewHeader(columns)
	return f.rows, nil
}

func (f *csvFile) readHeader(opt Options) error {
	header, err := f.in.header()
	if err == io.EOF {
		return fmt.Errorf("%w: CSV has no header row", ErrFile)
	}
	if err != nil {
		return fmt.Errorf("%w: CSV header: %w", ErrFile, err)
	}
	if len(header) > maxCSVColumns {
		return fmt.Errorf("%w: CSV has %d columns, the limit is %d", ErrFile, len(header), maxCSVColumns)
	}
	names := make(map[string]bool, len(header))
	for i, name := range header {
		if name == "" {
			name = fmt.Sprintf("column_%d", i+1)
		}
		if !utf8.ValidString(name) {
			return fmt.Errorf("%w: CSV header: name %q of column %d is not UTF-8", ErrFile, name, i+1)
		}
		if names[name] {
			return fmt.Errorf("%w: CSV header: column %q is there twice", ErrFile, name)
		}
		names[name] = true
		f.columns = append(f.columns, csvColumn{name: name, role: opt.role(name)})
	}
	for _, name := range slices.Concat(opt.Payload, opt.Text, opt.Files, []string{opt.ID, opt.Record, opt.Left, opt.Right}) {
		if name != "" && !names[name] {
			return fmt.Errorf("%w: no column %q, the file has: %s", ErrOption, name, strings.Join(header, ", "))
		}
	}
	return nil
}

func (o Options) role(name string) role {
	switch {
	case o.ID != "" && name == o.ID:
		return toID
	case o.Record != "" && name == o.Record:
		return toContent
	case o.paired() && (name == o.Left || name == o.Right):
		return toRecord
	case o.ID == "" && (o.Record != "" || o.paired()) && name == "id":
		return toID
	case o.Record != "" || o.paired() || slices.Contains(o.Payload, name):
		return toPayload
	}
	return toRecord
}

// readSample reads ahead what types are inferred from.
func (f *csvFile) readSample() {
	size := 0
	for len(f.sample) < sampleRecords && size < sampleBytes {
		record, err := f.read()
		if err != nil {
			f.end = err
			return
		}
		f.sample = append(f.sample, *record)
		size += len(record.Line)
	}
}

// next is the next record, or what ended the file.
func (f *csvFile) next() (*csvRecord, error) {
	if len(f.sample) > 0 {
		record := &f.sample[0]
		f.sample = f.sample[1:]
		return record, nil
	}
	if f.sample != nil {
		f.sample = nil // lets go of the records
	}
	if f.end != nil {
		return nil, f.end
	}
	record, err := f.read()
	if err != nil {
		f.end = err
	}
	return record, err
}

// read reads one record of the file; its error ends the file.
func (f *csvFile) read() (*csvRecord, error) {
	record, err := f.in.next(len(f.columns))
	if err != nil || record.err != nil || utf8.ValidString(record.Line) {
		return record, err
	}
	bad := 0
	for utf8.ValidString(record.Cell(bad)) {
		bad++
	}
	return refused(record.line, fmt.Sprintf("column %q is not UTF-8", f.columns[bad].name)), nil
}

func (f *csvFile) rows(yield func(Row, error) bool) {
	for {
		record, err := f.next()
		if err == io.EOF {
			return
		}
		if err != nil {
			yield(Row{}, err)
			return
		}
		if record.err != nil {
			if !yield(Row{Line: record.err.Line}, record.err) {
				return
			}
			continue
		}
		row := Row{Line: record.line}
		if err = f.fill(&row, record); err != nil {
			row = Row{Line: record.line}
		}
		if !yield(row, err) {
			return
		}
	}
}

// fill sorts the cells of a record into id, record and payload of a row. A missing value
// is nil in the record, so that the column is known, and absent from the payload.
func (f *csvFile) fill(row *Row, in *csvRecord) error {
	var cut []string // the cells, where one is not as it is in the file
	for i := range f.columns {
		c := &f.columns[i]
		if c.role == toRecord && (c.kind == textCell || c.kind == numberCell && in.Ends[i].IsPlain()) {
			continue
		}
		cell := in.Cell(i)
		from, to, err := c.kind.cut(cell)
		if err != nil {
			return &LineError{in.line, fmt.Sprintf("column %q: %s", c.name, err)}
		}
		if c.role == toRecord {
			if to-from < len(cell) {
				cut = in.withCell(cut, i, cell[from:to])
			}
			continue
		}
		v, _ := c.kind.value(cell[from:to]) // was cut as one
		if err := row.set(c, v); err != nil {
			return &LineError{in.line, err.Error()}
		}
	}
	if row.Record != nil || row.Vector != nil {
		return nil
	}
	if cut != nil {
		in.Row = cells.Join(cut)
	}
	record := f.room()
	record.Header, record.Line, record.Ends = f.header, in.Line, in.Ends // at once costs more
	if row.Record = record; f.asMaps {
		row.Record = record.Map()
	}
	return nil
}

// room is for a record. It is cheaper to make for some at once.
func (f *csvFile) room() *cells.Row {
	const atOnce = 64
	if len(f.spare) == 0 {
		f.spare = make([]cells.Row, atOnce)
	}
	room := &f.spare[0]
	f.spare = f.spare[1:]
	return room
}

// set takes a value that is not one of the record's columns.
func (r *Row) set(c *csvColumn, v any) error {
	switch c.role {
	case toID:
		if v == nil {
			return fmt.Errorf("id column %q is empty", c.name)
		}
		r.ID = v
	case toPayload:
		if v != nil {
			r.Payload = withKey(r.Payload, c.name, v)
		}
	case toContent:
		if err := r.SetContent(v); err != nil {
			return fmt.Errorf("record column %q: %w", c.name, err)
		}
	}
	return nil
}

// withKey sets a key of a map that may be nil.
func withKey(m map[string]any, key string, v any) map[string]any {
	if m == nil {
		m = map[string]any{}
	}
	m[key] = v
	return m
}
