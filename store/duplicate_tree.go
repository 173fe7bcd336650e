package store

// nearTree finds which of some members lie near another: a vantage point tree (Yianilos,
// "Data structures and algorithms for nearest neighbor search in general metric spaces",
// 1993), from which members can be dropped. Where n members lie along few dimensions, such
// as in a chain, it is made with n log n distances and asked with log n; at the worst it
// measures all that are left.
type nearTree struct {
	// distance is a metric, but for rounding by a share of slack.
	distance func(a, b int) (float64, error)
	slack    float64

	// order holds the members. A node is a stretch of it: its vantage point, the half of
	// the others that is nearer to it, the other half.
	order []int
	nodes []nearNode // by where a stretch begins
	place []int      // by member, where it is in order; -1 for one that is not
}

// nearNode is what is known of a stretch.
type nearNode struct {
	left                    int // members that are not dropped
	nearest, middle, beyond float64
	farthest                float64 // the halves lie within nearest to middle and beyond to farthest
	gone                    bool    // the vantage point is dropped
}

// growTree makes a tree of members, numbers that ascend.
func growTree(members []int, slack float64, distance func(a, b int) (float64, error)) (*nearTree, error) {
	t := &nearTree{distance: distance, slack: slack, order: make([]int, len(members)), nodes: make([]nearNode, len(members))}
	from := make([]placedAt, len(members))
	for i, m := range members {
		from[i].member = m
		for len(t.place) <= m {
			t.place = append(t.place, -1)
		}
	}
	if err := t.grow(from, 0); err != nil {
		return nil, err
	}
	for i, m := range from {
		t.order[i], t.place[m.member] = m.member, i
	}
	return t, nil
}

// placedAt is a member at a distance from a vantage point.
type placedAt struct {
	member   int
	distance float64
}

// halves are where the halves of a stretch begin and end.
func halves(lo, hi int) (mid int) { return lo + 1 + (hi-lo)/2 }

func (t *nearTree) grow(of []placedAt, lo int) error {
	if len(of) == 0 {
		return nil
	}
	n, rest := &t.nodes[lo], of[1:]
	n.left = len(of)
	for i := range rest {
		var err error
		if rest[i].distance, err = t.distance(of[0].member, rest[i].member); err != nil {
			return err
		}
	}
	mid := min(halves(0, len(of)), len(of)) - 1
	selectLeast(rest, mid, func(a, b placedAt) bool { return a.distance < b.distance })
	n.nearest, n.middle = leastAndMost(rest[:mid])
	n.beyond, n.farthest = leastAndMost(rest[mid:])
	if err := t.grow(rest[:mid], lo+1); err != nil {
		return err
	}
	return t.grow(rest[mid:], lo+1+mid)
}

// leastAndMost are the least and the largest distance.
func leastAndMost(of []placedAt) (least, most float64) {
	for i, m := range of {
		if i == 0 {
			least = m.distance
		}
		least, most = min(least, m.distance), max(most, m.distance)
	}
	return least, most
}

// drop takes a member out, if it is there.
func (t *nearTree) drop(member int) {
	if member >= len(t.place) || t.place[member] < 0 || t.nodes[t.place[member]].gone {
		return
	}
	at := t.place[member]
	t.nodes[at].gone = true
	for lo, hi := 0, len(t.order); ; {
		t.nodes[lo].left--
		mid := min(halves(lo, hi), hi)
		switch {
		case at == lo:
			return
		case at < mid:
			lo, hi = lo+1, mid
		default:
			lo = mid
		}
	}
}

// within appends the members that may lie within a radius of another, among them all that
// do.
func (t *nearTree) within(dst []int, of int, radius float64) ([]int, error) {
	return t.search(dst, of, radius, 0, len(t.order))
}

func (t *nearTree) search(dst []int, of int, radius float64, lo, hi int) ([]int, error) {
	if lo >= hi || t.nodes[lo].left == 0 {
		return dst, nil
	}
	n := &t.nodes[lo]
	d, err := t.distance(of, t.order[lo])
	if err != nil {
		return dst, err
	}
	// Written so that what is no number lies within.
	outside := func(least, most float64) bool {
		return d-radius > most+t.slack*(d+most) || d+radius < least-t.slack*(d+least)
	}
	if !n.gone && !outside(0, 0) {
		dst = append(dst, t.order[lo])
	}
	mid := min(halves(lo, hi), hi)
	if !outside(n.nearest, n.middle) {
		if dst, err = t.search(dst, of, radius, lo+1, mid); err != nil {
			return dst, err
		}
	}
	if outside(n.beyond, n.farthest) {
		return dst, nil
	}
	return t.search(dst, of, radius, mid, hi)
}
