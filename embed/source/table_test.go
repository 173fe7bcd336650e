package source_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/latentdb/latentdb/embed/source"
)

func ExampleTable() {
	first := []any{
		map[string]any{"age": 31, "city": "Oslo", "member": true},
		map[string]any{"age": 45, "city": "Bergen"},
		map[string]any{"age": 59, "city": "Oslo", "member": false},
	}
	spec, _ := source.Table{}.Resolve(first)
	var stored [][]byte
	for _, record := range first {
		s, _ := spec.Marshal(record)
		stored = append(stored, s)
	}
	back, _ := spec.Unmarshal(stored[0])
	fmt.Println(back)
	fitted, _ := spec.Fit(samples(stored))
	row := make([]float32, fitted.Width())
	_ = fitted.Row(row, stored[1])
	fmt.Println(row) // age, Oslo, Bergen, other cities, member, member is missing
	record, _ := fitted.Record(row)
	fmt.Println(record)
	// Output:
	// map[age:31 city:Oslo member:true]
	// [0 0 1 0 0 1]
	// map[age:45 city:Bergen member:<nil>]
}

func TestTableResolve(t *testing.T) {
	got := resolve(t, source.Table{},
		map[string]any{"n": 1, "s": "x", "b": true, "mixed": "one", "late": nil, "null": nil},
		map[string]any{"n": json.Number("2.5"), "b": nil, "mixed": 2, "late": false, "more": 3.0},
	)
	want := source.Table{Columns: []source.Column{
		{Name: "b", Type: source.BooleanColumn},
		{Name: "late", Type: source.BooleanColumn},
		{Name: "mixed", Type: source.CategoricalColumn},
		{Name: "more", Type: source.NumericColumn},
		{Name: "n", Type: source.NumericColumn},
		{Name: "null", Type: source.CategoricalColumn},
		{Name: "s", Type: source.CategoricalColumn},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if again := resolve(t, got, map[string]any{"other": 1}); !reflect.DeepEqual(again, want) {
		t.Errorf("resolving again gives %+v", again)
	}
	part := source.Table{Columns: []source.Column{{Name: "z"}, {Name: "a", Type: source.NumericColumn}}}
	got = resolve(t, part, map[string]any{"z": true, "a": "5"})
	want = source.Table{Columns: []source.Column{{Name: "z", Type: source.BooleanColumn}, {Name: "a", Type: source.NumericColumn}}}
	if !reflect.DeepEqual(got, want) || part.Columns[0].Type != "" {
		t.Errorf("declared columns: got %+v, given %+v", got, part)
	}
}

func TestTableBadSpec(t *testing.T) {
	column := func(c ...source.Column) source.Table { return source.Table{Columns: c} }
	long := strings.Repeat("x", source.MaxLevelBytes+1)
	for want, spec := range map[string]source.Table{
		`column 0 has no name`:  column(source.Column{Type: source.NumericColumn}),
		`"a" is declared twice`: column(source.Column{Name: "a"}, source.Column{Name: "a"}),
		`unknown type "number"`: column(source.Column{Name: "a", Type: "number"}),
		`levels are for type`:   column(source.Column{Name: "a", Type: source.NumericColumn, Levels: []string{"x"}}),
		`level "x" is declared`: column(source.Column{Name: "a", Type: source.CategoricalColumn, Levels: []string{"x", "x"}}),
		`limit is 256`:          column(source.Column{Name: long}),
		`not UTF-8`:             column(source.Column{Name: "\xff"}),
		`limit is 16384`:        {Columns: make([]source.Column, source.MaxColumns+1)},
	} {
		if _, err := spec.Resolve(nil); !errors.Is(err, source.ErrSpec) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ErrSpec with %q", err, want)
		}
	}
	if _, err := (source.Table{}).Resolve([]any{map[string]any{}}); !errors.Is(err, source.ErrRecord) {
		t.Errorf("no columns: %v", err)
	}
	if _, err := (source.Table{}).Marshal(map[string]any{}); !errors.Is(err, source.ErrSpec) {
		t.Errorf("unresolved: %v", err)
	}
}

var mixed = source.Table{Columns: []source.Column{
	{Name: "n", Type: source.NumericColumn},
	{Name: "open", Type: source.CategoricalColumn},
	{Name: "closed", Type: source.CategoricalColumn, Levels: []string{"red", "green", "7"}},
	{Name: "b", Type: source.BooleanColumn},
}}

func TestTableRefuses(t *testing.T) {
	for want, record := range map[string]any{
		`unknown column "x", the table has: n, open, closed, b`:             map[string]any{"n": 1, "x": 2},
		`column "n": got text "many", want a number`:                        map[string]any{"n": "many"},
		`column "n": got text "0x10"`:                                       map[string]any{"n": "0x10"},
		`column "n": got boolean true`:                                      map[string]any{"n": true},
		`column "n": NaN`:                                                   map[string]any{"n": math.NaN()},
		`column "n": +Inf is beyond`:                                        map[string]any{"n": json.Number("1e400")},
		`column "n": got a list`:                                            map[string]any{"n": []any{1}},
		`column "closed": unknown level "blue", the column has: red, green`: map[string]any{"closed": "blue"},
		`column "b": got number 2, want true or false`:                      map[string]any{"b": 2},
		`unknown column "b.c"`:                                              map[string]any{"b": map[string]any{"c": 1}},
		`column "open": text of 262145 bytes, the limit is 262144`:          map[string]any{"open": strings.Repeat("x", source.MaxTextBytes+1)},
		`column "open": got a list`:                                         map[string]any{"open": []any{"x"}},
		`column "open": text "\xff" is not UTF-8`:                           map[string]any{"open": "\xff"},
		`got []interface {}, want a table record`:                           []any{},
	} {
		if _, err := mixed.Marshal(record); !errors.Is(err, source.ErrRecord) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want ErrRecord with %q", record, err, want)
		}
	}
}

