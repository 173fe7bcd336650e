package store

import (
	"context"
	"errors"
	"math"
	"slices"
)

// removals lists what leaves each group, with its distance to the point that
// stays for it. Groups may be chains, whose ends are no duplicates of each other:
// so a point leaves only if it is within the threshold of one that stays, the
// group's kept point first, then in order of ids. Between some points and the rest, the
// rest stays.
func (c *Collection) removals(ctx context.Context, scan *duplicateScan, found *Duplicates) ([]Removed, error) {
	r := &remover{ctx: ctx, scan: scan, scorer: c.pairScorer(scan), threshold: found.Threshold, out: []Removed{}}
	if r.scorer != nil && scan.matcher == nil {
		rows := c.measuredRows(scan)
		r.rows = &rows
	}
	err := c.view(func(g *ground) error {
		r.ground = g
		for _, group := range found.Groups {
			if err := r.sift(group); err != nil {
				return err
			}
		}
		return nil
	})
	return r.out, err
}

// remover decides which points of groups leave.
type remover struct {
	ctx       context.Context
	ground    *ground
	scan      *duplicateScan
	scorer    *pairScorer
	rows      *measuredRows // nil where fields decide
	threshold float64
	out       []Removed
}

// groupMember is a point of a group, in the order in which it is decided which stay.
type groupMember struct {
	id   ID
	slot uint32
	// leaves and keeps tell that it may leave, and that others may leave for it; neither,
	// if it is gone meanwhile.
	leaves, keeps bool
	// removed is why it leaves; nil if it stays, or nothing is decided.
	removed *Removed
}

// sift goes through a group: each point that stays takes away those after it that it is a
// near copy of, so that every point leaves for the first that it is near.
func (r *remover) sift(group DuplicateGroup) error {
	members, err := r.members(group)
	if err != nil {
		return err
	}
	near, err := r.candidates(members)
	if err != nil {
		return err
	}
	var some []int
	for i := range members {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		near.drop(i)
		m := &members[i]
		if m.removed != nil {
			r.out = append(r.out, *m.removed)
		}
		if m.removed != nil || !m.keeps {
			continue
		}
		if some, err = near.of(some[:0], i); err != nil {
			return err
		}
		for _, k := range some {
			if k < i || members[k].removed != nil {
				continue
			}
			if members[k].removed, err = r.removal(&members[k], m); err != nil {
				return err
			}
			if members[k].removed != nil {
				near.drop(k)
			}
		}
	}
	return nil
}

// members are the points of a group, the kept one first, then in order of ids.
func (r *remover) members(group DuplicateGroup) ([]groupMember, error) {
	out := make([]groupMember, 0, len(group.IDs))
	for _, id := range slices.Concat([]ID{group.Keep}, group.IDs) {
		if id == group.Keep && len(out) > 0 {
			continue
		}
		slot, there, err := r.ground.slotOf(id)
		if err != nil {
			return nil, err
		}
		m := groupMember{id: id, slot: slot, leaves: there, keeps: there}
		if between := r.scan.between; between != nil {
			m.leaves, m.keeps = there && between.Has(slot), there && !between.Has(slot)
		}
		out = append(out, m)
	}
	return out, nil
}

// removal is that a point leaves for one that stays; nil if it is no near copy of it, or
// one of both is gone meanwhile.
func (r *remover) removal(m, stays *groupMember) (*Removed, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	pair, err := r.scorer.score(r.ground, [2]ID{m.id, stays.id}, [2]uint32{m.slot, stays.slot})
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil || !pair.Exact && !(pair.Distance <= r.threshold) {
		return nil, err
	}
	out := &Removed{ID: m.id, Kept: stays.id, Distance: pair.Distance, Exact: pair.Exact, Reason: ReasonNear, Fields: pair.Fields}
	if pair.Exact {
		out.Reason = ReasonExact
	}
	return out, nil
}

// candidates are the members of a group about which nothing is decided yet, by what they
// lie near.
type candidates interface {
	// of appends those that may be near copies of a member, among them all that are; perhaps
	// one twice, or one that was dropped.
	of(dst []int, member int) ([]int, error)
	// drop takes one out, if it is there.
	drop(member int)
}

// fewMembers is the size of a group in which all are compared.
const fewMembers = 32

// candidates are found by a tree in a large group, where rows decide.
func (r *remover) candidates(members []groupMember) (candidates, error) {
	var leaving []int
	for i, m := range members {
		if m.leaves {
			leaving = append(leaving, i)
		}
	}
	if r.rows == nil || len(members) <= fewMembers {
		return &allLeft{members, leaving}, nil
	}
	distance := r.euclid(members)
	tree, err := growTree(leaving, roundingOf(r.rows.width), distance)
	if err != nil {
		return nil, err
	}
	n := &nearLeft{tree: tree, radius: r.radius(), content: make([][16]byte, len(members)), copies: make(map[[16]byte][]int)}
	for i, m := range members {
		n.content[i] = r.scan.contentOf(m.id)
		if m.leaves {
			n.copies[n.content[i]] = append(n.copies[n.content[i]], i)
		}
	}
	return n, nil
}

// allLeft are all members that are left.
type allLeft struct {
	members []groupMember
	left    []int
}

func (a *allLeft) of(dst []int, _ int) ([]int, error) { return append(dst, a.left...), nil }

func (a *allLeft) drop(member int) {
	if at, ok := slices.BinarySearch(a.left, member); ok {
		a.left = slices.Delete(a.left, at, at+1)
	}
}

// nearLeft are the members that are left and lie near, or are copies to the byte.
type nearLeft struct {
	tree    *nearTree
	radius  float64
	content [][16]byte
	copies  map[[16]byte][]int
}

func (n *nearLeft) of(dst []int, member int) ([]int, error) {
	dst = append(dst, n.copies[n.content[member]]...)
	delete(n.copies, n.content[member]) // all leave
	return n.tree.within(dst, member, n.radius)
}

func (n *nearLeft) drop(member int) { n.tree.drop(member) }

// euclid measures two members by their rows. In all metrics that duplicates are measured
// by, what is near lies near by it as well.
func (r *remover) euclid(members []groupMember) func(a, b int) (float64, error) {
	measure := measuredRows{Euclid, r.rows.width, r.rows.read}.measurer()
	asked := 0
	return func(a, b int) (float64, error) {
		if asked++; asked%scanStep == 0 {
			if err := r.ctx.Err(); err != nil {
				return 0, err
			}
		}
		d, ok, err := measure(r.ground, members[a].slot, members[b].slot)
		if !ok {
			d = math.NaN()
		}
		return d, err
	}
}

// radius is how far from each other, by Euclid, two rows within the threshold may lie.
func (r *remover) radius() float64 {
	if r.rows.metric != Cosine {
		return r.threshold // Manhattan's distance is never smaller
	}
	const rounding = 1e-5 // of the squares of lengths, which are one or zero
	return math.Sqrt(2*r.threshold + rounding)
}

// roundingOf bounds the share by which a distance of rows may be off.
func roundingOf(width int) float64 { return 1e-6 + 1e-8*float64(width) }

// contentOf tells a point's content among those seen.
func (s *duplicateScan) contentOf(id ID) (content [16]byte) {
	at, ok := slices.BinarySearchFunc(s.byID, id, func(at uint32, id ID) int { return s.seen[at].id.Compare(id) })
	if ok {
		content = s.seen[s.byID[at]].content
	}
	return content
}
