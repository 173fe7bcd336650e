package lexical

import (
	"slices"
	"sync"

	"github.com/latentdb/latentdb/index"
)

// accumulators are the memory of scores by document, kept for the next search.
var accumulators = sync.Pool{New: func() any { return new([]float32) }}

// Scores gives every slot's score for a query, in dst's memory if it is large enough: the
// cosine between their TF-IDF vectors, 0 to 1, and -1 for a slot without a document. A
// term of the query that no document has counts in the query's length, as rare as a term
// can be. Cost: a few nanoseconds for each document of each of the query's terms, and one
// for each slot.
func (x *Index) Scores(dst []float32, query []Term) []float32 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	memory := accumulators.Get().(*[]float32)
	defer accumulators.Put(memory)
	sums := slices.Grow((*memory)[:0], len(x.slots))[:len(x.slots)]
	clear(sums)
	*memory = sums
	var square float64
	for _, t := range query {
		steps := float32(t.steps())
		place, known := x.terms[t.ID]
		if !known {
			square += squared(float64(steps * inverseFrequency(x.weighed, 0)))
			continue
		}
		list := &x.lists[place]
		square += squared(float64(steps * list.weight))
		list.addTo(sums, steps*list.weight*list.weight)
	}
	dst = slices.Grow(dst[:0], len(x.docs))[:len(x.docs)]
	for slot := range dst {
		dst[slot] = -1
	}
	norm := inverse(square)
	for doc, slot := range x.slots {
		if slot != nobody {
			dst[slot] = min(sums[doc]*x.norms[doc]*norm, 1)
		}
	}
	return dst
}

// Nearest appends to dst the k slots of the largest scores that Scores gave, of those
// allowed (nil: all), nearest first. A hit's distance is one less its score.
func Nearest(dst []index.Hit, scores []float32, k int, allow *index.Bitmap) []index.Hit {
	top := index.NewTopK(k)
	for slot, score := range scores {
		if score >= 0 && (allow == nil || allow.Has(uint32(slot))) {
			top.Push(index.Hit{Slot: uint32(slot), Distance: 1 - score})
		}
	}
	return top.AppendTo(dst)
}
