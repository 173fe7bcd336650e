package index

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// growth is one or more new nodes on their way into a graph, and the neighbour
// lists that change because of them. Working it out only reads the graph, so
// that readers go on meanwhile, and can be shared out among workers; applying
// it is short.
//
// Nodes that come together see each other as if they had come one by one: each
// is measured against all that stand before it. So a graph depends on how its
// rows were cut into growths, not on the number of workers.
type growth[T value] struct {
	g     *graph[T]
	first uint32 // the number of the first new node
	// rows and bottom are the graph's arrays with room for the nodes; rows has
	// their rows at its end, past what readers see.
	rows   []T
	bottom []uint32
	levels []uint8 // of the new nodes

	own   []edit // new node × its levels -> its neighbours, closest first
	ownAt []int  // new node -> where its lists begin in own
	backs []back // edges to the new nodes from the neighbours they chose
	group []int  // where in backs the edges of each list begin, and the end
	edits []edit // the lists that those edges lead to
	hands []hand[T]
}

// edit is a neighbour list to be written.
type edit struct {
	node  uint32
	level int
	links []uint32
}

// back is an edge from a node to the new node numbered from, ordered by level
// and node.
type back struct {
	list uint64 // level<<32 | node
	from uint32
}

// hand is the memory of one worker.
type hand[T value] struct {
	walker[T]
	near   []key    // candidates of one list, closest first
	pruned []uint32 // candidates that the heuristic passed over
	mates  []float32
	links  []uint32 // where the lists that the worker made lie
}

// begin starts a growth of at most n nodes by some workers.
func (b *growth[T]) begin(g *graph[T], n, workers int) {
	b.g, b.first = g, uint32(g.nodes())
	b.rows = grown(g.rows, n*g.config.Dim)
	b.bottom = grown(g.bottom, n*2*g.config.M)
	b.levels, b.own, b.ownAt, b.backs = b.levels[:0], b.own[:0], b.ownAt[:0], b.backs[:0]
	for ; g.hashed < b.first; g.hashed++ {
		g.known.add(g.rows, g.hashed) // after Load, which leaves them to the first change
	}
	g.known.reserve(g.rows, n)
	for len(b.hands) < workers {
		b.hands = append(b.hands, hand[T]{})
	}
	for i := range b.hands {
		b.hands[i].links = b.hands[i].links[:0]
	}
}

// add puts a row that no node has into the growth, at a level, and returns the
// number its node will have.
func (b *growth[T]) add(row []T, level int) uint32 {
	node := b.first + uint32(len(b.levels))
	b.rows = append(b.rows, row...)
	b.levels = append(b.levels, uint8(level))
	b.ownAt = append(b.ownAt, len(b.own))
	for l := range level + 1 {
		b.own = append(b.own, edit{node: node, level: l})
	}
	b.g.known.add(b.rows, node)
	b.g.hashed = node + 1
	return node
}

// undo takes back every add.
func (b *growth[T]) undo() {
	for i := len(b.levels) - 1; i >= 0; i-- {
		b.g.known.forget(b.rows, b.first+uint32(i))
	}
	b.g.hashed = b.first
	b.g.drawn -= uint64(len(b.levels))
}

