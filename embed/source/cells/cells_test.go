package cells_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/embed/source/cells"
	"pgregory.net/rapid"
)

func Example() {
	header := cells.NewHeader([]cells.Column{{Name: "city", Kind: cells.Text}, {Name: "age", Kind: cells.Number}})
	row := &cells.Row{Header: header, Line: "Oslo,31", Ends: cells.Cut(nil, "Oslo,31")}
	fmt.Println(row.Cell(0), row.Map())
	// Output: Oslo map[age:31 city:Oslo]
}

// written is a number as a table stores it.
func written(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}

func TestIsPlain(t *testing.T) {
	for _, s := range []string{"0", "7", "-12", "999999999999999999", "0.5", "-0.5", "14.395", "0.0001", "123456.789012345", "100"} {
		if !cells.IsPlain(s) {
			t.Errorf("%s is not plain", s)
		}
	}
	for _, s := range []string{"", "-", ".", "5.", ".5", "-0", "-0.0", "007", "+1", "1e3", "0.00001", "9.50", "1234567.5",
		"1.2.3", "--1", "1_0", " 1", "0x1", "1234567890123456789", "1.234567890123456", "¹", "NaN", "00.5"} {
		if cells.IsPlain(s) {
			t.Errorf("%s is plain", s)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.StringOfN(rapid.RuneFrom([]rune("0019.-e+5")), 0, 20, -1),
			rapid.Map(rapid.Float64(), func(f float64) string { return strconv.FormatFloat(f, 'f', 4, 64) }),
			rapid.Map(rapid.Int64(), func(i int64) string { return strconv.FormatInt(i, 10) })).Draw(t, "s")
		if !cells.IsPlain(s) {
			return
		}
		if v, ok := cells.ParseNumber(s); !ok || written(v) != s {
			t.Errorf("%s is plain, but read as %v", s, v)
		}
	})
}

func TestCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("0019.-e x")), 0, 9, -1), 1, 6).Draw(t, "cells")
		row := &cells.Row{Line: strings.Join(want, ",")}
		row.Ends = cells.Cut(nil, row.Line)
		if len(row.Ends) != len(want) {
			t.Fatalf("%q: %d cells", row.Line, len(row.Ends))
		}
		for i, cell := range want {
			if row.Cell(i) != cell || row.Ends[i].IsPlain() != cells.IsPlain(cell) || row.IsPlain(i) != cells.IsPlain(cell) {
				t.Errorf("%q: cell %d is %q, plain %t", row.Line, i, row.Cell(i), row.IsPlain(i))
			}
		}
		if joined := cells.Join(want); !reflect.DeepEqual(&joined, row) {
			t.Errorf("%q: joined to %v, cut to %v", want, joined, row)
		}
	})
}

// Cells may hold what parts them.
func TestJoin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(rapid.StringOf(rapid.RuneFrom([]rune("1,\"é\n")))).Draw(t, "cells")
		row := cells.Join(want)
		for i, cell := range want {
			if row.Cell(i) != cell || row.Ends[i].IsPlain() != cells.IsPlain(cell) {
				t.Errorf("%q: cell %d is %q, plain %t", want, i, row.Cell(i), row.Ends[i].IsPlain())
			}
		}
	})
}

func TestRow(t *testing.T) {
	header := cells.NewHeader([]cells.Column{{"id", cells.Number}, {"", cells.Skipped}, {"ok", cells.Boolean}, {"x", cells.Number}, {"odd", cells.Number}, {"t", cells.Text}})
	row := &cells.Row{Header: header, Line: "8,?,TRUE,1e3,x,"}
	row.Ends = cells.Cut(nil, row.Line)
	want := map[string]any{"id": int64(8), "ok": true, "x": 1000.0, "odd": "x", "t": nil}
	if got := row.Map(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	asMap, _ := json.Marshal(want)
	if got, err := json.Marshal(row); err != nil || string(got) != string(asMap) {
		t.Errorf("got %s, %v, want %s", got, err, asMap)
	}
	if header.Len() != 5 || header.Index("t") != 5 || header.Index("") != -1 || header.Index("y") != -1 {
		t.Errorf("%d columns, t at %d", header.Len(), header.Index("t"))
	}
	rest := &cells.Row{header.Without(0), row.Line, row.Ends}
	delete(want, "id")
	if got := rest.Map(); !reflect.DeepEqual(got, want) || header.Index("id") != 0 {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, bad := range []*cells.Row{nil, {}, {header, "", nil}} {
		if bad.Check() == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}
