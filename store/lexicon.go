package store

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"

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

	// following is held while the index changes, or is copied with what is below. No
	// search waits for it.
	following sync.Mutex
	applied   uint64 // the last change that the index holds
	unsaved   int    // changes since the snapshot
	saving    atomic.Bool

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

// follow enters what became of slots: by that the index reaches a change.
func (l *lexicon) follow(changed map[uint32]slotChange, seq uint64) {
	if l == nil {
		return
	}
	documents, gone := make([]lexical.Document, 0, len(changed)), []uint32(nil)
	for _, slot := range slices.Sorted(maps.Keys(changed)) {
		if point := changed[slot].point; point == nil {
			gone = append(gone, slot)
		} else {
			documents = append(documents, lexical.Document{Slot: slot, Terms: point.terms})
		}
	}
	l.enter(documents, gone, nil, seq)
}

// enter gives slots terms, or takes them out. failed are those of the latter whose records
// have no terms.
func (l *lexicon) enter(documents []lexical.Document, gone []uint32, failed map[uint32]error, seq uint64) {
	l.following.Lock()
	defer l.following.Unlock()
	l.applied = seq
	l.unsaved += len(documents) + len(gone)
	if len(gone) > 0 {
		l.index.Delete(gone...)
	}
	if len(documents) > 0 {
		l.index.Put(documents...)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range documents {
		delete(l.damaged, d.Slot)
	}
	for _, slot := range gone {
		delete(l.damaged, slot)
	}
	maps.Copy(l.damaged, failed)
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
