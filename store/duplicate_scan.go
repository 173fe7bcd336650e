package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"slices"

	"github.com/latentdb/latentdb/index"
)

// scanPair is two points near each other, by their places among those seen, and their
// distance as the collection's default space measures it.
type scanPair struct {
	a, b     uint32
	distance float64
	exact    bool
	fields   []FieldSimilarity // where these decide
}

// scannedPoint is what a scan remembers of a point.
type scannedPoint struct {
	slot    uint32
	size    uint32 // of its content in bytes
	id      ID
	seq     uint64
	content [16]byte // the first half of its content's SHA-256
}

// duplicateScan is the near pairs of the points compared, from which any threshold's
// groups can be read.
type duplicateScan struct {
	generation *generation
	search     neighbourSearch
	seq        uint64 // the last change before the scan began
	// allow selects the points compared, nil for all; where between is not nil, one of a
	// pair is of it and the other of rest.
	allow, between, rest *index.Bitmap

	seen  []scannedPoint // ascending by slot
	byID  []uint32       // their places in order of ids
	pairs []scanPair
	// usual is what points that are no duplicates of each other show.
	usual []spacing
	// matcher compares by fields, where these decide; else nil.
	matcher   *fieldMatcher
	suggested float64 // threshold
}

// newScan is a scan that has seen nothing.
func (c *Collection) newScan(gen *generation, allow, between *index.Bitmap) *duplicateScan {
	scan := &duplicateScan{generation: gen, search: neighbourSearch{method: MethodInput}, seq: c.published.Load(), allow: allow}
	if between != nil {
		scan.between, scan.rest = between.Clone(), index.NewBitmap()
		scan.rest.FillTo(int(c.slots.Load()))
		scan.rest.AndNot(between)
		if allow != nil {
			scan.between.And(allow)
			scan.rest.And(allow)
		}
	}
	return scan
}

// scanDuplicates finds the points near each other, and those whose bytes are the same.
func (c *Collection) scanDuplicates(ctx context.Context, gen *generation, allow, between *index.Bitmap) (*duplicateScan, error) {
	scan := c.newScan(gen, allow, between)
	if gen.fitted == nil {
		return scan, gen.broken
	}
	if last := c.lastScan.like(scan); last != nil {
		return last, nil
	}
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
	scan.settle()
	if c.published.Load() == scan.seq {
		c.lastScan.keep(scan)
	}
	return scan, nil
}

// place is where a slot's point is among those seen; false for one that was not.
func (s *duplicateScan) place(slot uint32) (uint32, bool) {
	at, ok := slices.BinarySearchFunc(s.seen, slot, func(p scannedPoint, slot uint32) int { return cmp.Compare(p.slot, slot) })
	return uint32(at), ok
}

// partners are the points that one may be a pair with; nil for all.
func (s *duplicateScan) partners(slot uint32) *index.Bitmap {
	switch {
	case s.between == nil:
		return s.allow
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

// addCopies adds a pair of each point and the first whose bytes are the same, of those it
// may go with.
func (s *duplicateScan) addCopies() {
	type first struct{ of, other int } // places on either side of between; -1 for none
	firsts := make(map[[16]byte]first, len(s.seen))
	side := func(p *scannedPoint) bool { return s.between != nil && s.between.Has(p.slot) }
	for i := range s.seen {
		p := &s.seen[i]
		f, ok := firsts[p.content]
		if !ok {
			f = first{-1, -1}
		}
		if side(p) && f.other < 0 {
			f.other = i
		} else if !side(p) && f.of < 0 {
			f.of = i
		}
		firsts[p.content] = f
	}
	known := make(map[[2]uint32]bool) // one pair of two firsts
	for i := range s.seen {
		p := &s.seen[i]
		with := firsts[p.content].of
		if s.between != nil && !side(p) {
			with = firsts[p.content].other
		}
		if with < 0 || with == i {
			continue
		}
		pair := [2]uint32{uint32(min(with, i)), uint32(max(with, i))}
		if !known[pair] {
			known[pair] = true
			s.pairs = append(s.pairs, scanPair{a: pair[0], b: pair[1], exact: true})
		}
	}
}

// settle puts places and pairs in the order that groups list them in: what a threshold
// lets in is then at the beginning, and groups need no sorting.
func (s *duplicateScan) settle() {
	s.byID = make([]uint32, len(s.seen))
	for i := range s.byID {
		s.byID[i] = uint32(i)
	}
	slices.SortFunc(s.byID, func(a, b uint32) int { return s.seen[a].id.Compare(s.seen[b].id) })
	rank := make([]uint32, len(s.seen))
	for i, at := range s.byID {
		rank[at] = uint32(i)
	}
	for i, p := range s.pairs {
		if rank[p.a] > rank[p.b] {
			s.pairs[i].a, s.pairs[i].b = p.b, p.a
		}
	}
	slices.SortFunc(s.pairs, func(p, q scanPair) int {
		if p.distance != q.distance {
			return cmp.Compare(p.distance, q.distance)
		}
		return cmp.Or(cmp.Compare(rank[p.a], rank[q.a]), cmp.Compare(rank[p.b], rank[q.b]))
	})
}