// plan works out the neighbours of the new nodes and the lists that change. The
// graph must not change until the growth is applied. On an error, that of ctx,
// the growth is to be undone.
func (b *growth[T]) plan(ctx context.Context, workers int) error {
	share(workers, len(b.levels), func(worker, i int) {
		if ctx.Err() == nil {
			b.choose(&b.hands[worker], i)
		}
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, e := range b.own {
		for _, to := range e.links {
			b.backs = append(b.backs, back{uint64(e.level)<<32 | uint64(to), e.node})
		}
	}
	slices.SortFunc(b.backs, func(x, y back) int {
		if x.list != y.list {
			if x.list < y.list {
				return -1
			}
			return 1
		}
		return int(x.from) - int(y.from)
	})
	b.group = b.group[:0]
	for i := range b.backs {
		if i == 0 || b.backs[i].list != b.backs[i-1].list {
			b.group = append(b.group, i)
		}
	}
	lists := len(b.group)
	b.group = append(b.group, len(b.backs))
	b.edits = slices.Grow(b.edits[:0], lists)[:lists]
	share(workers, lists, func(worker, i int) {
		b.edits[i] = b.linkBack(&b.hands[worker], b.backs[b.group[i]:b.group[i+1]])
	})
	return nil
}

// share does n pieces of work with some workers, which take the next piece when
// they are done with one.
func share(workers, n int, do func(worker, i int)) {
	if workers = min(workers, n); workers <= 1 {
		for i := range n {
			do(0, i)
		}
		return
	}
	var taken atomic.Int64
	work := func(worker int) {
		for i := int(taken.Add(1)) - 1; i < n; i = int(taken.Add(1)) - 1 {
			do(worker, i)
		}
	}
	var wg sync.WaitGroup
	for worker := 1; worker < workers; worker++ {
		wg.Go(func() { work(worker) })
	}
	work(0)
	wg.Wait()
}

// choose works out the neighbours of the i-th new node on all of its levels.
func (b *growth[T]) choose(h *hand[T], i int) {
	g, dim := b.g, b.g.config.Dim
	node, level := b.first+uint32(i), int(b.levels[i])
	row := rowAt(b.rows, dim, node)
	h.mates = slices.Grow(h.mates[:0], i)[:i]
	g.storage.measure(h.mates, row, b.rows[int(b.first)*dim:], nil)
	var found []key
	if g.top >= 0 {
		found = g.descend(&h.walker, row, level)
	}
	for l := level; l >= 0; l-- {
		h.near = h.near[:0]
		if l <= g.top {
			found = g.walk(&h.walker, row, found, l, g.config.EfConstruct)
			h.near = append(h.near, found...)
		}
		b.addMates(h, l)
		b.own[b.ownAt[i]+l].links = b.diverse(h, g.config.M, g.config.M)
	}
}

// addMates puts those measured in h.mates that are of a level into h.near, and
// keeps the closest.
func (b *growth[T]) addMates(h *hand[T], level int) {
	ef, walked := b.g.config.EfConstruct, len(h.near)
	bound := key(1<<64 - 1)
	if walked == ef {
		bound = h.near[ef-1]
	}
	for i, d := range h.mates {
		if k := makeKey(d, b.first+uint32(i)); k < bound && int(b.levels[i]) >= level {
			h.near = append(h.near, k)
		}
	}
	if len(h.near) > walked {
		slices.Sort(h.near)
		h.near = h.near[:min(len(h.near), ef)]
	}
}

// linkBack works out one list to which edges to new nodes are added. Where they
// are too many, the list is chosen anew.
func (b *growth[T]) linkBack(h *hand[T], edges []back) edit {
	g := b.g
	node, level := uint32(edges[0].list), int(edges[0].list>>32)
	var links []uint32
	if node >= b.first {
		links = b.own[b.ownAt[node-b.first]+level].links
	} else {
		links = g.links(node, level)
	}
	from := len(h.links)
	h.links = append(h.links, links...)
	for _, e := range edges {
		h.links = append(h.links, e.from)
	}
	links = h.links[from:]
	limit := g.maxLinks(level)
	if len(links) <= limit {
		return edit{node, level, links}
	}
	h.distances = slices.Grow(h.distances[:0], len(links))[:len(links)]
	g.storage.measure(h.distances, rowAt(b.rows, g.config.Dim, node), b.rows, links)
	h.near = h.near[:0]
	for i, n := range links {
		h.near = append(h.near, makeKey(h.distances[i], n))
	}
	slices.Sort(h.near)
	h.links = h.links[:from]
	return edit{node, level, b.diverse(h, limit, g.config.M)}
}

// diverse picks neighbours among h.near by the diversity heuristic (Malkov and
// Yashunin, algorithm 4): a candidate is taken when it is closer to the base
// than to every neighbour taken before it, up to limit. Where fewer than fill
// are taken, the closest of those passed over fill the list.
func (b *growth[T]) diverse(h *hand[T], limit, fill int) []uint32 {
	from := len(h.links)
	h.pruned = h.pruned[:0]
	for _, c := range h.near {
		if len(h.links)-from == limit {
			break
		}
		if b.apart(h, c, h.links[from:]) {
			h.links = append(h.links, c.id())
		} else {
			h.pruned = append(h.pruned, c.id())
		}
	}
	if short := fill - (len(h.links) - from); short > 0 {
		h.links = append(h.links, h.pruned[:min(short, len(h.pruned))]...)
	}
	return h.links[from:len(h.links):len(h.links)]
}

// apart tells whether candidate c is at least as close to its base as to each
// of the nodes taken.
func (b *growth[T]) apart(h *hand[T], c key, taken []uint32) bool {
	dim := b.g.config.Dim
	row, distance := rowAt(b.rows, dim, c.id()), c.distance()
	for _, t := range taken {
		if h.between(b.g, row, rowAt(b.rows, dim, t)) < distance {
			return false
		}
	}
	return true
}

// apply makes the new nodes part of the graph, vacant.
func (b *growth[T]) apply() {
	g := b.g
	g.rows, g.bottom = b.rows, b.bottom
	g.tableBytes = 4 * int64(len(g.known.table))
	for i, level := range b.levels {
		node := b.first + uint32(i)
		g.addBlocks(int(level))
		g.state = append(g.state, level|vacant)
		g.slotOf = append(g.slotOf, 0)
		g.vacant++
		if int(level) > g.top {
			g.top, g.entry = int(level), node
		}
	}
	for _, e := range b.own {
		g.setLinks(e.node, e.level, e.links)
	}
	for _, e := range b.edits {
		g.setLinks(e.node, e.level, e.links)
	}
}

// addBlocks makes room for the neighbours of the next node, of a level, on all
// of its levels.
func (g *graph[T]) addBlocks(level int) {
	n, stride := len(g.bottom), 2*g.config.M
	g.bottom = slices.Grow(g.bottom, stride)[:n+stride]
	stride = g.config.M
	g.upperAt = append(g.upperAt, uint32(len(g.upper)/stride))
	n = len(g.upper)
	g.upper = slices.Grow(g.upper, level*stride)[:n+level*stride]
}
