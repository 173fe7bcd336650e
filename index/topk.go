package index

import (
	"math"
	"slices"
)

// Compare orders hits by distance, then by slot: the order of every answer.
func (h Hit) Compare(o Hit) int {
	switch {
	case h.Distance < o.Distance:
		return -1
	case h.Distance > o.Distance:
		return 1
	case h.Slot < o.Slot:
		return -1
	case h.Slot > o.Slot:
		return 1
	}
	return 0
}

// TopK keeps the K closest of the hits pushed to it, in the order of
// Hit.Compare: a bounded heap. Pushing costs O(log K), and one comparison for
// a hit that is not kept. It grows with what is kept, not with K. The zero
// value keeps nothing until Reset. It is not safe for concurrent use.
type TopK struct {
	k int
	// farthest holds complements, so the heap's least is the farthest kept.
	farthest keyHeap
}

// NewTopK returns a TopK of size k; less than 1 keeps nothing.
func NewTopK(k int) *TopK {
	return &TopK{k: k}
}

// Reset empties t and sets its size, keeping its memory.
func (t *TopK) Reset(k int) {
	t.k, t.farthest = k, t.farthest[:0]
}

// Len is the number of hits kept.
func (t *TopK) Len() int { return len(t.farthest) }

// Full tells whether K hits are kept, so that a new one must be closer than
// the farthest of them.
func (t *TopK) Full() bool { return len(t.farthest) >= t.k }

// Push offers a hit and tells whether it is kept, for now. A hit whose
// distance is NaN is never kept.
func (t *TopK) Push(h Hit) bool {
	if h.Distance != h.Distance {
		return false
	}
	return t.offer(makeKey(h.Distance, h.Slot))
}

// Farthest is the farthest hit kept; false when none is.
func (t *TopK) Farthest() (Hit, bool) {
	if len(t.farthest) == 0 {
		return Hit{}, false
	}
	return (^t.farthest[0]).hit(), true
}

// AppendTo appends the kept hits to dst, closest first, and empties t.
func (t *TopK) AppendTo(dst []Hit) []Hit {
	dst = slices.Grow(dst, len(t.farthest))
	for _, k := range t.sorted() {
		dst = append(dst, k.hit())
	}
	t.farthest = t.farthest[:0]
	return dst
}

// bound is the key that a new one must lie below to be kept.
func (t *TopK) bound() key {
	if len(t.farthest) < t.k {
		return math.MaxUint64
	}
	if t.k < 1 {
		return 0
	}
	return ^t.farthest[0]
}

func (t *TopK) offer(k key) bool {
	if len(t.farthest) < t.k {
		t.farthest.push(^k)
		return true
	}
	if k >= t.bound() {
		return false
	}
	t.farthest.replaceTop(^k)
	return true
}

// sorted returns the kept keys, closest first, in t's own memory: t must be
// Reset or emptied before the next offer.
func (t *TopK) sorted() []key {
	for i, k := range t.farthest {
		t.farthest[i] = ^k
	}
	slices.Sort(t.farthest)
	return t.farthest
}

// key packs a distance and an id (a slot or a node) into one integer that is
// ordered by distance, then id: one comparison instead of two or three in the
// innermost loops. The distance must not be NaN.
type key uint64

func makeKey(distance float32, id uint32) key {
	b := math.Float32bits(distance + 0) // the sum turns -0 into 0
	b ^= uint32(int32(b)>>31) | 1<<31   // negative: flip all bits; else: set the sign
	return key(b)<<32 | key(id)
}

func (k key) id() uint32 { return uint32(k) }

func (k key) distance() float32 {
	b := uint32(k >> 32)
	b ^= uint32(int32(^b)>>31) | 1<<31
	return math.Float32frombits(b)
}

func (k key) hit() Hit { return Hit{Slot: k.id(), Distance: k.distance()} }

// keyHeap is a binary heap whose least key is first.
type keyHeap []key

func (h *keyHeap) push(k key) {
	*h = append(*h, k)
	s := *h
	i := len(s) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if s[parent] <= k {
			break
		}
		s[i] = s[parent]
		i = parent
	}
	s[i] = k
}

// replaceTop puts k in the place of the least key.
func (h keyHeap) replaceTop(k key) {
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1] < h[child] {
			child++
		}
		if h[child] >= k {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = k
}
