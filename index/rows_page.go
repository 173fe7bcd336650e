package index

import "math/bits"

// rowPage has room for the rows of 1,024 slots: each in its place, or, where few of many
// are left, one after another.
type rowPage struct {
	data  []byte
	given bool                  // data is not of the heap
	thin  bool                  // data has the rows of held slots alone
	held  [pageSize / 64]uint64 // bits of the slots that have a row
	n     int                   // how many are set
}

// A page is made thin when 1/thinShare of its slots are held at most, and given its room
// back when half of them are.
const thinShare = 4

func (p *rowPage) has(slot uint32) bool {
	i := slot & (pageSize - 1)
	return p.held[i>>6]>>(i&63)&1 != 0
}

// place is where among the rows of data that of a slot is, or would be.
func (p *rowPage) place(slot uint32) int {
	i := slot & (pageSize - 1)
	if !p.thin {
		return int(i)
	}
	return rankOf(&p.held, i)
}

// row is that of a slot, of size bytes.
func (p *rowPage) row(slot uint32, size int) []byte { return p.data[p.place(slot)*size:][:size] }

// set notes that a slot has a row.
func (p *rowPage) set(slot uint32) {
	if !p.has(slot) {
		i := slot & (pageSize - 1)
		p.held[i>>6] |= 1 << (i & 63)
		p.n++
	}
}

// add makes room for a row of size bytes, and says that the slot has it.
func (p *rowPage) add(slot uint32, size int) []byte {
	if p.thin && !p.has(slot) {
		if 2*p.n >= pageSize {
			p.widen(size)
		} else {
			at := p.place(slot) * size
			p.data = append(p.data, make([]byte, size)...)
			copy(p.data[at+size:], p.data[at:])
		}
	}
	p.set(slot)
	return p.row(slot, size)
}

// clear forgets the row of a slot.
func (p *rowPage) clear(slot uint32, size int) {
	if !p.has(slot) {
		return
	}
	at := p.place(slot) * size
	i := slot & (pageSize - 1)
	p.held[i>>6] &^= 1 << (i & 63)
	p.n--
	switch {
	case p.thin:
		p.data = append(p.data[:at], p.data[at+size:]...)
		if cap(p.data) > len(p.data)+len(p.data)/8+size {
			p.data = append(make([]byte, 0, len(p.data)), p.data...)
		}
	case !p.given && thinShare*p.n <= pageSize:
		p.narrow(size)
	}
}

// narrow makes a page thin.
func (p *rowPage) narrow(size int) {
	data := make([]byte, 0, p.n*size)
	p.each(func(slot uint32) { data = append(data, p.row(slot, size)...) })
	p.data, p.thin = data, true
}

// widen gives every slot its place.
func (p *rowPage) widen(size int) {
	data := make([]byte, pageSize*size)
	p.copyTo(data, size)
	p.data, p.thin = data, false
}

// copyTo copies the rows to memory with a place for each slot.
func (p *rowPage) copyTo(data []byte, size int) {
	if !p.thin {
		copy(data, p.data)
		return
	}
	p.each(func(slot uint32) { copy(data[int(slot)*size:], p.row(slot, size)) })
}

// each calls f with the held slots of the page, counted from its first.
func (p *rowPage) each(f func(slot uint32)) {
	for w, word := range p.held {
		for ; word != 0; word &= word - 1 {
			f(uint32(w<<6 + bits.TrailingZeros64(word)))
		}
	}
}
