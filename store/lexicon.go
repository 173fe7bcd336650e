package store

import (
	"context"
	"fmt"
	"math"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/index/lexical"
)

// lexicon is the inverted index of a collection whose records have terms. It is one for
// all generations, for terms depend on the source's configuration alone: a fit neither
// makes it anew nor waits for it. It follows every commit before that is visible, so
// there is no tail of it.
type lexicon struct {
	spec  source.Lexical
	index *lexical.Index
}

// newLexicon is nil for a source whose records have no terms.
func newLexicon(spec source.Spec) *lexicon {
	if l, ok := spec.(source.Lexical); ok {
		return &lexicon{spec: l, index: lexical.New()}
	}
	return nil
}

// terms are a record's, as the index weighs them: a term that occurs twice as often is
// not twice as much what a record is about.
func (l *lexicon) terms(record []byte) ([]lexical.Term, error) {
	terms, err := l.spec.Terms(nil, record)
	if err != nil {
		return nil, err
	}
	out := make([]lexical.Term, len(terms))
	for i, t := range terms {
		out[i] = lexical.Term{ID: t.ID, Weight: sublinear(t.Count)}
	}
	return out, nil
}

func sublinear(count float32) float32 {
	if count <= 1 {
		return count
	}
	return 1 + float32(math.Log(float64(count)))
}

// prepare gives points their terms.
func (l *lexicon) prepare(points []preparedPoint) error {
	if l == nil {
		return nil
	}
	for i := range points {
		terms, err := l.terms(points[i].record)
		if err != nil {
			return invalidCause(fmt.Sprintf("points[%d].record", points[i].at), err)
		}
		points[i].terms = terms
	}
	return nil
}

// follow enters what became of slots.
func (l *lexicon) follow(changed map[uint32]slotChange) {
	if l == nil || len(changed) == 0 {
		return
	}
	documents, gone := make([]lexical.Document, 0, len(changed)), []uint32(nil)
	for slot, ch := range changed {
		if ch.point == nil {
			gone = append(gone, slot)
		} else {
			documents = append(documents, lexical.Document{Slot: slot, Terms: ch.point.terms})
		}
	}
	l.index.Delete(gone...)
	l.index.Put(documents...)
}

// bytes is the memory held.
func (l *lexicon) bytes() int64 {
	if l == nil {
		return 0
	}
	return l.index.Bytes()
}

// fillLexicon enters the terms of all records. Nobody writes yet. Cost: some tens of
// microseconds a short text, on each core.
func (c *Collection) fillLexicon() error {
	if c.lexicon == nil {
		return nil
	}
	return c.eachPoint(context.Background(), nil, func(chunk []storedPoint) error {
		documents, failed := make([]lexical.Document, len(chunk)), make([]error, len(chunk))
		inParallel(c.opts.Workers, len(chunk), func(i int) {
			documents[i].Slot = chunk[i].slot
			documents[i].Terms, failed[i] = c.lexicon.terms(chunk[i].data)
		})
		for i, err := range failed {
			if err != nil {
				return fmt.Errorf("%w: record of slot %d: %v", ErrCorrupt, chunk[i].slot, err)
			}
		}
		c.lexicon.index.Put(documents...)
		return nil
	})
}
