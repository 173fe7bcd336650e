package index

import (
	"context"
	"fmt"
	"io"
	"iter"
	"sync"
)

// HNSW is the graph engine, named "hnsw": approximate search in about log n.
// Slots with equal rows share a node. Beside the rows it holds about
// 8*M + 25 bytes per node (150 for M = 16), and up to a quarter more of it all
// as room to grow. Inserting a row costs a search of width EfConstruct. The first
// change after Load hashes all rows, some 0.2 µs each.
//
// An Upsert works beside running searches and stops them only to write what it
// worked out. The same operations with the same seed give the same graph and
// the same answers, on every machine that rounds alike.
var HNSW = Engine{Name: "hnsw", New: newHNSWIndex, Load: loadHNSW}

type hnsw[T value] struct {
	config  Config
	storage storage[T]
	locks
	// graph is replaced as a whole when it is rebuilt. The writer may read it
	// under locks.writer alone.
	graph *graph[T]

	// The writer's memory.
	row    []T
	nodes  []uint32
	growth growth[T]

	pool sync.Pool // of *walker[T]
}

func newHNSWIndex(c Config) (Index, error) {
	c, err := c.Resolve()
	if err != nil {
		return nil, err
	}
	if c.Step > 0 {
		return newHNSW(newGraph(c, codes(c.Step))), nil
	}
	return newHNSW(newGraph(c, floats(c.Metric))), nil
}

func newHNSW[T value](g *graph[T]) *hnsw[T] {
	dim := g.config.Dim
	h := &hnsw[T]{config: g.config, storage: g.storage, graph: g, row: make([]T, dim)}
	h.pool.New = func() any { return &walker[T]{query: make([]T, dim)} }
	return h
}

func (h *hnsw[T]) Engine() string { return HNSW.Name }
func (h *hnsw[T]) Dim() int       { return h.config.Dim }
func (h *hnsw[T]) Metric() Metric { return h.config.Metric }

func (h *hnsw[T]) Len() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.graph.nodeOf.n
}

func (h *hnsw[T]) Upsert(slot uint32, row []float32) error {
	h.writer.Lock()
	defer h.writer.Unlock()
	return h.upsert(context.Background(), []uint32{slot}, row, 1)
}

// upsert puts rows, one after another, under slots. On an error it changes nothing.
func (h *hnsw[T]) upsert(ctx context.Context, slots []uint32, rows []float32, workers int) error {
	g, b := h.graph, &h.growth
	if g.nodes()+len(slots) > maxNodes {
		return fmt.Errorf("%w: a graph of %d rows takes no %d more", ErrParams, g.nodes(), len(slots))
	}
	b.begin(g, len(slots), workers)
	h.nodes = h.nodes[:0]
	width := len(rows) / len(slots)
	for i := range slots {
		if err := h.storage.prepare(h.row, rows[i*width:][:width]); err != nil {
			b.undo()
			return err
		}
		node, known := g.known.find(b.rows, h.row)
		if !known {
			node = b.add(h.row, g.nextLevel())
		}
		h.nodes = append(h.nodes, node)
	}
	if err := b.plan(ctx, workers); err != nil {
		b.undo()
		return err
	}
	h.mu.Lock()
	b.apply()
	for i, slot := range slots {
		g.put(slot, h.nodes[i])
	}
	h.mu.Unlock()
	h.rebuildIfDue()
	return nil
}

func (h *hnsw[T]) Delete(slot uint32) bool {
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

func (h *hnsw[T]) Row(dst []float32, slot uint32) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	node, held := h.graph.nodeOf.get(slot)
	if held {
		h.storage.restore(dst, h.graph.row(node))
	}
	return held
}

// Groups implements Grouped: groups are nodes, of which the next lie near each other.
func (h *hnsw[T]) Groups(dst, slots []uint32) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	h.graph.nodeOf.getAll(dst, slots)
}

func (h *hnsw[T]) Slots() iter.Seq[uint32] {
	return h.eachSlot(func() *slotTable { return &h.graph.nodeOf })
}

func (h *hnsw[T]) Search(dst []Hit, query []float32, p Params) ([]Hit, error) {
	p, err := p.Resolve()
	if err != nil {
		return dst, err
	}
	w := h.pool.Get().(*walker[T])
	defer h.pool.Put(w)
	if err := h.storage.prepare(w.query, query); err != nil {
		return dst, err
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	h.graph.search(w, p)
	return w.hits.AppendTo(dst), nil
}

func (h *hnsw[T]) Bytes() int64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.graph.bytes()
}

func (h *hnsw[T]) Encode(w io.Writer) error {
	h.writer.Lock()
	defer h.writer.Unlock()
	return h.graph.encode(w)
}
