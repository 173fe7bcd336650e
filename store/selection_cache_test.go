package store

import (
	"encoding/json"
	"testing"
)

// TestCachedSelections asks again under the same filter: it is answered from memory
// until something changes, and never for another filter.
func TestCachedSelections(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	points := numbered(curved(5, 60, 4))
	mustUpsert(t, c, points...)
	ask := func(want FilterInfo, conditions ...Condition) {
		t.Helper()
		got := *mustSearch(t, c, Query{Vector: points[0].Vector, Limit: 60, Filter: &Filter{Must: conditions}}).Info.Filter
		if got != want {
			t.Errorf("%+v: %+v, want %+v", conditions, got, want)
		}
	}
	even := keyEquals("even", true)
	ask(FilterInfo{Matching: 30, Scanned: 60}, even)
	ask(FilterInfo{Matching: 30, Cached: true}, even)
	ask(FilterInfo{Matching: 30, Scanned: 60}, keyEquals("even", false))
	ask(FilterInfo{Matching: 6, Scanned: 60}, keyEquals("mod", 1))
	ask(FilterInfo{Scanned: 60}, keyEquals("mod", "1"))
	mustUpsert(t, c, Point{ID: NumID(100), Vector: points[0].Vector, Payload: Payload{"even": true}})
	ask(FilterInfo{Matching: 31, Scanned: 61}, even)
	for _, id := range []uint64{3, 4} {
		named := Condition{HasID: []ID{NumID(id)}}
		ask(FilterInfo{Matching: 1}, named)
		ask(FilterInfo{Matching: 1}, named)
	}
	for mod := range 2 * cachedSelections { // more than are kept
		ask(FilterInfo{Matching: 0, Scanned: 61}, keyEquals("mod", 100+mod))
	}
	if n := len(c.selections.entries); n > cachedSelections {
		t.Errorf("%d selections are kept, at most %d should be", n, cachedSelections)
	}
}

// TestSelectionKeys: what is no UTF-8 looks alike in JSON.
func TestSelectionKeys(t *testing.T) {
	seen := make(map[string]string)
	for _, value := range []any{"a", "b", "\ufffd", "\\ufffd", 1, 1.5, "1", true, nil,
		float32(.1), .1, int64(1 << 53), float64(1 << 53)} {
		key := selectionKey(&Filter{Must: []Condition{keyEquals("k", value)}})
		if other, twice := seen[key]; twice && key != "" {
			t.Errorf("%v and %s have one key", value, other)
		}
		seen[key] = key
	}
	for _, f := range []*Filter{
		{Must: []Condition{keyEquals("k", "\xff")}},
		{Must: []Condition{keyEquals("k", json.Number("1"))}}, // which equals nothing
		{Should: []Condition{{Filter: &Filter{MustNot: []Condition{{HasID: []ID{NumID(1)}}}}}}},
	} {
		if key := selectionKey(f); key != "" {
			t.Errorf("%+v has the key %s", f, key)
		}
	}
}

// TestCachedSelectionsOfNumbers: filters whose numbers look alike in JSON select what
// they select by themselves.
func TestCachedSelectionsOfNumbers(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	vectors := curved(5, 4, 4)
	mustUpsert(t, c,
		Point{ID: NumID(1), Vector: vectors[0], Payload: Payload{"x": .1}},
		Point{ID: NumID(2), Vector: vectors[1], Payload: Payload{"x": int64(1<<53 + 1)}})
	for _, test := range []struct {
		value any
		want  int
	}{{.1, 1}, {float32(.1), 0}, {.1, 1}, {int64(1 << 53), 0}, {float64(1 << 53), 1}, {int64(1 << 53), 0}} {
		q := Query{Vector: vectors[2], Filter: &Filter{Must: []Condition{keyEquals("x", test.value)}}}
		if hits := mustSearch(t, c, q).Hits; len(hits) != test.want {
			t.Errorf("%T %v: %d hits, want %d", test.value, test.value, len(hits), test.want)
		}
	}
}
