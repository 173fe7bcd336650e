package source

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of tables.
const (
	MaxColumns = 16_384
	// MaxLevelBytes is the longest level of a categorical column, and the longest
	// column name. A longer text in an open column counts as one of the rare.
	MaxLevelBytes = 256
	// MaxDepth is how deep objects may lie within a record.
	MaxDepth = 8
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
	// TimeColumn holds dates and times, by default as text in one of the common
	// forms (see TimeFormat), or as a time.Time.
	TimeColumn ColumnType = "time"
	// TextColumn holds words: text of up to MaxTextBytes, or a list of strings,
	// which is kept as its elements with spaces between.
	TextColumn ColumnType = "text"
)

// columnTypes are all of them, in the order error messages list them.
var columnTypes = []ColumnType{NumericColumn, CategoricalColumn, BooleanColumn, TimeColumn, TextColumn}

// Column is one column of a table.
type Column struct {
	Name string `json:"name"`
	// Type may be empty until Resolve decides it.
	Type ColumnType `json:"type,omitempty"`
	// Levels are all values a categorical column may have. Without them the
	// column is open: it takes any value, and a fit keeps the most frequent.
	Levels []string `json:"levels,omitempty"`
	// Format says how a time column's values are written, where they are not in
	// one of the common forms.
	Format TimeFormat `json:"format,omitempty"`
}

// Table is the source of records with named columns. A record is a
// map[string]any, as a JSON object gives it. A value may be missing anywhere:
// its key absent, or nil. An object within the record is taken for columns of
// its own, {"a": {"b": 1}} for the column "a.b", and the record is kept so. A *cells.Row
// is taken for its map, which costs a fraction of making one.
//
// A feature row has the columns in order. A number is one feature: the mean of its
// robustly standardised value (of a signed logarithm where the column is skewed)
// and of its normal score, the normal quantile of its rank. A boolean is one. A
// categorical column has one per level, one for all other values if it is open.
// A time is a standardised trend, and the sine and cosine of the hour, the weekday
// and the time of year, as far as they differ. Text is up to 64 hashed words. A column
// with missing values in the fit has one more feature that says so.
type Table struct {
	// Columns are all columns there are, not to be changed once a record was stored.
	// None means to infer them.
	Columns []Column `json:"columns,omitempty"`
}

// Kind is "table".
func (t Table) Kind() string { return "table" }

// check tells what is wrong with the columns; an empty type is not.
func (t Table) check() error {
	if len(t.Columns) > MaxColumns {
		return fmt.Errorf("%w: table has %d columns, the limit is %d", ErrSpec, len(t.Columns), MaxColumns)
	}
	names := make(map[string]bool, len(t.Columns))
	for i, c := range t.Columns {
		if err := checkText(c.Name, MaxLevelBytes); err != nil {
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

// reserved is the width of a row whose open columns keep no level and whose texts
// have the fewest features: whatever the records bring, a row that keeps so little
// has no more features.
func (t Table) reserved() int {
	n := 0
	for _, c := range t.Columns {
		n += 1 // for missing values
		switch c.Type {
		case TimeColumn:
			n += maxTimeFeatures
		case TextColumn:
			n += minTextFeatures
		default:
			n += max(len(c.Levels), 1)
		}
	}
	return n
}

func (c Column) check() error {
	if c.Type != "" && !slices.Contains(columnTypes, c.Type) {
		return fmt.Errorf("unknown type %q, want one of: %v", c.Type, columnTypes)
	}
	if len(c.Levels) > 0 && c.Type != CategoricalColumn {
		return fmt.Errorf("levels are for type %q, not %q", CategoricalColumn, c.Type)
	}
	if c.Format != "" && c.Type != TimeColumn {
		return fmt.Errorf("a format is for type %q, not %q", TimeColumn, c.Type)
	}
	if !slices.Contains(timeFormats, c.Format) {
		return fmt.Errorf("unknown format %q, want one of: %q", c.Format, timeFormats[1:])
	}
	seen := make(map[string]bool, len(c.Levels))
	for _, level := range c.Levels {
		if err := checkText(level, MaxLevelBytes); err != nil {
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
func checkText(s string, most int) error {
	if len(s) > most {
		return fmt.Errorf("text of %d bytes, the limit is %d", len(s), most)
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
