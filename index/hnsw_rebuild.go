package index

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
func (h *hnsw) rebuildIfDue() {
	g := h.graph
	if g.vacant <= rebuildFloor || g.vacant*rebuildShare <= g.nodes() {
		return
	}
	b := newRebuild(g)
	for b.step(&h.insertion, &h.walker) {
	}
	h.mu.Lock()
	h.graph = b.next
	h.mu.Unlock()
}

// rebuild is a graph on its way to replace another: the nodes of old that are
// held, one step each, in order, at the levels they were drawn.
type rebuild struct {
	old, next *graph
	at        uint32
}

func newRebuild(old *graph) *rebuild {
	next := newGraph(old.config)
	next.drawn = old.drawn
	return &rebuild{old: old, next: next}
}

// step moves the next held node over and tells whether there may be more.
func (b *rebuild) step(p *insertion, w *walker) bool {
	for ; int(b.at) < b.old.nodes(); b.at++ {
		slots := b.old.members(b.at)
		if len(slots) == 0 {
			continue
		}
		node := b.next.add(p, w, b.old.row(b.at), int(b.old.state[b.at]&levelMask))
		for _, slot := range slots {
			b.next.attach(slot, node)
		}
		b.at++
		return true
	}
	return false
}
