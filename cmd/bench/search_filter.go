package main

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/store"
)

// filters measures words under filters of a payload's number, at a recall of .95
// asked for, beside the same queries without.
func (s *searching) filters(ctx context.Context) error {
	shares := []struct {
		name string
		most int // of payloadValues
	}{{"0.1 %", 1}, {"1 %", 10}, {"10 %", 100}, {"50 %", 500}}
	recalls, rates := make([]figure, len(shares)), make([]figure, len(shares))
	for i, share := range shares {
		recalls[i] = figure{Name: "search.7" + "abcd"[i:i+1], What: "words, a filter selects " + share.name + ": recall of the exact answer", Floor: ptr(.95), Goal: ptr(.95), Better: higher}
		rates[i] = figure{Name: "search.7" + "efgh"[i:i+1], What: "words, a filter selects " + share.name + ": queries a CPU second, beside no filter", Floor: ptr(.5), Goal: ptr(1.0), Better: higher}
	}
	defer func() { s.addAll(append(recalls, rates...)) }()
	a, c, err := s.quickest(ctx, "words")
	if c == nil || err != nil {
		return err
	}
	if err := c.collection.CreatePayloadIndex(ctx, payloadKey, store.KindInteger); err != nil {
		return err
	}
	if err := c.collection.WaitPayloadIndexes(ctx); err != nil {
		return err
	}
	const asked = 200
	some := queries{rows: pick(a.set.report, 0, asked, 1), rounds: 1}
	plain := store.Query{Recall: .95}
	for i, share := range shares {
		filtered := plain
		filtered.Filter = &store.Filter{Must: []store.Condition{{Key: payloadKey, Range: &store.Range{LT: ptr(float64(share.most))}}}}
		some.truth = a.exactAmong(some.rows, func(i int) bool { return i%payloadValues < share.most })
		var with, without []float64
		for range a.repeats() {
			ids, seconds, err := askOurs(ctx, c.collection, filtered, some)
			if err != nil {
				return err
			}
			recalls[i].Ours, with = ptr(recallOf(some.truth, ids, neighbours)), append(with, asked/seconds)
			if _, seconds, err = askOurs(ctx, c.collection, plain, some); err != nil {
				return err
			}
			without = append(without, asked/seconds)
		}
		rates[i].Ours, rates[i].Peer = ptr(median(with)), ptr(median(without))
		filtered.Vector = embed.Row(some.rows, 0)
		res, err := c.collection.Explain(ctx, filtered)
		if err != nil {
			return err
		}
		if res.Info.Exact {
			rates[i].Floor, rates[i].What = nil, rates[i].What+fmt.Sprintf(" (%s, exact)", res.Info.Engine)
		}
	}
	return nil
}

// exactAmong is exactNeighbours among the rows that are in.
func (a *arena) exactAmong(asked blas32.General, in func(i int) bool) [][]int32 {
	var at []int
	for i := range a.set.base.Rows {
		if in(i) {
			at = append(at, i)
		}
	}
	truth := exactNeighbours(rowsAt(a.set.base, at), asked, neighbours)
	for _, near := range truth {
		for i, row := range near {
			near[i] = int32(at[row])
		}
	}
	return truth
}
