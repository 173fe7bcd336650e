package store

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"

	"github.com/latentdb/latentdb/index"
)

// scanPair is two points near each other, by their places among those seen, and their
// distance as the collection's default space measures it.
type scanPair struct {
	a, b     uint32
	distance float64
	fields   uint32 // where these decide, one more than their place among the scan's
	exact    bool
}

// scannedPoint is what a scan remembers of a point.
type scannedPoint struct {
	slot    uint32
	size    uint32 // of its content in bytes
	id      ID
	seq     uint64
	content [16]byte // the first half of its content's SHA-256
}

// comparison is what a scan is asked for.
type comparison struct {
	// allow selects the points compared, nil for all; where between is not nil, one of a
	// pair is of it and the other is not.
	allow, between *index.Bitmap
	// within asks for all pairs up to a distance; nil for the nearest ones.
	within *float64
	// told is told how far the scan is, if set.
	told func(Progress)
}

// duplicateScan is the near pairs of the points compared, from which the groups of any
// threshold up to its reach can be read.
type duplicateScan struct {
	asked      comparison
	generation *generation
	search     neighbourSearch
	seq        uint64 // the last change before the scan began
	// between and rest are the sides of a pair, where it is asked for points of two.
	between, rest *index.Bitmap

	seen  []scannedPoint // ascending by slot
	byID  []uint32       // their places in order of ids
	pairs []scanPair
	// reach is the distance below which all pairs are there.
	reach float64
	// usual is what points that are no duplicates of each other show.
	usual []spacing
	// matcher compares by fields, where these decide; else nil. fields are what it found.
	matcher   *fieldMatcher
	fields    [][]FieldSimilarity
	suggested float64 // threshold
}

// newScan is a scan that has seen nothing.
func (c *Collection) newScan(gen *generation, asked comparison) *duplicateScan {
	scan := &duplicateScan{asked: asked, generation: gen, search: neighbourSearch{method: MethodInput}, seq: c.published.Load(), reach: math.Inf(1)}
	if asked.within != nil {
		scan.reach = math.Nextafter(*asked.within, math.Inf(1))
	}
	if asked.between != nil {
		scan.between, scan.rest = asked.between.Clone(), index.NewBitmap()
		scan.rest.FillTo(int(c.slots.Load()))
		scan.rest.AndNot(asked.between)
		if asked.allow != nil {
			scan.between.And(asked.allow)
			scan.rest.And(asked.allow)
		}
	}
	return scan
}

// scanDuplicates finds the points near each other, and those whose bytes are the same.
func (c *Collection) scanDuplicates(ctx context.Context, gen *generation, asked comparison) (*duplicateScan, error) {
	scan := c.newScan(gen, asked)
	if gen.fitted == nil {
		return scan, gen.broken
	}
	if last := c.lastScan.like(scan); last != nil {
		return last, nil
	}
	scan.seen = make([]scannedPoint, 0, c.selectedPoints(asked.allow))
	var err error
	if form, ok := c.fieldForm(gen); ok {
		err = c.scanFields(ctx, scan, form)
		scan.suggested = suggestProbable(scan.pairs)
	} else {
		err = c.scanNeighbours(ctx, scan)
		scan.suggested = suggestThreshold(scan.usual)
	}
	if err != nil {
		return nil, err
	}
	if err := scan.settle(ctx); err != nil {
		return nil, err
	}
	if scan.asked.told = nil; c.published.Load() == scan.seq {
		c.lastScan.keep(scan)
	}
	return scan, ctx.Err()
}

// progress tells whoever asked how far a stage is.
func (s *duplicateScan) progress(stage string) func(more int) {
	return counted(s.asked.told, stage, cap(s.seen))
}

// selectedPoints is about how many points are selected.
func (c *Collection) selectedPoints(allow *index.Bitmap) int {
	n := int(c.points.Load())
	if allow != nil {
		n = min(n, allow.Len())
	}
	return n
}

// partners are the points that one may be a pair with; nil for all.
func (s *duplicateScan) partners(slot uint32) *index.Bitmap {
	switch {
	case s.between == nil:
		return s.asked.allow
	case s.between.Has(slot):
		return s.rest
	}
	return s.between
}

// remember keeps what is needed of a point.
func (s *duplicateScan) remember(p storedPoint) error {
	content, err := s.generation.contentOf(p)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	s.seen = append(s.seen, scannedPoint{slot: p.slot, size: uint32(len(content)), id: p.id, seq: p.seq, content: [16]byte(sum[:16])})
	return nil
}

// reserve makes room for up to n pairs that are offered.
func (s *duplicateScan) reserve(n int) {
	if s.asked.within == nil {
		s.pairs = make([]scanPair, 0, min(n, mostPairs()))
	}
}

