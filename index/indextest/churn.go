package indextest

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/latentdb/latentdb/index"
)

// testChurn runs random operations against the oracle.
func testChurn(t *testing.T, engine index.Engine, o Options) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.SampledFrom(o.measures()).Draw(t, "measure")
		config := index.Config{
			Dim: 3, Metric: m.metric, Step: m.step,
			M: 4, EfConstruct: 20, Seed: rapid.Uint64().Draw(t, "seed"),
		}
		c := newCase(t, engine, config)
		t.Repeat(c.actions())
	})
}

func (c *testCase) actions() map[string]func(*rapid.T) {
	// Few slots and few values, so that slots are replaced and rows repeat.
	slot := rapid.Uint32Range(0, 400)
	row := rapid.SliceOfN(rapid.Map(rapid.IntRange(-9, 9), func(i int) float32 { return float32(i) / 2 }), 3, 3)
	return map[string]func(*rapid.T){
		"": func(t *rapid.T) { c.t = t },
		"upsert": func(t *rapid.T) {
			c.upsert(slot.Draw(t, "slot"), row.Draw(t, "row"))
		},
		"upsert many": func(t *rapid.T) {
			r := newRand(rapid.Uint64().Draw(t, "rows"))
			for range 80 {
				c.upsert(r.Uint32N(400), uniformRow(r, 3))
			}
		},
		"delete": func(t *rapid.T) { c.delete(slot.Draw(t, "slot")) },
		"delete many": func(t *rapid.T) {
			first := slot.Draw(t, "first")
			for s := first; s < first+80; s++ {
				c.delete(s)
			}
		},
		"search": func(t *rapid.T) {
			p := index.Params{K: rapid.IntRange(1, 30).Draw(t, "K"), EF: rapid.IntRange(0, 40).Draw(t, "EF")}
			if rapid.Bool().Draw(t, "filter") {
				from, to := slot.Draw(t, "from"), slot.Draw(t, "to")
				p.Allow = new(index.Bitmap)
				for s := min(from, to); s < max(from, to); s++ {
					p.Allow.Set(s)
				}
			}
			query := row.Draw(t, "query")
			c.check(query, p)
			c.check(query, index.Params{K: 1, EF: 1, Allow: p.Allow}) // too narrow for the exact way out
		},
		"reload": func(t *rapid.T) {
			c.reload()
			c.checkSlots()
		},
	}
}

// testConcurrent searches, reads and encodes while one goroutine writes. It
// means most under the race detector.
func testConcurrent(t *testing.T, engine index.Engine) {
	const n, dim, readers = 600, 8, 2
	idx, err := engine.New(index.Config{Dim: dim, EfConstruct: 40, M: 8})
	if err != nil {
		t.Fatal(err)
	}
	r := newRand(6)
	for slot := range uint32(n) {
		if err := idx.Upsert(slot, uniformRow(r, dim)); err != nil {
			t.Fatal(err)
		}
	}
	var writing atomic.Bool
	writing.Store(true)
	var wg sync.WaitGroup
	for reader := range uint64(readers) {
		wg.Go(func() {
			r := newRand(100 + reader)
			for round := 0; writing.Load() || round == 0; round++ {
				readAll(t, idx, uniformRow(r, dim), round)
			}
		})
	}
	for i := range uint32(n) {
		slot := r.Uint32N(n)
		if i%3 == 0 {
			idx.Delete(slot)
		} else if err := idx.Upsert(slot, uniformRow(r, dim)); err != nil {
			t.Error(err)
		}
	}
	writing.Store(false)
	wg.Wait()
}

// readAll reads idx in every way once. What it sees may be of any moment, but
// must be in order.
func readAll(t *testing.T, idx index.Index, query []float32, round int) {
	allow := new(index.Bitmap)
	allow.FillTo(300)
	for _, p := range []index.Params{{K: 10, EF: 10}, {K: 10, EF: 10, Allow: allow}, {K: 10, Exact: true}} {
		hits, err := idx.Search(nil, query, p)
		if err != nil || len(hits) != 10 {
			t.Errorf("%d hits, %v", len(hits), err)
		}
		if !slices.IsSortedFunc(hits, index.Hit.Compare) {
			t.Errorf("hits out of order: %v", hits)
		}
	}
	idx.Row(make([]float32, idx.Dim()), uint32(round%600))
	if round%20 == 0 {
		if err := idx.Encode(discard{}); err != nil {
			t.Error(err)
		}
		if slots := slices.Collect(idx.Slots()); !slices.IsSorted(slots) {
			t.Error("slots out of order")
		}
		if idx.Bytes() <= 0 || idx.Len() <= 0 {
			t.Errorf("%d bytes, %d slots", idx.Bytes(), idx.Len())
		}
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
