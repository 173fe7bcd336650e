package index

import "math"

// exactFactor says when the exact scan is the cheaper way: a walk measures
// about this many nodes for each of the ef it keeps.
const exactFactor = 16

// descentWidth is how many nodes a walk hands down from level to level.
const descentWidth = 16

// walker is the memory of one walk through a graph, used again and again.
type walker struct {
	// visited[node] == epoch where the current walk has been.
	visited []uint16
	epoch   uint16

	starts    [1]key  // the entry, where descents begin
	frontier  keyHeap // nodes to expand, closest first
	best      TopK    // nodes found
	batch     []uint32
	distances []float32
	measured  int // distances since the caller last set it to 0

	query []float32
	hits  TopK // slots found
}

// begin starts a walk over n nodes with no node visited.
func (w *walker) begin(n int) {
	if len(w.visited) < n {
		w.visited = make([]uint16, n+n/4)
		w.epoch = 0
	}
	if w.epoch == math.MaxUint16 {
		clear(w.visited)
		w.epoch = 0
	}
	w.epoch++
}

// measure sets w.distances[i] to the distance from query to nodes[i].
func (w *walker) measure(g *graph, query []float32, nodes []uint32) {
	if len(w.distances) < len(nodes) {
		w.distances = make([]float32, max(len(nodes), 2*g.config.M))
	}
	g.kernel.gather(w.distances, query, g.rows, nodes)
	w.measured += len(nodes)
}

// descend walks from the entry down to the level above stop, or to the top
// level if that is lower, and returns the closest nodes it met, closest first,
// until the next walk.
//
// It keeps more than the one closest node that the paper's greedy descent
// keeps, and hands all of them down. Among tight clusters the closest node of a
// sparse level often lies in the wrong cluster, with no way out of it once its
// mates fill the next walk: rows would be missed, and a row inserted there
// would found a second colony of its cluster, unlinked to the first.
func (g *graph) descend(w *walker, query []float32, stop int) []key {
	w.starts[0] = makeKey(g.kernel.pair(query, g.row(g.entry)), g.entry)
	found := w.starts[:]
	for l := g.top; l > stop; l-- {
		g.walk(w, query, found, l, descentWidth, nil)
		found = w.best.sorted()
	}
	return found
}

// filter limits a walk to some nodes.
type filter struct {
	// accept tells whether a node may be returned; all are walked through.
	accept func(node uint32) bool
	// budget is how many distances the walk may measure.
	budget int
}

// walk searches one level from the nodes of starts and leaves in w.best the ef closest nodes
// it met (Malkov and Yashunin, algorithm 2) that f accepts; nil accepts all.
// It returns false when it gave up on f's budget.
func (g *graph) walk(w *walker, query []float32, starts []key, level, ef int, f *filter) bool {
	w.begin(g.nodes())
	w.frontier = append(w.frontier[:0], starts...) // sorted, so a heap
	w.best.Reset(ef)
	w.measured = 0
	for _, k := range w.frontier {
		w.visited[k.id()] = w.epoch
		if f == nil || f.accept(k.id()) {
			w.best.offer(k)
		}
	}
	for len(w.frontier) > 0 {
		at := w.frontier.pop()
		if at > w.best.bound() {
			break
		}
		w.unvisited(g.links(at.id(), level))
		w.measure(g, query, w.batch)
		for i, n := range w.batch {
			k := makeKey(w.distances[i], n)
			if k > w.best.bound() {
				continue
			}
			w.frontier.push(k)
			if f == nil || f.accept(n) {
				w.best.offer(k)
			}
		}
		if f != nil && w.measured > f.budget {
			return false
		}
	}
	return true
}

// unvisited sets w.batch to the nodes not visited yet, and marks them.
func (w *walker) unvisited(nodes []uint32) {
	w.batch = w.batch[:0]
	for _, n := range nodes {
		if w.visited[n] != w.epoch {
			w.visited[n] = w.epoch
			w.batch = append(w.batch, n)
		}
	}
}

// search leaves in w.hits the answer to w.query.
func (g *graph) search(w *walker, p Params) {
	w.hits.Reset(p.K)
	if p.Exact || !g.approximate(w, p) {
		w.hits.Reset(p.K)
		set := g.set()
		set.scan(&w.hits, w.query, p)
	}
}

// approximate answers by a walk. It returns false where the exact scan is
// called for: it would be cheaper, or the walk found too little.
func (g *graph) approximate(w *walker, p Params) bool {
	matching := g.nodes() - g.vacant
	if p.Allow != nil {
		matching = min(matching, p.Allow.Len())
	}
	// A walk in which one node in n/matching counts measures about
	// exactFactor*ef*n/matching nodes, the exact scan matching.
	if float64(matching)*float64(matching) <= exactFactor*float64(p.EF)*float64(g.nodes()) {
		return false
	}
	var f *filter
	if p.Allow != nil || g.vacant > 0 {
		f = &filter{budget: matching, accept: func(node uint32) bool { return g.allowed(node, p.Allow) }}
	}
	found := g.walk(w, w.query, g.descend(w, w.query, 0), 0, p.EF, f)
	p.Work.gather(w.measured)
	if !found {
		return false
	}
	for _, k := range w.best.sorted() {
		offerAllowed(&w.hits, k.distance(), g.members(k.id()), p.Allow)
	}
	return w.hits.Full()
}

// allowed tells whether some slot that allow holds (any slot, if nil) holds node.
func (g *graph) allowed(node uint32, allow *Bitmap) bool {
	if allow == nil {
		return g.state[node]&vacant == 0
	}
	for _, slot := range g.members(node) {
		if allow.Has(slot) {
			return true
		}
	}
	return false
}
