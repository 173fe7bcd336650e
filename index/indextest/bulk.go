package indextest

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/latentdb/latentdb/index"
)

// testBulk puts many rows in at once, where the engine can.
func testBulk(t *testing.T, engine index.Engine, m measure, o Options) {
	const n, dim = 1500, 6
	config := index.Config{Dim: dim, Metric: m.metric, Step: m.step, M: 6, EfConstruct: 40, Seed: 5}
	c := newCase(t, engine, config)
	if _, ok := c.idx.(index.Bulk); !ok {
		t.Skip("takes rows one by one")
	}
	slots, rows := bulkRows(n, dim)
	build := func(workers int) *testCase {
		c := newCase(t, engine, config)
		c.upsertMany(slots, rows, workers)
		c.checkSlots()
		return c
	}
	one, two, three := build(1), build(2), build(3)
	if o.Deterministic && !(bytes.Equal(one.encoded(), two.encoded()) && bytes.Equal(two.encoded(), three.encoded())) {
		t.Error("one, two and three workers made different indexes")
	}
	two.checkAll()
	queries := make([]float32, 0, 200*dim)
	r := newRand(12)
	for range 200 {
		queries = append(queries, uniformRow(r, dim)...)
	}
	if recall, err := index.Recall(two.idx, queries, 10, index.Params{EF: 100}); err != nil || recall < o.Recall {
		t.Errorf("recall@10 is %.4f, %v, want at least %.2f", recall, err, o.Recall)
	}
	two.refuseMany(slots, rows)
}

// bulkRows are n rows, of which some are equal, under slots of which some are
// given twice.
func bulkRows(n uint32, dim int) (slots []uint32, rows []float32) {
	r := newRand(11)
	for i := range n {
		slots = append(slots, i)
		rows = append(rows, uniformRow(r, dim)...)
		if i%10 == 0 {
			from := r.IntN(int(i) + 1)
			slots = append(slots, n+i, r.Uint32N(i+1))
			rows = append(append(rows, rows[from*dim:][:dim]...), uniformRow(r, dim)...)
		}
	}
	return slots, rows
}

func (c *testCase) upsertMany(slots []uint32, rows []float32, workers int) {
	c.t.Helper()
	if err := c.idx.(index.Bulk).UpsertMany(context.Background(), slots, rows, workers); err != nil {
		c.t.Fatal(err)
	}
	dim := len(rows) / len(slots)
	for i, slot := range slots {
		c.oracle.upsert(slot, rows[i*dim:][:dim])
	}
}

// refuseMany offers what must be refused, and expects that nothing changes.
func (c *testCase) refuseMany(slots []uint32, rows []float32) {
	c.t.Helper()
	before := c.encoded()
	spoilt := slices.Clone(rows)
	spoilt[len(spoilt)-1] = float32(math.NaN())
	ended, end := context.WithCancel(context.Background())
	end()
	for name, bad := range map[string]struct {
		ctx     context.Context
		rows    []float32
		workers int
		want    error
	}{
		"a value short": {context.Background(), rows[1:], 2, index.ErrDim},
		"no number":     {context.Background(), spoilt, 2, index.ErrNotFinite},
		"no workers":    {context.Background(), rows, 0, index.ErrParams},
		"no time":       {ended, rows, 2, context.Canceled},
		"no time alone": {ended, rows, 1, context.Canceled},
	} {
		shifted := slices.Clone(slots)
		slices.Reverse(shifted)
		if err := c.idx.(index.Bulk).UpsertMany(bad.ctx, shifted, bad.rows, bad.workers); !errors.Is(err, bad.want) {
			c.t.Fatalf("%s: %v, want %v", name, err, bad.want)
		}
	}
	if !bytes.Equal(before, c.encoded()) {
		c.t.Fatal("what was refused changed the index")
	}
}
