package store

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"

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
	// damaged are the slots whose records have no terms, and why, until they are replaced.
	mu      sync.Mutex
	damaged map[uint32]error
}

// newLexicon is nil for a source whose records have no terms.
func newLexicon(spec source.Spec) *lexicon {
	if l, ok := spec.(source.Lexical); ok {
		return &lexicon{spec: l, index: lexical.New(), damaged: make(map[uint32]error)}
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
	l.mu.Lock()
	defer l.mu.Unlock()
	for slot := range changed {
		delete(l.damaged, slot)
	}
}

// whole tells whether every record has its terms: if not, the reason of the first.
func (l *lexicon) whole() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.damaged) == 0 {
		return nil
	}
	return l.damaged[slices.Min(slices.Collect(maps.Keys(l.damaged)))]
}

// bytes is the memory held.
func (l *lexicon) bytes() int64 {
	if l == nil {
		return 0
	}
	return l.index.Bytes()
}

// fillLexicon enters the terms of all records. Nobody writes yet. A record that is damaged
// must not keep the database from opening: whoever searches by terms is told. Cost: some
// tens of microseconds a short text, on each core.
func (c *Collection) fillLexicon() error {
	if c.lexicon == nil {
		return nil
	}
	next := []byte{0, 0, 0, 0}
	for next != nil {
		if err := c.view(func(g *ground) (err error) {
			next, err = c.lexicon.fillFrom(g, next, c.opts.Workers)
			return err
		}); err != nil {
			return err
		}
	}
	for slot, err := range c.lexicon.damaged {
		c.log.Warn("a record has no terms", "slot", slot, "error", err)
	}
	return nil
}

// fillFrom enters the terms of some records from a key on, and gives the key to go on from.
func (l *lexicon) fillFrom(g *ground, from []byte, workers int) (next []byte, err error) {
	var slots []uint32
	var entries []slotEntry
	next, err = g.entriesFrom(from, func(slot uint32, e slotEntry) {
		slots, entries = append(slots, slot), append(entries, e)
	})
	records, failed := make([]storedPoint, len(slots)), make([]error, len(slots))
	for i := range slots {
		records[i], failed[i] = g.content(slots[i], entries[i])
	}
	documents := make([]lexical.Document, len(slots))
	inParallel(workers, len(slots), func(i int) {
		documents[i].Slot = slots[i]
		if failed[i] == nil {
			documents[i].Terms, failed[i] = l.terms(records[i].data)
		}
	})
	whole := documents[:0]
	for i, err := range failed {
		if err != nil {
			l.damaged[slots[i]] = fmt.Errorf("%w: terms of id %s: %v", ErrCorrupt, entries[i].id, err)
		} else {
			whole = append(whole, documents[i])
		}
	}
	l.index.Put(whole...)
	return next, err
}
