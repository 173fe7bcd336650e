package index

import "github.com/latentdb/latentdb/index/internal/packed"

// Rows may lie in memory that is given to them, such as a mapped file. Such memory
// is in use from the Move or Swap that gives it until another one, or Drop, has
// returned: no call reads or writes it after that. Moves and Swaps come one at a time;
// all other calls may run beside them.

// Size is how many bytes of given memory hold the rows of the slots below n: whole
// pages of 1,024 slots.
func (r *Rows) Size(n int) int {
	return (n + pageSize - 1) >> pageBits * pageSize * r.stride()
}

// Move moves rows into memory of a length that Size gives, as many of the first
// slots' as it has room for; the others of those that lie in memory given before move
// to memory of their own. Rows of slots that come later are put there too. What the
// memory holds of slots without a row stays as it is. It copies page by page, and other
// calls wait for a page at most.
func (r *Rows) Move(memory []byte) {
	pages := r.cut(memory)
	for i, data := range pages {
		r.moveTo(i, data, true)
	}
	for i := len(pages); r.isGiven(i); i++ {
		r.moveTo(i, make([]byte, pageSize*r.stride()), false)
	}
}

// cut is memory by pages.
func (r *Rows) cut(memory []byte) [][]byte {
	size := pageSize * r.stride()
	pages := make([][]byte, len(memory)/size)
	for i := range pages {
		pages[i] = memory[i*size : (i+1)*size : (i+1)*size]
	}
	return pages
}

func (r *Rows) isGiven(page int) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return page < len(r.pages) && r.pages[page] != nil && r.pages[page].given
}

func (r *Rows) moveTo(i int, data []byte, given bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dropped {
		return
	}
	r.grow(i + 1)
	p := r.pages[i]
	if p == nil {
		p = new(rowPage)
		r.pages[i] = p
	}
	if p.n > 0 {
		p.copyTo(data, r.stride())
	}
	p.data, p.given, p.thin = data, given, false
}

// grow makes the list of pages at least n long.
func (r *Rows) grow(n int) {
	if n > len(r.pages) {
		r.pages = append(r.pages, make([]*rowPage, n-len(r.pages))...)
	}
}

// Swap takes other memory for that of the Move before: the caller answers for it
// that both hold the same. It returns which slots have a row there, 64 a word, at the
// moment from which nothing is put into the memory before.
func (r *Rows) Swap(memory []byte) (held []uint64) {
	pages := r.cut(memory)
	held = make([]uint64, len(pages)*pageSize/64)
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, p := range r.pages[:min(len(pages), len(r.pages))] { // none, if dropped meanwhile
		p.data = pages[i]
		copy(held[i*pageSize/64:], p.held[:])
	}
	return held
}

// Keep says that the row of a slot lies in the memory that was given, in this form:
// what Put would have put there.
func (r *Rows) Keep(slot uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.page(slot); p != nil && p.given {
		p.set(slot)
	}
}

// Drop forgets all rows and lets go of the memory, for good: no row is held after it,
// and Scan says that it cannot answer.
func (r *Rows) Drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pages, r.reserved, r.dropped = nil, nil, true
}

// Row copies the row of a slot to dst, of Dim values, and tells whether it is held.
func (r *Rows) Row(dst []float32, slot uint32) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	p := r.page(slot)
	if p == nil || !p.has(slot) {
		return false
	}
	row := p.row(slot, r.stride())
	if len(r.constants) == 0 && !r.form.gridded() {
		packed.Unpack(dst[:r.dim], row, r.packed)
		return true
	}
	for i, feature := range r.kept {
		dst[feature] = packed.At(row, r.packed, i)
		if r.form.gridded() {
			dst[feature] = r.form.fromGrid(dst[feature])
		}
	}
	for _, c := range r.constants {
		dst[c.Feature] = c.Value
	}
	return true
}
