package index

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestGroupsAreOfNearRows: rows of one group lie nearer to each other than to others, and
// a slot that is not held has none.
func TestGroupsAreOfNearRows(t *testing.T) {
	const n, dim, places = 4000, 8, 10
	rng := rand.New(rand.NewPCG(8, 1))
	slots, rows := make([]uint32, n), make([]float32, 0, n*dim)
	for i := range slots {
		slots[i] = uint32(3 * i)
		for j := range dim {
			far := 0
			if j == i%places%dim {
				far = 100 * (1 + i%places)
			}
			rows = append(rows, float32(far)+float32(rng.NormFloat64()))
		}
	}
	for _, engine := range []Engine{HNSW, Cells} {
		idx, err := engine.New(Config{Dim: dim})
		if err != nil {
			t.Fatal(err)
		}
		if err := idx.(Bulk).UpsertMany(t.Context(), slots, rows, 1); err != nil {
			t.Fatal(err)
		}
		if c, ok := idx.(Compacter); ok {
			if err := c.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		groups := make([]uint32, n+1)
		idx.(Grouped).Groups(groups, append(slots[:n:n], 1))
		if groups[n] != math.MaxUint32 {
			t.Errorf("%s: a slot that is not held is of group %d", engine.Name, groups[n])
		}
		byGroup := make(map[uint32][]int)
		for i, g := range groups[:n] {
			byGroup[g] = append(byGroup[g], i%places)
		}
		changes, last := 0, -1
		for g := range uint32(n) {
			for _, place := range byGroup[g] {
				if place != last {
					changes, last = changes+1, place
				}
			}
		}
		if changes > n/8 {
			t.Errorf("%s: %d changes of place among %d rows in %d groups", engine.Name, changes, n, len(byGroup))
		}
	}
}
