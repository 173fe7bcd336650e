package source_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
)

func ExamplePair() {
	spec, err := source.Pair{Left: source.Text{}, Right: source.Table{}}.Resolve([]any{
		map[string]any{"left": "a red bicycle", "right": map[string]any{"wheels": 2}},
	})
	if err != nil {
		panic(err)
	}
	stored, err := spec.Marshal(map[string]any{"left": "a tricycle, used"}) // the right side is not known
	if err != nil {
		panic(err)
	}
	record, err := spec.Unmarshal(stored)
	fmt.Println(record, err)
	_, err = spec.Marshal(map[string]any{"left": " ", "right": map[string]any{"wheels": 3}})
	fmt.Println(err)
	// Output:
	// map[left:a tricycle, used] <nil>
	// source: bad record: left: text is empty
}

// vectorAndTable is a pair of a vector and a table.
var vectorAndTable = source.Pair{
	Left: source.Vector{Size: 3},
	Right: source.Table{Columns: []source.Column{
		{Name: "n", Type: source.NumericColumn}, {Name: "c", Type: source.CategoricalColumn, Levels: []string{"a", "b"}},
	}},
}

// pairRecords draws records of which either side may be missing, the first with both.
func pairRecords(t *rapid.T) []any {
	return append([]any{pairRecord(t, 3)}, rapid.SliceOfN(rapid.Custom(func(t *rapid.T) any {
		return pairRecord(t, rapid.IntRange(1, 3).Draw(t, "sides"))
	}), 0, 8).Draw(t, "records")...)
}

func pairRecord(t *rapid.T, sides int) any {
	record := map[string]any{}
	if sides&1 != 0 {
		record["left"] = rapid.SliceOfN(rapid.Float32Range(-100, 100), 3, 3).Draw(t, "left")
	}
	if sides&2 != 0 {
		record["right"] = map[string]any{
			"n": float64(rapid.IntRange(-9, 9).Draw(t, "n")), "c": rapid.SampledFrom([]string{"a", "b"}).Draw(t, "c"),
		}
	}
	return record
}

// TestPairIsItsSides: what a pair stores and what rows it makes are what its sides do,
// and a side that is missing leaves the other as it is.
func TestPairIsItsSides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := pairRecords(t)
		var stored, lefts, rights [][]byte
		for _, r := range records {
			bytes := marshal(t, vectorAndTable, r)
			back, err := vectorAndTable.Unmarshal(bytes)
			if err != nil {
				t.Fatal(err)
			}
			if again := marshal(t, vectorAndTable, back); !reflect.DeepEqual(again, bytes) {
				t.Fatalf("%v is stored as %x, and as %x once it was read", r, bytes, again)
			}
			stored = append(stored, bytes)
			if left, ok := r.(map[string]any)["left"]; ok {
				lefts = append(lefts, marshal(t, vectorAndTable.Left, left))
			}
			if right, ok := r.(map[string]any)["right"]; ok {
				rights = append(rights, marshal(t, vectorAndTable.Right, right))
			}
		}
		pair := fit(t, vectorAndTable, stored...)
		left, right := fit(t, vectorAndTable.Left, lefts...), fit(t, vectorAndTable.Right, rights...)
		checkBytes(t, pair)
		scale := pair.InputScale()[0]
		usual := usualRow(t, right, rights)
		for i, r := range records {
			row := rowOf(t, pair, stored[i])
			own, there := row[:3], row[3]
			other, otherThere := row[4:len(row)-1], row[len(row)-1]
			if record, ok := r.(map[string]any)["left"]; ok != (there == 1) {
				t.Fatalf("record %v: presence %v", r, there)
			} else if ok {
				for j, x := range rowOf(t, left, marshal(t, vectorAndTable.Left, record)) {
					if d := own[j]*scale - x; d > 1e-3 || d < -1e-3 {
						t.Fatalf("left side %v as %v, scale %v", record, own, scale)
					}
				}
			}
			want := usual
			record, ok := r.(map[string]any)["right"]
			if ok {
				want = rowOf(t, right, marshal(t, vectorAndTable.Right, record))
			}
			if ok != (otherThere == 1) || !closeTo(other, want) {
				t.Fatalf("right side of %v as %v, presence %v; want %v", r, other, otherThere, want)
			}
			back, err := pair.Record(row)
			if err != nil {
				t.Fatal(err)
			}
			sides := back.(map[string]any)
			left, ok := r.(map[string]any)["left"]
			if len(sides) != len(r.(map[string]any)) || ok && !closeTo(sides["left"].([]float32), left.([]float32)) {
				t.Fatalf("%v comes back as %v", r, sides)
			}
		}
	})
}

