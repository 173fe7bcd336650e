package bulk

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// WriterOptions say what to write. Only Format is needed.
type WriterOptions struct {
	// Format is JSONL, CSV, NPY, Zip, or one that is registered.
	Format Format
	// Content is what the files of a zip or a folder are: Images, Audio or Texts.
	Content Format
	// ID is the name of a CSV's id column, "id" by default.
	ID string
	// Columns and Payload are a CSV's columns from the record and from the
	// payload; by default those of the first row, sorted. Where rows differ, see
	// Include.
	Columns, Payload []string
}

// Include makes room for a row in a CSV: the columns it needs enter the sorted
// Columns and Payload. A row that no CSV holds gives ErrRow.
func (o *WriterOptions) Include(row Row) error {
	record, err := csvRow(row)
	if err != nil {
		return err
	}
	if o.Columns, err = include(o.Columns, record); err != nil {
		return err
	}
	o.Payload, err = include(o.Payload, row.Payload)
	return err
}

func include(columns []string, values map[string]any) ([]string, error) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if _, err := cellText(values[name]); err != nil {
			return columns, cellError(name, err)
		}
		if at, there := slices.BinarySearch(columns, name); !there {
			columns = slices.Insert(columns, at, name)
		}
	}
	return columns, nil
}

// Writer writes rows. It is not safe for concurrent use.
type Writer interface {
	// Write adds a row. A row that the format cannot hold gives ErrRow, and
	// nothing is written of it.
	Write(row Row) error
	// Close writes what is buffered. It does not close the underlying writer.
	Close() error
}

// NewWriter writes rows to w, in a format that needs to know nothing of later rows, or
// in CSV; for others see [WriteRows]. JSONL holds whole points, pictures as base64, and
// gives back what was written. CSV holds table records; in it a missing value
// and an empty string are the same, a line end within a value becomes "\n", and
// text that looks like a number or boolean reads back as text only under
// Options.Text, save where other values of its column show that it is text. Zip has a
// file for each record, named after its id, and no payloads.
func NewWriter(w io.Writer, opt WriterOptions) (Writer, error) {
	switch opt.Format {
	case JSONL:
		return &jsonlWriter{w: w}, nil
	case CSV:
		if opt.ID == "" {
			opt.ID = "id"
		}
		return &csvWriter{csv: csv.NewWriter(w), opt: opt}, nil
	case Zip:
		return newZipWriter(w, opt.Content)
	}
	return nil, fmt.Errorf("%w: format %q is not written row by row; WriteRows may", ErrOption, opt.Format)
}

type jsonlWriter struct {
	w   io.Writer
	buf bytes.Buffer
}

// pointLine is a whole point as JSONL has it.
type pointLine struct {
	ID      any            `json:"id,omitempty"`
	Vector  []float32      `json:"vector,omitempty"`
	Record  any            `json:"record,omitempty"`
	Payload map[string]any `json:"payload,omitempty"`
}

func (w *jsonlWriter) Write(row Row) error {
	if (len(row.Vector) == 0) == (row.Record == nil) {
		return fmt.Errorf("%w: a point has either a vector or a record", ErrRow)
	}
	record, err := picturesEncoded(row.Record)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRow, err)
	}
	line := pointLine{row.ID, row.Vector, record, row.Payload}
	w.buf.Reset()
	e := json.NewEncoder(&w.buf) // ends each value with a line end
	e.SetEscapeHTML(false)
	if err := e.Encode(line); err != nil {
		return fmt.Errorf("%w: %w", ErrRow, err)
	}
	_, err = w.w.Write(w.buf.Bytes())
	return err
}

func (w *jsonlWriter) Close() error { return nil }

// picturesEncoded is a record with the PNG of a picture in its place, also where it is
// a side of a pair.
func picturesEncoded(record any) (any, error) {
	switch record := record.(type) {
	case image.Image:
		var encoded bytes.Buffer
		err := png.Encode(&encoded, record)
		return encoded.Bytes(), err
	case map[string]any:
		for key, v := range record {
			picture, is := v.(image.Image)
			if !is {
				continue
			}
			encoded, err := picturesEncoded(picture)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", key, err)
			}
			record = maps.Clone(record)
			record[key] = encoded
		}
		return record, nil
	}
	return record, nil
}

type csvWriter struct {
	csv     *csv.Writer
	opt     WriterOptions
	started bool
	cells   []string // of the row being written
}

func (w *csvWriter) Write(row Row) error {
	record, err := csvRow(row)
	if err != nil {
		return err
	}
	id, err := idCell(row.ID)
	if err != nil {
		return err
	}
	if !w.started {
		if err := w.start(record, row.Payload); err != nil {
			return err
		}
	}
	w.cells = append(w.cells[:0], id)
	if err := w.add(w.opt.Columns, record); err != nil {
		return err
	}
	if err := w.add(w.opt.Payload, row.Payload); err != nil {
		return err
	}
	return w.csv.Write(w.cells)
}

// csvRow is the record of a row that a CSV may hold.
func csvRow(row Row) (map[string]any, error) {
	record, ok := row.Columns()
	if !ok {
		return nil, fmt.Errorf("%w: CSV holds table records, got a %T", ErrRow, row.Record)
	}
	return record, nil
}

func cellError(column string, err error) error {
	return fmt.Errorf("%w: column %q: %w", ErrRow, column, err)
}

func idCell(id any) (string, error) {
	switch id := id.(type) {
	case uint64:
		return strconv.FormatUint(id, 10), nil
	case string:
		if id != "" {
			return id, nil
		}
	}
	return "", fmt.Errorf("%w: id %v is not a number or text", ErrRow, id)
}

// start writes the header.
func (w *csvWriter) start(record, payload map[string]any) error {
	if len(w.opt.Columns) == 0 {
		w.opt.Columns = slices.Sorted(maps.Keys(record))
	}
	if len(w.opt.Payload) == 0 {
		w.opt.Payload = slices.Sorted(maps.Keys(payload))
	}
	header := slices.Concat([]string{w.opt.ID}, w.opt.Columns, w.opt.Payload)
	seen := map[string]bool{}
	for _, name := range header {
		if name == "" || seen[name] {
			return fmt.Errorf("%w: CSV column %q has no name or is there twice", ErrRow, name)
		}
		seen[name] = true
	}
	w.started = true
	return w.csv.Write(header)
}

// add appends the cells of the named columns. A value under another name would
// be lost, so it is an error.
func (w *csvWriter) add(columns []string, values map[string]any) error {
	found := 0
	for _, name := range columns {
		v, ok := values[name]
		if ok {
			found++
		}
		text, err := cellText(v)
		if err != nil {
			return cellError(name, err)
		}
		w.cells = append(w.cells, text)
	}
	if found == len(values) {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(columns, name) {
			return fmt.Errorf("%w: column %q is not in the CSV's header", ErrRow, name)
		}
	}
	return nil
}

func cellText(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		if !utf8.ValidString(v) {
			return "", errors.New("text is not UTF-8")
		}
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return "", fmt.Errorf("%g is not a number", v)
		}
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	case json.Number:
		return v.String(), nil
	case map[string]any, []any:
		return "", errors.New("a list or an object does not fit a cell")
	}
	return fmt.Sprint(v), nil
}

// Close writes the header even if there were no rows to write.
func (w *csvWriter) Close() error {
	if !w.started && len(w.opt.Columns) > 0 {
		if err := w.start(nil, nil); err != nil {
			return err
		}
	}
	w.csv.Flush()
	return w.csv.Error()
}
