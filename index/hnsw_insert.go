package index

import "slices"

// insertion is a new node worked out but not yet part of the graph: its level,
// its neighbours, and the neighbour lists that change because of it. Working
// it out only reads the graph, so that readers go on meanwhile; applying it is
// short.
type insertion struct {
	level int
	// rows and bottom are the graph's arrays with room for the node; rows has
	// the node's row at its end, past what readers see.
	rows   []float32
	bottom []uint32
	// edits are the neighbour lists to write, in links[from:to]. Those of
	// the new node come first for each level, from the highest down.
	edits []edit
	links []uint32

	near   []key    // candidates of one list, closest first
	pruned []uint32 // candidates that the heuristic passed over
}

type edit struct {
	node     uint32
	level    int
	from, to int
}

// plan works out the node for row at a level. g must not change until the plan
// is applied.
func (g *graph) plan(p *insertion, w *walker, row []float32, level int) {
	node := uint32(g.nodes())
	p.level, p.edits, p.links = level, p.edits[:0], p.links[:0]
	p.rows = append(slices.Grow(g.rows, g.config.Dim), row...)
	p.bottom = slices.Grow(g.bottom, 1+2*g.config.M)
	if g.top < 0 {
		return
	}
	found := g.descend(w, row, level)
	for l := min(level, g.top); l >= 0; l-- {
		g.walk(w, row, found, l, g.config.EfConstruct, nil)
		found = w.best.sorted()
		p.near = append(p.near[:0], found...)
		own := g.choose(p, g.config.M, g.config.M)
		p.edits = append(p.edits, edit{node, l, own.from, own.to})
		for i := own.from; i < own.to; i++ {
			g.linkBack(p, w, p.links[i], node, l)
		}
	}
}

// linkBack plans the edge from an existing node to the new one. A full list is
// chosen anew from its neighbours and the new node.
func (g *graph) linkBack(p *insertion, w *walker, from, node uint32, level int) {
	links := g.links(from, level)
	limit := g.maxLinks(level)
	if len(links) < limit {
		at := len(p.links)
		p.links = append(append(p.links, links...), node)
		p.edits = append(p.edits, edit{from, level, at, len(p.links)})
		return
	}
	base := g.row(from)
	p.near = p.near[:0]
	w.measure(g, base, links)
	for i, n := range links {
		p.near = append(p.near, makeKey(w.distances[i], n))
	}
	p.near = append(p.near, makeKey(g.kernel.pair(base, rowAt(p.rows, g.config.Dim, node)), node))
	slices.Sort(p.near)
	chosen := g.choose(p, limit, g.config.M)
	p.edits = append(p.edits, edit{from, level, chosen.from, chosen.to})
}

// span is a part of insertion.links.
type span struct{ from, to int }

// choose picks neighbours among p.near by the diversity heuristic (Malkov and
// Yashunin, algorithm 4): a candidate is taken when it is closer to the base
// than to every neighbour taken before it, up to limit. Where fewer than fill
// are taken, the closest of those passed over fill the list.
func (g *graph) choose(p *insertion, limit, fill int) span {
	from := len(p.links)
	p.pruned = p.pruned[:0]
	for _, c := range p.near {
		if len(p.links)-from == limit {
			break
		}
		if g.diverse(p.rows, c, p.links[from:]) {
			p.links = append(p.links, c.id())
		} else {
			p.pruned = append(p.pruned, c.id())
		}
	}
	if short := fill - (len(p.links) - from); short > 0 {
		p.links = append(p.links, p.pruned[:min(short, len(p.pruned))]...)
	}
	return span{from, len(p.links)}
}

// diverse tells whether candidate c is at least as close to its base as to
// each of the nodes taken.
func (g *graph) diverse(rows []float32, c key, taken []uint32) bool {
	row, distance := rowAt(rows, g.config.Dim, c.id()), c.distance()
	for _, t := range taken {
		if g.kernel.pair(row, rowAt(rows, g.config.Dim, t)) < distance {
			return false
		}
	}
	return true
}

// apply makes the planned node part of the graph, vacant, and returns it.
func (g *graph) apply(p *insertion) uint32 {
	node := uint32(g.nodes())
	g.rows = p.rows
	g.addBlocks(p.bottom, p.level)
	g.state = append(g.state, uint8(p.level)|vacant)
	g.slotOf = append(g.slotOf, 0)
	g.vacant++
	for _, e := range p.edits {
		g.setLinks(e.node, e.level, p.links[e.from:e.to])
	}
	if p.level > g.top {
		g.top, g.entry = p.level, node
	}
	return node
}

// addBlocks appends empty neighbour lists for a node of the given level, to
// bottom as grown beforehand and to upper.
func (g *graph) addBlocks(bottom []uint32, level int) {
	stride := 1 + 2*g.config.M
	g.bottom = slices.Grow(bottom, stride)[:len(bottom)+stride]
	clear(g.bottom[len(bottom):])
	stride = 1 + g.config.M
	g.upperAt = append(g.upperAt, uint32(len(g.upper)/stride))
	n := len(g.upper)
	g.upper = slices.Grow(g.upper, level*stride)[:n+level*stride]
	clear(g.upper[n:])
}

// add inserts a row that no node has, without readers to think of, and returns
// its node.
func (g *graph) add(p *insertion, w *walker, row []float32, level int) uint32 {
	g.plan(p, w, row, level)
	node := g.apply(p)
	g.known.add(g.rows, node)
	return node
}