func usualRow(t tester, fitted source.Fitted, stored [][]byte) []float32 {
	mean := make([]float32, fitted.Width())
	for _, s := range stored {
		for j, x := range rowOf(t, fitted, s) {
			mean[j] += x / float32(len(stored))
		}
	}
	return mean
}

func closeTo(a, b []float32) bool {
	for j := range a {
		if d := a[j] - b[j]; d > 1e-3 || d < -1e-3 {
			return false
		}
	}
	return len(a) == len(b)
}

func TestPairOfNumbersIsStandardised(t *testing.T) {
	spec := source.Pair{Left: source.Vector{Size: 2}, Right: source.Vector{Size: 1}}
	var stored [][]byte
	for i := range 20 {
		x := float32(i) - 9.5
		stored = append(stored, marshal(t, spec, map[string]any{"left": []float32{1000 * x, -1000 * x}, "right": []float32{x / 1000}}))
	}
	fitted := fit(t, spec, stored...)
	var squares [2]float64
	for _, s := range stored {
		row := rowOf(t, fitted, s)
		squares[0] += float64(row[0]*row[0]+row[1]*row[1]) / 2 / 20
		squares[1] += float64(row[3]*row[3]) / 20
	}
	for i, s := range squares {
		if s < 0.999 || s > 1.001 {
			t.Errorf("side %d has mean square %v", i, s)
		}
	}
	if got := fitted.InputScale(); got[0] < 5000 || got[3] > 0.01 {
		t.Errorf("input scale %v", got)
	}
	huge := rowOf(t, fitted, marshal(t, spec, map[string]any{"right": []float32{1e18}}))
	if huge[3] != 1e15 {
		t.Errorf("a value far beyond all others is %v", huge[3])
	}
}

func TestPairParts(t *testing.T) {
	fitted := fit(t, vectorAndTable, marshal(t, vectorAndTable, map[string]any{
		"left": []float32{1, 2, 3}, "right": map[string]any{"n": 1, "c": "a"},
	}))
	layout := fitted.Layout()
	if views := layout.Views(); len(views) != 2 || views[0].Width() != 3 {
		t.Fatalf("layout %v", layout)
	}
	contributions := make([]float64, fitted.Width())
	contributions[1], contributions[4] = 2, 3
	row := rowOf(t, fitted, marshal(t, vectorAndTable, map[string]any{"left": []float32{1, 2, 3}, "right": map[string]any{"n": 1, "c": "a"}}))
	parts := fitted.Parts(contributions, row, row)
	if parts[0].Name != "right.n" || parts[0].Weight != 3 || parts[1].Name != "left.1" || parts[1].Weight != 2 {
		t.Errorf("parts %+v", parts)
	}
	row[3] = 0
	for _, p := range fitted.Parts(contributions, row, row) {
		if strings.HasPrefix(p.Name, "left.") {
			t.Errorf("part %q of a side that is missing", p.Name)
		}
	}
	if fitted.Parts(contributions[1:], row, row) != nil {
		t.Error("parts of too few contributions")
	}
}

func TestPairRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		record any
		want   string
	}{
		"no object":    {"text", `want a record with "left" and "right"`},
		"nothing":      {map[string]any{}, "neither"},
		"null":         {map[string]any{"left": nil, "right": nil}, "neither"},
		"unknown key":  {map[string]any{"left": []float32{1, 2, 3}, "rihgt": 1}, `unknown key "rihgt"`},
		"bad left":     {map[string]any{"left": []float32{1}}, "left: vector has 1 dimensions, want 3"},
		"bad right":    {map[string]any{"right": map[string]any{"m": 1}}, "right: "},
		"not a record": {map[string]any{"right": 7}, "right: "},
	} {
		if _, err := vectorAndTable.Marshal(c.record); !errors.Is(err, source.ErrRecord) || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	nested := source.Pair{Left: vectorAndTable, Right: source.Vector{}}
	for name, spec := range map[string]source.Pair{
		"nested": nested, "a pointer, nested": {Left: &nested, Right: source.Vector{}},
		"no right": {Left: source.Vector{}}, "bad left": {Left: source.Vector{Size: -1}, Right: source.Vector{}},
	} {
		if _, err := spec.Resolve(nil); !errors.Is(err, source.ErrSpec) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for data, want := range map[string]string{
		`{"kind":"pair","left":{"kind":"vector"}}`:                                                "right: is missing",
		`{"kind":"pair","left":{"kind":"vector"},"right":{"kind":"pair","left":{"kind":"pair"}}}`: "cannot be of kind",
		`{"kind":"pair","left":{"kind":"vector"},"right":{"kind":"vector"},"middle":1}`:           `unknown field "middle"`,
		`{"kind":"pair","left":{"kind":"vector","sise":3},"right":{"kind":"vector"}}`:             `left: vector: unknown field "sise"`,
	} {
		if _, err := source.ParseSpec([]byte(data)); !errors.Is(err, source.ErrSpec) || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s: %v, want %q", data, err, want)
		}
	}
	oneSided := marshal(t, vectorAndTable, map[string]any{"left": []float32{1, 2, 3}})
	if _, err := vectorAndTable.Fit(samples([][]byte{oneSided})); !errors.Is(err, source.ErrRecord) || !strings.Contains(err.Error(), "right: ") {
		t.Errorf("no record has a right side: %v", err)
	}
}

