package store

import (
	"context"
	"errors"
	"os"

	"github.com/latentdb/latentdb/index/lexical"
)

// checkLexicon compares the terms in memory, and those of the snapshot, with the records.
// The snapshot may be older than the points, and may be missing: opening makes another.
func (c *Collection) checkLexicon(ctx context.Context, out *CheckReport) error {
	if c.lexicon == nil {
		return nil
	}
	held, err := c.lexicon.index.Audit()
	if err != nil {
		out.note("%v", err)
	}
	saved, applied := c.auditSnapshot(out)
	points := 0
	err = c.eachPoint(ctx, nil, func(chunk []storedPoint) error {
		prints, errs := make([]uint64, len(chunk)), make([]error, len(chunk))
		inParallel(c.opts.Workers, len(chunk), func(i int) {
			var terms []lexical.Term
			terms, errs[i] = c.lexicon.terms(chunk[i].data)
			prints[i] = lexical.Fingerprint(terms)
		})
		points += len(chunk)
		for i, p := range chunk {
			switch {
			case errs[i] != nil:
				out.note("terms of id %s: %v", p.id, errs[i])
			case held != nil && printOf(held, p.slot) != prints[i]:
				out.note("id %s has other terms in memory than its record", p.id)
			case saved != nil && p.seq <= applied && printOf(saved, p.slot) != prints[i]:
				out.note("id %s has other terms in the snapshot than its record", p.id)
			}
		}
		return nil
	})
	if errors.Is(err, ErrCorrupt) {
		out.note("%v", err)
		return nil
	}
	if n := c.lexicon.index.Len(); err == nil && n != points {
		out.note("the terms of %d points are held, there are %d", n, points)
	}
	return err
}

// auditSnapshot tells what the snapshot holds, if it is there, and which change it reaches.
func (c *Collection) auditSnapshot(out *CheckReport) (prints []uint64, applied uint64) {
	h, x, err := c.readLexicon()
	if errors.Is(err, os.ErrNotExist) {
		return nil, 0
	}
	if err == nil {
		prints, err = x.Audit()
	}
	if err != nil {
		out.note("snapshot of terms: %v", err)
	}
	return prints, h.AppliedSeq
}

// printOf is a slot's fingerprint, 0 for a slot beyond the last.
func printOf(prints []uint64, slot uint32) uint64 {
	if int(slot) < len(prints) {
		return prints[slot]
	}
	return 0
}
