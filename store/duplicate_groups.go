package store

import (
	"context"
	"math"
	"slices"

	"github.com/latentdb/latentdb/embed/source"
)

// groups joins the pairs within a threshold, largest group first.
func (c *Collection) groups(ctx context.Context, scan *duplicateScan, threshold float64, keep Keep) ([]DuplicateGroup, error) {
	within, err := c.pairsWithin(ctx, scan, threshold)
	if err != nil {
		return nil, err
	}
	groups := scan.join(within)
	// Those of as many points stay in order of their first ids.
	if err := sortByKey(ctx, groups, func(g *joinedPoints) uint64 { return math.MaxUint64 - uint64(len(g.members)) }); err != nil {
		return nil, err
	}
	members := 0
	for _, g := range groups {
		members += len(g.members)
	}
	out := make([]DuplicateGroup, len(groups))
	told := teller{scan: scan, pairs: make([]DuplicatePair, 0, len(within)), ids: make([]ID, 0, members)}
	err = c.viewIf(keep.readsPayloads(), func(g *ground) error {
		for i, group := range groups {
			if err := ctx.Err(); err != nil {
				return err
			}
			kept, err := keep.choose(g, scan, group)
			if err != nil {
				return err
			}
			out[i] = told.group(group, kept)
		}
		return nil
	})
	return out, err
}

// joinedPoints is a group: the places of its points in order of ids, and its pairs.
type joinedPoints struct {
	members []uint32
	pairs   []scanPair
}

// join makes groups of points that pairs join, directly or through others, in order of
// their first ids.
func (s *duplicateScan) join(pairs []scanPair) []joinedPoints {
	sets := newDisjointSets(len(s.seen))
	for _, p := range pairs {
		sets.join(p.a, p.b)
	}
	sizes := make([]struct{ members, pairs uint32 }, len(s.seen)) // by root
	for at := range s.seen {
		sizes[sets.find(uint32(at))].members++
	}
	for _, p := range pairs {
		sizes[sets.find(p.a)].pairs++
	}
	var groups []joinedPoints
	members, places := make([]uint32, 0, 2*len(pairs)), make([]scanPair, 0, len(pairs))
	of := make([]int32, len(s.seen)) // by root, the group
	for _, at := range s.byID {
		root := sets.find(at)
		if sizes[root].pairs == 0 {
			continue
		}
		if of[root] == 0 {
			groups = append(groups, joinedPoints{room(&members, sizes[root].members), room(&places, sizes[root].pairs)})
			of[root] = int32(len(groups))
		}
		g := &groups[of[root]-1]
		g.members = append(g.members, at)
	}
	for _, p := range pairs {
		g := &groups[of[sets.find(p.a)]-1]
		g.pairs = append(g.pairs, p)
	}
	return groups
}

// room is an empty slice for n values in the memory of another: thousands of small groups
// need few pieces of it.
func room[T any](in *[]T, n uint32) []T {
	start := len(*in)
	*in = (*in)[:start+int(n)]
	return (*in)[start:start:len(*in)]
}

// coded tells that a scan's distances are those of int8 codes, which only pick candidates:
// what decides is the latents themselves.
func (c *Collection) coded(scan *duplicateScan) bool {
	gen := scan.generation
	return scan.matcher == nil && !scan.search.own && gen != nil && gen.model != nil && c.Config().indexedSpace() == SpaceLatent
}

// slack is how much farther a pair may seem in a scan than it is.
func (c *Collection) slack(scan *duplicateScan) float64 {
	if !c.coded(scan) {
		return 0
	}
	// Rounding moves each latent by half a step per coordinate at most.
	m := scan.generation.model
	return float64(m.CodeStep()) * math.Sqrt(float64(m.Dim()))
}

// pairsWithin is the scan's pairs no farther than a threshold.
func (c *Collection) pairsWithin(ctx context.Context, scan *duplicateScan, threshold float64) ([]scanPair, error) {
	near, _ := slices.BinarySearchFunc(scan.pairs, threshold+c.slack(scan), func(p scanPair, most float64) int {
		if p.distance <= most {
			return -1
		}
		return 1
	})
	if !c.coded(scan) {
		return scan.pairs[:near], nil
	}
	var out []scanPair
	measure := c.measurer(scan)
	err := c.view(func(g *ground) error {
		for _, p := range scan.pairs[:near] {
			if err := ctx.Err(); err != nil {
				return err
			}
			if !p.exact {
				d, ok, err := measure(g, scan.seen[p.a].slot, scan.seen[p.b].slot)
				if err != nil {
					return err
				}
				if !ok || d > threshold {
					continue
				}
				p.distance = d
			}
			out = append(out, p)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, sortByKey(ctx, out, (*scanPair).key)
}

// contentOf are the bytes by which copies are told: the record, as it is stored today, or,
// where records are given up, the latent.
func (g *generation) contentOf(p storedPoint) ([]byte, error) {
	switch {
	case p.data == nil:
		return p.code, nil
	case !g.latentOnly:
		return source.Renewed(g.fitted.Spec(), p.data)
	}
	z, err := g.latentsOf([]storedPoint{p}, 1)
	if err != nil {
		return nil, err
	}
	code := make([]byte, g.model.CodeSize())
	g.model.Code(code, z)
	return code, nil
}

// viewIf is view where a transaction is needed, and else calls f without one.
func (c *Collection) viewIf(needed bool, f func(g *ground) error) error {
	if needed {
		return c.view(f)
	}
	return f(nil)
}

// teller has the memory for groups as they are told.
type teller struct {
	scan  *duplicateScan
	pairs []DuplicatePair
	ids   []ID
}

func (t *teller) group(group joinedPoints, kept uint32) DuplicateGroup {
	seen := t.scan.seen
	ids, pairs := room(&t.ids, uint32(len(group.members))), room(&t.pairs, uint32(len(group.pairs)))
	for _, at := range group.members {
		ids = append(ids, seen[at].id)
	}
	exact := true
	for _, p := range group.pairs {
		pairs = append(pairs, DuplicatePair{A: seen[p.a].id, B: seen[p.b].id, Distance: p.distance, Exact: p.exact, Fields: t.scan.fieldsOf(p)})
		exact = exact && p.exact
	}
	return DuplicateGroup{IDs: ids, Keep: seen[kept].id, Exact: exact, Pairs: pairs}
}

// disjointSets is union-find over places, with path halving.
type disjointSets []uint32

func newDisjointSets(n int) disjointSets {
	d := make(disjointSets, n)
	for i := range d {
		d[i] = uint32(i)
	}
	return d
}

func (d disjointSets) find(x uint32) uint32 {
	for d[x] != x {
		d[x] = d[d[x]]
		x = d[x]
	}
	return x
}

// join merges two sets; the smaller root wins, so that roots do not depend on order.
func (d disjointSets) join(a, b uint32) {
	ra, rb := d.find(a), d.find(b)
	d[max(ra, rb)] = min(ra, rb)
}
