package index

import (
	"math"

	"github.com/latentdb/latentdb/index/internal/distance"
)

// A walk costs as much as an exact scan of about walkFactor rows for each of the ef
// that it keeps, where all rows are scanned in the order in which they lie, and of
// filteredFactor rows where those of a filter are looked up.
const (
	walkFactor     = 16
	filteredFactor = 48
)

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
	start     [1]key // the entry, where descents begin
	measured  int    // distances since the caller last set it to 0

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
// called for: it would be cheaper, or walks found too little.
//
// A walk does not ask which nodes may be returned: it keeps so many that enough
// of them may, and that costs less than asking at every step. Where the filter
// goes against the query, they are too few, and the walk begins anew, wider.
func (g *graph[T]) approximate(w *walker[T], p Params) bool {
	matching, factor := g.nodes()-g.vacant, walkFactor
	if p.Allow != nil {
		matching, factor = min(matching, p.Allow.Len()), filteredFactor
	}
	w.measured = 0
	defer func() { p.Work.gather(w.measured) }()
	for ef := widened(p, matching, g.nodes()); ef < matching/factor; ef *= 4 {
		for _, k := range g.walk(w, w.query, g.descend(w, w.query, 0), 0, ef) {
			if w.hits.Full() && k>>32 > w.hits.bound()>>32 {
				break
			}
			offerAllowed(&w.hits, k.distance(), g.members(k.id()), p.Allow)
		}
		if w.hits.Full() {
			return true
		}
		w.hits.Reset(p.K)
	}
	return false
}

// widened is how many nodes a walk keeps so that it finds K of which matching of n
// may be returned: as many as those K stand among, with two standard deviations,
// and beside them as many as EF leaves where all may.
func widened(p Params, matching, n int) int {
	if matching == n {
		return p.EF
	}
	k, share := float64(p.K), float64(max(1, matching))/float64(n)
	among := (k + 2*math.Sqrt(k*(1-share))) / share
	return min(p.EF, n) + int(min(among-k, float64(n)))
}
