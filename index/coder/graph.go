//go:build !windows

package coder

import (
	"math/rand"

	"github.com/coder/hnsw"

	"github.com/latentdb/latentdb/index"
)

// graph is the library's graph and what its keys mean. Keys count up from 0;
// none is ever used twice.
type graph struct {
	graph   *hnsw.Graph[uint64]
	measure func(a, b []float32) float32
	slotOf  []uint32          // key -> slot it was added for
	keyOf   map[uint32]uint64 // slot -> its current key
}

func newGraph(c index.Config) *graph {
	measure := c.Metric.Kernel()
	g := hnsw.NewGraph[uint64]()
	g.M = c.M
	g.EfSearch = c.EfConstruct
	g.Distance = measure
	g.Rng = rand.New(rand.NewSource(int64(c.Seed)))
	return &graph{graph: g, measure: measure, keyOf: make(map[uint32]uint64)}
}

// keys is the number of keys in the graph, stale ones included.
func (g *graph) keys() int { return len(g.slotOf) }

// add gives slot a new key for row, which the graph keeps.
func (g *graph) add(slot uint32, row []float32) {
	key := uint64(len(g.slotOf))
	g.slotOf = append(g.slotOf, slot)
	g.keyOf[slot] = key
	g.graph.Add(hnsw.MakeNode(key, row))
}

// forget makes the slot's key stale and tells whether it had one.
func (g *graph) forget(slot uint32) bool {
	_, held := g.keyOf[slot]
	delete(g.keyOf, slot)
	return held
}

// search pushes to hits what the graph finds. The library returns no
// distances, in no order, and stale keys too: so it is asked for more than K,
// and each answer is measured here. It is not asked where it would have to
// return half of its keys.
func (g *graph) search(hits *index.TopK, query []float32, p index.Params) {
	matching := len(g.keyOf)
	if p.Allow != nil {
		matching = min(matching, p.Allow.Len())
	}
	if 2*p.EF >= matching {
		return
	}
	want := float64(p.EF) * float64(g.keys()) / float64(matching)
	if want > float64(g.keys()/2) {
		return
	}
	// EfSearch is a field of the graph: each search sets it on a copy, which
	// shares the layers and only reads them.
	library := *g.graph
	library.EfSearch = int(want)
	for _, node := range library.Search(query, int(want)) {
		slot := g.slotOf[node.Key]
		if key, held := g.keyOf[slot]; !held || key != node.Key {
			continue
		}
		if p.Allow == nil || p.Allow.Has(slot) {
			hits.Push(index.Hit{Slot: slot, Distance: g.measure(query, node.Value)})
		}
	}
}
