package index

import "context"

// A graph is rebuilt when more than one node in five, and more than
// rebuildFloor, are vacant: beyond that, walks spend too much on nodes they
// may not return.
const (
	rebuildShare = 5
	rebuildFloor = 100
)

// rebuildIfDue replaces the graph by one without vacant nodes, where there are
// too many. Readers use the old graph until the new one is complete; only the
// writer waits.
func (h *hnsw[T]) rebuildIfDue() {
	g := h.graph
	if g.vacant <= rebuildFloor || g.vacant*rebuildShare <= g.nodes() {
		return
	}
	next := g.rebuilt(&h.growth)
	h.mu.Lock()
	h.graph = next
	h.mu.Unlock()
}

// rebuilt is a graph of the nodes that are held, added in order, at the levels
// they were drawn.
func (g *graph[T]) rebuilt(b *growth[T]) *graph[T] {
	next := newGraph(g.config, g.storage)
	next.drawn = g.drawn
	for node := range uint32(g.nodes()) {
		slots := g.members(node)
		if len(slots) == 0 {
			continue
		}
		b.begin(next, 1, 1)
		at := b.add(g.row(node), g.level(node))
		_ = b.plan(context.Background(), 1) // which never ends
		b.apply()
		for _, slot := range slots {
			next.attach(slot, at)
		}
	}
	return next
}
