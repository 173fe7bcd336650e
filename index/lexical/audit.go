package lexical

import (
	"fmt"
	"math"

	"github.com/latentdb/latentdb/index"
)

// Fingerprint is a number that terms have whatever their order: others have the same one
// by chance alone, once in 2⁶³. It is never 0.
func Fingerprint(terms []Term) uint64 {
	var sum uint64
	for _, t := range terms {
		sum += fingerprint(t.ID, t.steps())
	}
	return sum | 1
}

// fingerprint is one term's, by the finaliser of SplitMix64.
func fingerprint(id uint32, steps byte) uint64 {
	h := uint64(id)<<8 | uint64(steps)
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// Audit gives the fingerprint of what the index holds of each slot, 0 for a slot without
// a document, and tells of a document whose length is not that of its terms. Cost: a few
// nanoseconds for each document of each term.
func (x *Index) Audit() ([]uint64, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	sums, squares := make([]uint64, len(x.slots)), make([]float64, len(x.slots))
	for i := range x.lists {
		p := &x.lists[i]
		p.each(func(doc uint32, steps byte) {
			sums[doc] += fingerprint(p.id, steps)
			squares[doc] += squared(float64(p.weight) * float64(steps))
		})
	}
	prints := make([]uint64, len(x.docs))
	for slot, doc := range x.docs {
		if doc == 0 {
			continue
		}
		prints[slot] = sums[doc-1] | 1
		if want := inverse(squares[doc-1]); math.Abs(float64(x.norms[doc-1]-want)) > 1e-5*float64(want) {
			return nil, fmt.Errorf("%w: terms of slot %d have another length than is kept", index.ErrCorrupt, slot)
		}
	}
	return prints, nil
}
