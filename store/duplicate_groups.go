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
	out := []DuplicateGroup{}
	err = c.view(func(g *ground) error {
		for _, pairs := range joined {
			group, err := scan.generation.group(g, pairs, keep)
			if err != nil {
				return err
			}
			if len(group.IDs) > 1 {
				out = append(out, group)
			}
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
	coded := scan.search.own == nil && gen != nil && gen.model != nil && c.Config().indexedSpace() == SpaceLatent
	slack := 0.0
	if coded {
		// Rounding moves each latent by half a step per coordinate at most.
		slack = float64(gen.model.CodeStep()) * math.Sqrt(float64(gen.model.Dim()))
	}
	var out []scanPair
	err := c.view(func(g *ground) error {
		measure := c.measurer(scan)
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

// group describes one group: its ids, which stays, and its pairs.
func (g *generation) group(gr *ground, pairs []scanPair, keep Keep) (DuplicateGroup, error) {
	out := DuplicateGroup{Exact: true}
	points := make(map[uint32]storedPoint)
	contents := make(map[uint32][]byte)
	for _, p := range pairs {
		for _, slot := range []uint32{p.a, p.b} {
			if _, seen := contents[slot]; seen {
				continue
			}
			p, ok, err := gr.point(slot)
			if err != nil {
				return out, err
			}
			if !ok {
				continue // deleted since the scan
			}
			content, err := g.contentOf(p)
			if err != nil {
				return out, err
			}
			points[slot], contents[slot] = p, content
		}
	}
	seen := make(map[[2]uint32]bool)
	for _, p := range pairs {
		ra, okA := contents[p.a]
		rb, okB := contents[p.b]
		key := [2]uint32{p.a, p.b}
		if !okA || !okB || seen[key] {
			continue
		}
		seen[key] = true
		same := bytes.Equal(ra, rb)
		out.Exact = out.Exact && same
		a, b := points[p.a].id, points[p.b].id
		if a.Compare(b) > 0 {
			a, b = b, a
		}
		out.Pairs = append(out.Pairs, DuplicatePair{A: a, B: b, Distance: p.distance, Exact: same})
	}
	var newest uint64
	for _, p := range points {
		out.IDs = append(out.IDs, p.id)
		if keep == KeepNewest && p.seq > newest {
			newest, out.Keep = p.seq, p.id
		}
	}
	slices.SortFunc(out.IDs, ID.Compare)
	slices.SortFunc(out.Pairs, func(p, q DuplicatePair) int {
		return cmp.Or(cmp.Compare(p.Distance, q.Distance), p.A.Compare(q.A), p.B.Compare(q.B))
	})
	if keep == KeepFirst && len(out.IDs) > 0 {
		out.Keep = out.IDs[0]
	}
	return out, nil
}

// removals lists what leaves each group, with its distance to the point that
// stays for it. Groups may be chains, whose ends are no duplicates of each other:
// so a point leaves only if it is within the threshold of one that stays, the
// group's kept point first, then in order of ids.
func (c *Collection) removals(scan *duplicateScan, found *Duplicates) ([]Removed, error) {
	out := []Removed{}
	gen, measure := scan.generation, c.measurer(scan)
	err := c.view(func(g *ground) error {
		for _, group := range found.Groups {
			kept := []ID{}
			for _, id := range slices.Concat([]ID{group.Keep}, group.IDs) {
				if id == group.Keep && len(kept) > 0 {
					continue
				}
				r, err := gen.removal(g, measure, id, kept, found.Threshold)
				if err != nil {
					return err
				}
				if r == nil {
					kept = append(kept, id)
				} else {
					out = append(out, *r)
				}
			}
		}
		return nil
	})
	return out, err
}

// removal finds a kept point that a point duplicates; nil if there is none, or
// if the point is gone meanwhile.
func (g *generation) removal(gr *ground, measure measureFunc, id ID, kept []ID, threshold float64) (*Removed, error) {
	for _, k := range kept {
		slots, err := gr.slotsOf([]ID{id, k})
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		d, ok, err := measure(gr, slots[0], slots[1])
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		same, err := g.sameContent(gr, slots[0], slots[1])
		if err != nil {
			return nil, err
		}
		if same || d <= threshold {
			return &Removed{ID: id, Kept: k, Distance: d, Exact: same}, nil
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
