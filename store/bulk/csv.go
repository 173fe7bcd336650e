package bulk

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
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

var errLongRecord = fmt.Errorf("%w: a CSV record is longer than %d bytes", ErrFile, maxCSVRecord)

// budget is a reader that fails when too much is read before the next reset.
type budget struct {
	r    io.Reader
	left int
}

func (b *budget) reset() { b.left = maxCSVRecord }

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLongRecord
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// csvFile reads the records of a CSV. Types are inferred from the first ones.
type csvFile struct {
	budget  *budget
	csv     *csv.Reader
	columns []csvColumn
	sample  []csvRecord // read, not yet given
	end     error       // what ended reading, io.EOF included
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

// csvRecord is a record as read, or why it could not be.
type csvRecord struct {
	line   int
	fields []string
	err    *LineError
}

func readCSV(in *bufio.Reader, opt Options) (iter.Seq2[Row, error], error) {
	skipMark(in)
	f := &csvFile{budget: &budget{r: in}}
	f.csv = csv.NewReader(f.budget)
	f.csv.FieldsPerRecord = -1 // checked here, so that reading goes on
	if err := f.readHeader(opt); err != nil {
		return nil, err
	}
	f.readSample()
	for i := range f.columns {
		c := &f.columns[i]
		if c.role != toContent && !slices.Contains(opt.Text, c.name) {
			c.kind = inferKind(f.sample, i, c.role == toID)
		}
	}
	return f.rows, nil
}

func (f *csvFile) readHeader(opt Options) error {
	f.budget.reset()
	header, err := f.csv.Read()
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
	for _, name := range slices.Concat(opt.Payload, opt.Text, []string{opt.ID, opt.Record}) {
		if name != "" && !names[name] {
			return fmt.Errorf("%w: no column %q, the file has: %s", ErrOption, name, strings.Join(header, ", "))
		}
	}
	return nil
}

func (o Options) role(name string) role {
	switch {
	case o.ID != "" && name == o.ID, o.ID == "" && o.Record != "" && name == "id":
		return toID
	case o.Record != "" && name == o.Record:
		return toContent
	case o.Record != "" || slices.Contains(o.Payload, name):
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
		f.sample = append(f.sample, record)
		for _, field := range record.fields {
			size += len(field)
		}
	}
}

// next is the next record, or what ended the file.
func (f *csvFile) next() (csvRecord, error) {
	if len(f.sample) > 0 {
		record := f.sample[0]
		f.sample = f.sample[1:]
		return record, nil
	}
	f.sample = nil // lets go of the records
	if f.end != nil {
		return csvRecord{}, f.end
	}
	record, err := f.read()
	f.end = err
	return record, err
}

// read reads one record of the file; its error ends the file.
func (f *csvFile) read() (csvRecord, error) {
	f.budget.reset()
	fields, err := f.csv.Read()
	var parse *csv.ParseError
	if errors.As(err, &parse) && !errors.Is(err, ErrFile) {
		return csvRecord{err: &LineError{parse.StartLine, parse.Err.Error()}}, nil
	}
	if err == io.EOF || errors.Is(err, ErrFile) {
		return csvRecord{}, err
	}
	if err != nil {
		return csvRecord{}, fmt.Errorf("%w: %w", ErrFile, err)
	}
	line, _ := f.csv.FieldPos(0)
	if len(fields) != len(f.columns) {
		reason := fmt.Sprintf("%d fields, the header has %d", len(fields), len(f.columns))
		return csvRecord{err: &LineError{line, reason}}, nil
	}
	for i, field := range fields {
		if !utf8.ValidString(field) {
			reason := fmt.Sprintf("column %q is not UTF-8", f.columns[i].name)
			return csvRecord{err: &LineError{line, reason}}, nil
		}
	}
	return csvRecord{line: line, fields: fields}, nil
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
		row, err := f.row(record)
		if !yield(row, err) {
			return
		}
	}
}

// row sorts the fields of a record into id, record and payload. A missing value
// is nil in the record, so that the column is known, and absent from the payload.
func (f *csvFile) row(in csvRecord) (Row, error) {
	row := Row{Line: in.line}
	record := make(map[string]any, len(f.columns))
	for i, c := range f.columns {
		v, err := c.kind.parse(in.fields[i])
		if err != nil {
			return Row{Line: in.line}, &LineError{in.line, fmt.Sprintf("column %q: %s", c.name, err)}
		}
		switch c.role {
		case toID:
			if v == nil {
				return Row{Line: in.line}, &LineError{in.line, fmt.Sprintf("id column %q is empty", c.name)}
			}
			row.ID = v
		case toPayload:
			if v != nil {
				row.Payload = withKey(row.Payload, c.name, v)
			}
		case toContent:
			if err := row.SetContent(v); err != nil {
				return Row{Line: in.line}, &LineError{in.line, fmt.Sprintf("record column %q: %s", c.name, err)}
			}
		default:
			record[c.name] = v
		}
	}
	if row.Record == nil && row.Vector == nil {
		row.Record = record
	}
	return row, nil
}

// withKey sets a key of a map that may be nil.
func withKey(m map[string]any, key string, v any) map[string]any {
	if m == nil {
		m = map[string]any{}
	}
	m[key] = v
	return m
}