// drawRecord draws a record in the form Unmarshal gives it.
func drawRecord(t *rapid.T) map[string]any {
	record := map[string]any{}
	values := map[string]*rapid.Generator[any]{
		"b":      rapid.OneOf(rapid.Just[any](nil), rapid.Bool().AsAny()),
		"closed": rapid.SampledFrom([]any{nil, "red", "green", int64(7)}),
		"n": rapid.OneOf(rapid.Just[any](nil), rapid.Int64().AsAny(),
			rapid.Float64Range(0.1, 0.9).AsAny(), rapid.SampledFrom([]any{3e38, -3e38, 5e-324, int64(0)})),
		"open": rapid.OneOf(rapid.Just[any](nil), rapid.StringN(0, 9, 40).AsAny(), rapid.Bool().AsAny(), rapid.Int64().AsAny()),
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if rapid.IntRange(0, 3).Draw(t, name+" is there") > 0 {
			record[name] = values[name].Draw(t, name)
		}
	}
	return record
}

// Any records: what is stored comes back, every row is finite, and a row decodes
// to a record that its table takes and gives the same row.
func TestTableProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOfN(rapid.Custom(drawRecord), 1, 30).Draw(t, "records")
		var stored [][]byte
		for _, record := range records {
			s := marshal(t, mixed, record)
			back, err := mixed.Unmarshal(s)
			if err != nil || !reflect.DeepEqual(back, any(record)) {
				t.Fatalf("got %#v, %v, want %#v", back, err, record)
			}
			stored = append(stored, s)
		}
		half := max(len(stored)/2, 1)
		fitted := fit(t, mixed, stored[:half]...)
		checkBytes(t, fitted)
		for i, s := range stored {
			row := rowOf(t, fitted, s)
			record, err := fitted.Record(row)
			if err != nil {
				t.Fatal(err)
			}
			again := marshal(t, mixed, record)
			if i >= half { // may hold what the fit did not see
				continue
			}
			for j, v := range rowOf(t, fitted, again) {
				if math.Abs(float64(v-row[j])) > 1e-3 {
					t.Fatalf("%s decodes to %s; feature %d was %g, now %g", s, again, j, row[j], v)
				}
			}
			fitted.Parts(make([]float64, len(row)), row, row)
		}
	})
}
