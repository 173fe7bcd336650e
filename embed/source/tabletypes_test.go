package source_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/latentdb/latentdb/embed/source"
)

// A state of the first format gives the rows and records that it gave when it was
// written, and the same bytes.
func TestTableFirstFormat(t *testing.T) {
	data, err := os.ReadFile("testdata/table-1.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Fitted  json.RawMessage
		Records []struct {
			Stored  json.RawMessage
			Row     []float32
			Decoded json.RawMessage
		}
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	fitted, err := source.UnmarshalFitted(golden.Fitted)
	if err != nil {
		t.Fatal(err)
	}
	if bytes, err := fitted.MarshalBinary(); err != nil || string(bytes) != string(golden.Fitted) {
		t.Errorf("bytes became %s, %v", bytes, err)
	}
	for _, r := range golden.Records {
		row := rowOf(t, fitted, r.Stored)
		if !slices.Equal(row, r.Row) {
			t.Errorf("%s: row is %v, was %v", r.Stored, row, r.Row)
		}
		if got, err := json.Marshal(decoded(t, fitted, row...)); err != nil || string(got) != string(r.Decoded) {
			t.Errorf("decodes to %s, %v, was %s", got, err, r.Decoded)
		}
	}
}

// every has a column of each type.
var every = source.Table{Columns: append(slices.Clone(mixed.Columns),
	source.Column{Name: "t", Type: source.TimeColumn},
	source.Column{Name: "u", Type: source.TimeColumn, Format: source.UnixTime},
	source.Column{Name: "w", Type: source.TextColumn})}

func everyRecord(t *rapid.T) map[string]any {
	record := drawRecord(t)
	if rapid.Bool().Draw(t, "t is there") {
		record["t"] = fmt.Sprintf("20%02d-0%d-1%d", rapid.IntRange(0, 99).Draw(t, "year"), rapid.IntRange(1, 9).Draw(t, "month"), rapid.IntRange(0, 9).Draw(t, "day"))
		record["u"] = rapid.Int64Range(-1e10, 1e10).Draw(t, "u")
		record["w"] = rapid.SliceOf(rapid.SampledFrom([]string{"one", "Two", "drei", "д", ""})).Draw(t, "w")
	}
	return record
}

// The order of columns permutes the features and changes nothing else.
func TestColumnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		order := rapid.Permutation(every.Columns).Draw(t, "order")
		records := rapid.SliceOfN(rapid.Custom(everyRecord), 1, 20).Draw(t, "records")
		var stored, permuted [][]byte
		for _, r := range records {
			stored, permuted = append(stored, marshal(t, every, r)), append(permuted, marshal(t, source.Table{Columns: order}, r))
			if !reflect.DeepEqual(unmarshal(t, every, stored[len(stored)-1]), unmarshal(t, source.Table{Columns: order}, permuted[len(permuted)-1])) {
				t.Fatal("another record")
			}
		}
		a, b := fit(t, every, stored...), fit(t, source.Table{Columns: order}, permuted...)
		checkBytes(t, a)
		if a.Width() != b.Width() {
			t.Fatalf("widths %d and %d", a.Width(), b.Width())
		}
		for i, s := range stored {
			x, y := rowOf(t, a, s), rowOf(t, b, permuted[i])
			if !reflect.DeepEqual(decoded(t, a, x...), decoded(t, b, y...)) {
				t.Fatalf("%s decodes to %v and %v", s, decoded(t, a, x...), decoded(t, b, y...))
			}
			slices.Sort(x)
			slices.Sort(y)
			if !slices.Equal(x, y) {
				t.Fatalf("features %v and %v", x, y)
			}
		}
	})
}

// What rows decode to is a record of the table whatever the features, and stays the
// same from then on.
func TestDecodesToRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stored [][]byte
		for _, r := range rapid.SliceOfN(rapid.Custom(everyRecord), 1, 20).Draw(t, "records") {
			stored = append(stored, marshal(t, every, r))
		}
		fitted := fit(t, every, stored...)
		row := make([]float32, fitted.Width())
		for i := range row {
			row[i] = rapid.OneOf(rapid.Float32Range(-3, 3), rapid.Float32(), rapid.Just(float32(math.NaN()))).Draw(t, "feature")
		}
		record := decoded(t, fitted, row...)
		rowOf(t, fitted, marshal(t, every, record))
		fitted.Parts(make([]float64, len(row)), row, row)
	})
}

