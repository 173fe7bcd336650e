package source

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of tables.
const (
	MaxColumns = 4096
	// MaxLevelBytes is the longest text in a categorical column, and the
	// longest column name. Free text belongs in the payload.
	MaxLevelBytes = 256
	// MaxOpenLevels is how many levels a fit keeps of a column that declares
	// none. If there are more, the rarer ones, and all that occur once, share a
	// feature. In a table so wide that a row would pass MaxFeatures, every open
	// column keeps its most frequent ones only, up to the largest number at
	// which the row fits.
	MaxOpenLevels = 64
)

// ColumnType says what values a column holds.
type ColumnType string

const (
	// NumericColumn holds finite numbers in the range of float32. A string that
	// spells one, as CSV gives it, is taken as the number.
	NumericColumn ColumnType = "numeric"
	// CategoricalColumn holds text. A number or boolean is kept as it is and
	// counts as the level its text names, so 7 and "7" are one level.
	CategoricalColumn ColumnType = "categorical"
	// BooleanColumn holds true and false; "true", "false", 0 and 1 are taken.
	BooleanColumn ColumnType = "boolean"
)

// Column is one column of a table.
type Column struct {
	Name string `json:"name"`
	// Type may be empty until Resolve decides it.
	Type ColumnType `json:"type,omitempty"`
	// Levels are all values a categorical column may have. Without them the
	// column is open: it takes any value, and a fit keeps the most frequent.
	Levels []string `json:"levels,omitempty"`
}

// Table is the source of records with named columns. A record is a
// map[string]any, as a JSON object gives it. A value may be missing anywhere:
// its key absent, or nil.
//
// A feature row has the columns in order: a number is one feature, standardised
// (after a signed logarithm where the column is skewed); a boolean is one; a
// categorical column has one per level, one for all other values if it is open.
// A column with missing values in the fit has one more that says so.
type Table struct {
	// Columns are all columns there are. None means to infer them.
	Columns []Column `json:"columns,omitempty"`
}

// Kind is "table".
func (t Table) Kind() string { return "table" }

// Resolve infers the columns, sorted by name, if none are declared, and each
// column's type if it is not: all booleans boolean, all numbers numeric,
// anything else categorical. A column without a value yet is categorical too,
// since that refuses nothing and changes nothing it stores.
func (t Table) Resolve(first []any) (Spec, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	untyped := func(c Column) bool { return c.Type == "" }
	if len(first) == 0 || len(t.Columns) > 0 && !slices.ContainsFunc(t.Columns, untyped) {
		return t, nil
	}
	types, err := inferTypes(first)
	if err != nil {
		return nil, err
	}
	columns := slices.Clone(t.Columns)
	if len(columns) == 0 {
		for _, name := range slices.Sorted(maps.Keys(types)) {
			columns = append(columns, Column{Name: name})
		}
	}
	for i, c := range columns {
		if c.Type == "" {
			columns[i].Type = types[c.Name]
		}
		if columns[i].Type == "" {
			columns[i].Type = CategoricalColumn
		}
	}
	resolved := Table{columns}
	if len(columns) == 0 {
		return nil, fmt.Errorf("%w: the first records have no columns", ErrRecord)
	}
	return resolved, resolved.check()
}

// inferTypes gives every column of some records its type, "" without a value.
func inferTypes(records []any) (map[string]ColumnType, error) {
	types := map[string]ColumnType{}
	for _, r := range records {
		record, ok := r.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%w: got %T, want a table record", ErrRecord, r)
		}
		for name, v := range record {
			seen, was := valueType(v), types[name]
			if seen != was && was != "" && seen != "" {
				seen = CategoricalColumn
			}
			if seen == "" {
				seen = was
			}
			types[name] = seen
		}
		if len(types) > MaxColumns {
			return nil, fmt.Errorf("%w: more than %d columns", ErrRecord, MaxColumns)
		}
	}
	return types, nil
}

// valueType is the type of column that a value asks for, "" for nil.
func valueType(v any) ColumnType {
	switch v.(type) {
	case nil:
		return ""
	case bool:
		return BooleanColumn
	}
	if _, ok := number(v); ok {
		return NumericColumn
	}
	return CategoricalColumn
}

// check tells what is wrong with the columns; an empty type is not.
func (t Table) check() error {
	if len(t.Columns) > MaxColumns {
		return fmt.Errorf("%w: table has %d columns, the limit is %d", ErrSpec, len(t.Columns), MaxColumns)
	}
	names := make(map[string]bool, len(t.Columns))
	for i, c := range t.Columns {
		if err := checkText(c.Name); err != nil {
			return fmt.Errorf("%w: name of column %d: %w", ErrSpec, i, err)
		}
		if c.Name == "" {
			return fmt.Errorf("%w: column %d has no name", ErrSpec, i)
		}
		if names[c.Name] {
			return fmt.Errorf("%w: column %q is declared twice", ErrSpec, c.Name)
		}
		names[c.Name] = true
		if err := c.check(); err != nil {
			return fmt.Errorf("%w: column %q: %w", ErrSpec, c.Name, err)
		}
	}
	if n := t.reserved(); n > MaxFeatures {
		return fmt.Errorf("%w: the table's columns need %d features, declared levels and signs of missing values included, the limit is %d",
			ErrSpec, n, MaxFeatures)
	}
	return nil
}

// reserved is the width of a row whose open columns keep no level: whatever the
// records bring, a row that keeps so little has no more features.
func (t Table) reserved() int {
	n := 0
	for _, c := range t.Columns {
		n += max(len(c.Levels), 1) + 1 // and one for missing values
	}
	return n
}

func (c Column) check() error {
	switch c.Type {
	case "", NumericColumn, BooleanColumn:
		if len(c.Levels) > 0 {
			return fmt.Errorf("levels are for type %q, not %q", CategoricalColumn, c.Type)
		}
	case CategoricalColumn:
	default:
		return fmt.Errorf("unknown type %q, want one of: %s, %s, %s",
			c.Type, NumericColumn, CategoricalColumn, BooleanColumn)
	}
	seen := make(map[string]bool, len(c.Levels))
	for _, level := range c.Levels {
		if err := checkText(level); err != nil {
			return fmt.Errorf("level: %w", err)
		}
		if seen[level] {
			return fmt.Errorf("level %q is declared twice", level)
		}
		seen[level] = true
	}
	return nil
}

// resolved tells that columns or their types are still open.
func (t Table) resolved() error {
	if len(t.Columns) == 0 {
		return fmt.Errorf("%w: table columns are not resolved", ErrSpec)
	}
	for _, c := range t.Columns {
		if c.Type == "" {
			return fmt.Errorf("%w: type of column %q is not resolved", ErrSpec, c.Name)
		}
	}
	return nil
}

// checkText refuses text that is too long or that JSON would change.
func checkText(s string) error {
	if len(s) > MaxLevelBytes {
		return fmt.Errorf("text of %d bytes, the limit is %d", len(s), MaxLevelBytes)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("text %q is not UTF-8", s)
	}
	return nil
}

// listed joins names for an error message, the first ones if there are many.
func listed(names []string) string {
	const most = 20
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}
