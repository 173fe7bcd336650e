// Package cells is the record of a table as files of rows have it: the text of a row,
// cut into cells, under a header that all rows of the file share. A source.Table stores
// it as it stores a map[string]any with the same values, and neither the map nor its
// values are ever made.
package cells

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
)

// Kind is how the cells of a column are read.
type Kind uint8

// Kinds of columns. An empty cell is a missing value in all.
const (
	Skipped Kind = iota // no part of the record
	Text
	Number  // decimal, without spaces around it
	Boolean // true or false, in capitals or not
)

// Column is a column of a file.
type Column struct {
	Name string
	Kind Kind
}

// Header is what the rows of a file have in common. It is safe for concurrent use.
type Header struct {
	columns []Column
	// Plan is kept for the rows' source: what it made of the columns, once for all rows.
	Plan atomic.Value
}

// NewHeader is the header of columns, whose names differ but for those skipped.
func NewHeader(columns []Column) *Header { return &Header{columns: columns} }

// Columns are the columns in the file's order, not to be changed.
func (h *Header) Columns() []Column { return h.columns }

// Len is how many columns are not skipped.
func (h *Header) Len() int {
	n := 0
	for _, c := range h.columns {
		if c.Kind != Skipped {
			n++
		}
	}
	return n
}

// Index is where the column of a name stands, -1 if there is none.
func (h *Header) Index(name string) int {
	for i := range h.columns {
		if h.columns[i].Name == name && h.columns[i].Kind != Skipped {
			return i
		}
	}
	return -1
}

// Without is the header with a column skipped.
func (h *Header) Without(column int) *Header {
	columns := append([]Column(nil), h.columns...)
	columns[column].Kind = Skipped
	return NewHeader(columns)
}

// MaxLine is how long the text of a row may be.
const MaxLine = 1<<31 - 1

// End is where a cell ends in the text of its row. The next one begins one byte further.
type End uint32

// plainEnd is part of the end of a cell that is known to be as IsPlain says.
const plainEnd End = MaxLine + 1

// At is where that is.
func (e End) At() int { return int(e &^ plainEnd) }

// IsPlain tells whether the cell is known to be as IsPlain says.
func (e End) IsPlain() bool { return e&plainEnd != 0 }

// Cut appends the ends of the cells of a line, which commas part.
func Cut(ends []End, line string) []End {
	for from := 0; ; {
		to := from + plainLength(line[from:])
		plain := to > from && (to == len(line) || line[to] == ',')
		if !plain {
			if more := strings.IndexByte(line[to:], ','); more >= 0 {
				to += more
			} else {
				to = len(line)
			}
		}
		end := End(to)
		if plain {
			end |= plainEnd
		}
		ends = append(ends, end)
		if from = to + 1; to == len(line) {
			return ends
		}
	}
}

// Join is the row of cells that were cut otherwise.
func Join(texts []string) Row {
	row := Row{Line: strings.Join(texts, ","), Ends: make([]End, len(texts))}
	to := -1
	for i, text := range texts {
		to += 1 + len(text)
		if row.Ends[i] = End(to); IsPlain(text) {
			row.Ends[i] |= plainEnd
		}
	}
	return row
}

// Row is one record. It does not change.
type Row struct {
	Header *Header
	Line   string // the row's text, of at most MaxLine bytes
	Ends   []End  // of the cells in it, one for each column of the header
}

// Check tells whether the row has a cell for each column of its header.
func (r *Row) Check() error {
	if r == nil || r.Header == nil {
		return errors.New("a row without a header")
	}
	if len(r.Ends) != len(r.Header.columns) {
		return fmt.Errorf("a row of %d cells, its header has %d columns", len(r.Ends), len(r.Header.columns))
	}
	return nil
}

// Cell is the text of a cell, "" if its value is missing.
func (r *Row) Cell(i int) string {
	from := 0
	if i > 0 {
		from = r.Ends[i-1].At() + 1
	}
	return r.Line[from:r.Ends[i].At()]
}

// IsPlain is IsPlain of a cell.
func (r *Row) IsPlain(i int) bool { return r.Ends[i].IsPlain() || IsPlain(r.Cell(i)) }

// Value is the value of a cell: nil, a string, an int64 or float64, or a bool. Text that
// is not of the column's kind is a string.
func (r *Row) Value(i int) any {
	text := r.Cell(i)
	if text == "" {
		return nil
	}
	switch r.Header.columns[i].Kind {
	case Number:
		if n, ok := ParseNumber(text); ok {
			return n
		}
	case Boolean:
		if b, ok := ParseBoolean(text); ok {
			return b
		}
	}
	return text
}

// Map is the record as a map. A missing value is nil in it.
func (r *Row) Map() map[string]any {
	m := make(map[string]any, len(r.Ends))
	for i, c := range r.Header.columns {
		if c.Kind != Skipped {
			m[c.Name] = r.Value(i)
		}
	}
	return m
}

// MarshalJSON is that of the map.
func (r *Row) MarshalJSON() ([]byte, error) { return json.Marshal(r.Map()) }

// ParseBoolean reads true and false, in capitals or not.
func ParseBoolean(s string) (value, ok bool) {
	switch {
	case strings.EqualFold(s, "true"):
		return true, true
	case strings.EqualFold(s, "false"):
		return false, true
	}
	return false, false
}

// ParseNumber reads decimal numbers, but not what only looks like one: digits
// after a leading zero or a plus (codes, telephone numbers), and integers that
// int64 does not hold, all of which a number would not give back as written.
func ParseNumber(s string) (any, bool) {
	digits := strings.TrimPrefix(s, "-")
	if strings.HasPrefix(s, "+") || len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
		return nil, false
	}
	whole := true
	for i := range len(digits) {
		switch c := digits[i]; {
		case c >= '0' && c <= '9':
		case c == '+' || c == '-' || c == '.' || c == 'e' || c == 'E':
			whole = false
		default:
			return nil, false
		}
	}
	if whole { // no errors are made of what is none
		i, err := strconv.ParseInt(s, 10, 64)
		return i, err == nil
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// IsPlain tells quickly of most numbers that ParseNumber reads, and that formatting
// the int64 or, in the shortest way, the float64 that it reads gives the same text
// again, without an exponent: of integers of up to 18 digits, and of decimals from 0.0001
// of up to six digits before the point, in all up to 15, the last of which is not 0.
func IsPlain(s string) bool { return s != "" && plainLength(s) == len(s) }

// plainLength is how long the plain number is that s begins with; 0 if there is none.
func plainLength(s string) int {
	const wholeDigits, beforePoint, decimalDigits = 18, 6, 15
	start := 0
	if s != "" && s[0] == '-' {
		start = 1
	}
	end := digitsEnd(s, start)
	whole := end - start
	if whole == 0 || whole > wholeDigits || s[start] == '0' && whole > 1 {
		return 0
	}
	if end == len(s) || s[end] != '.' {
		if s[start] == '0' && start > 0 {
			return 0
		}
		return end
	}
	point := end
	end = digitsEnd(s, point+1)
	switch {
	case whole > beforePoint || end-point-1+whole > decimalDigits || s[end-1] == '0' || s[end-1] == '.':
		return 0
	case s[start] == '0' && strings.HasPrefix(s[point:end], ".0000"):
		return 0
	}
	return end
}

func digitsEnd(s string, i int) int {
	for i < len(s) && s[i]-'0' < 10 {
		i++
	}
	return i
}
