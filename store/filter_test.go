package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// twin is a filter beside the naive function that says what it should select.
type twin struct {
	filter Condition
	holds  func(id ID, p map[string]any) bool
}

// drawPayload draws what drawTwin's conditions look at.
func drawPayload(t *rapid.T) Payload {
	p := Payload{}
	if rapid.Bool().Draw(t, "has n") {
		p["n"] = rapid.IntRange(0, 4).Draw(t, "n")
	}
	if rapid.Bool().Draw(t, "has s") {
		p["s"] = rapid.SampledFrom([]string{"red", "green", "reddish"}).Draw(t, "s")
	}
	switch rapid.IntRange(0, 3).Draw(t, "list") {
	case 0:
		p["list"] = []any{}
	case 1:
		p["list"] = []any{1, "x"}
	case 2:
		p["list"] = nil
	}
	if rapid.Bool().Draw(t, "has o") {
		p["o"] = map[string]any{"deep": rapid.Bool().Draw(t, "deep")}
	}
	return p
}

// drawTwin draws a condition, nested up to a depth.
func drawTwin(t *rapid.T, ids []ID, depth int) twin {
	kind := rapid.IntRange(0, 7).Draw(t, "kind")
	if kind == 7 && depth == 0 {
		kind = 0
	}
	switch kind {
	case 0:
		n := rapid.IntRange(0, 4).Draw(t, "equals")
		return twin{Condition{Key: "n", Match: &Match{Value: n}},
			func(_ ID, p map[string]any) bool { return p["n"] == n }}
	case 1:
		return twin{Condition{Key: "s", Match: &Match{Text: "red"}}, func(_ ID, p map[string]any) bool {
			s, ok := p["s"].(string)
			return ok && strings.Contains(s, "red")
		}}
	case 2:
		lo, hi := 1.0, rapid.Float64Range(0, 4).Draw(t, "hi")
		return twin{Condition{Key: "n", Range: &Range{GTE: &lo, LT: &hi}}, func(_ ID, p map[string]any) bool {
			n, ok := p["n"].(int)
			return ok && float64(n) >= lo && float64(n) < hi
		}}
	case 3:
		some := rapid.SliceOfN(rapid.SampledFrom(ids), 0, 3).Draw(t, "has_id")
		if some == nil {
			some = []ID{}
		}
		return twin{Condition{HasID: some}, func(id ID, _ map[string]any) bool { return slices.Contains(some, id) }}
	case 4:
		return twin{Condition{IsEmpty: "list"}, func(_ ID, p map[string]any) bool {
			list, _ := p["list"].([]any)
			return len(list) == 0
		}}
	case 5:
		return twin{Condition{IsNull: "list"}, func(_ ID, p map[string]any) bool {
			v, ok := p["list"]
			return ok && v == nil
		}}
	case 6:
		return twin{Condition{Key: "o.deep", Match: &Match{Except: []any{false}}}, func(_ ID, p map[string]any) bool {
			o, ok := p["o"].(map[string]any)
			return ok && o["deep"] == true
		}}
	}
	f, holds := drawFilter(t, ids, depth-1)
	return twin{Condition{Filter: f}, holds}
}

func drawFilter(t *rapid.T, ids []ID, depth int) (*Filter, func(ID, map[string]any) bool) {
	var clauses [3][]twin
	f := &Filter{}
	for i, dst := range []*[]Condition{&f.Must, &f.Should, &f.MustNot} {
		for range rapid.IntRange(0, 2).Draw(t, "conditions") {
			w := drawTwin(t, ids, depth)
			clauses[i], *dst = append(clauses[i], w), append(*dst, w.filter)
		}
	}
	return f, func(id ID, p map[string]any) bool {
		some := len(clauses[1]) == 0
		for _, w := range clauses[0] {
			if !w.holds(id, p) {
				return false
			}
		}
		for _, w := range clauses[1] {
			some = some || w.holds(id, p)
		}
		for _, w := range clauses[2] {
			if w.holds(id, p) {
				return false
			}
		}
		return some
	}
}

func TestFilterAgainstTwin(t *testing.T) {
	ids := []ID{NumID(1), StringID("a"), NumID(2)}
	rapid.Check(t, func(t *rapid.T) {
		f, holds := drawFilter(t, ids, 2)
		f, err := f.prepared()
		if err != nil {
			t.Fatal(err)
		}
		p, id := drawPayload(t), rapid.SampledFrom(ids).Draw(t, "id")
		data, err := p.encode("payload")
		if err != nil {
			t.Fatal(err)
		}
		stored, err := decodePayload(data)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := f.matches(id, stored), holds(id, p); got != want {
			t.Fatalf("filter %+v selects %v of %v: %t, want %t", f, id, p, got, want)
		}
	})
}

