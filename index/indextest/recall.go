package indextest

import (
	"slices"
	"testing"

	"github.com/latentdb/latentdb/index"
)

// testClusters holds 200 tight clusters of 50 rows, and 60 of 100, cluster after
// cluster: an order that tempts a graph to fall apart into islands.
func testClusters(t *testing.T, engine index.Engine, o Options) {
	for _, c := range []struct {
		metric         index.Metric
		clusters, size int
	}{{index.L2, 200, 50}, {index.Cosine, 60, 100}} {
		r := newRand(4)
		rows := clustered(r, c.clusters, c.size, 16, 0.01)
		queries := slices.Clone(rows)
		r.Shuffle(len(rows), func(i, j int) { queries[i], queries[j] = queries[j], queries[i] })
		testRecall(t, engine, o, measure{metric: c.metric}, rows, queries[:200])
	}
}

func testUniform(t *testing.T, engine index.Engine, o Options) {
	const n, dim = 3000, 16
	r := newRand(5)
	rows := make([][]float32, n+200)
	for i := range rows {
		rows[i] = uniformRow(r, dim)
	}
	for _, m := range o.measures() {
		if m.metric == index.L2 {
			testRecall(t, engine, o, m, rows[:n], rows[n:])
		}
	}
}

// testRecall inserts the rows and searches them: every answer must be valid,
// and recall@10 at EF 100 reach the floor. An engine without a floor is given
// a sample, since it may be slow too.
func testRecall(t *testing.T, engine index.Engine, o Options, m measure, rows, queries [][]float32) {
	if o.Recall == 0 {
		rows = rows[:min(len(rows), 1000)]
	}
	c := newCase(t, engine, index.Config{Dim: len(rows[0]), Metric: m.metric, Step: m.step, EfConstruct: 100})
	for slot, row := range rows {
		c.upsert(uint32(slot), row)
	}
	for _, q := range queries[:5] {
		c.check(q, index.Params{K: 10, EF: 10})
		c.check(q, index.Params{K: 10, EF: 100})
	}
	recall, err := index.Recall(c.idx, slices.Concat(queries...), 10, index.Params{EF: 100})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v: %d rows, recall@10 %.4f", m, len(rows), recall)
	if recall < o.Recall || recall > 1 {
		t.Errorf("%v: recall@10 is %.4f, want at least %.2f", m, recall, o.Recall)
	}
}