// TestPairResolvesEachSide: pointers are taken for what they point to, and each side is
// decided by the records that have it.
func TestPairResolvesEachSide(t *testing.T) {
	spec := resolve(t, source.Pair{Left: &source.Vector{}, Right: &source.Table{}},
		map[string]any{"right": map[string]any{"n": 1}}, map[string]any{"left": []float32{1, 2}})
	want := source.Pair{
		Left: source.Vector{Size: 2}, Right: source.Table{Columns: []source.Column{{Name: "n", Type: source.NumericColumn}}},
	}
	if !reflect.DeepEqual(spec, want) {
		t.Errorf("resolved to %+v", spec)
	}
	data, err := source.MarshalSpec(spec)
	if err != nil {
		t.Fatal(err)
	}
	back, err := source.ParseSpec(data)
	if err != nil || !reflect.DeepEqual(back, want) {
		t.Errorf("%s came back as %+v, %v", data, back, err)
	}
}

func TestForgedFittedPairs(t *testing.T) {
	good, err := fit(t, vectorAndTable, marshal(t, vectorAndTable, map[string]any{
		"left": []float32{1, 2, 3}, "right": map[string]any{"n": 1, "c": "a"},
	})).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string][2]string{
		"no scale":           {`"scale":1`, `"scale":0`},
		"short mean":         {`"usual":[1`, `"usual":[1,1`},
		"of another spec":    {`"size":3`, `"size":4`},
		"an unknown field":   {`"scale":1`, `"skale":1`},
		"a pair in its side": {`"fitted":{"format":1,"spec":{"kind":"vector"`, `"fitted":{"format":1,"spec":{"kind":"pair"`},
	} {
		forged := bytes.Replace(good, []byte(c[0]), []byte(c[1]), 1)
		if bytes.Equal(forged, good) {
			t.Fatalf("%s: nothing to replace in %s", name, good)
		}
		if _, err := source.UnmarshalFitted(forged); !errors.Is(err, embed.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzPairBytes: stored bytes that are taken are those that a record is stored as.
func FuzzPairBytes(f *testing.F) {
	spec := source.Pair{Left: source.Text{}, Right: source.Text{}}
	for _, record := range []map[string]any{{"left": "a"}, {"right": "b"}, {"left": "a", "right": strings.Repeat("b", 300)}} {
		stored, err := spec.Marshal(record)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(stored)
	}
	for _, bad := range []string{"", "\x00", "\x04a", "\x03", "\x03\x05ab", "\x03\x81\x00ab", "\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01ab"} {
		f.Add([]byte(bad))
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		record, err := spec.Unmarshal(stored)
		if err != nil {
			if !errors.Is(err, source.ErrRecord) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		if again := marshal(t, spec, record); !bytes.Equal(again, stored) {
			t.Fatalf("%x was taken, and is stored as %x", stored, again)
		}
	})
}

// FuzzPairSpec: no spec panics, and what is taken writes itself back.
func FuzzPairSpec(f *testing.F) {
	f.Add(`{"left":{"kind":"text"},"right":{"kind":"vector","size":3}}`)
	f.Add(`{"left":{"kind":"pair","left":{}},"right":null}`)
	f.Fuzz(func(t *testing.T, fields string) {
		spec, err := source.ParseSpec([]byte(`{"kind":"pair",` + strings.TrimPrefix(fields, "{")))
		if err != nil {
			return
		}
		data, err := source.MarshalSpec(spec)
		if err != nil || !json.Valid(data) {
			t.Fatalf("%s: %v", data, err)
		}
		if back, err := source.ParseSpec(data); err != nil || !reflect.DeepEqual(back, spec) {
			t.Fatalf("%s came back as %+v, %v", data, back, err)
		}
	})
}
