//go:build !windows

package coder

import (
	"testing"

	"github.com/latentdb/latentdb/index"
	"github.com/latentdb/latentdb/index/indextest"
)

func TestMain(m *testing.M) { indextest.Main(m) }

func TestConformance(t *testing.T) {
	indextest.Run(t, Engine, indextest.Options{})
}

func FuzzLoad(f *testing.F) { indextest.Fuzz(f, Engine, indextest.Options{}) }

// TestPanicsAreContained makes the library panic in Add and in Search, and
// expects exact answers until a rebuild brings the graph back.
func TestPanicsAreContained(t *testing.T) {
	const n = 1000
	for _, inSearch := range []bool{false, true} {
		idx, err := Engine.New(index.Config{Dim: 1, M: 4, EfConstruct: 8})
		if err != nil {
			t.Fatal(err)
		}
		a := idx.(*adapter)
		upsert := func(slot uint32, x float32) {
			t.Helper()
			if err := a.Upsert(slot, []float32{x}); err != nil {
				t.Fatal(err)
			}
		}
		nearest := func(x float32) uint32 {
			t.Helper()
			hits, err := a.Search(nil, []float32{x}, index.Params{K: 1, EF: 1})
			if err != nil || len(hits) != 1 {
				t.Fatal(hits, err)
			}
			return hits[0].Slot
		}
		for slot := range uint32(n) {
			upsert(slot, float32(slot))
		}
		a.graph.graph.Distance = func(_, _ []float32) float32 { panic("broken") }
		if inSearch {
			nearest(7)
		} else {
			upsert(n, n)
		}
		if !a.broken.Load() {
			t.Fatalf("in search %v: the graph is still used", inSearch)
		}
		if slot := nearest(7.1); slot != 7 {
			t.Errorf("in search %v: nearest to 7.1 is slot %d", inSearch, slot)
		}
		for slot := range uint32(n/rebuildShare + 1) { // one or two more than it takes
			upsert(slot, float32(slot)+0.25)
		}
		if a.broken.Load() || a.graph.keys() > a.Len()+1 {
			t.Errorf("in search %v: broken %v, %d keys for %d rows", inSearch, a.broken.Load(), a.graph.keys(), a.Len())
		}
	}
}

// TestRebuildDropsStaleKeys replaces and deletes until a rebuild is due.
func TestRebuildDropsStaleKeys(t *testing.T) {
	idx, err := Engine.New(index.Config{Dim: 1, M: 4, EfConstruct: 8})
	if err != nil {
		t.Fatal(err)
	}
	a := idx.(*adapter)
	for i := range uint32(2000) {
		if err := a.Upsert(i%500, []float32{float32(i)}); err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 {
			a.Delete((i + 250) % 500)
		}
		if stale := a.graph.keys() - len(a.graph.keyOf); stale > rebuildFloor && stale*rebuildShare > a.graph.keys() {
			t.Fatalf("%d of %d keys are stale", stale, a.graph.keys())
		}
		if len(a.graph.keyOf) != a.Len() {
			t.Fatalf("%d current keys for %d rows", len(a.graph.keyOf), a.Len())
		}
	}
}
