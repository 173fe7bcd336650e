package index

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// checkGraph states what is true of a graph between any two operations.
func checkGraph(g *graph[float32]) error {
	n := g.nodes()
	if len(g.rows) != n*g.config.Dim || len(g.slotOf) != n || len(g.upperAt) != n {
		return fmt.Errorf("%d nodes, %d values, %d slots, %d upper", n, len(g.rows), len(g.slotOf), len(g.upperAt))
	}
	vacancies, top, slots := 0, -1, 0
	for node := range uint32(n) {
		level := int(g.state[node] & levelMask)
		top = max(top, level)
		if g.state[node]&vacant != 0 {
			vacancies++
		}
		slots += len(g.members(node))
		if err := checkMembers(g, node); err != nil {
			return err
		}
		for l := range level + 1 {
			if err := checkLinks(g, node, l); err != nil {
				return err
			}
		}
	}
	if vacancies != g.vacant || top != g.top || slots != g.nodeOf.n {
		return fmt.Errorf("vacant %d/%d, top %d/%d, slots %d/%d", vacancies, g.vacant, top, g.top, slots, g.nodeOf.n)
	}
	if n > 0 && int(g.state[g.entry]&levelMask) != g.top {
		return fmt.Errorf("entry %d is not of level %d", g.entry, g.top)
	}
	return nil
}

func checkMembers(g *graph[float32], node uint32) error {
	members := g.members(node)
	if (g.state[node]&shared != 0) != (len(members) > 1) || g.state[node]&(shared|vacant) == shared|vacant {
		return fmt.Errorf("node %d has state %x and slots %v", node, g.state[node], members)
	}
	for i, slot := range members {
		if of, held := g.nodeOf.get(slot); !held || of != node {
			return fmt.Errorf("slot %d of node %d is said to hold %d, %v", slot, node, of, held)
		}
		if at, placed := g.place.get(slot); placed != (len(members) > 1) || placed && int(at) != i {
			return fmt.Errorf("slot %d of node %d is %d-th, said to be %d, %v", slot, node, i, at, placed)
		}
	}
	if found, ok := g.known.find(g.rows, g.row(node)); node < g.hashed && (!ok || found != node) {
		return fmt.Errorf("the row of node %d is found at %d, %v", node, found, ok)
	}
	return nil
}

func checkLinks(g *graph[float32], node uint32, level int) error {
	links := slices.Clone(g.links(node, level))
	if len(links) > g.maxLinks(level) {
		return fmt.Errorf("node %d has %d neighbours on level %d", node, len(links), level)
	}
	slices.Sort(links)
	if len(slices.Compact(slices.Clone(links))) != len(links) {
		return fmt.Errorf("node %d has a neighbour twice on level %d: %v", node, level, links)
	}
	for _, to := range links {
		if to == node || int(to) >= g.nodes() || int(g.state[to]&levelMask) < level {
			return fmt.Errorf("node %d has neighbour %d on level %d", node, to, level)
		}
	}
	return nil
}

func TestGraphStaysSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		idx, err := HNSW.New(Config{Dim: 2, M: rapid.IntRange(2, 5).Draw(t, "M"), EfConstruct: 8})
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "rows"), 0))
		row := func() []float32 { return []float32{float32(r.IntN(25)), float32(r.IntN(25))} }
		rebuilt := func(before int) bool { return idx.(*hnsw[float32]).graph.nodes() < before }
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				if err := checkGraph(idx.(*hnsw[float32]).graph); err != nil {
					t.Fatal(err)
				}
			},
			"upsert": func(t *rapid.T) {
				for range rapid.IntRange(1, 120).Draw(t, "n") {
					if err := idx.Upsert(r.Uint32N(300), row()); err != nil {
						t.Fatal(err)
					}
				}
			},
			"delete": func(t *rapid.T) {
				for range rapid.IntRange(1, 120).Draw(t, "n") {
					before := idx.(*hnsw[float32]).graph.nodes()
					idx.Delete(r.Uint32N(300))
					if g := idx.(*hnsw[float32]).graph; rebuilt(before) && g.vacant > 0 {
						t.Fatalf("%d vacant nodes after a rebuild", g.vacant)
					}
				}
			},
		})
	})
}

