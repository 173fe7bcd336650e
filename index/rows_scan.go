package index

import "math/bits"

// Scan offers to top the rows of all slots, or of those allowed, each at its
// distance to a query of Dim values that is prepared as the rows were. It returns
// false, having offered nothing, for a query that lies too far from the rows' grid
// to be measured by it, and after Drop.
func (r *Rows) Scan(top *TopK, query []float32, allow *Bitmap) bool {
	s := r.pool.Get().(*rescoring)
	defer r.pool.Put(s)
	if !r.ask(s, query) {
		return false
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.dropped {
		return false
	}
	stride := r.stride()
	for at, p := range r.pages {
		if p == nil {
			continue
		}
		s.slots, s.at = s.slots[:0], s.at[:0]
		for w, word := range p.held {
			first := at<<pageBits + w<<6
			if allow != nil {
				word &= allow.word(first >> 6)
			}
			for ; word != 0; word &= word - 1 {
				slot := uint32(first + bits.TrailingZeros64(word))
				s.slots = append(s.slots, slot)
				s.at = append(s.at, &p.row(slot, stride)[0])
			}
		}
		r.measure(s)
		for i, d := range s.distances {
			top.Push(Hit{Slot: s.slots[i], Distance: d})
		}
	}
	return true
}
