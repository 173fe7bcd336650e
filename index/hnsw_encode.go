package index

import "io"

// The body of a graph:
//
//	config                          see binary.go; flagged as blocked
//	drawn    uint64                 levels drawn so far
//	n        uint32                 nodes
//	entry    uint32                 0 when n is 0
//	rows     n × dim float32, or int8 where there is a step
//	state    n × uint8              level, vacant, shared
//	slots    n × uint32             0 for a vacant or shared node
//	{ count uint32, slots count × uint32 }                  for each shared node
//	bottom   n × 2M × uint32        see graph
//	upper    M × uint32             for each node as often as its level
//
// Counters, vacant nodes and the order of every list are kept, so that an
// index that was loaded goes on exactly as the one that was saved. Memory is
// read as it is written.

func (g *graph[T]) encode(w io.Writer) error {
	e := newEncoder(w)
	e.flagged(g.config, blocked)
	e.u64(g.drawn)
	e.u32(uint32(g.nodes()))
	e.u32(g.entry)
	encodeValues(e, g.rows)
	encodeValues(e, g.state)
	encodeValues(e, g.slotOf)
	for node := range uint32(g.nodes()) {
		if g.state[node]&shared != 0 {
			e.u32(uint32(len(g.groups[node])))
			e.u32s(g.groups[node])
		}
	}
	e.u32s(g.bottom)
	e.u32s(g.upper)
	return e.flush()
}

func loadHNSW(r io.Reader) (Index, error) {
	d := newDecoder(r)
	c, flag := d.flagged()
	if c.Step > 0 {
		return decodeHNSW(d, newGraph(c, codes(c.Step)), flag)
	}
	return decodeHNSW(d, newGraph(c, floats(c.Metric)), flag)
}

// decodeHNSW reads what follows the configuration into g.
func decodeHNSW[T value](d *decoder, g *graph[T], flag uint8) (Index, error) {
	g.drawn = d.u64()
	n := d.u32()
	g.entry = d.u32()
	if n > maxNodes {
		d.fail("%d nodes", n)
	}
	g.rows = decodeRows[T](d, uint64(n)*uint64(g.config.Dim))
	switch flag {
	case 0:
		g.decodeLists(d, n)
	case blocked:
		g.decodeBlocks(d, n)
	default:
		d.fail("flag %x", flag)
	}
	switch {
	case d.err != nil:
	case n == 0 && g.entry != 0, n > 0 && g.entry >= n:
		d.fail("entry %d of %d nodes", g.entry, n)
	case n > 0 && g.level(g.entry) != g.top:
		d.fail("entry %d is not of the top level", g.entry)
	}
	if err := d.end(); err != nil {
		return nil, err
	}
	return newHNSW(g), nil
}

func (g *graph[T]) decodeBlocks(d *decoder, n uint32) {
	g.state = decodeValues[uint8](d, uint64(n))
	g.slotOf = d.u32s(uint64(n))
	if d.err == nil {
		g.decodeHolders(d)
	}
	m := uint64(g.config.M)
	g.bottom = d.u32s(2 * m * uint64(n))
	g.upper = d.u32s(m * g.decodeUpperAt())
	for node := uint32(0); node < n && d.err == nil; node++ {
		for l := range g.level(node) + 1 {
			g.checkBlock(d, node, l)
		}
	}
}

// decodeHolders reads which slots hold the nodes.
func (g *graph[T]) decodeHolders(d *decoder) {
	for node, s := range g.state {
		g.state[node] = s&levelMask | vacant
		g.vacant++
		g.top = max(g.top, int(s&levelMask))
		held := g.slotOf[node : node+1 : node+1]
		switch s &^ levelMask {
		case vacant:
			held = nil
		case shared:
			held = d.u32s(uint64(d.u32()))
		case 0:
		default:
			d.fail("node %d has state %x", node, s)
		}
		if s&shared != 0 && len(held) < 2 || s != levelMask&s && g.slotOf[node] != 0 {
			d.fail("node %d with state %x has %d slots, or one too many", node, s, len(held))
		}
		for _, slot := range held {
			if _, twice := g.nodeOf.get(slot); twice {
				d.fail("slot %d stands twice", slot)
			}
			if d.err != nil {
				return
			}
			g.attach(slot, uint32(node))
		}
	}
}

// decodeUpperAt works out where the upper blocks of nodes are, and how many.
func (g *graph[T]) decodeUpperAt() uint64 {
	var at uint64
	g.upperAt = make([]uint32, len(g.state))
	for node := range g.state {
		g.upperAt[node] = uint32(at)
		at += uint64(g.level(uint32(node)))
	}
	return at
}

// checkBlock expects the neighbours in a block to exist on its level, on which
// the walk relies, and nothing behind them.
func (g *graph[T]) checkBlock(d *decoder, node uint32, level int) {
	links := g.links(node, level)
	for _, to := range links {
		if to == node || int(to) >= g.nodes() || level > 0 && g.level(to) < level {
			d.fail("node %d has neighbour %d on level %d", node, to, level)
			return
		}
	}
}
