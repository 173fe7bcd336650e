package index

import "context"

// Compacter is implemented by engines that can put in order what they hold, for
// searches after a long load.
type Compacter interface {
	// Compact changes no row, only where rows lie: those that a search reads
	// after each other come near each other. It needs as much memory again until
	// it ends; searches go on meanwhile, changes wait. When ctx ends before, its
	// error is returned and nothing has changed.
	Compact(ctx context.Context) error
}

// Compact implements Compacter.
func (h *hnsw[T]) Compact(ctx context.Context) error {
	h.writer.Lock()
	defer h.writer.Unlock()
	next, err := h.graph.renumbered(ctx)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.graph = next
	h.mu.Unlock()
	return nil
}

// ctxNodes is after how many nodes a long loop looks whether it should go on.
const ctxNodes = 1 << 12

// renumbered is the same graph with its nodes in walking order.
func (g *graph[T]) renumbered(ctx context.Context) (*graph[T], error) {
	order := g.walkingOrder()
	number := make([]uint32, len(order)) // old number -> new one
	for to, from := range order {
		number[from] = uint32(to)
	}
	next := newGraph(g.config, g.storage)
	next.drawn, next.top, next.vacant, next.place = g.drawn, g.top, g.vacant, g.place
	if len(order) > 0 {
		next.entry = number[g.entry]
	}
	next.rows, next.bottom = room[T](len(g.rows)), room[uint32](len(g.bottom))
	for i, from := range order {
		if i%ctxNodes == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		next.rows = append(next.rows, g.row(from)...)
		next.state = append(next.state, g.state[from])
		next.slotOf = append(next.slotOf, g.slotOf[from])
		next.addBlocks(g.level(from))
		for l := range g.level(from) + 1 {
			block := next.block(uint32(i), l)
			for j, to := range g.block(from, l) {
				block[j] = number[to]
			}
		}
		for _, slot := range g.members(from) {
			next.nodeOf.set(slot, uint32(i))
		}
		if g.state[from]&shared != 0 {
			next.groups[uint32(i)] = g.groups[from]
		}
	}
	return next, nil
}

// walkingOrder is an order of all nodes in which neighbours stand near each
// other: depth first along the links of the bottom level, the closest first, as
// far as it leads; what it does not reach begins anew.
func (g *graph[T]) walkingOrder() []uint32 {
	order := make([]uint32, 0, g.nodes())
	placed := make([]bool, g.nodes())
	var ahead []uint32
	follow := func(node uint32) {
		ahead = append(ahead, node)
		for len(ahead) > 0 {
			node := ahead[len(ahead)-1]
			ahead = ahead[:len(ahead)-1]
			if placed[node] {
				continue
			}
			placed[node] = true
			order = append(order, node)
			links := g.links(node, 0)
			for i := len(links) - 1; i >= 0; i-- {
				if !placed[links[i]] {
					ahead = append(ahead, links[i])
				}
			}
		}
	}
	for node := range uint32(g.nodes()) {
		follow(node)
	}
	return order
}
