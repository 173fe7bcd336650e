package index

import (
	"math"
	"math/bits"
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

// goOn is for keys still to come, of which, and of those that are kept, the k least are
// to be taken and as many kept, if there are so many below the bound.
func (s *selection) goOn(k int) {
	s.k, s.limit = 2*k, 2*k+max(k, selectionRoom)
	if len(s.keys) < k {
		s.bound = maxKey
	}
}

// take removes the k least keys, or all if they are fewer, and appends them to dst in
// no order.
func (s *selection) take(dst []Hit, k int) []Hit {
	if k < len(s.keys) {
		leastKeys(s.keys, k, 0)
	}
	k = min(k, len(s.keys))
	for _, key := range s.keys[:k] {
		dst = append(dst, key.hit())
	}
	s.keys = append(s.keys[:0], s.keys[k:]...)
	return dst
}

// distanceBound is a distance that no key below the bound exceeds.
func (s *selection) distanceBound() float32 {
	if s.bound == maxKey {
		return math.MaxFloat32
	}
	return s.bound.distance()
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

// tighten throws out keys past the k-th, not all of them as a rule, and lowers
// the bound.
func (s *selection) tighten() {
	s.cut(s.k / 8)
}

// cut throws out keys past the k-th but for slack of them.
func (s *selection) cut(slack int) {
	if len(s.keys) <= s.k+slack {
		return
	}
	n, bound := leastKeys(s.keys, s.k, slack)
	s.keys, s.bound = s.keys[:n], bound
}

// sorted returns the kept keys, least first, in the selection's memory.
func (s *selection) sorted() []key {
	s.cut(0)
	sortKeys(s.keys)
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

// appendUnsorted appends the kept keys to dst in no order.
func (s *selection) appendUnsorted(dst []Hit) []Hit {
	s.cut(0)
	dst = slices.Grow(dst, len(s.keys))
	for _, k := range s.keys {
		dst = append(dst, k.hit())
	}
	return dst
}

// smallSort is how many keys are sorted by insertion.
const smallSort = 12

// leastKeys moves the n least keys of s to its front, where k <= n <= k+slack,
// and returns n and the least of the keys behind them; s has more than k+slack.
// It is quickselect (Hoare, 1961) with a partition that does not branch on what
// it compares.
func leastKeys(s []key, k, slack int) (n int, next key) {
	from, to := 0, len(s) // the n-th key is in s[from:to], lesser ones before it
	for rounds := 0; to-from > smallSort && rounds < 64; rounds++ {
		at := from + splitAtPivot(s[from:to])
		switch {
		case at < k:
			from = at + 1
		case at > k+slack:
			to = at
		default:
			return at, s[at]
		}
	}
	slices.Sort(s[from:to])
	return k, s[k]
}

// sortKeys sorts by quicksort with the same partition.
func sortKeys(s []key) {
	for rounds := 0; len(s) > smallSort; rounds++ {
		if rounds == 64 { // no luck with the pivots
			slices.Sort(s)
			return
		}
		at := splitAtPivot(s)
		if at < len(s)/2 {
			sortKeys(s[:at])
			s = s[at+1:]
		} else {
			sortKeys(s[at+1:])
			s = s[:at]
		}
	}
	for i := 1; i < len(s); i++ {
		k := s[i]
		j := i
		for ; j > 0 && s[j-1] > k; j-- {
			s[j] = s[j-1]
		}
		s[j] = k
	}
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
		_, less := bits.Sub64(uint64(k), uint64(pivot), 0)
		at += int(less)
	}
	s[last], s[at] = s[at], pivot
	return at
}