func TestFilterValues(t *testing.T) {
	var p Payload
	if err := json.Unmarshal([]byte(`{"big":1}`), &p); err != nil {
		t.Fatal(err)
	}
	p, err := decodePayload([]byte(`{"big":9007199254740993,"huge":18446744073709551615,"one":1.0,"t":true,
		"a.b":"dotted","a":{"b":"nested"},"list":[{"x":1},{"x":[2,3]}],"s":"7"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		condition string
		want      bool
	}{
		{`{"key":"big","match":{"value":9007199254740993}}`, true},
		{`{"key":"big","match":{"value":9007199254740992}}`, false},
		{`{"key":"huge","match":{"value":18446744073709551615}}`, true},
		{`{"key":"huge","match":{"value":18446744073709551614}}`, false},
		{`{"key":"one","match":{"value":1}}`, true},
		{`{"key":"t","match":{"value":true}}`, true},
		{`{"key":"t","match":{"value":1}}`, false},
		{`{"key":"s","match":{"value":7}}`, false},
		{`{"key":"a.b","match":{"value":"dotted"}}`, true},
		{`{"key":"a.b","match":{"value":"nested"}}`, false},
		{`{"key":"list[].x","match":{"value":3}}`, true},
		{`{"key":"list.x","range":{"gt":2.5}}`, true},
		{`{"key":"list[].x","match":{"any":[5,6]}}`, false},
		{`{"key":"list[].x","match":{"any":[]}}`, false},
		{`{"is_empty":{"key":"nothing"}}`, true},
		{`{"is_null":{"key":"nothing"}}`, false},
		{`{"has_id":[]}`, false},
		{`{"must_not":{"key":"t","match":{"value":true}}}`, false},
	} {
		var f Filter
		if err := json.Unmarshal([]byte(`{"must":`+test.condition+`}`), &f); err != nil {
			t.Errorf("%s: %v", test.condition, err)
		} else if got := f.matches(NumID(1), p); got != test.want {
			t.Errorf("%s holds: %t, want %t", test.condition, got, test.want)
		}
	}
}

// badFilters are JSON filters beside a word of the field that the error names.
var badFilters = [][2]string{
	{`[]`, "filter"},
	{`{"most":[]}`, "most"},
	{`{"must":5}`, "filter.must"},
	{`{"must":[5]}`, "filter.must[0]"},
	{`{"must":[{}]}`, "filter.must[0]"},
	{`{"must":{"key":"a"}}`, "filter.must[0]"},
	{`{"must":{"match":{"value":1}}}`, "filter.must[0]"},
	{`{"must":{"key":5,"match":{"value":1}}}`, "filter.must[0]"},
	{`{"must":{"key":"a","match":{}}}`, "filter.must[0].match"},
	{`{"must":{"key":"a","match":{"value":1,"any":[1]}}}`, "filter.must[0].match"},
	{`{"must":{"key":"a","match":{"value":[1]}}}`, "filter.must[0].match.value"},
	{`{"must":{"key":"a","match":{"any":1}}}`, "filter.must[0].match"},
	{`{"must":{"key":"a","match":{"text":""}}}`, "filter.must[0].match.text"},
	{`{"must":{"key":"a","match":{"values":1}}}`, "values"},
	{`{"must":{"key":"a","range":{}}}`, "filter.must[0].range"},
	{`{"must":{"key":"a","range":{"gt":"x"}}}`, "filter.must[0].range"},
	{`{"must":{"key":"a","range":{"ge":1}}}`, "ge"},
	{`{"must":{"key":"a","match":{"value":1},"range":{"gt":1}}}`, "filter.must[0]"},
	{`{"must":{"key":"a","match":{"value":1},"has_id":[1]}}`, "filter.must[0]"},
	{`{"must":{"has_id":[1],"is_null":{"key":"a"}}}`, "filter.must[0]"},
	{`{"must":{"has_id":[-1]}}`, "filter.must[0].has_id"},
	{`{"must":{"has_id":[null]}}`, "filter.must[0].has_id"},
	{`{"must":{"is_empty":{}}}`, "filter.must[0].is_empty"},
	{`{"must":{"is_null":"a"}}`, "filter.must[0].is_null"},
	{`{"should":[{"key":"a","match":{"value":1}},{"nested":1}]}`, "filter.should[1]"},
	{strings.Repeat(`{"must":`, 100) + `{}` + strings.Repeat(`}`, 100), "nested"},
}

func TestBadFilterJSON(t *testing.T) {
	for _, test := range badFilters {
		var f Filter
		err := json.Unmarshal([]byte(test[0]), &f)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(fmt.Sprint(err), test[1]) {
			t.Errorf("%.60s: %v, want ErrInvalid that names %q", test[0], err, test[1])
		}
	}
}

// TestBadFilters gives conditions that only Go code can spell to everything
// that takes a filter. The writer among them must not come down with one.
func TestBadFilters(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	mustUpsert(t, c, numbered(curved(1, 30, 6))...)
	mustFit(t, c)
	nested := Condition{Filter: &Filter{}}
	for range 40 {
		nested = Condition{Filter: &Filter{Must: []Condition{nested}}}
	}
	for name, bad := range map[string]Condition{
		"empty": {}, "key alone": {Key: "n"}, "no key": {Match: &Match{Value: 1}}, "empty match": {Key: "n", Match: &Match{}},
		"two": {Key: "n", Match: &Match{Value: 1}, HasID: []ID{NumID(1)}}, "zero id": {HasID: []ID{{}}}, "deep": nested,
		"slice": {Key: "n", Match: &Match{Value: []int{1}}}, "function": {Key: "n", Match: &Match{Any: []any{1, func() {}}}},
		"NaN": {Key: "n", Match: &Match{Except: []any{math.NaN()}}}, "no bounds": {Key: "n", Range: &Range{}},
		"NaN bound": {Key: "n", Range: &Range{GT: new(math.NaN())}},
	} {
		f := &Filter{Should: []Condition{{IsNull: "n"}, bad}}
		for call, err := range callsWithFilter(c, f) {
			if !errors.Is(err, ErrInvalid) || !strings.Contains(fmt.Sprint(err), "filter.should[1]") {
				t.Errorf("%s condition, %s: %v", name, call, err)
			}
		}
	}
	many := &Filter{Should: []Condition{{Filter: &Filter{Must: make([]Condition, maxConditions)}}}}
	for i := range many.Should[0].Filter.Must {
		many.Should[0].Filter.Must[i] = Condition{IsNull: "n"}
	}
	for call, err := range callsWithFilter(c, many) {
		if !errors.Is(err, ErrInvalid) || !strings.Contains(fmt.Sprint(err), "filter: has 1001 conditions, the limit is 1000") {
			t.Errorf("many conditions, %s: %v", call, err)
		}
	}
	if n, err := c.Count(ctx, nil); err != nil || n != 30 {
		t.Errorf("%d points, %v", n, err)
	}
}

func callsWithFilter(c *Collection, f *Filter) map[string]error {
	errs := make(map[string]error)
	_, errs["delete"] = c.Write(ctx, Batch{DeleteWhere: f}, false)
	_, errs["payload"] = c.Write(ctx, Batch{Payloads: []PayloadChange{{Op: PayloadClear, Filter: f}}}, false)
	_, errs["count"] = c.Count(ctx, f)
	_, errs["search"] = c.Search(ctx, Query{Vector: make([]float32, 6), Filter: f})
	_, errs["outliers"] = c.Outliers(ctx, OutlierQuery{Filter: f})
	_, errs["duplicates"] = c.Duplicates(ctx, DuplicateQuery{Filter: f})
	_, errs["sample"] = c.Sample(ctx, SampleQuery{N: 1, Filter: f})
	for _, err := range c.Scroll(ctx, ScrollQuery{Filter: f}) {
		errs["scroll"] = err
	}
	return errs
}

func FuzzFilterJSON(f *testing.F) {
	for _, test := range badFilters {
		f.Add([]byte(test[0]))
	}
	f.Add([]byte(`{"must":[{"key":"a","match":{"value":1}}],"should":{"has_id":[1,"x"]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var filter Filter
		if json.Unmarshal(data, &filter) != nil {
			return
		}
		// What JSON gives is as Go code must give it, and matching never panics.
		if err := filter.validateTo("filter", maxFilterDepth); err != nil {
			t.Errorf("%s was read, and then: %v", data, err)
		}
		filter.indexed().matches(NumID(1), Payload{"a": []any{int64(1), nil, "x", map[string]any{"b": true}}})
	})
}
