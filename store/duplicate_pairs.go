package store

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/latentdb/latentdb/store/internal/linkage"
)

// MaxPairs is how many pairs are scored at once.
const MaxPairs = 100_000

// PairScores are given pairs as Duplicates measures them.
type PairScores struct {
	Method DuplicateMethod `json:"method"`
	// Threshold is the suggested one, or the query's.
	Threshold float64 `json:"threshold"`
	// Pairs are in the order they were asked for.
	Pairs []DuplicatePair `json:"pairs"`
}

// PairScores measures pairs of points as Duplicates would, whether or not they are near
// enough for it to find: it learns of the points that the query compares, as Duplicates
// does for the same query. Cost: that scan, unless it was the last, and some tens of
// microseconds a pair.
func (c *Collection) PairScores(ctx context.Context, q DuplicateQuery, pairs [][2]ID) (*PairScores, error) {
	if len(pairs) > MaxPairs {
		return nil, invalid("pairs", "are %d; the limit is %d", len(pairs), MaxPairs)
	}
	if q.Threshold != nil && !(*q.Threshold >= 0) {
		return nil, invalid("threshold", "is %v; it must be 0 or more", *q.Threshold)
	}
	asked, err := c.comparison(ctx, q)
	if err != nil {
		return nil, err
	}
	scan, err := c.duplicateScan(ctx, asked)
	if err != nil {
		return nil, err
	}
	out := &PairScores{Method: scan.search.method, Threshold: scan.suggested, Pairs: make([]DuplicatePair, len(pairs))}
	if q.Threshold != nil {
		out.Threshold = *q.Threshold
	}
	scorer := c.pairScorer(scan)
	return out, c.view(func(g *ground) error {
		for i, ids := range pairs {
			slots, err := g.slotsOf(ids[:])
			if err != nil {
				return fmt.Errorf("pairs[%d]: %w", i, err)
			}
			if scorer == nil {
				return fmt.Errorf("%w: no point of pairs[%d]", ErrNotFound, i)
			}
			if out.Pairs[i], err = scorer.score(g, ids, [2]uint32(slots)); err != nil {
				return fmt.Errorf("pairs[%d]: %w", i, err)
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return nil
	})
}

// pairScorer measures two points and says what they have in common. It keeps what it has
// read last of one transaction, and is not for many goroutines.
type pairScorer struct {
	scan     *duplicateScan
	measure  measureFunc                  // where rows decide
	contents map[uint32][sha256.Size]byte // by slot
	records  map[uint32]*linkage.Record   // by slot, where fields decide
	terms    int                          // of these records
}

// scorerTerms and scorerContents bound what a scorer keeps: some 100 MB each.
const scorerTerms, scorerContents = 8 << 20, 1 << 20

// pairScorer is nil where there are no points to measure.
func (c *Collection) pairScorer(scan *duplicateScan) *pairScorer {
	if scan.generation == nil || scan.generation.fitted == nil {
		return nil
	}
	s := &pairScorer{scan: scan, contents: make(map[uint32][sha256.Size]byte), records: make(map[uint32]*linkage.Record)}
	if scan.matcher == nil {
		s.measure = c.measurer(scan)
	}
	return s
}

func (s *pairScorer) score(g *ground, ids [2]ID, slots [2]uint32) (out DuplicatePair, err error) {
	out = DuplicatePair{A: ids[0], B: ids[1]}
	var of [2][sha256.Size]byte
	there := true
	for i, slot := range slots {
		ok := false
		if of[i], ok, err = s.contentOf(g, slot); err != nil {
			return out, err
		}
		there = there && ok
	}
	switch {
	case !there:
	case s.measure != nil:
		out.Distance, there, err = s.measure(g, slots[0], slots[1])
	default:
		out.Distance, out.Fields, there, err = s.match(g, slots)
	}
	if err == nil && !there {
		err = fmt.Errorf("%w: a point went meanwhile", ErrNotFound)
	}
	if out.Exact = of[0] == of[1]; out.Exact {
		out.Distance = 0 // as among the pairs found, whatever rounding makes of it
	}
	return out, err
}

// contentOf tells the bytes by which copies are told; ok is false if there is no point.
func (s *pairScorer) contentOf(g *ground, slot uint32) (sum [sha256.Size]byte, ok bool, err error) {
	if sum, ok = s.contents[slot]; ok {
		return sum, true, nil
	}
	p, ok, err := g.point(slot)
	if err != nil || !ok {
		return sum, false, err
	}
	content, err := s.scan.generation.contentOf(p)
	if err != nil {
		return sum, false, err
	}
	if len(s.contents) >= scorerContents {
		clear(s.contents)
	}
	sum = sha256.Sum256(content)
	s.contents[slot] = sum
	return sum, true, nil
}

// match compares two points by fields.
func (s *pairScorer) match(g *ground, slots [2]uint32) (distance float64, fields []FieldSimilarity, ok bool, err error) {
	var records [2]*linkage.Record
	for i, slot := range slots {
		if records[i], err = s.record(g, slot); err != nil || records[i] == nil {
			return 0, nil, false, err
		}
	}
	m := s.scan.matcher
	match := m.links.Score(linkage.Pair{A: m.place(slots[0]), B: m.place(slots[1])}, records[0], records[1])
	return 1 - match.Probability, m.similarities(match.Fields), true, nil
}

// record is a slot's record prepared to be compared; nil if it has none.
func (s *pairScorer) record(g *ground, slot uint32) (*linkage.Record, error) {
	if r := s.records[slot]; r != nil {
		return r, nil
	}
	p, ok, err := g.point(slot)
	if err != nil || !ok || p.data == nil {
		return nil, err
	}
	values, err := s.scan.matcher.form.values(p.data)
	if err != nil {
		return nil, fmt.Errorf("%w: record of slot %d: %v", ErrCorrupt, slot, err)
	}
	r := s.scan.matcher.links.Prepare(values)
	if s.terms += r.Terms(); s.terms > scorerTerms {
		clear(s.records)
		s.terms = r.Terms()
	}
	s.records[slot] = r
	return r, nil
}
