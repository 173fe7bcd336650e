package store

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"slices"
)

// groups joins the pairs within a threshold, largest group first.
func (c *Collection) groups(scan *duplicateScan, threshold float64, keep Keep) ([]DuplicateGroup, error) {
	union := make(disjointSets)
	joined := make(map[uint32][]scanPair)
	within, err := c.pairsWithin(scan, threshold)
	if err != nil {
		return nil, err
	}
	for _, p := range within {
		union.join(p.a, p.b)
	}
	for _, p := range within {
		root := union.find(p.a)
		joined[root] = append(joined[root], p)
	}
	out := make([]DuplicateGroup, 0, len(joined))
	choose := keep.chooser(scan)
	err = c.viewIf(keep.readsPayloads(), func(g *ground) error {
		for _, pairs := range joined {
			group, members := scan.group(pairs)
			kept, err := choose(g, members, pairs)
			if err != nil {
				return err
			}
			group.Keep = kept.id
			out = append(out, group)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b DuplicateGroup) int {
		return cmp.Or(-cmp.Compare(len(a.IDs), len(b.IDs)), a.IDs[0].Compare(b.IDs[0]))
	})
	return out, err
}

// pairsWithin is the scan's pairs no farther than a threshold. Distances between
// int8 codes only pick candidates: what decides is the latents themselves.
func (c *Collection) pairsWithin(scan *duplicateScan, threshold float64) ([]scanPair, error) {
	gen := scan.generation
	coded := scan.matcher == nil && scan.search.own == nil && gen != nil && gen.model != nil && c.Config().indexedSpace() == SpaceLatent
	slack := 0.0
	if coded {
		// Rounding moves each latent by half a step per coordinate at most.
		slack = float64(gen.model.CodeStep()) * math.Sqrt(float64(gen.model.Dim()))
	}
	var out []scanPair
	measure := c.measurer(scan)
	err := c.viewIf(coded, func(g *ground) error {
		for _, p := range scan.pairs {
			if p.distance > threshold+slack && !p.exact {
				continue
			}
			if coded && !p.exact {
				d, ok, err := measure(g, p.a, p.b)
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
	return out, err
}

// contentOf are the bytes by which copies are told: the record or, where records are
// given up, the latent.
func (g *generation) contentOf(p storedPoint) ([]byte, error) {
	switch {
	case p.data == nil:
		return p.code, nil
	case !g.latentOnly:
		return p.data, nil
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

// group describes one group but for which of its points stays, and gives these, in order
// of ids.
func (s *duplicateScan) group(pairs []scanPair) (DuplicateGroup, []*scannedPoint) {
	out := DuplicateGroup{Exact: true}
	slots := make([]uint32, 0, 2*len(pairs))
	out.Pairs = make([]DuplicatePair, 0, len(pairs))
	for _, p := range pairs {
		slots = append(slots, p.a, p.b)
		pair := s.describe(p)
		out.Exact = out.Exact && pair.Exact
		out.Pairs = append(out.Pairs, pair)
	}
	slices.SortFunc(out.Pairs, func(p, q DuplicatePair) int {
		return cmp.Or(cmp.Compare(p.Distance, q.Distance), p.A.Compare(q.A), p.B.Compare(q.B))
	})
	out.Pairs = slices.CompactFunc(out.Pairs, func(p, q DuplicatePair) bool { return p.A == q.A && p.B == q.B })
	slices.Sort(slots)
	var members []*scannedPoint
	for _, slot := range slices.Compact(slots) {
		members = append(members, s.point(slot))
	}
	slices.SortFunc(members, func(p, q *scannedPoint) int { return p.id.Compare(q.id) })
	for _, p := range members {
		out.IDs = append(out.IDs, p.id)
	}
	return out, members
}

// describe is a pair as it is told.
func (s *duplicateScan) describe(p scanPair) DuplicatePair {
	a, b := s.point(p.a), s.point(p.b)
	exact := a.content == b.content
	if a.id.Compare(b.id) > 0 {
		a, b = b, a
	}
	return DuplicatePair{A: a.id, B: b.id, Distance: p.distance, Exact: exact, Fields: s.matcher.similarities(p.fields)}
}

// removals lists what leaves each group, with its distance to the point that
// stays for it. Groups may be chains, whose ends are no duplicates of each other:
// so a point leaves only if it is within the threshold of one that stays, the
// group's kept point first, then in order of ids. Between some points and the rest, the
// rest stays.
func (c *Collection) removals(scan *duplicateScan, found *Duplicates) ([]Removed, error) {
	out := []Removed{}
	r := remover{scan: scan, measure: c.measurer(scan), threshold: found.Threshold}
	err := c.view(func(g *ground) error {
		for _, group := range found.Groups {
			stays := []ID{}
			for _, id := range slices.Concat([]ID{group.Keep}, group.IDs) {
				if id == group.Keep && len(stays) > 0 {
					continue
				}
				removed, err := r.removal(g, id, stays)
				if err != nil {
					return err
				}
				if removed == nil {
					stays = append(stays, id)
				} else {
					out = append(out, *removed)
				}
			}
		}
		return nil
	})
	return out, err
}

// remover decides which points of groups leave.
type remover struct {
	scan      *duplicateScan
	measure   measureFunc
	threshold float64
}

// removal finds a point that stays and that another duplicates; nil if there is none, or
// if the other is gone meanwhile or may not leave.
func (r *remover) removal(g *ground, id ID, stays []ID) (*Removed, error) {
	for _, k := range stays {
		slots, err := g.slotsOf([]ID{id, k})
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if between := r.scan.between; between != nil && (!between.Has(slots[0]) || between.Has(slots[1])) {
			continue
		}
		pair, err := r.scan.scorePair(g, r.measure, [2]ID{id, k}, slots)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if pair.Exact || pair.Distance <= r.threshold {
			out := &Removed{ID: id, Kept: k, Distance: pair.Distance, Exact: pair.Exact, Reason: ReasonNear, Fields: pair.Fields}
			if pair.Exact {
				out.Reason = ReasonExact
			}
			return out, nil
		}
	}
	return nil, nil
}

// sameContent tells whether two points hold the same bytes.
func (g *generation) sameContent(gr *ground, a, b uint32) (bool, error) {
	var contents [2][]byte
	for i, slot := range [2]uint32{a, b} {
		p, ok, err := gr.point(slot)
		if err != nil || !ok {
			return false, err
		}
		if contents[i], err = g.contentOf(p); err != nil {
			return false, err
		}
	}
	return bytes.Equal(contents[0], contents[1]), nil
}

// disjointSets is union-find over slots, with path halving.
type disjointSets map[uint32]uint32

func (d disjointSets) find(x uint32) uint32 {
	for {
		p, ok := d[x]
		if !ok || p == x {
			return x
		}
		if q, ok := d[p]; ok {
			d[x] = q
		}
		x = p
	}
}

// join merges two sets; the smaller root wins, so that roots do not depend on order.
func (d disjointSets) join(a, b uint32) {
	ra, rb := d.find(a), d.find(b)
	if ra != rb {
		d[max(ra, rb)] = min(ra, rb)
	}
}