// TestRebuildIsDue deletes until the graph is rebuilt.
func TestRebuildIsDue(t *testing.T) {
	const n = 1000
	idx, err := HNSW.New(Config{Dim: 2, M: 4, EfConstruct: 8})
	if err != nil {
		t.Fatal(err)
	}
	for slot := range uint32(n) {
		if err := idx.Upsert(slot, []float32{float32(slot), 1}); err != nil {
			t.Fatal(err)
		}
	}
	g := idx.(*hnsw[float32]).graph
	for slot := range uint32(n / rebuildShare) {
		idx.Delete(slot)
	}
	if idx.(*hnsw[float32]).graph != g || g.vacant != n/rebuildShare {
		t.Fatalf("rebuilt at %d vacant nodes of %d", g.vacant, n)
	}
	idx.Delete(n - 1)
	if next := idx.(*hnsw[float32]).graph; next == g || next.vacant != 0 || next.drawn != n {
		t.Fatalf("not rebuilt at %d vacant nodes of %d", next.vacant, next.nodes())
	}
	if err := checkGraph(idx.(*hnsw[float32]).graph); err != nil {
		t.Fatal(err)
	}
}

// TestRowThatComesBackRevivesItsNode deletes a row and brings it back.
func TestRowThatComesBackRevivesItsNode(t *testing.T) {
	idx, err := HNSW.New(Config{Dim: 1})
	if err != nil {
		t.Fatal(err)
	}
	for round := range uint32(3) {
		if err := idx.Upsert(round, []float32{5}); err != nil {
			t.Fatal(err)
		}
		idx.Delete(round)
	}
	if g := idx.(*hnsw[float32]).graph; g.nodes() != 1 || g.vacant != 1 {
		t.Errorf("%d nodes, %d vacant, want 1 and 1", g.nodes(), g.vacant)
	}
}

// TestWalkerForgets starts walk after walk, over more and more nodes.
func TestWalkerForgets(t *testing.T) {
	var w walker[float32]
	for n := uint32(3); n < 500; n++ {
		w.begin(int(n))
		if !w.visit(1) || w.visit(1) {
			t.Fatalf("walk over %d nodes: a visit is not new once", n)
		}
		if got := w.unvisited([]uint32{0, 2, 0, 1, n - 1}); !slices.Equal(got, slices.Compact([]uint32{0, 2, n - 1})) {
			t.Fatalf("walk over %d nodes: %v not visited yet", n, got)
		}
	}
}

// TestLevels checks that levels thin out by levelBase, and by M below it.
func TestLevels(t *testing.T) {
	const n = 100_000
	for m, base := range map[int]float64{2: 2, 4: 4, 8: 8, 64: levelBase} {
		g := newGraph(Config{Dim: 1, M: m, EfConstruct: m, Seed: 3}, floats(L2))
		atLeast := make([]float64, maxLevel+2)
		for range n {
			for l := g.nextLevel(); l >= 0; l-- {
				atLeast[l]++
			}
		}
		for l := 1; atLeast[l] > 500; l++ {
			if ratio := atLeast[l-1] / atLeast[l]; ratio < 0.85*base || ratio > 1.15*base {
				t.Errorf("M %d: level %d is %.2f times rarer than the one below, want %v", m, l, ratio, base)
			}
		}
	}
}

// lineOfRows is an index of n rows 0, 1, 2, … under slots of the same number.
func lineOfRows(t *testing.T, n uint32) *hnsw[float32] {
	t.Helper()
	idx, err := HNSW.New(Config{Dim: 1, M: 4, EfConstruct: 16})
	if err != nil {
		t.Fatal(err)
	}
	for slot := range n {
		if err := idx.Upsert(slot, []float32{float32(slot)}); err != nil {
			t.Fatal(err)
		}
	}
	return idx.(*hnsw[float32])
}

// TestShortWalkIsCompleted searches a graph without a single edge.
func TestShortWalkIsCompleted(t *testing.T) {
	h := lineOfRows(t, 1000)
	for node := range uint32(h.graph.nodes()) {
		for l := range int(h.graph.state[node]&levelMask) + 1 {
			h.graph.setLinks(node, l, nil)
		}
	}
	hits, err := h.Search(nil, []float32{500}, Params{K: 3, EF: 3})
	if want := []Hit{{500, 0}, {499, 1}, {501, 1}}; err != nil || !slices.Equal(hits, want) {
		t.Errorf("got %v, %v, want %v", hits, err, want)
	}
}

// TestFilteredWalkKeepsToItsBudget allows only rows far from the query, so that
// the walk would have to cross half the graph to reach them.
func TestFilteredWalkKeepsToItsBudget(t *testing.T) {
	const n, allowed = 4000, 1000
	h := lineOfRows(t, n)
	far := new(Bitmap)
	for slot := range uint32(allowed) {
		far.Set(slot)
	}
	w := &walker[float32]{query: []float32{n}}
	h.graph.search(w, Params{K: 5, EF: 5, Allow: far})
	if most := allowed + h.graph.maxLinks(0); w.measured > most {
		t.Errorf("the walk measured %d distances, want at most %d", w.measured, most)
	}
	if hits := w.hits.AppendTo(nil); len(hits) != 5 || hits[0].Slot != allowed-1 {
		t.Errorf("got %v", hits)
	}
}
