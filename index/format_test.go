package index

import (
	"os"
	"slices"
	"testing"
)

// TestFormat1Loads loads snapshots of the first format: rows that can be said
// again here, under slots of which every ninth was deleted.
func TestFormat1Loads(t *testing.T) {
	for _, engine := range []Engine{Flat, HNSW} {
		f, err := os.Open("testdata/format-1/" + engine.Name + ".snap")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		h, idx, err := Load(f, Flat, HNSW)
		if err != nil || h.Format != 1 || h.Engine != engine.Name || h.AppliedSeq != 9 {
			t.Fatalf("%s: %+v, %v", engine.Name, h, err)
		}
		want := make(map[uint32][]float32)
		for slot := range uint32(60) {
			x := slot * 7919 % 101
			if slot%9 != 0 {
				want[slot] = []float32{float32(x), float32(x*x%53) - 20, float32(slot % 5)}
			}
		}
		want[100], want[101] = make([]float32, 3), make([]float32, 3)
		if idx.Len() != len(want) {
			t.Fatalf("%s: %d rows, want %d", engine.Name, idx.Len(), len(want))
		}
		for slot, row := range want {
			if err := Cosine.Prepare(row, row); err != nil {
				t.Fatal(err)
			}
			got := make([]float32, 3)
			if !idx.Row(got, slot) || !slices.Equal(got, row) {
				t.Errorf("%s: row %d is %v, want %v", engine.Name, slot, got, row)
			}
			hits, err := idx.Search(nil, row, Params{K: 1, EF: 20})
			if err != nil || hits[0].Distance > 1e-6 && slot < 100 {
				t.Errorf("%s: nearest to row %d: %v, %v", engine.Name, slot, hits, err)
			}
		}
		if g, ok := idx.(*hnsw[float32]); ok {
			if err := checkGraph(g.graph); err != nil {
				t.Error(err)
			}
		}
	}
}