// offer takes in a pair of places unless it is beyond reach or of copies, which are pairs
// already. Where more than nearestPairs are offered, it is the nearest that stay.
func (s *duplicateScan) offer(a, b uint32, distance float64) {
	if distance >= s.reach || s.seen[a].content == s.seen[b].content {
		return
	}
	if s.asked.within == nil && len(s.pairs) >= mostPairs() {
		s.prune()
	}
	s.pairs = append(s.pairs, scanPair{a: min(a, b), b: max(a, b), distance: distance})
}

// prune lets go of the farthest pairs.
func (s *duplicateScan) prune() {
	selectLeast(s.pairs, nearestPairs, func(p, q scanPair) bool { return p.distance < q.distance })
	s.reach = s.pairs[nearestPairs].distance
	s.pairs = slices.DeleteFunc(s.pairs, func(p scanPair) bool { return p.distance >= s.reach })
}

// places are those of all points seen.
func (s *duplicateScan) places() []uint32 {
	out := make([]uint32, len(s.seen))
	for i := range out {
		out[i] = uint32(i)
	}
	return out
}

// addCopies adds a pair of each point and the first whose bytes are the same, of those it
// may go with.
func (s *duplicateScan) addCopies(ctx context.Context) error {
	type placed struct {
		begins uint64 // the content's first bytes: others are seldom looked at
		at     uint32
	}
	order := make([]placed, len(s.seen))
	for i := range order {
		order[i] = placed{binary.BigEndian.Uint64(s.seen[i].content[:]), uint32(i)}
	}
	err := sortWhile(ctx, order, func(p, q placed) int { // copies side by side, as they were seen
		if p.begins != q.begins {
			return cmp.Compare(p.begins, q.begins)
		}
		return cmp.Or(bytes.Compare(s.seen[p.at].content[:], s.seen[q.at].content[:]), cmp.Compare(p.at, q.at))
	})
	if err != nil {
		return err
	}
	var copies []uint32
	for i, p := range order {
		if i > 0 && s.seen[p.at].content != s.seen[order[i-1].at].content {
			s.addCopiesOf(copies)
			copies = copies[:0]
		}
		copies = append(copies, p.at)
	}
	s.addCopiesOf(copies)
	return nil
}

// addCopiesOf adds the pairs of points whose bytes are the same.
func (s *duplicateScan) addCopiesOf(copies []uint32) {
	if len(copies) < 2 {
		return
	}
	side := func(at uint32) int {
		if s.between != nil && s.between.Has(s.seen[at].slot) {
			return 1
		}
		return 0
	}
	first := func(of int) int { return slices.IndexFunc(copies, func(at uint32) bool { return side(at) == of }) }
	firsts := [2]int{first(0), first(1)}
	for i, at := range copies {
		own := side(at)
		with := firsts[own]
		if s.between != nil {
			with = firsts[1-own]
		}
		if with < 0 || with == i || i < with && firsts[own] == i { // one pair of two firsts
			continue
		}
		s.pairs = append(s.pairs, scanPair{a: min(at, copies[with]), b: max(at, copies[with]), exact: true})
	}
}

// settle puts places and pairs in the order that groups list them in, by distance and then
// by ids: what a threshold lets in is then at the beginning, and groups need no sorting.
func (s *duplicateScan) settle(ctx context.Context) error {
	s.byID = s.places()
	if err := sortWhile(ctx, s.byID, func(a, b uint32) int { return s.seen[a].id.Compare(s.seen[b].id) }); err != nil {
		return err
	}
	rank := make([]uint32, len(s.seen))
	for i, at := range s.byID {
		rank[at] = uint32(i)
	}
	for i, p := range s.pairs {
		if rank[p.a] > rank[p.b] {
			s.pairs[i].a, s.pairs[i].b = p.b, p.a
		}
	}
	if err := sortByKey(ctx, s.pairs, (*scanPair).key); err != nil {
		return err
	}
	for rest := s.pairs; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].distance == rest[0].distance {
			n++
		}
		if err := sortWhile(ctx, rest[:n], func(p, q scanPair) int {
			return cmp.Or(cmp.Compare(rank[p.a], rank[q.a]), cmp.Compare(rank[p.b], rank[q.b]))
		}); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// key orders pairs by distance.
func (p *scanPair) key() uint64 { return floatKey(p.distance) }

// selectLeast puts the k least values first, in no order: Hoare's quickselect.
func selectLeast[T any](v []T, k int, less func(a, b T) bool) {
	for lo, hi := 0, len(v)-1; lo < hi; {
		pivot := v[lo+(hi-lo)/2]
		i, j := lo, hi
		for i <= j {
			for less(v[i], pivot) {
				i++
			}
			for less(pivot, v[j]) {
				j--
			}
			if i <= j {
				v[i], v[j] = v[j], v[i]
				i++
				j--
			}
		}
		switch {
		case k <= j:
			hi = j
		case k >= i:
			lo = i
		default:
			return
		}
	}
}
