package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/index"
)

// raw measures the graph over the rows as they are, without latents.
func (s *searching) raw(ctx context.Context) error {
	f := figure{Name: "search.6a", What: "100,000 words, index.HNSW without latents: queries a CPU second at recall 0.95", Floor: ptr(.85), Goal: ptr(1.1), Better: higher}
	defer func() { s.add(f) }()
	a, err := s.arena(ctx, "words")
	if a == nil || err != nil {
		return err
	}
	c, err := a.graph()
	if err != nil {
		return err
	}
	if err := a.tune(ctx, c); err != nil {
		return err
	}
	theirs, err := a.libraries.of(ctx, a, hnswlib)
	if err != nil {
		return err
	}
	if err := a.measure(ctx, append(theirs, c), .95); err != nil {
		return err
	}
	f.Ours = rateAt(c.curve(), .95)
	if len(theirs) > 0 {
		f.Peer = rateAt(theirs[0].curve(), .95)
	}
	return nil
}

func (a *arena) graph() (*contender, error) {
	c := &contender{name: "index.HNSW", library: ours}
	before, start := heldBytes(), mark()
	graph, err := index.HNSW.New(index.Config{Dim: a.set.base.Cols, Metric: a.set.metric})
	if err != nil {
		return nil, err
	}
	for i := range a.set.base.Rows {
		if err := graph.Upsert(uint32(i), embed.Row(a.set.base, i)); err != nil {
			return nil, err
		}
	}
	c.seconds = start.since()
	c.bytes = float64(heldBytes()-before) / float64(a.set.base.Rows)
	a.logf("%s, %s: built in %.1f CPU seconds, %.0f bytes a point", a.set.name, c.name, c.seconds, c.bytes)
	widths := []int{10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320, 448, 640, 896}
	for _, w := range widths {
		c.knobs = append(c.knobs, fmt.Sprintf("ef %d", w))
	}
	c.ask = func(_ context.Context, knob int, q queries) (ids []int32, seconds float64, err error) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		ids = make([]int32, 0, q.rows.Rows*neighbours)
		var hits []index.Hit
		start := mark()
		for range q.rounds {
			ids = ids[:0]
			for i := range q.rows.Rows {
				if hits, err = graph.Search(hits[:0], embed.Row(q.rows, i), index.Params{K: neighbours, EF: widths[knob]}); err != nil {
					return nil, 0, err
				}
				for _, h := range hits {
					ids = append(ids, int32(h.Slot))
				}
			}
		}
		return ids, start.since(), nil
	}
	return c, nil
}
