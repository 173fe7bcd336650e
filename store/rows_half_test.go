package store

import (
	"math"
	"testing"

	"github.com/latentdb/latentdb/index"
)

// TestRowsHalf compares rows of two bytes a value with whole ones.
func TestRowsHalf(t *testing.T) {
	for kind, vectors := range inForms(800, 12) {
		var whole [][]Hit
		var bytes float64
		for _, place := range []string{RowsMemory, RowsHalf} {
			c := create(t, tempDB(t, quiet()), rowsConfig(place, Euclid))
			mustUpsert(t, c, numbered(vectors[:700])...)
			report := mustFit(t, c)
			same := 0
			for q, v := range vectors[700:] {
				hits, err := c.Search(ctx, Query{Vector: v, Rerank: 50, OmitPayload: true})
				if err != nil || len(hits) != 10 {
					t.Fatal(hits, err)
				}
				if place == RowsMemory {
					whole = append(whole, hits)
					continue
				}
				for i, h := range hits {
					if h.ID == whole[q][i].ID {
						same++
					}
					if want := whole[q][i].Score; math.Abs(h.Score-want) > 2e-3*(1+want) {
						t.Errorf("%s: hit %d scores %v, by whole rows %v", kind, i, h.Score, want)
					}
				}
			}
			switch {
			case place == RowsMemory:
				bytes = report.BytesPerPoint.RAM
			case same < 990:
				t.Errorf("%s: %d of 1,000 hits are those of whole rows", kind, same)
			case kind == index.RowFloat32 && report.BytesPerPoint.RAM > bytes-20:
				t.Errorf("%s: %v bytes a point, whole %v", kind, report.BytesPerPoint.RAM, bytes)
			}
		}
	}
}
