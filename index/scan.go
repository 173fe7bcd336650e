package index

// scanBlock is how many rows the exact scan measures per kernel call.
const scanBlock = 128

// rowSet is what the exact scan reads: rows one after another, and which slots
// hold each of them.
type rowSet[T value] struct {
	storage *storage[T]
	rows    []T // len(query) values per row
	// rowOf gives the row of a slot.
	rowOf   *slotTable
	holders interface {
		// members gives the slots of a row; none when the row is no longer held.
		members(row uint32) []uint32
	}
}

// scanner is the memory of an exact scan.
type scanner struct {
	distances [scanBlock]float32
	rows      [scanBlock]uint32
	slots     [scanBlock]uint32
}

// scan offers to hits every slot that p.Allow holds, with its exact distance. It
// goes by whichever is fewer, allowed slots or rows.
func (s *rowSet[T]) scan(hits *TopK, memory *scanner, query []T, p Params) {
	n, allow := len(s.rows)/len(query), p.Allow
	if allow != nil && allow.Len() < n {
		p.Work.gather(allow.Len())
		s.scanAllowed(hits, memory, query, allow)
		return
	}
	p.Work.scan(n)
	for start := 0; start < n; start += scanBlock {
		block := memory.distances[:min(scanBlock, n-start)]
		s.storage.measure(block, query, s.rows[start*len(query):], nil)
		for i, d := range block {
			if makeKey(d, 0) < hits.bound() {
				offerAllowed(hits, d, s.holders.members(uint32(start+i)), allow)
			}
		}
	}
}

func (s *rowSet[T]) scanAllowed(hits *TopK, memory *scanner, query []T, allow *Bitmap) {
	n := 0
	measure := func() {
		s.storage.measure(memory.distances[:n], query, s.rows, memory.rows[:n])
		for i, slot := range memory.slots[:n] {
			hits.offer(makeKey(memory.distances[i], slot))
		}
		n = 0
	}
	for slot := range allow.Slots() {
		row, held := s.rowOf.get(slot)
		if !held {
			continue
		}
		memory.rows[n], memory.slots[n] = row, slot
		if n++; n == scanBlock {
			measure()
		}
	}
	measure()
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
