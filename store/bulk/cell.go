package bulk

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// cellKind is how the cells of a CSV column are read. An empty cell is nil in
// all, and a mark of a missing value in columns of numbers and of truth values.
type cellKind uint8

const (
	textCell cellKind = iota
	numberCell
	booleanCell
	idNumberCell
)

// missingMarks are what other programs write where a value is missing. Text may
// mean what it says, so they count beside numbers and truth values only.
var missingMarks = []string{"NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?", "-"}

// errInfinite is what a cell is refused for that other programs read as infinite.
var errInfinite = fmt.Errorf("is infinite; a number must be finite, at most %g", math.MaxFloat64)

// inferKind is the narrowest kind that reads column i of every sampled record.
// A column without values is text.
func inferKind(sample []csvRecord, i int, isID bool) cellKind {
	candidates := []cellKind{numberCell, booleanCell}
	if isID {
		candidates = []cellKind{idNumberCell}
	}
	for _, kind := range candidates {
		if kind.readsAll(sample, i) {
			return kind
		}
	}
	return textCell
}

func (k cellKind) readsAll(sample []csvRecord, i int) bool {
	values := 0
	for _, record := range sample {
		if record.err != nil {
			continue
		}
		v, err := k.parse(record.fields[i])
		if errors.Is(err, errInfinite) {
			continue // refused when the row is read; it must not make text of the column
		}
		if err != nil {
			return false
		}
		if v != nil {
			values++
		}
	}
	return values > 0
}

// parse reads a cell: int64 or float64, bool, uint64 (an id), or string; nil if
// the value is missing.
func (k cellKind) parse(cell string) (any, error) {
	if cell == "" {
		return nil, nil
	}
	switch k {
	case numberCell:
		text := strings.TrimSpace(cell)
		if n, ok := parseNumber(text); ok {
			return n, nil
		}
		switch {
		case slices.Contains(missingMarks, text):
			return nil, nil
		case isInfinite(text):
			return nil, fmt.Errorf("%.40q %w", text, errInfinite)
		}
		return nil, fmt.Errorf("%.40q is not a number, as the column's first values are", cell)
	case booleanCell:
		text := strings.TrimSpace(cell)
		switch strings.ToLower(text) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		if slices.Contains(missingMarks, text) {
			return nil, nil
		}
		return nil, fmt.Errorf("%.40q is not true or false, as the column's first values are", cell)
	case idNumberCell:
		if n, err := strconv.ParseUint(cell, 10, 64); err == nil && strconv.FormatUint(n, 10) == cell {
			return n, nil
		}
		return nil, fmt.Errorf("id %.40q is not a number, as the column's first values are", cell)
	}
	return cell, nil
}

// isInfinite tells whether text is a word for infinity, as pandas and C write it,
// or a decimal number beyond float64.
func isInfinite(s string) bool {
	if strings.ContainsAny(s, "_xXpP") {
		return false // Go's own ways to write numbers
	}
	f, _ := strconv.ParseFloat(s, 64)
	return math.IsInf(f, 0) && strings.ContainsAny(s, ".eEfF")
}

// parseNumber reads decimal numbers, but not what only looks like one: digits
// after a leading zero or a plus (codes, telephone numbers), and integers that
// int64 does not hold, all of which a number would not give back as written.
func parseNumber(s string) (any, bool) {
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
