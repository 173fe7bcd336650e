package store

import (
	"context"
	"errors"

	"github.com/latentdb/latentdb/index"
)

// Duplicates groups points that lie within a threshold of each other, directly
// or through others of the group. Points with the same bytes are always
// grouped. Cost: one search of every point compared; another threshold, policy or limit
// costs no more than reading the groups, until something is written.
func (c *Collection) Duplicates(ctx context.Context, q DuplicateQuery) (*Duplicates, error) {
	out, _, err := c.findDuplicates(ctx, q)
	return out, err
}

// Deduplicate removes from each group of duplicates the points within the
// threshold of its kept point; of a group that is a chain, it keeps more than
// one, so that nothing leaves without a near copy that stays. Where the query compares
// Between some points and the rest, the rest stays. A limit in the query leaves the groups
// after the first ones alone. With dryRun it only tells what it would remove. Points that
// change while it runs are left alone.
//
// What was removed is kept for UndoDeduplicate, in the same transaction, in the place of
// what the deduplication before kept, until another generation is switched to, by a fit or
// by Activate. More than MaxUndoBytes of it is refused, and nothing removed; with
// DuplicateQuery.NoUndo nothing is kept, and what was kept before stays. Where originals
// are dropped, latents are kept and never records.
func (c *Collection) Deduplicate(ctx context.Context, q DuplicateQuery, dryRun bool) (*Deduplication, error) {
	found, scan, err := c.findDuplicates(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &Deduplication{DryRun: dryRun, Method: found.Method, Threshold: found.Threshold,
		ExpectedPrecision: found.ExpectedPrecision, Points: found.Points}
	if out.Removed, err = c.removals(scan, found); err != nil || dryRun || len(out.Removed) == 0 {
		return out, err
	}
	r := &request{duplicates: out.Removed, notAfter: scan.seq, keep: !q.NoUndo, done: make(chan struct{})}
	if err := c.carryOut(ctx, r); err != nil {
		return nil, err
	}
	out.Removed, out.Undo = append([]Removed{}, r.removed...), r.undo
	return out, nil
}

func (c *Collection) findDuplicates(ctx context.Context, q DuplicateQuery) (*Duplicates, *duplicateScan, error) {
	setDefault(&q.Keep, KeepFirst)
	switch {
	case q.Threshold != nil && !(*q.Threshold >= 0):
		return nil, nil, invalid("threshold", "is %v; it must be 0 or more", *q.Threshold)
	case q.Limit < 0:
		return nil, nil, invalid("limit", "is %d; it must be 0 (all) or more", q.Limit)
	}
	if err := q.Keep.check(); err != nil {
		return nil, nil, err
	}
	scan, err := c.duplicateScan(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	out := &Duplicates{Method: scan.search.method, Threshold: scan.suggested, Points: len(scan.seen)}
	if q.Threshold != nil {
		out.Threshold = *q.Threshold
	}
	out.ExpectedPrecision = scan.expectedPrecision(out.Threshold)
	out.Groups, err = c.groups(scan, out.Threshold, q.Keep)
	if q.Limit > 0 {
		out.Groups = out.Groups[:min(q.Limit, len(out.Groups))]
	}
	return out, scan, err
}

// duplicateScan is the scan that a query asks for, the last one if nothing has changed.
func (c *Collection) duplicateScan(ctx context.Context, q DuplicateQuery) (*duplicateScan, error) {
	if c.stopped() {
		return nil, ErrClosed
	}
	allow, err := c.selection(ctx, q.Filter)
	if err != nil {
		return nil, err
	}
	var between *index.Bitmap
	if q.Between != nil {
		if between, err = c.selection(ctx, q.Between); err != nil {
			return nil, err
		}
		if between == nil {
			return nil, invalid("between", "selects all points; it must leave some to compare with")
		}
	}
	gen := c.active.Load()
	scan, err := c.scanDuplicates(ctx, gen, allow, between)
	if now := c.active.Load(); errors.Is(err, ErrNoOriginals) && now != gen { // they went with it
		scan, err = c.scanDuplicates(ctx, now, allow, between)
	}
	return scan, err
}
