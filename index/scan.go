package index

// scanBlock is how many rows the exact scan measures per kernel call.
const scanBlock = 128

// rowSet is what the exact scan reads: rows one after another, and which slots
// hold each of them.
type rowSet struct {
	kernel kernel
	rows   []float32 // len(query) values per row
	// rowOf gives the row of a slot.
	rowOf *slotTable
	// members gives the slots of a row; none when the row is no longer held.
	members func(row uint32) []uint32
}

// scan offers to hits every slot that p.Allow holds, with its exact distance. It
// goes by whichever is fewer, allowed slots or rows.
func (s *rowSet) scan(hits *TopK, query []float32, p Params) {
	n, allow := len(s.rows)/len(query), p.Allow
	if allow != nil && allow.Len() < n {
		p.Work.gather(allow.Len())
		s.scanAllowed(hits, query, allow)
		return
	}
	p.Work.scan(n)
	var distances [scanBlock]float32
	for start := 0; start < n; start += scanBlock {
		block := distances[:min(scanBlock, n-start)]
		s.kernel.block(block, query, s.rows[start*len(query):])
		for i, d := range block {
			if makeKey(d, 0) < hits.bound() {
				offerAllowed(hits, d, s.members(uint32(start+i)), allow)
			}
		}
	}
}

func (s *rowSet) scanAllowed(hits *TopK, query []float32, allow *Bitmap) {
	for slot := range allow.Slots() {
		if row, held := s.rowOf.get(slot); held {
			d := s.kernel.pair(query, s.rows[int(row)*len(query):][:len(query)])
			hits.offer(makeKey(d, slot))
		}
	}
}

// offerAllowed offers to hits those slots that allow holds (all, if nil), each
// at distance d.
func offerAllowed(hits *TopK, d float32, slots []uint32, allow *Bitmap) {
	for _, slot := range slots {
		if allow == nil || allow.Has(slot) {
			hits.offer(makeKey(d, slot))
		}
	}
}
