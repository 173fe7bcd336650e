package index

import (
	"math"
	"slices"
)

// maxKey is above every key.
const maxKey key = math.MaxUint64

// selection keeps the k least of the keys offered to it, in no order until
// sorted. It gathers keys and, now and then, throws out those past the k-th:
// about one comparison per key, where a heap takes log k. Keys are distinct. The
// zero value must be reset first.
type selection struct {
	k, limit int
	keys     []key
	// bound is what a key must lie below to be kept.
	bound key
}

// selectionRoom is the least room for keys past the k-th.
const selectionRoom = 64

func (s *selection) reset(k int) {
	s.k, s.limit = k, k+max(k/2, selectionRoom)
	s.keys, s.bound = s.keys[:0], maxKey
}

// full tells whether there are k keys.
func (s *selection) full() bool { return len(s.keys) >= s.k }

func (s *selection) offer(k key) {
	if k >= s.bound {
		return
	}
	s.keys = append(s.keys, k)
	if len(s.keys) >= s.limit {
		s.tighten()
	}
}

// tighten throws out what is past the k-th key and lowers the bound to it.
func (s *selection) tighten() {
	if len(s.keys) < s.k {
		return
	}
	nthKey(s.keys, s.k-1)
	s.keys = s.keys[:s.k]
	s.bound = s.keys[s.k-1]
}

// sorted returns the kept keys, least first, in the selection's memory.
func (s *selection) sorted() []key {
	s.tighten()
	slices.Sort(s.keys)
	return s.keys
}

// appendHits appends the kept keys to dst, closest first.
func (s *selection) appendHits(dst []Hit) []Hit {
	sorted := s.sorted()
	dst = slices.Grow(dst, len(sorted))
	for _, k := range sorted {
		dst = append(dst, k.hit())
	}
	return dst
}

// nthKey puts the n-th least key (from 0) into s[n], lesser ones before it and
// greater ones after it: quickselect (Hoare, 1961) with a partition that does not
// branch on what it compares.
func nthKey(s []key, n int) {
	for rounds := 0; len(s) > 16; rounds++ {
		if rounds == 64 { // no luck with the pivots
			break
		}
		at := splitAtPivot(s)
		switch {
		case n < at:
			s = s[:at]
		case n > at:
			s, n = s[at+1:], n-at-1
		default:
			return
		}
	}
	slices.Sort(s)
}

// splitAtPivot moves a pivot to its place in the order of s and returns the place.
func splitAtPivot(s []key) int {
	last := len(s) - 1
	a, b, c := s[0], s[last/2], s[last]
	pivot := max(min(a, b), min(max(a, b), c))
	switch pivot {
	case a:
		s[0], s[last] = c, a
	case b:
		s[last/2], s[last] = c, b
	}
	at := 0
	for i, k := range s[:last] {
		s[i] = s[at]
		s[at] = k
		if k < pivot {
			at++
		}
	}
	s[last], s[at] = s[at], pivot
	return at
}