// Features of numbers ascend with them, and a decoded number is one that was there.
func TestNumericSnaps(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	values := make([]any, 2000)
	seen := map[any]bool{}
	for i := range values {
		values[i] = []any{0, 0, 0, 7, 19, 500}[rng.IntN(6)]
		seen[int64(values[i].(int))] = true
	}
	spec, fitted, _ := numeric(t, values...)
	last := float32(-1e9)
	for x := -10; x < 600; x++ {
		row := rowOf(t, fitted, marshal(t, spec, map[string]any{"x": x}))
		if row[0] <= last {
			t.Fatalf("the feature of %d is %g, after %g", x, row[0], last)
		}
		last = row[0]
		if got := decoded(t, fitted, row...)["x"]; !seen[got] {
			t.Fatalf("%d decodes to %v", x, got)
		}
		if got := fitted.Parts([]float64{1}, row, row)[0].Value.(int64); got != int64(x) {
			t.Fatalf("%d is shown as %d", x, got)
		}
	}
	for i := range values { // half are 0, the others spread
		if values[i] = any(0.); i%2 == 0 {
			values[i] = float64(100+rng.IntN(10_000)) / 100
		}
	}
	_, fitted, stored := numeric(t, values...)
	for i, s := range stored {
		row := rowOf(t, fitted, s)
		if got := decoded(t, fitted, row...)["x"]; fmt.Sprint(got) != fmt.Sprint(values[i]) {
			t.Fatalf("%v decodes to %v", values[i], got)
		}
		row[0] += .02
		if got := decoded(t, fitted, row...)["x"]; values[i] == 0. && got != int64(0) && got != 0. {
			t.Fatalf("a little more than the feature of 0 decodes to %v", got)
		}
	}
}

