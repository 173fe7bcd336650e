package source

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"unicode/utf8"
)

// The stored bytes of a table's record: storedCells; a checksum of the columns' names, so
// that no value is ever taken for another column's; then the cells in the order of the
// columns. A cell is a byte, its kind and a number n of five bits (or longCell, and what n
// is more as a varint), and then n bytes if it is a number or text. Numbers are decimal,
// for most come as such. Equal records have equal bytes.
//
// Earlier versions stored JSON, an object of the columns that are there: it begins with
// another byte, and is read for ever.
const storedCells = 1

// Kinds of stored cells.
const (
	absentCells byte = iota << 5 // n columns that the record does not have
	nullCell                     // n is 0
	booleanCell                  // n is 0 or 1
	numberCell
	textCell
)

// longCell is the n that more is said of.
const longCell = 1<<5 - 1

// tableForm is how the records of a table are stored.
type tableForm struct {
	columns []Column
	start   [5]byte // of every record
}

func (t Table) form() *tableForm {
	sum := uint32(0)
	var name []byte
	for i := range t.Columns {
		name = append(append(name[:0], t.Columns[i].Name...), 0xff) // which no name has
		sum = crc32.Update(sum, castagnoli, name)
	}
	f := &tableForm{columns: t.Columns, start: [5]byte{storedCells}}
	binary.BigEndian.PutUint32(f.start[1:], sum)
	return f
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// hasCells tells cells from JSON.
func hasCells(stored []byte) bool { return len(stored) > 0 && stored[0] == storedCells }

func appendHead(dst []byte, kind byte, n int) []byte {
	if n < longCell {
		return append(dst, kind|byte(n))
	}
	return binary.AppendUvarint(append(dst, kind|longCell), uint64(n-longCell))
}

func appendAbsent(dst []byte, columns int) []byte {
	if columns == 0 {
		return dst
	}
	return appendHead(dst, absentCells, columns)
}

// appendCell writes a normal value.
func appendCell(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, nullCell)
	case bool:
		if v {
			return append(dst, booleanCell|1)
		}
		return append(dst, booleanCell)
	case string:
		return append(appendHead(dst, textCell, len(v)), v...)
	}
	at := len(dst)
	dst = appendValue(append(dst, numberCell), v)
	dst[at] |= byte(len(dst) - at - 1) // float64 in the shortest way takes up to 24
	return dst
}

// each visits all columns in their order with their values, and tells of those that the
// record does not have. It is the one reader of stored records.
func (f *tableForm) each(stored []byte, visit func(i int, v any, there bool) error) error {
	if !hasCells(stored) {
		return f.eachOfJSON(stored, visit)
	}
	if len(stored) < len(f.start) || [5]byte(stored) != f.start {
		return fmt.Errorf("%w: stored table record: is not of the table's columns", ErrRecord)
	}
	cells := cellReader{rest: stored[len(f.start):]}
	for i := range f.columns {
		v, there, err := cells.next()
		if err == nil {
			err = visit(i, v, there)
		} else {
			err = fmt.Errorf("%w: stored table record: column %q: %w", ErrRecord, f.columns[i].Name, err)
		}
		if err != nil {
			return err
		}
	}
	if len(cells.rest) > 0 || cells.absent > 0 {
		return fmt.Errorf("%w: stored table record: has more than the table's columns", ErrRecord)
	}
	return nil
}

// eachValue visits all columns with their values as the columns take them, nil if a value
// is missing.
func (f *tableForm) eachValue(stored []byte, visit func(i int, v any)) error {
	return f.each(stored, func(i int, v any, _ bool) error {
		v, err := f.columns[i].normal(v)
		if err != nil {
			return fmt.Errorf("%w: column %q: %w", ErrRecord, f.columns[i].Name, err)
		}
		visit(i, v)
		return nil
	})
}

// cellReader reads the cells of a stored record.
type cellReader struct {
	rest   []byte
	absent int // columns to come that are not there
}

func (r *cellReader) next() (v any, there bool, err error) {
	if r.absent > 0 {
		r.absent--
		return nil, false, nil
	}
	kind, n, err := r.head()
	if err != nil {
		return nil, false, err
	}
	switch {
	case kind == absentCells && n > 0:
		r.absent = n - 1
		return nil, false, nil
	case kind == nullCell && n == 0:
		return nil, true, nil
	case kind == booleanCell && n <= 1:
		return n == 1, true, nil
	case kind == numberCell || kind == textCell:
		v, err = r.bytes(kind, n)
		return v, true, err
	}
	return nil, false, fmt.Errorf("a cell of kind %d and %d", kind>>5, n)
}

var errCutShort = errors.New("is cut short")

func (r *cellReader) head() (kind byte, n int, err error) {
	if len(r.rest) == 0 {
		return 0, 0, errCutShort
	}
	kind, n = r.rest[0]&^longCell, int(r.rest[0]&longCell)
	if r.rest = r.rest[1:]; n < longCell {
		return kind, n, nil
	}
	more, size := binary.Uvarint(r.rest)
	if size <= 0 || more > math.MaxInt32 {
		return 0, 0, errCutShort
	}
	r.rest = r.rest[size:]
	return kind, n + int(more), nil
}

func (r *cellReader) bytes(kind byte, n int) (any, error) {
	if n > len(r.rest) {
		return nil, errCutShort
	}
	cell := r.rest[:n]
	r.rest = r.rest[n:]
	if kind == textCell {
		if !utf8.Valid(cell) {
			return nil, errors.New("is not UTF-8")
		}
		return string(cell), nil
	}
	v, ok := parseNumber(string(cell))
	if f, isFloat := v.(float64); !ok || isFloat && math.IsInf(f, 0) {
		return nil, fmt.Errorf("number %.40q", cell)
	}
	return v, nil
}

// Renew makes of JSON what Marshal writes today.
func (t Table) Renew(stored []byte) ([]byte, error) {
	if hasCells(stored) {
		return stored, nil
	}
	record, err := t.Unmarshal(stored)
	if err != nil {
		return nil, err
	}
	return t.Marshal(record)
}

// eachOfJSON is each for what earlier versions wrote.
func (f *tableForm) eachOfJSON(stored []byte, visit func(i int, v any, there bool) error) error {
	var record map[string]any
	if err := decodeStrict(stored, &record); err != nil {
		return fmt.Errorf("%w: stored table record: %w", ErrRecord, err)
	}
	found := 0
	for i := range f.columns {
		name := f.columns[i].Name
		v, there := record[name]
		if there {
			found++
		}
		if n, ok := v.(json.Number); ok {
			if v, ok = number(n); !ok {
				return fmt.Errorf("%w: column %q: number %s", ErrRecord, name, n)
			}
		}
		if err := visit(i, v, there); err != nil {
			return err
		}
	}
	if found < len(record) {
		return fmt.Errorf("%w: stored table record: has more than the table's columns", ErrRecord)
	}
	return nil
}
