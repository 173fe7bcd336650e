package store

import (
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
	for _, value := range []any{"a", "b", "\ufffd", "\\ufffd", 1, 1.5, "1", true, nil} {
		key := selectionKey(&Filter{Must: []Condition{keyEquals("k", value)}})
		if other, twice := seen[key]; twice && key != "" {
			t.Errorf("%v and %s have one key", value, other)
		}
		seen[key] = key
	}
	for _, f := range []*Filter{
		{Must: []Condition{keyEquals("k", "\xff")}},
		{Should: []Condition{{Filter: &Filter{MustNot: []Condition{{HasID: []ID{NumID(1)}}}}}}},
	} {
		if key := selectionKey(f); key != "" {
			t.Errorf("%+v has the key %s", f, key)
		}
	}
}
