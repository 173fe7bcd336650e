package index

// The body of a graph in format 1, after drawn, n, entry and rows:
//
//	levels   n × uint8
//	n × { count uint32, slots count × uint32 }              0 for a vacant node
//	n × { per level from 0: count uint16, nodes count × uint32 }

func (g *graph[T]) decodeLists(d *decoder, n uint32) {
	g.decodeLevels(d, n)
	g.decodeMembers(d)
	g.decodeLinks(d)
}

// decodeLevels reads the levels and makes n vacant nodes without links.
func (g *graph[T]) decodeLevels(d *decoder, n uint32) {
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
