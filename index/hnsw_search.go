package index

import "github.com/latentdb/latentdb/index/internal/distance"

// exactFactor says when the exact scan is the cheaper way: a walk measures
// about this many nodes for each of the ef it keeps.
const exactFactor = 16

// descentWidth is how many nodes a walk hands down from level to level.
const descentWidth = 16

// walker is the memory of one walk through a graph, used again and again.
type walker[T value] struct {
	// visited has the bits of the nodes where the current walk has been, seen
	// their numbers.
	visited []uint64
	seen    []uint32

	pool      pool
	entered   []uint32 // nodes that the latest hop brought into the pool
	distances []float32
	one       [1]float32
	start     [1]key  // the entry, where descents begin
	frontier  keyHeap // of a filtered walk: nodes to expand, closest first
	best      TopK    // of a filtered walk: nodes found
	measured  int     // distances since the caller last set it to 0

	query []T
	hits  TopK // slots found
	scanner
}

// begin starts a walk over n nodes with no node visited.
func (w *walker[T]) begin(n int) {
	for _, node := range w.seen {
		w.visited[node>>6] = 0
	}
	w.seen = w.seen[:0]
	if need := (n + 63) / 64; len(w.visited) < need {
		w.visited = make([]uint64, need+need/4)
	}
}

// visit marks a node and tells whether it is new to the walk.
func (w *walker[T]) visit(node uint32) bool {
	bit := uint64(1) << (node & 63)
	if w.visited[node>>6]&bit != 0 {
		return false
	}
	w.visited[node>>6] |= bit
	w.seen = append(w.seen, node)
	return true
}

// unvisited returns those nodes of a block that are new to the walk, and marks
// them. It does not branch on what nobody can foretell.
func (w *walker[T]) unvisited(block []uint32) []uint32 {
	from := len(w.seen)
	if cap(w.seen)-from < len(block) {
		w.seen = append(w.seen, block...)[:from]
	}
	room := w.seen[from : from+len(block)]
	n := 0
	for _, node := range block {
		word := &w.visited[node>>6]
		old := *word
		*word = old | 1<<(node&63)
		room[n] = node
		n += int(^old >> (node & 63) & 1)
	}
	w.seen = w.seen[:from+n]
	return room[:n]
}

// measure returns the distances from query to nodes, until it is called again.
func (w *walker[T]) measure(g *graph[T], query []T, nodes []uint32) []float32 {
	if len(w.distances) < len(nodes) {
		w.distances = make([]float32, max(len(nodes), 2*g.config.M+1))
	}
	g.storage.measure(w.distances, query, g.rows, nodes)
	w.measured += len(nodes)
	return w.distances[:len(nodes)]
}

// between is the distance between two rows.
func (w *walker[T]) between(g *graph[T], a, b []T) float32 {
	g.storage.measure(w.one[:], a, b, nil)
	return w.one[0]
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
func (g *graph[T]) descend(w *walker[T], query []T, stop int) []key {
	w.start[0] = makeKey(w.between(g, query, g.row(g.entry)), g.entry)
	found := w.start[:]
	for l := g.top; l > stop; l-- {
		found = g.walk(w, query, found, l, descentWidth)
	}
	return found
}

// walk searches one level from the nodes of starts, which may be what the walk
// before found, and returns the ef closest nodes it met, closest first, until
// the next walk (Malkov and Yashunin, algorithm 2).
func (g *graph[T]) walk(w *walker[T], query []T, starts []key, level, ef int) []key {
	w.begin(g.nodes())
	p := &w.pool
	starts = starts[:min(len(starts), ef)]
	p.reset(ef)
	for _, k := range starts { // in place, where starts are the pool's own
		p.keys = append(p.keys, poolKey(k.distance(), k.id()))
		w.visit(k.id())
	}
	for next := 0; next < len(p.keys); {
		at := p.keys[next]
		if at&expanded != 0 {
			next++
			continue
		}
		p.keys[next] |= expanded
		next++
		batch := w.unvisited(g.block(uint32(at)>>1, level))
		if len(batch) == 0 {
			continue
		}
		distances := w.measure(g, query, batch)
		bound := p.bound()
		w.entered = w.entered[:0]
		for i, node := range batch {
			if k := poolKey(distances[i], node); k < bound {
				next = min(next, p.insert(k))
				bound = p.bound()
				w.entered = append(w.entered, node)
			}
		}
		if level == 0 {
			distance.Fetch(g.bottom, 2*g.config.M, w.entered)
		}
	}
	return p.found()
}

// filter limits a walk to some nodes.
type filter struct {
	// accept tells whether a node may be returned; all are walked through.
	accept func(node uint32) bool
	// budget is how many distances the walk may measure.
	budget int
}

// walkFiltered searches the bottom level as walk does and leaves in w.best the
// ef closest nodes it met that f accepts. It returns false when it gave up on
// f's budget.
func (g *graph[T]) walkFiltered(w *walker[T], query []T, starts []key, ef int, f *filter) bool {
	w.begin(g.nodes())
	w.frontier = append(w.frontier[:0], starts...) // sorted, so a heap
	w.best.Reset(ef)
	for _, k := range w.frontier {
		w.visit(k.id())
		if f.accept(k.id()) {
			w.best.offer(k)
		}
	}
	for len(w.frontier) > 0 {
		at := w.frontier.pop()
		if at > w.best.bound() {
			break
		}
		batch := w.unvisited(g.block(at.id(), 0))
		distances := w.measure(g, query, batch)
		for i, n := range batch {
			k := makeKey(distances[i], n)
			if k > w.best.bound() {
				continue
			}
			w.frontier.push(k)
			if f.accept(n) {
				w.best.offer(k)
			}
		}
		if w.measured > f.budget {
			return false
		}
	}
	return true
}

// search leaves in w.hits the answer to w.query.
func (g *graph[T]) search(w *walker[T], p Params) {
	w.hits.Reset(p.K)
	if p.Exact || !g.approximate(w, p) {
		w.hits.Reset(p.K)
		set := g.set()
		set.scan(&w.hits, &w.scanner, w.query, p)
	}
}

// approximate answers by a walk. It returns false where the exact scan is
// called for: it would be cheaper, or the walk found too little.
func (g *graph[T]) approximate(w *walker[T], p Params) bool {
	matching := g.nodes() - g.vacant
	if p.Allow != nil {
		matching = min(matching, p.Allow.Len())
	}
	// A walk in which one node in n/matching counts measures about
	// exactFactor*ef*n/matching nodes, the exact scan matching.
	if float64(matching)*float64(matching) <= exactFactor*float64(p.EF)*float64(g.nodes()) {
		return false
	}
	w.measured = 0
	defer func() { p.Work.gather(w.measured) }()
	found := g.descend(w, w.query, 0)
	if p.Allow == nil && g.vacant == 0 {
		found = g.walk(w, w.query, found, 0, p.EF)
	} else {
		f := &filter{budget: matching, accept: func(node uint32) bool { return g.allowed(node, p.Allow) }}
		if !g.walkFiltered(w, w.query, found, p.EF, f) {
			return false
		}
		found = w.best.sorted()
	}
	for _, k := range found {
		if w.hits.Full() && k>>32 > w.hits.bound()>>32 {
			break
		}
		offerAllowed(&w.hits, k.distance(), g.members(k.id()), p.Allow)
	}
	return w.hits.Full()
}

// allowed tells whether some slot that allow holds (any slot, if nil) holds node.
func (g *graph[T]) allowed(node uint32, allow *Bitmap) bool {
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
