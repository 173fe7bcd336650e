package embed

import (
	"cmp"
	"slices"
)

// candidate is a position with the value it is ranked by.
type candidate struct {
	value float32
	at    uint32
}

// after ranks larger values behind smaller ones, and equal values by position.
func (c candidate) after(o candidate) bool {
	if c.value != o.value {
		return c.value > o.value
	}
	return c.at > o.at
}

// smallest keeps the k smallest of the candidates it is offered, as a binary
// heap with the largest of them on top.
type smallest []candidate

// offer takes c in if it is among the k smallest so far. Cost: one comparison
// for most, log k for those taken in.
func (s *smallest) offer(k int, c candidate) {
	h := *s
	switch {
	case len(h) < k:
		h = append(h, c)
		for i := len(h) - 1; i > 0 && h[i].after(h[(i-1)/2]); i = (i - 1) / 2 {
			h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
		}
		*s = h
	case k > 0 && h[0].after(c):
		h[0] = c
		h.sink()
	}
}

// sink restores the heap after its top was replaced.
func (s smallest) sink() {
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(s) {
			return
		}
		if child+1 < len(s) && s[child+1].after(s[child]) {
			child++
		}
		if !s[child].after(s[i]) {
			return
		}
		s[i], s[child] = s[child], s[i]
		i = child
	}
}

// ascending empties the heap into its positions, smallest value first.
func (s smallest) ascending() []uint32 {
	slices.SortFunc(s, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.value, b.value), cmp.Compare(a.at, b.at))
	})
	out := make([]uint32, len(s))
	for i, c := range s {
		out[i] = c.at
	}
	return out
}
