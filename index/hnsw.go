package index

import (
	"io"
	"iter"
	"slices"
	"sync"
)

// HNSW is the graph engine, named "hnsw": approximate search in about log n.
// Slots with equal rows share a node. Beside the rows it holds about
// 8*M + 40 bytes per node (170 for M = 16), and up to a quarter more of it all
// as room to grow. Inserting a row costs a search of width EfConstruct.
//
// An Upsert works beside running searches and stops them only to write what it
// worked out. The same operations with the same seed give the same graph and
// the same answers, on every machine that rounds alike.
var HNSW = Engine{Name: "hnsw", New: newHNSWIndex, Load: loadHNSW}

type hnsw struct {
	config Config
	locks
	// graph is replaced as a whole when it is rebuilt. The writer may read it
	// under locks.writer alone.
	graph *graph

	// The writer's memory.
	row       []float32
	walker    walker
	insertion insertion

	pool sync.Pool // of *walker
}

func newHNSWIndex(c Config) (Index, error) {
	c, err := c.Resolve()
	if err != nil {
		return nil, err
	}
	return newHNSW(c, newGraph(c)), nil
}

func newHNSW(c Config, g *graph) *hnsw {
	h := &hnsw{config: c, graph: g, row: make([]float32, c.Dim)}
	h.pool.New = func() any { return &walker{query: make([]float32, c.Dim)} }
	return h
}

func (h *hnsw) Engine() string { return HNSW.Name }
func (h *hnsw) Dim() int       { return h.config.Dim }
func (h *hnsw) Metric() Metric { return h.config.Metric }

func (h *hnsw) Len() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.graph.nodeOf.n
}

func (h *hnsw) Upsert(slot uint32, row []float32) error {
	h.writer.Lock()
	defer h.writer.Unlock()
	if err := h.config.Metric.Prepare(h.row, row); err != nil {
		return err
	}
	g := h.graph
	old, held := g.nodeOf.get(slot)
	if held && slices.Equal(g.row(old), h.row) {
		return nil
	}
	node, known := g.known.find(g.rows, h.row)
	if !known {
		g.plan(&h.insertion, &h.walker, h.row, g.nextLevel())
	}
	h.mu.Lock()
	if held {
		g.detach(slot)
	}
	if !known {
		node = g.apply(&h.insertion)
	}
	g.attach(slot, node)
	h.mu.Unlock()
	if !known {
		g.known.add(g.rows, node)
	}
	h.rebuildIfDue()
	return nil
}

func (h *hnsw) Delete(slot uint32) bool {
	h.writer.Lock()
	defer h.writer.Unlock()
	if _, held := h.graph.nodeOf.get(slot); !held {
		return false
	}
	h.mu.Lock()
	h.graph.detach(slot)
	h.mu.Unlock()
	h.rebuildIfDue()
	return true
}

func (h *hnsw) Row(dst []float32, slot uint32) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	node, held := h.graph.nodeOf.get(slot)
	if held {
		copy(dst, h.graph.row(node))
	}
	return held
}

func (h *hnsw) Slots() iter.Seq[uint32] {
	return h.eachSlot(func() *slotTable { return &h.graph.nodeOf })
}

func (h *hnsw) Search(dst []Hit, query []float32, p Params) ([]Hit, error) {
	p, err := p.Resolve()
	if err != nil {
		return dst, err
	}
	w := h.pool.Get().(*walker)
	defer h.pool.Put(w)
	if err := h.config.Metric.Prepare(w.query, query); err != nil {
		return dst, err
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	h.graph.search(w, p)
	return w.hits.AppendTo(dst), nil
}

func (h *hnsw) Bytes() int64 {
	h.writer.Lock()
	defer h.writer.Unlock()
	return h.graph.bytes() + 4*int64(cap(h.graph.known.table))
}

func (h *hnsw) Encode(w io.Writer) error {
	h.writer.Lock()
	defer h.writer.Unlock()
	return h.graph.encode(w)
}
