package store

import (
	"context"
	"fmt"
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
	measure := c.measurer(scan)
	return out, c.view(func(g *ground) error {
		for i, ids := range pairs {
			slots, err := g.slotsOf(ids[:])
			if err != nil {
				return fmt.Errorf("pairs[%d]: %w", i, err)
			}
			if measure == nil {
				return fmt.Errorf("%w: no point of pairs[%d]", ErrNotFound, i)
			}
			if out.Pairs[i], err = scan.scorePair(g, measure, ids, slots); err != nil {
				return fmt.Errorf("pairs[%d]: %w", i, err)
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return nil
	})
}

// scorePair measures two points and says what they have in common.
func (s *duplicateScan) scorePair(g *ground, measure measureFunc, ids [2]ID, slots []uint32) (out DuplicatePair, err error) {
	out = DuplicatePair{A: ids[0], B: ids[1]}
	if out.Exact, err = s.generation.sameContent(g, slots[0], slots[1]); err != nil {
		return out, err
	}
	var ok bool
	if s.matcher != nil {
		match, there, err := s.matcher.match(g, slots[0], slots[1])
		if err != nil {
			return out, err
		}
		ok, out.Distance, out.Fields = there, 1-match.Probability, s.matcher.similarities(match.Fields)
	} else if out.Distance, ok, err = measure(g, slots[0], slots[1]); err != nil {
		return out, err
	}
	if !ok {
		return out, fmt.Errorf("%w: a point went meanwhile", ErrNotFound)
	}
	if out.Exact {
		out.Distance = 0 // as among the pairs found, whatever rounding makes of it
	}
	return out, nil
}
