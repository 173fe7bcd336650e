package source_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/embed/source/cells"
	"pgregory.net/rapid"
)

// cellTexts are cells of all sorts.
var cellTexts = rapid.OneOf(
	rapid.SampledFrom([]string{"", "0", "1", "-12", "9.84", "9.50", "3.0", "-0.0", "1e3", "1e300", "123456789012345678", "9223372036854775807",
		"true", "FALSE", "red", "green", "a \"b\" <c>", "Ünïcode", "\xff", strings.Repeat("long ", 60), "inf",
		"2011-01-31", "2011-01-28 23:59:59", "2011-02-30", "31.01.2011", " 2011-01-01 ", "0000-01-01", "2011-01-01 24:00:00"}),
	rapid.StringOfN(rapid.RuneFrom([]rune("0123.-e")), 0, 8, -1),
	rapid.StringOf(rapid.RuneFrom([]rune("ab,\n\"é"))))

// drawCells gives a row of a file, and a table that may take it.
func drawCells(t *rapid.T) (*cells.Row, source.Table) {
	var table source.Table
	var columns []cells.Column
	var texts []string
	for i := range rapid.IntRange(1, 6).Draw(t, "columns") {
		name := fmt.Sprint("c", (i*5)%7) // not in order
		column := source.Column{Name: name, Type: rapid.SampledFrom([]source.ColumnType{source.NumericColumn, source.CategoricalColumn,
			source.BooleanColumn, source.TimeColumn, source.TextColumn}).Draw(t, "type")}
		if column.Type == source.CategoricalColumn && rapid.Bool().Draw(t, "closed") {
			column.Levels = []string{"red", "green", "1", "true"}
		}
		if column.Type == source.TimeColumn {
			column.Format = rapid.SampledFrom([]source.TimeFormat{source.CommonTime, source.UnixTime, source.DayMonthTime}).Draw(t, "format")
		}
		if there := rapid.IntRange(0, 9).Draw(t, "there"); there > 0 {
			table.Columns = append(table.Columns, column)
		}
		columns = append(columns, cells.Column{Name: name, Kind: rapid.SampledFrom([]cells.Kind{cells.Skipped, cells.Text, cells.Text, cells.Number, cells.Boolean}).Draw(t, "kind")})
		text := cellTexts.Draw(t, "cell")
		texts = append(texts, text)
	}
	table.Columns = append(table.Columns, source.Column{Name: "none", Type: source.NumericColumn})
	row := cells.Join(texts)
	row.Header = cells.NewHeader(columns)
	return &row, table
}

// A row of cells is stored as its map is, byte by byte, or refused for the same reason;
// the second row under a header as the first, and for another table, too.
func TestTableCells(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row, table := drawCells(t)
		other := source.Table{Columns: slices.Clone(table.Columns)}
		for i := range other.Columns {
			other.Columns[i] = source.Column{Name: table.Columns[i].Name, Type: source.TextColumn}
		}
		for _, table := range []source.Table{table, table, other, table} {
			want, refused := table.Marshal(row.Map())
			got, err := table.Marshal(row)
			if string(got) != string(want) || fmt.Sprint(err) != fmt.Sprint(refused) {
				t.Fatalf("%q of %v: got %s, %v\nwant %s, %v", row.Line, row.Header.Columns(), got, err, want, refused)
			}
		}
	})
}

func TestTableCellsRefused(t *testing.T) {
	table := source.Table{Columns: []source.Column{{Name: "a", Type: source.NumericColumn}}}
	header := cells.NewHeader([]cells.Column{{Name: "a", Kind: cells.Number}})
	for _, row := range []*cells.Row{nil, {}, {Header: header}} {
		if _, err := table.Marshal(row); !errors.Is(err, source.ErrRecord) {
			t.Errorf("Marshal of %v: %v", row, err)
		}
		if _, err := (source.Table{}).Resolve([]any{row}); !errors.Is(err, source.ErrRecord) {
			t.Errorf("Resolve of %v: %v", row, err)
		}
	}
	row := &cells.Row{Header: header, Line: "1", Ends: []cells.End{1}}
	if _, err := (source.Table{}).Marshal(row); !errors.Is(err, source.ErrSpec) {
		t.Errorf("of no columns: %v", err)
	}
	if spec, err := (source.Table{}).Resolve([]any{row}); err != nil || fmt.Sprint(spec) != fmt.Sprint(table) {
		t.Errorf("resolved to %v, %v", spec, err)
	}
}

// What has the form of a time is one when the standard library says so.
func TestPlainTimes(t *testing.T) {
	table := source.Table{Columns: []source.Column{{Name: "t", Type: source.TimeColumn}}}
	check := func(layout, s string) {
		parsed, err := time.Parse(layout, s)
		if _, refused := table.Marshal(map[string]any{"t": s}); (refused == nil) != (err == nil && parsed.Year() > 0) {
			t.Errorf("%s: %v, while time says %v", s, refused, err)
		}
	}
	for _, year := range []int{0, 1, 1999, 2000, 9999} {
		for date := range 14 * 33 {
			check(time.DateOnly, fmt.Sprintf("%04d-%02d-%02d", year, date/33, date%33))
		}
	}
	for _, clock := range []string{"00:00:00", "23:59:59", "24:00:00", "23:60:00", "23:59:60", "99:99:99", "1a:00:00", "23-59-59"} {
		check(time.DateTime, "2011-02-28 "+clock)
	}
	_, err := source.Table{Columns: []source.Column{{Name: "t", Type: source.TimeColumn, Format: source.UnixTime}}}.Marshal(
		&cells.Row{Header: cells.NewHeader([]cells.Column{{Name: "t", Kind: cells.Text}}), Line: "2011-02-28", Ends: []cells.End{10}})
	if !errors.Is(err, source.ErrRecord) {
		t.Errorf("text where times are numbers: %v", err)
	}
}
