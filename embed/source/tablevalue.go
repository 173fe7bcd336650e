package source

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/latentdb/latentdb/embed/source/cells"
)

// Marshal stores a record as compact JSON with sorted keys, without objects in it.
// Integers that int64 holds stay exact; a number written 3.0 is the integer 3.
func (t Table) Marshal(record any) ([]byte, error) {
	if row, ok := record.(*cells.Row); ok {
		return t.marshalRow(row)
	}
	given, err := columnsOf(record)
	if err != nil {
		return nil, err
	}
	return t.marshalColumns(given)
}

func (t Table) marshalColumns(given map[string]any) ([]byte, error) {
	if err := t.resolved(); err != nil {
		return nil, err
	}
	const usual = 24 // bytes of a column
	stored, found := append(make([]byte, 0, usual*len(given)), '{'), 0
	columns := t.byName()
	for i := range columns {
		c := &columns[i]
		v, ok := given[c.Name]
		if !ok {
			continue
		}
		kept, err := c.normal(v)
		if err != nil {
			return nil, fmt.Errorf("%w: column %q: %w", ErrRecord, c.Name, err)
		}
		if found++; found > 1 {
			stored = append(stored, ',')
		}
		stored = append(appendString(stored, c.Name), ':')
		stored = appendValue(stored, kept)
	}
	if found < len(given) {
		if err := t.unknownColumn(given); err != nil {
			return nil, err
		}
	}
	return append(stored, '}'), nil
}

// byName gives the columns in the order of their names, in which they are unless they
// were declared otherwise.
func (t Table) byName() []Column {
	compare := func(a, b Column) int { return strings.Compare(a.Name, b.Name) }
	if slices.IsSortedFunc(t.Columns, compare) {
		return t.Columns
	}
	return slices.SortedFunc(slices.Values(t.Columns), compare)
}

// unknownColumn names a column that the table does not have. That there is no
// object where columns lie within one is no column.
func (t Table) unknownColumn(record map[string]any) error {
	known := make(map[string]bool, len(t.Columns))
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		known[c.Name], names[i] = true, c.Name
	}
	for _, name := range slices.Sorted(maps.Keys(record)) {
		if !known[name] && (record[name] != nil || !t.isObject(name)) {
			return fmt.Errorf("%w: unknown column %q, the table has: %s", ErrRecord, cut(name), listed(names))
		}
	}
	return nil
}

// Unmarshal returns a map[string]any of string, bool, nil, int64 for integers
// and float64 for other numbers.
func (t Table) Unmarshal(stored []byte) (any, error) {
	record, err := decodeTableRecord(stored)
	if err != nil {
		return nil, err
	}
	return record, nil
}

func decodeTableRecord(stored []byte) (map[string]any, error) {
	record := make(map[string]any)
	if flatObject(stored, func(name []byte, v any) { record[string(name)] = v }) {
		return record, nil
	}
	record = nil
	if err := decodeStrict(stored, &record); err != nil {
		return nil, fmt.Errorf("%w: stored table record: %w", ErrRecord, err)
	}
	for name, v := range record {
		n, ok := v.(json.Number)
		if !ok {
			continue
		}
		value, ok := number(n)
		if !ok {
			return nil, fmt.Errorf("%w: column %q: number %s", ErrRecord, name, n)
		}
		record[name] = value
	}
	return record, nil
}

// normal is v as the column keeps it: nil, an int64, a float64, a string or a bool.
func (c *Column) normal(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	switch c.Type {
	case NumericColumn:
		return normalNumber(v)
	case BooleanColumn:
		return normalBoolean(v)
	case TimeColumn:
		return normalTime(v, c.Format)
	case TextColumn:
		return normalText(v)
	}
	kept, err := normalLevel(v)
	if err != nil {
		return nil, err
	}
	if text := levelText(kept); len(c.Levels) > 0 && !slices.Contains(c.Levels, text) {
		return nil, fmt.Errorf("unknown level %q, the column has: %s", cut(text), listed(c.Levels))
	}
	return kept, nil
}

func normalNumber(v any) (any, error) {
	n, ok := number(v)
	if s, isText := v.(string); isText {
		n, ok = parseNumber(s)
	}
	if !ok {
		return nil, fmt.Errorf("got %s, want a number", describe(v))
	}
	return n, inRange(toFloat(n))
}

func normalBoolean(v any) (any, error) {
	if n, ok := number(v); ok {
		v = n
	}
	switch v {
	case true, "true", int64(1):
		return true, nil
	case false, "false", int64(0):
		return false, nil
	}
	return nil, fmt.Errorf("got %s, want true or false", describe(v))
}

func normalLevel(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return v, checkText(v, MaxTextBytes)
	case bool:
		return v, nil
	}
	n, ok := number(v)
	if !ok {
		return nil, fmt.Errorf("got %s, want text, a number or a boolean", describe(v))
	}
	return n, inRange(toFloat(n))
}

// levelText is the level that a value of a categorical column belongs to.
func levelText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return strconv.FormatFloat(v.(float64), 'g', -1, 64)
}

// describe shows a value in an error message, cut to a readable length.
func describe(v any) string {
	const most = 40
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return fmt.Sprintf("boolean %t", v)
	case string:
		return fmt.Sprintf("text %.*q", most, v)
	case map[string]any:
		return "an object"
	case []any, []string:
		return "a list"
	}
	if _, ok := number(v); ok {
		return fmt.Sprintf("number %.*s", most, fmt.Sprint(v))
	}
	return fmt.Sprintf("a %T", v)
}

// appendValue writes a normal value as JSON. encoding/json would do but for large
// floats, which it writes as digits that read back as another integer.
func appendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		return strconv.AppendBool(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case float64:
		if math.Abs(v) > maxExactFloat {
			return strconv.AppendFloat(dst, v, 'e', -1, 64)
		}
		return strconv.AppendFloat(dst, v, 'g', -1, 64)
	case string:
		return appendString(dst, v)
	}
	return append(dst, "null"...)
}

// appendString writes a text as encoding/json does.
func appendString(dst []byte, s string) []byte {
	if !isPlainText(s) {
		quoted, _ := json.Marshal(s) // of a string never fails
		return append(dst, quoted...)
	}
	return append(append(append(dst, '"'), s...), '"')
}

// isPlainText tells of text that encoding/json writes as it is.
func isPlainText(s string) bool {
	for i := range len(s) {
		if !plainBytes[s[i]] {
			return false
		}
	}
	return true
}

var plainBytes = func() (plain [256]bool) {
	for c := ' '; c <= '~'; c++ {
		plain[c] = !strings.ContainsRune(`"\<>&`, c)
	}
	return plain
}()