// Integers beyond 2^53, infinities and what is no number.
func TestHugeNumbers(t *testing.T) {
	const huge = int64(1)<<62 + 1
	spec, fitted, stored := numeric(t, huge, huge-1, huge/2, json.Number("18446744073709551615"))
	if got := unmarshal(t, spec, stored[0])["x"]; got != huge {
		t.Errorf("stored as %v", got)
	}
	for _, s := range stored {
		row := rowOf(t, fitted, s)
		got := decoded(t, fitted, row...)["x"]
		want, _ := spec.Unmarshal(s)
		if x, y := fmt.Sprint(got), fmt.Sprint(want.(map[string]any)["x"]); math.Abs(asFloat(t, x)-asFloat(t, y)) > 1e-5*asFloat(t, y) {
			t.Errorf("%s decodes to %s", y, x)
		}
	}
	checkBytes(t, fitted)
	for _, bad := range []any{math.NaN(), math.Inf(1), math.Inf(-1), 1e39, json.Number("1e999")} {
		if _, err := spec.Marshal(map[string]any{"x": bad}); !errors.Is(err, source.ErrRecord) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func asFloat(t *testing.T, s string) float64 {
	t.Helper()
	var f float64
	if _, err := fmt.Sscan(s, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestText(t *testing.T) {
	spec := source.Table{Columns: []source.Column{{Name: "w", Type: source.TextColumn}}}
	stored := func(v any) []byte { return marshal(t, spec, map[string]any{"w": v}) }
	kept := func(v any) any { return unmarshal(t, spec, stored(v))["w"] }
	if got := kept([]any{"red", "Blue sky"}); got != "red Blue sky" {
		t.Errorf("a list is kept as %v", got)
	}
	for _, v := range []any{[]any{}, []string{}, nil} {
		if got := kept(v); got != nil {
			t.Errorf("%v is kept as %v", v, got)
		}
	}
	for want, v := range map[string]any{
		"a list with number 1 in it": []any{"a", 1}, "a list with a list in it": []any{[]any{"a"}}, "the limit is 262144": strings.Repeat("x", source.MaxTextBytes+1),
	} {
		if _, err := spec.Marshal(map[string]any{"w": v}); !errors.Is(err, source.ErrRecord) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	fitted := fit(t, spec, stored("the red house"), stored("the blue house"), stored("THE OLD TREE"), stored(nil))
	checkBytes(t, fitted)
	distance := func(a, b any) (sum float64) {
		x, y := rowOf(t, fitted, stored(a)), rowOf(t, fitted, stored(b))
		for i := range x {
			sum += float64(x[i]-y[i]) * float64(x[i]-y[i])
		}
		return sum
	}
	if d := distance("the red house", "House, RED: the!"); d > 1e-6 {
		t.Errorf("the same words are %g apart", d)
	}
	if a, b := distance("the red house", "a red house"), distance("the red house", "the old tree"); a >= b {
		t.Errorf("near is %g, far %g", a, b)
	}
	words := strings.Fields(decoded(t, fitted, rowOf(t, fitted, stored("tree"))...)["w"].(string))
	if !slices.Equal(words, []string{"tree"}) {
		t.Errorf("tree decodes to %v", words)
	}
	if got := decoded(t, fitted, rowOf(t, fitted, stored(nil))...)["w"]; got != nil {
		t.Errorf("missing decodes to %v", got)
	}
}

func TestNestedRecords(t *testing.T) {
	record := map[string]any{"id": 1, "at": map[string]any{"lat": 1.5, "place": map[string]any{"name": "Oslo"}}, "none": map[string]any{}}
	spec := resolve(t, source.Table{}, map[string]any{"at": nil, "id": nil}, record)
	var names []string
	for _, c := range spec.(source.Table).Columns {
		names = append(names, c.Name)
	}
	if !slices.Equal(names, []string{"at.lat", "at.place.name", "id"}) {
		t.Fatalf("columns are %v", names)
	}
	kept := func(record map[string]any) string {
		return string(asJSON(t, unmarshal(t, spec, marshal(t, spec, record))))
	}
	if got := kept(record); got != `{"at.lat":1.5,"at.place.name":"Oslo","id":1}` {
		t.Errorf("stored as %s", got)
	}
	for in, want := range map[string]string{`{"at":null}`: `{}`, `{"at":{"place":null}}`: `{}`, `{"at.lat":2}`: `{"at.lat":2}`} {
		var r map[string]any
		if err := json.Unmarshal([]byte(in), &r); err != nil {
			t.Fatal(err)
		}
		if got := kept(r); got != want {
			t.Errorf("%s is stored as %s", in, got)
		}
	}
	deep := map[string]any{}
	deep["self"] = deep
	for want, r := range map[string]map[string]any{
		`column "at.lat" is there twice`: {"at": map[string]any{"lat": 1}, "at.lat": 2},
		`unknown column "at.x"`:          {"at": map[string]any{"x": 1}},
		`unknown column "other"`:         {"other": nil},
		`more than 8 deep`:               deep,
		`column "id": got a list`:        {"id": []any{1}},
	} {
		if _, err := spec.Marshal(r); !errors.Is(err, source.ErrRecord) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ErrRecord with %q", err, want)
		}
	}
}

func TestTextInference(t *testing.T) {
	var records []any
	for i := range 40 {
		records = append(records, map[string]any{
			"city":  []string{"New York City", "Rio de Janeiro"}[i%2],
			"title": fmt.Sprint("the story of number ", i),
			"name":  fmt.Sprintf("First%d Last%d", i, i),
			"tags":  []any{"a", "b"},
			"long":  strings.Repeat("ab", 100*(i%3)),
			"code":  fmt.Sprint("code", i),
		})
	}
	got := resolve(t, source.Table{}, records...)
	want := `{"kind":"table","columns":[{"name":"city","type":"categorical"},{"name":"code","type":"categorical"},` +
		`{"name":"long","type":"text"},{"name":"name","type":"text"},{"name":"tags","type":"text"},{"name":"title","type":"text"}]}`
	if schema, err := source.MarshalSpec(got); err != nil || string(schema) != want {
		t.Errorf("schema is %s, %v", schema, err)
	}
}

// Ten thousand columns of all types fit into a row and a state of some megabytes.
func TestTenThousandColumns(t *testing.T) {
	const columns = 10_000
	var stored [][]byte
	var spec source.Spec = source.Table{}
	for i := range 12 {
		record := map[string]any{}
		for j := range columns {
			record[fmt.Sprint("c", j)] = []any{i*j + 1, fmt.Sprint("v", i%9), i%2 == 0, float64(i) / 7}[j%4]
		}
		if i == 0 {
			spec = resolve(t, spec, record)
		}
		stored = append(stored, marshal(t, spec, record))
	}
	fitted := fit(t, spec, stored...)
	data, err := fitted.MarshalBinary()
	if err != nil || fitted.Width() > source.MaxFeatures || len(data) > 16<<20 {
		t.Errorf("%d features, %d bytes of state, %v", fitted.Width(), len(data), err)
	}
	record := decoded(t, fitted, rowOf(t, fitted, stored[3])...)
	if record["c5"] != "v3" || record["c2"] != false {
		t.Errorf("decodes to %v, %v", record["c5"], record["c2"])
	}
	wide := map[string]any{}
	for j := range source.MaxColumns + 1 {
		wide[fmt.Sprint(j)] = 1
	}
	if _, err := (source.Table{}).Resolve([]any{wide}); !errors.Is(err, source.ErrRecord) || !strings.Contains(err.Error(), "16384") {
		t.Errorf("too many columns: %v", err)
	}
}
