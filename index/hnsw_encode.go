package index

import "io"

// The body of a graph:
//
//	config                          see binary.go
//	drawn    uint64                 levels drawn so far
//	n        uint32                 nodes
//	entry    uint32                 0 when n is 0
//	rows     n × dim float32, or int8 where there is a step
//	levels   n × uint8
//	n × { count uint32, slots count × uint32 }              0 for a vacant node
//	n × { per level from 0: count uint16, nodes count × uint32 }
//
// Counters, vacant nodes and the order of every list are kept, so that an
// index that was loaded goes on exactly as the one that was saved.

func (g *graph[T]) encode(w io.Writer) error {
	e := newEncoder(w)
	e.config(g.config)
	e.u64(g.drawn)
	e.u32(uint32(g.nodes()))
	e.u32(g.entry)
	encodeValues(e, g.rows)
	for _, s := range g.state {
		e.u8(s & levelMask)
	}
	for node := range uint32(g.nodes()) {
		slots := g.members(node)
		e.u32(uint32(len(slots)))
		e.u32s(slots)
	}
	for node := range uint32(g.nodes()) {
		for l := range g.level(node) + 1 {
			links := g.links(node, l)
			e.u16(uint16(len(links)))
			e.u32s(links)
		}
	}
	return e.flush()
}

func loadHNSW(r io.Reader) (Index, error) {
	d := newDecoder(r)
	c := d.config()
	if c.Step > 0 {
		return decodeHNSW(d, newGraph(c, codes(c.Step)))
	}
	return decodeHNSW(d, newGraph(c, floats(c.Metric)))
}

// decodeHNSW reads what follows the configuration into g.
func decodeHNSW[T value](d *decoder, g *graph[T]) (Index, error) {
	g.drawn = d.u64()
	n := d.u32()
	g.entry = d.u32()
	g.rows = decodeRows[T](d, uint64(n)*uint64(g.config.Dim))
	g.decodeLevels(d, n)
	g.decodeMembers(d)
	g.decodeLinks(d)
	if err := d.end(); err != nil {
		return nil, err
	}
	for node := range n {
		g.known.add(g.rows, node)
	}
	return newHNSW(g), nil
}

// decodeLevels reads the levels and makes n vacant nodes without links.
func (g *graph[T]) decodeLevels(d *decoder, n uint32) {
	if n > maxNodes {
		d.fail("%d nodes", n)
	}
	for node := uint32(0); node < n && d.err == nil; node++ {
		level := int(d.u8())
		if level > maxLevel {
			d.fail("node %d is of level %d", node, level)
			return
		}
		g.addBlocks(level)
		g.state = append(g.state, uint8(level)|vacant)
		g.slotOf = append(g.slotOf, 0)
		g.top = max(g.top, level)
	}
	g.vacant = g.nodes()
	if d.err != nil {
		return
	}
	switch {
	case n == 0 && g.entry != 0, n > 0 && g.entry >= n:
		d.fail("entry %d of %d nodes", g.entry, n)
	case n > 0 && g.level(g.entry) != g.top:
		d.fail("entry %d is not of the top level", g.entry)
	}
}

func (g *graph[T]) decodeMembers(d *decoder) {
	for node := 0; node < g.nodes() && d.err == nil; node++ {
		for _, slot := range d.u32s(uint64(d.u32())) {
			if _, twice := g.nodeOf.get(slot); twice {
				d.fail("slot %d stands twice", slot)
				return
			}
			g.attach(slot, uint32(node))
		}
	}
}

// decodeLinks reads the neighbour lists. A neighbour must exist on the list's
// level: the walk relies on it.
func (g *graph[T]) decodeLinks(d *decoder) {
	for node := uint32(0); int(node) < g.nodes() && d.err == nil; node++ {
		for l := range g.level(node) + 1 {
			count := int(d.u16())
			if count > g.maxLinks(l) {
				d.fail("node %d has %d neighbours on level %d", node, count, l)
				return
			}
			links := d.u32s(uint64(count))
			for _, to := range links {
				if to == node || int(to) >= g.nodes() || g.level(to) < l {
					d.fail("node %d has neighbour %d on level %d", node, to, l)
					return
				}
			}
			g.setLinks(node, l, links)
		}
	}
}
