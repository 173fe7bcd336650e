// Package lexical finds records by their terms: an inverted index over hashed term
// ids, whose score is the cosine between TF-IDF vectors (Salton and Buckley, "Term-
// weighting approaches in automatic text retrieval", 1988). It is the exact scan: every
// record that shares a term with a query is scored.
//
// It knows terms by their number alone, and records by their slot.
package lexical

import (
	"math"
	"slices"
	"sync"
)

// Term is one term of a record.
type Term struct {
	// ID names the term.
	ID uint32
	// Weight is how much of it the record has: 1 for a term that occurs once. It is kept
	// in steps of 1/32, from one step to 255 of them.
	Weight float32
}

// weightSteps is how many steps make a weight of 1.
const weightSteps = 32

// steps is a weight as it is kept.
func (t Term) steps() byte {
	return byte(max(1, min(float64(t.Weight)*weightSteps+.5, math.MaxUint8)))
}

// nobody stands for the slot of a document that is gone.
const nobody = math.MaxUint32

// Index is an inverted index. A slot's terms are a document; documents are numbered as
// they come, so that postings only ever grow at their end, and one that was replaced
// leaves a number behind until an eighth of them are dead, when all are written anew.
//
// The weight of a term falls with the documents that have it. It is worked out again
// whenever the documents have grown by a twentieth, and dead ones count until then: so
// scores move a little with what is written, and a new document costs only its own terms.
//
// The zero value is not usable. All methods may be called at once.
type Index struct {
	mu    sync.RWMutex
	terms map[uint32]uint32 // the place of a term's postings, by the term's id
	lists []postings
	slots []uint32  // by document
	norms []float32 // by document: one by the length of its vector
	docs  []uint32  // by slot: its document and 1, or 0
	live  int
	// weighed is how many documents there were when terms were weighed.
	weighed int
	size    int // bytes of postings
}

// postings are the documents that have a term, and how much of it.
type postings struct {
	data []byte // only ever appended to
	id   uint32 // the term's
	next uint32 // the least document that may follow
	// count is how many documents have the term, weight its inverse document frequency as
	// of the last time that terms were weighed.
	count  uint32
	weight float32
}

// New returns an empty index.
func New() *Index { return &Index{terms: make(map[uint32]uint32)} }

// Len is how many slots have a document.
func (x *Index) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.live
}

// Bytes is about the memory held.
func (x *Index) Bytes() int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	const entry = 8 + 8 + 40 // of the map, with the room it keeps, and of the list
	return int64(x.size) + int64(len(x.terms))*entry + 4*int64(cap(x.slots)+cap(x.norms)+cap(x.docs))
}

// Document is the terms of a slot, each id once.
type Document struct {
	Slot  uint32
	Terms []Term
}

// Put gives slots their terms, in the place of what they had.
func (x *Index) Put(documents ...Document) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, d := range documents {
		x.remove(d.Slot)
		x.add(d)
	}
	x.settle()
}

// Delete removes slots' terms; slots without are passed over.
func (x *Index) Delete(slots ...uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range slots {
		x.remove(s)
	}
	x.settle()
}

// Compact forgets what was deleted and weighs terms: then the index is what a new one
// would be that was given the same documents at once.
func (x *Index) Compact() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.compact()
	x.weigh()
}

// settle does what is due after changes.
func (x *Index) settle() {
	if dead := len(x.slots) - x.live; dead > x.live/8 {
		x.compact()
		x.weigh()
	} else if grown := len(x.slots) - x.weighed; grown > x.weighed/20 {
		x.weigh()
	}
}

func (x *Index) remove(slot uint32) {
	if int(slot) >= len(x.docs) || x.docs[slot] == 0 {
		return
	}
	x.slots[x.docs[slot]-1] = nobody
	x.docs[slot] = 0
	x.live--
}

func (x *Index) add(d Document) {
	doc := uint32(len(x.slots))
	var square float64
	for _, t := range d.Terms {
		place, known := x.terms[t.ID]
		if !known {
			place = uint32(len(x.lists))
			x.terms[t.ID] = place
			x.lists = append(x.lists, postings{id: t.ID, weight: inverseFrequency(max(x.weighed, 1), 1)})
		}
		list := &x.lists[place]
		before := len(list.data)
		steps := t.steps()
		list.add(doc, steps)
		x.size += len(list.data) - before
		square += squared(float64(list.weight) * float64(steps))
	}
	x.reach(d.Slot)
	x.slots, x.norms = append(x.slots, d.Slot), append(x.norms, inverse(square))
	x.docs[d.Slot] = doc + 1
	x.live++
}

// reach makes docs reach a slot.
func (x *Index) reach(slot uint32) {
	if missing := int(slot) + 1 - len(x.docs); missing > 0 {
		x.docs = append(x.docs, make([]uint32, missing)...)
	}
}

// weigh works out the weights of terms, and with them the lengths of documents.
func (x *Index) weigh() {
	x.weighed = len(x.slots)
	squares := make([]float64, len(x.slots))
	for i := range x.lists {
		list := &x.lists[i]
		list.weight = inverseFrequency(x.weighed, list.count)
		weight := float64(list.weight)
		list.each(func(doc uint32, steps byte) { squares[doc] += squared(weight * float64(steps)) })
	}
	for doc, s := range squares {
		x.norms[doc] = inverse(s)
	}
}

// compact numbers the living documents anew, in the order they have.
func (x *Index) compact() {
	if len(x.slots) == x.live {
		return
	}
	number := make([]uint32, len(x.slots))
	kept := 0
	for doc, slot := range x.slots {
		number[doc] = nobody
		if slot != nobody {
			number[doc] = uint32(kept)
			x.slots[kept], x.norms[kept] = slot, x.norms[doc]
			x.docs[slot] = uint32(kept) + 1
			kept++
		}
	}
	x.slots, x.norms = slices.Clip(x.slots[:kept]), slices.Clip(x.norms[:kept])
	x.size = 0
	lists := x.lists[:0]
	x.terms = make(map[uint32]uint32, len(x.terms)) // a map never gives back what it took
	for _, old := range x.lists {
		fresh := postings{id: old.id, weight: old.weight}
		old.each(func(doc uint32, steps byte) {
			if n := number[doc]; n != nobody {
				fresh.add(n, steps)
			}
		})
		if fresh.count > 0 {
			fresh.data = slices.Clip(fresh.data)
			x.terms[fresh.id] = uint32(len(lists))
			lists = append(lists, fresh)
			x.size += len(fresh.data)
		}
	}
	clear(x.lists[len(lists):])
	x.lists = lists
}

// inverseFrequency is the weight of a term that count of n documents have: as smoothed
// as if one more document had every term, so it is never 0.
func inverseFrequency(n int, count uint32) float32 {
	return float32(math.Log(float64(1+n)/float64(1+count))) + 1
}

func squared(v float64) float64 { return v * v }

// inverse is one by the root of a square; 0 for none.
func inverse(square float64) float32 {
	if square == 0 {
		return 0
	}
	return float32(1 / math.Sqrt(square))
}
