package bulk

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/latentdb/latentdb/embed/source/cells"
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
	for at := range sample {
		record := &sample[at]
		if record.err != nil {
			continue
		}
		if k == numberCell && record.Ends[i].IsPlain() {
			values++
			continue
		}
		from, to, err := k.cut(record.Cell(i))
		if errors.Is(err, errInfinite) {
			continue // refused when the row is read; it must not make text of the column
		}
		if err != nil {
			return false
		}
		if from < to {
			values++
		}
	}
	return values > 0
}

// cut is where in a cell its value stands: nowhere if the value is missing.
func (k cellKind) cut(cell string) (from, to int, err error) {
	if cell == "" || k == textCell || k == numberCell && cells.IsPlain(cell) {
		return 0, len(cell), nil
	}
	if k == idNumberCell {
		if n, err := strconv.ParseUint(cell, 10, 64); err != nil || strconv.FormatUint(n, 10) != cell {
			return 0, 0, fmt.Errorf("id %.40q is not a number, as the column's first values are", cell)
		}
		return 0, len(cell), nil
	}
	text := strings.TrimSpace(cell)
	_, ok := k.value(text)
	switch {
	case ok && text != "":
		from = strings.Index(cell, text)
		return from, from + len(text), nil
	case slices.Contains(missingMarks, text):
		return 0, 0, nil
	case k == booleanCell:
		return 0, 0, fmt.Errorf("%.40q is not true or false, as the column's first values are", cell)
	case isInfinite(text):
		return 0, 0, fmt.Errorf("%.40q %w", text, errInfinite)
	}
	return 0, 0, fmt.Errorf("%.40q is not a number, as the column's first values are", cell)
}

// value reads what was cut: int64 or float64, bool, uint64 (an id), or string; nil if
// the value is missing.
func (k cellKind) value(text string) (v any, ok bool) {
	if text == "" {
		return nil, true
	}
	switch k {
	case numberCell:
		return cells.ParseNumber(text)
	case booleanCell:
		return cells.ParseBoolean(text)
	case idNumberCell:
		n, err := strconv.ParseUint(text, 10, 64)
		return n, err == nil
	}
	return text, true
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
