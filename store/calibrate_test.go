package store

import (
	"testing"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
)

// foundOf is the share of the true 10 neighbours that queries find.
func foundOf(t *testing.T, c *Collection, vectors, queries [][]float32, q Query) (recall float64) {
	t.Helper()
	all := make([]uint64, len(vectors))
	for i := range all {
		all[i] = uint64(i)
	}
	for _, v := range queries {
		q.Vector, q.Limit = v, 10
		truth := make(map[uint64]bool)
		for _, i := range nearestOf(all, func(i uint64) float64 { return trueScore(Euclid, v, vectors[i]) })[:10] {
			truth[i] = true
		}
		for _, h := range mustSearch(t, c, q).Hits {
			if truth[h.ID.num] {
				recall += .1 / float64(len(queries))
			}
		}
	}
	return recall
}

// TestCalibrationRanksCandidates: it is the best candidates that are scored anew, in
// whatever order an index gives them.
func TestCalibrationRanksCandidates(t *testing.T) {
	const width, n = 24, 2000
	vectors := clustered(3, n, width)
	c := create(t, tempDB(t, quiet()), Config{Source: source.Vector{}, Dim: width, Encoder: embed.PCA, Engine: EngineCells, Rows: RowsMemory})
	mustUpsert(t, c, numbered(vectors)...)
	mustFit(t, c)
	sample := &fitSample{rows: embed.NewMatrix(n, width)}
	for i, v := range vectors {
		sample.slots = append(sample.slots, uint32(i))
		copy(embed.Row(sample.rows, i), v)
	}
	gen := c.active.Load()
	cal, err := newCalibration(ctx, c, gen, sample)
	if err != nil {
		t.Fatal(err)
	}
	if err := cal.findTruth(ctx); err != nil {
		t.Fatal(err)
	}
	points, err := cal.atWidth(ctx, gen.index, SpaceInput, 64, []int{20, 64})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range points {
		if p.Recall < .98 {
			t.Errorf("%+v", p)
		}
	}
}

// TestFarQueriesAreSearchedMoreWidely: they find as much as is asked for, if what they
// are asked with is not told.
func TestFarQueriesAreSearchedMoreWidely(t *testing.T) {
	const width, want = 24, .9
	vectors := clustered(4, 5100, width)
	vectors, queries := vectors[:5000], vectors[5000:]
	c := create(t, tempDB(t, quiet()), Config{Source: source.Vector{}, Dim: width, Encoder: embed.PCA, Engine: EngineCells, Rows: RowsMemory})
	mustUpsert(t, c, numbered(vectors)...)
	mustFit(t, c)
	near := mustSearch(t, c, Query{Vector: vectors[0], Recall: want}).Info
	for _, v := range queries { // between the clusters
		for j := range v {
			v[j] = .5*v[j] + .5*vectors[j%40][j]
		}
	}
	far := mustSearch(t, c, Query{Vector: queries[0], Recall: want}).Info
	if 2*far.EF < 3*near.EF || 2*far.Rerank < 3*near.Rerank {
		t.Errorf("a far query is asked with %+v, a near one with %+v", far, near)
	}
	if got := foundOf(t, c, vectors, queries, Query{Recall: want}); got < want {
		t.Errorf("far queries find %.3f", got)
	}
	told := Query{Vector: queries[0], EF: near.EF, Rerank: near.Rerank}
	if info := mustSearch(t, c, told).Info; info.EF != near.EF || info.Rerank != near.Rerank {
		t.Errorf("asked with ef %d and rerank %d, searched with %+v", near.EF, near.Rerank, info)
	}
}
