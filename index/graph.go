package index

import (
	"math"
)

// levelBase is how many times fewer nodes each level has than the one below.
const levelBase = 8

// maxLevel bounds a node's level; with M = 2, one node in 2^31 would pass it.
const maxLevel = 31

// State of a node: its level in the low bits, and two flags.
const (
	levelMask = 0x1f
	// vacant marks a node that no slot holds: a tombstone. It is still walked
	// through, never returned.
	vacant = 0x40
	// shared marks a node that two or more slots hold.
	shared = 0x80
)

// graph is a hierarchical navigable small-world graph (Malkov and Yashunin,
// "Efficient and robust approximate nearest neighbor search using Hierarchical
// Navigable Small World graphs", 2018) in flat arrays, without locks.
//
// A node stands for one distinct row and is held by every slot with that row.
// Thousands of equal rows would otherwise fill each other's neighbour lists
// and cut themselves off; so they are one node, found by the row's hash. A node is
// never removed: when its last slot leaves it becomes vacant, and a slot that
// brings the same row back revives it. The vacant ones go when the graph is
// rebuilt.
type graph[T value] struct {
	config  Config
	storage storage[T]

	rows  []T     // node -> Dim values
	state []uint8 // node -> level and flags

	// bottom holds for every node a block of 2M numbers: its neighbours on level
	// 0, and after them its own number, over and over: a walk takes all of a
	// block, for it has been at the node itself. upper holds blocks of M, one for
	// each level above, those of a node side by side from block upperAt[node].
	bottom  []uint32
	upper   []uint32
	upperAt []uint32

	entry  uint32 // where walks begin: a node of the top level
	top    int    // the highest level; -1 for an empty graph
	vacant int    // how many nodes are vacant

	slotOf []uint32            // node -> its slot; 0 if vacant or shared
	groups map[uint32][]uint32 // shared node -> its slots, in no order
	nodeOf slotTable           // slot -> node
	place  slotTable           // slot of a shared node -> its position in the group
	known  rowHashes[T]        // row -> node; the writer's alone
	hashed uint32              // how many nodes are known, the first ones
	// tableBytes is the memory of known, for readers.
	tableBytes int64
	drawn      uint64 // how many levels were drawn; the writer's alone
}

func newGraph[T value](c Config, l storage[T]) *graph[T] {
	return &graph[T]{
		config:  c,
		storage: l,
		top:     -1,
		groups:  make(map[uint32][]uint32),
		known:   newRowHashes[T](c.Dim),
	}
}

func (g *graph[T]) nodes() int { return len(g.state) }

func (g *graph[T]) row(node uint32) []T { return rowAt(g.rows, g.config.Dim, node) }

func (g *graph[T]) level(node uint32) int { return int(g.state[node] & levelMask) }

// maxLinks is how many neighbours a node keeps on a level.
func (g *graph[T]) maxLinks(level int) int {
	if level == 0 {
		return 2 * g.config.M
	}
	return g.config.M
}

// block is where the neighbours of node on level are kept.
func (g *graph[T]) block(node uint32, level int) []uint32 {
	if level == 0 {
		stride := 2 * g.config.M
		return g.bottom[int(node)*stride:][:stride:stride]
	}
	stride := g.config.M
	return g.upper[(int(g.upperAt[node])+level-1)*stride:][:stride:stride]
}

// links are the neighbours of node on level.
func (g *graph[T]) links(node uint32, level int) []uint32 {
	b := g.block(node, level)
	n := len(b)
	for n > 0 && b[n-1] == node {
		n--
	}
	return b[:n]
}

func (g *graph[T]) setLinks(node uint32, level int, links []uint32) {
	b := g.block(node, level)
	for i := copy(b, links); i < len(b); i++ {
		b[i] = node
	}
}

// nextLevel draws the level of the next node: the n-th draw depends on the
// seed and n alone. P(level >= l) = b^-l, where b is M but at most
// levelBase. The paper's b is M; a denser level 1 costs 5 bytes per node and
// leaves no cluster of some 50 rows without a node on it.
func (g *graph[T]) nextLevel() int {
	x := mix64(g.config.Seed ^ mix64(g.drawn))
	g.drawn++
	u := float64(x>>11+1) / (1 << 53) // in (0, 1]
	return min(int(-math.Log(u)/math.Log(float64(min(g.config.M, levelBase)))), maxLevel)
}

// mix64 is the finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
func mix64(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// members are the slots that hold node, in no order.
func (g *graph[T]) members(node uint32) []uint32 {
	switch s := g.state[node]; {
	case s&vacant != 0:
		return nil
	case s&shared != 0:
		return g.groups[node]
	}
	return g.slotOf[node : node+1]
}

// attach gives a slot that holds no node to node.
func (g *graph[T]) attach(slot, node uint32) {
	g.nodeOf.set(slot, node)
	switch s := g.state[node]; {
	case s&vacant != 0:
		g.slotOf[node] = slot
		g.state[node] &^= vacant
		g.vacant--
	case s&shared != 0:
		g.place.set(slot, uint32(len(g.groups[node])))
		g.groups[node] = append(g.groups[node], slot)
	default:
		g.groups[node] = []uint32{g.slotOf[node], slot}
		g.place.set(g.slotOf[node], 0)
		g.place.set(slot, 1)
		g.slotOf[node] = 0
		g.state[node] |= shared
	}
}

// put gives a slot to node, whatever it held.
func (g *graph[T]) put(slot, node uint32) {
	if old, held := g.nodeOf.get(slot); held {
		if old == node {
			return
		}
		g.detach(slot)
	}
	g.attach(slot, node)
}

// detach takes a held slot away from its node.
func (g *graph[T]) detach(slot uint32) {
	node, _ := g.nodeOf.get(slot)
	g.nodeOf.remove(slot)
	if g.state[node]&shared == 0 {
		g.slotOf[node] = 0
		g.state[node] |= vacant
		g.vacant++
		return
	}
	group := g.groups[node]
	at, _ := g.place.get(slot)
	last := group[len(group)-1]
	group[at] = last
	g.place.set(last, at)
	g.place.remove(slot)
	group = group[:len(group)-1]
	g.groups[node] = group
	if len(group) == 1 {
		g.slotOf[node] = group[0]
		g.place.remove(group[0])
		delete(g.groups, node)
		g.state[node] &^= shared
	}
}

// set is what the exact scan reads.
func (g *graph[T]) set() rowSet[T] {
	return rowSet[T]{storage: &g.storage, rows: g.rows, rowOf: &g.nodeOf, holders: g}
}

func (g *graph[T]) bytes() int64 {
	words := cap(g.bottom) + cap(g.upper) + cap(g.upperAt) + cap(g.slotOf)
	size := int64(len(memory(g.rows[:cap(g.rows)]))) + 4*int64(words) + int64(cap(g.state))
	for _, group := range g.groups {
		size += 4*int64(cap(group)) + 32 // the slice's header and the map's key
	}
	return size + g.nodeOf.bytes() + g.place.bytes() + g.tableBytes
}
