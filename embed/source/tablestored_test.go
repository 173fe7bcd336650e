package source_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
	"pgregory.net/rapid"
)

// mixedStart is what every record of mixed begins with.
const mixedStart = "\x01\x6c\x5d\x3e\xe1"

func TestTableStores(t *testing.T) {
	long := strings.Repeat("x", 200)
	for _, test := range []struct {
		record map[string]any
		cells  string
	}{
		{map[string]any{}, "\x04"}, // four that are absent
		{map[string]any{"n": nil, "b": nil}, "\x20\x02\x20"},
		{map[string]any{"n": 3.0}, "\x613\x03"},
		{map[string]any{"n": json.Number("9223372036854775807")}, "\x739223372036854775807\x03"},
		{map[string]any{"n": uint64(math.MaxUint64)}, "\x761.8446744073709552e+19\x03"},
		{map[string]any{"n": "-1.5e3"}, "\x65-1500\x03"},
		{map[string]any{"n": 1e17}, "\x651e+17\x03"},
		{map[string]any{"n": -2.2250738585072014e-308}, "\x78-2.2250738585072014e-308\x03"},
		{map[string]any{"n": float32(0.5), "b": "true"}, "\x630.5\x02\x41"},
		{map[string]any{"b": 0, "open": 7.5, "closed": 7}, "\x01\x637.5\x617\x40"},
		{map[string]any{"b": true, "closed": "7"}, "\x02\x817\x41"},
		{map[string]any{"open": "<a>\u2028\x00"}, "\x01\x87<a>\u2028\x00\x02"},
		{map[string]any{"open": long[:30]}, "\x01\x9e" + long[:30] + "\x02"},
		{map[string]any{"open": long[:31]}, "\x01\x9f\x00" + long[:31] + "\x02"},
		{map[string]any{"open": long}, "\x01\x9f\xa9\x01" + long + "\x02"},
	} {
		if got := string(marshal(t, mixed, test.record)); got != mixedStart+test.cells {
			t.Errorf("%v: got %q, want %q", test.record, got, mixedStart+test.cells)
		}
	}
	if s := marshal(t, wide(1000), map[string]any{"c999": 1}); len(s) != 10 {
		t.Errorf("one of 1000 columns takes %d bytes", len(s))
	}
}

func wide(columns int) (t source.Table) {
	for i := range columns {
		t.Columns = append(t.Columns, source.Column{Name: fmt.Sprint("c", i), Type: source.NumericColumn})
	}
	return t
}

// asJSON is a record as earlier versions stored it.
func asJSON(t tester, record map[string]any) []byte {
	t.Helper()
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(record)) {
		key, _ := json.Marshal(name)
		value, err := json.Marshal(record[name])
		if err != nil {
			t.Fatal(err)
		}
		if f, ok := record[name].(float64); ok {
			format := byte('g')
			if math.Abs(f) > 1<<53 {
				format = 'e'
			}
			value = strconv.AppendFloat(nil, f, format, -1, 64)
		}
		fields = append(fields, string(key)+":"+string(value))
	}
	return []byte("{" + strings.Join(fields, ",") + "}")
}

func unmarshal(t tester, spec source.Spec, stored []byte) map[string]any {
	t.Helper()
	record, err := spec.Unmarshal(stored)
	if err != nil {
		t.Fatalf("%q: %v", stored, err)
	}
	return record.(map[string]any)
}

// Records come back as they are stored, and as earlier versions stored them; rows and
// what is learned are the same by either, and today's bytes say which are equal.
func TestTableStoredForms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := source.Table{Columns: rapid.Permutation(every.Columns).Draw(t, "order")}
		var today, before [][]byte
		for _, given := range rapid.SliceOfN(rapid.Custom(everyRecord), 1, 20).Draw(t, "records") {
			stored := marshal(t, spec, given)
			record := unmarshal(t, spec, stored)
			old := asJSON(t, record)
			if back := unmarshal(t, spec, old); !reflect.DeepEqual(back, record) || len(record) != len(given) {
				t.Fatalf("%v: %s is %v, %q is %v", given, old, back, stored, record)
			}
			for _, form := range [][]byte{old, stored} {
				if got, err := source.Renewed(spec, form); err != nil || string(got) != string(stored) {
					t.Fatalf("%q today is %q, %v, want %q", form, got, err, stored)
				}
			}
			today, before = append(today, stored), append(before, old)
		}
		a, b := fit(t, spec, today...), fit(t, spec, before...)
		if x, y := marshalFitted(t, a), marshalFitted(t, b); !bytes.Equal(x, y) {
			t.Fatalf("learned %s and %s", x, y)
		}
		for i := range today {
			if x, y := rowOf(t, a, today[i]), rowOf(t, a, before[i]); !slices.Equal(x, y) {
				t.Fatalf("%q and %s: rows %v and %v", today[i], before[i], x, y)
			}
		}
	})
}

