package index

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// grownGraph is a graph of n random rows of 8 values with some history: rows
// that are equal, and some deleted.
func grownGraph(t *testing.T, c Config, n uint32) *hnsw[float32] {
	t.Helper()
	idx, err := HNSW.New(c)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 1))
	for slot := range n {
		if err := idx.Upsert(slot, randomRow(r, c.Dim)); err != nil {
			t.Fatal(err)
		}
	}
	row := make([]float32, c.Dim)
	for slot := uint32(0); slot < n; slot += 20 {
		idx.Row(row, slot)
		if err := idx.Upsert(n+slot, row); err != nil {
			t.Fatal(err)
		}
		idx.Delete(slot + 7)
	}
	return idx.(*hnsw[float32])
}

func TestCompactChangesNoAnswer(t *testing.T) {
	const n = 2000
	h := grownGraph(t, Config{Dim: 8, M: 8, EfConstruct: 60}, n)
	r := rand.New(rand.NewPCG(6, 1))
	var queries [][]float32
	for range 50 {
		queries = append(queries, randomRow(r, 8))
	}
	answers := func() (all []Hit) {
		for _, q := range queries {
			var err error
			if all, err = h.Search(all, q, Params{K: 10, EF: 20}); err != nil {
				t.Fatal(err)
			}
		}
		return all
	}
	before, slots, old := answers(), slices.Collect(h.Slots()), h.graph

	ended, end := context.WithCancel(context.Background())
	end()
	if err := h.Compact(ended); !errors.Is(err, context.Canceled) || h.graph != old {
		t.Fatalf("with a context that has ended: %v", err)
	}
	if err := h.Compact(context.Background()); err != nil || h.graph == old {
		t.Fatal(err)
	}
	if err := checkGraph(h.graph); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(before, answers()) {
		t.Error("other answers than before")
	}
	if !slices.Equal(slots, slices.Collect(h.Slots())) {
		t.Error("other slots than before")
	}
	// Rows that are held are still known, and the graph goes on growing.
	nodes := h.graph.nodes()
	row := make([]float32, 8)
	h.Row(row, 1)
	if err := errors.Join(h.Upsert(5*n, row), h.Upsert(5*n+1, randomRow(r, 8))); err != nil {
		t.Fatal(err)
	}
	if err := checkGraph(h.graph); err != nil || h.graph.nodes() != nodes+1 {
		t.Errorf("%d nodes after %d and one new row, %v", h.graph.nodes(), nodes, err)
	}
}

// TestCompactBringsNeighboursTogether compares how far apart the numbers of
// neighbours are.
func TestCompactBringsNeighboursTogether(t *testing.T) {
	h := grownGraph(t, Config{Dim: 8, M: 8, EfConstruct: 60}, 2000)
	near := func() (n int) {
		for node := range uint32(h.graph.nodes()) {
			for _, to := range h.graph.links(node, 0) {
				if d := int(node) - int(to); d > -20 && d < 20 {
					n++
				}
			}
		}
		return n
	}
	before := near()
	if err := h.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	if after := near(); after < 2*before {
		t.Errorf("%d edges lead to a number close by, %d before", after, before)
	}
}

// TestChurnLeavesNothing replaces half of the rows and deletes nine in ten, and
// compares with an index of those that are left.
func TestChurnLeavesNothing(t *testing.T) {
	const n, dim = 6000, 8
	c := Config{Dim: dim, M: 8, EfConstruct: 60}
	churned, err := HNSW.New(c)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := HNSW.New(c)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(7, 1))
	for i := range uint32(n + n/2) {
		if err := churned.Upsert(i%n, randomRow(r, dim)); err != nil {
			t.Fatal(err)
		}
	}
	row := make([]float32, dim)
	for slot := range uint32(n) {
		if slot%10 != 0 {
			churned.Delete(slot)
			continue
		}
		churned.Row(row, slot)
		if err := fresh.Upsert(slot, row); err != nil {
			t.Fatal(err)
		}
	}
	var queries []float32
	for range 300 {
		queries = append(queries, randomRow(r, dim)...)
	}
	recall := func(idx Index) float64 {
		found, err := Recall(idx, queries, 5, Params{EF: 12})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if got, want := recall(churned), recall(fresh); got < want-0.01 {
		t.Errorf("recall@5 is %.4f, of a fresh index %.4f", got, want)
	}
	if got, want := churned.Bytes(), fresh.Bytes(); float64(got) > 1.3*float64(want) {
		t.Errorf("%d bytes, a fresh index holds %d", got, want)
	}
}

// TestFilteredWalkKeepsRecall allows every second and third row, by walks that
// measure fewer rows than are allowed.
func TestFilteredWalkKeepsRecall(t *testing.T) {
	const n, dim = 9000, 8
	idx, err := HNSW.New(Config{Dim: dim, M: 8, EfConstruct: 60})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(9, 1))
	var rows, queries []float32
	slots := make([]uint32, n)
	for i := range slots {
		slots[i] = uint32(i)
		rows = append(rows, randomRow(r, dim)...)
	}
	for range 200 {
		queries = append(queries, randomRow(r, dim)...)
	}
	if err := idx.(Bulk).UpsertMany(context.Background(), slots, rows, 2); err != nil {
		t.Fatal(err)
	}
	for _, every := range []uint32{2, 3} {
		allow := new(Bitmap)
		for slot := uint32(0); slot < n; slot += every {
			allow.Set(slot)
		}
		p := Params{EF: 16, Allow: allow}
		recall, err := Recall(idx, queries, 10, p)
		if err != nil || recall < 0.97 {
			t.Errorf("recall of one row in %d is %.4f, %v", every, recall, err)
		}
		p.K, p.Work = 10, new(Work)
		if _, err := idx.Search(nil, queries[:dim], p); err != nil {
			t.Fatal(err)
		}
		if p.Work.Scanned > 0 || p.Work.Gathered >= allow.Len() {
			t.Errorf("of %d rows allowed %d were measured, %d scanned", allow.Len(), p.Work.Gathered, p.Work.Scanned)
		}
	}
}

// TestSearchesTakeNoMemory counts allocations per search.
func TestSearchesTakeNoMemory(t *testing.T) {
	if raceDetector {
		t.Skip("pools give up at random what they keep")
	}
	half := new(Bitmap)
	for slot := uint32(0); slot < 6000; slot += 2 {
		half.Set(slot)
	}
	for _, step := range []float32{0, 0.05} {
		for _, engine := range []Engine{Flat, HNSW} {
			idx, err := engine.New(Config{Dim: 8, M: 8, EfConstruct: 30, Step: step})
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(8, 1))
			for slot := range uint32(6000) {
				if err := idx.Upsert(slot, randomRow(r, 8)); err != nil {
					t.Fatal(err)
				}
			}
			query, hits := randomRow(r, 8), make([]Hit, 0, 10)
			for name, p := range map[string]Params{
				"walk": {K: 10, EF: 20}, "filter": {K: 10, EF: 20, Allow: half}, "scan": {K: 10, Exact: true},
			} {
				got := testing.AllocsPerRun(100, func() {
					if _, err := idx.Search(hits, query, p); err != nil {
						t.Error(err)
					}
				})
				// A collection may empty the pool meanwhile.
				if got > 0.5 {
					t.Errorf("%s, step %v, %s: %v allocations", engine.Name, step, name, got)
				}
			}
		}
	}
}