func marshalFitted(t tester, f source.Fitted) []byte {
	t.Helper()
	data, err := f.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A record is of the columns that it was stored for.
func TestTableStoredForOthers(t *testing.T) {
	stored := marshal(t, mixed, map[string]any{"n": 1, "b": true})
	swapped := source.Table{Columns: slices.Clone(mixed.Columns)}
	swapped.Columns[0].Name, swapped.Columns[3].Name = "b", "n"
	joined := source.Table{Columns: slices.Clone(mixed.Columns)}
	joined.Columns[0].Name, joined.Columns[1].Name = "no", "pen"
	for _, other := range []source.Table{swapped, joined, {Columns: mixed.Columns[:3]}, wide(4), {}} {
		if record, err := other.Unmarshal(stored); !errors.Is(err, source.ErrRecord) {
			t.Errorf("columns %v: %v, %v", other.Columns, record, err)
		}
	}
	if _, err := mixed.Unmarshal([]byte(`{"n":1,"x":2}`)); !errors.Is(err, source.ErrRecord) {
		t.Errorf("a column that the table has not: %v", err)
	}
}

func TestTableStoredRefused(t *testing.T) {
	fitted := fit(t, mixed, marshal(t, mixed, map[string]any{"n": 1}))
	huge := string(binary.AppendUvarint(nil, math.MaxUint64))
	for cells, want := range map[string]string{
		"":                      `column "n": is cut short`,
		"\x613":                 `column "open": is cut short`,
		"\x623":                 `column "n": is cut short`,
		"\x03":                  `column "b": is cut short`,
		"\x05":                  "more than the table's columns",
		"\x04\x20":              "more than the table's columns",
		"\x00\x04":              "a cell of kind 0 and 0",
		"\x21\x03":              "a cell of kind 1 and 1",
		"\x42\x03":              "a cell of kind 2 and 2",
		"\xa0\x03":              "a cell of kind 5 and 0",
		"\x60\x03":              `number ""`,
		"\x63inf\x03":           `number "inf"`,
		"\x631_0\x03":           `number "1_0"`,
		"\x651e999\x03":         `number "1e999"`,
		"\x01\x81\xff\x02":      `column "open": is not UTF-8`,
		"\x9f" + huge + "\x03":  "is cut short",
		"\x9f\xff\xff\xff\x07x": "is cut short",
		"\x1f" + huge:           "is cut short",
		"\x9f":                  "is cut short",
	} {
		stored := []byte(mixedStart + cells)
		if record, err := mixed.Unmarshal(stored); !errors.Is(err, source.ErrRecord) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v, want %s", cells, record, err, want)
		}
		if err := fitted.Row(make([]float32, fitted.Width()), stored); !errors.Is(err, source.ErrRecord) {
			t.Errorf("row of %q: %v", cells, err)
		}
		if _, err := source.Renewed(mixed, stored[:3]); err != nil {
			t.Error(err) // what has cells is not read for it
		}
	}
	for _, stored := range []string{"", "\x01", mixedStart[:4], "\x02", "[]", "null", `{"n":1} `, `{"n":1e999}`} {
		if record, err := mixed.Unmarshal([]byte(stored)); err == nil && stored != "null" && stored != `{"n":1} ` && stored != `{"n":1e999}` {
			t.Errorf("%q is %v", stored, record)
		}
	}
}

// Whatever bytes are read as a record are stored as bytes that are read as the same one.
func FuzzTableStored(f *testing.F) {
	for _, record := range []map[string]any{{}, {"n": 1.5, "open": "red", "closed": 7, "b": true}, {"n": nil, "open": strings.Repeat("long ", 20)}} {
		stored := marshal(f, mixed, record)
		f.Add(stored[len(mixedStart):])
	}
	f.Add([]byte("\x9f\xff\xff\xff\x07x"))
	fitted := fit(f, mixed, marshal(f, mixed, map[string]any{"n": 1, "open": "x"}), marshal(f, mixed, map[string]any{"n": 2}))
	f.Fuzz(func(t *testing.T, cells []byte) {
		stored := append([]byte(mixedStart), cells...)
		record, err := mixed.Unmarshal(stored)
		if rowErr := fitted.Row(make([]float32, fitted.Width()), stored); err != nil && rowErr == nil {
			t.Fatalf("%q has a row, but %v", cells, err)
		}
		if err != nil {
			if !errors.Is(err, source.ErrRecord) {
				t.Fatal(err)
			}
			return
		}
		again, err := mixed.Marshal(record)
		if err != nil {
			return // a text where numbers are
		}
		if back, err := mixed.Unmarshal(again); err != nil || len(back.(map[string]any)) != len(record.(map[string]any)) {
			t.Fatalf("%v became %v, %v", record, back, err)
		}
		if once, err := mixed.Marshal(unmarshal(t, mixed, again)); err != nil || !bytes.Equal(once, again) {
			t.Fatalf("%q became %q, %v", again, once, err)
		}
	})
}

// The sides of a pair are renewed each for itself.
func TestPairRenewed(t *testing.T) {
	pair := source.Pair{Left: source.Text{}, Right: mixed}
	record := map[string]any{"left": "hello", "right": map[string]any{"n": 1, "open": "x"}}
	for name, r := range map[string]map[string]any{
		"both": record, "left": {"left": "hello"}, "right": {"right": record["right"]},
	} {
		stored := marshal(t, pair, r)
		old := stored
		if right, ok := r["right"]; ok {
			size := len(marshal(t, mixed, right))
			old = append(slices.Clone(stored[:len(stored)-size]), `{"n":1,"open":"x"}`...)
		}
		if !reflect.DeepEqual(unmarshal(t, pair, old), unmarshal(t, pair, stored)) {
			t.Errorf("%s: %q is not %q", name, old, stored)
		}
		for _, form := range [][]byte{old, stored} {
			if got, err := source.Renewed(pair, form); err != nil || !bytes.Equal(got, stored) {
				t.Errorf("%s: %q today is %q, %v", name, form, got, err)
			}
		}
	}
	for _, bad := range []string{"", "\x02{", "\x02[]"} {
		if got, err := source.Renewed(pair, []byte(bad)); !errors.Is(err, source.ErrRecord) {
			t.Errorf("%q today is %q, %v", bad, got, err)
		}
	}
}
