package index

import (
	"iter"
	"math"
	"math/bits"
	"sync"
	"unsafe"
)

const (
	pageBits = 10
	pageSize = 1 << pageBits
)

// slotTable maps slots to row or node numbers. Slots are dense as a rule, so
// it is an array; the array is cut into pages that exist only where a slot is
// held, so that one slot near 2^32 costs a directory and a page, not 16 GB, and a
// page of which little is left holds that alone. Values are below 2^32-1.
type slotTable struct {
	pages []*slotPage
	n     int
}

// slotPage is the values of 1,024 slots: value + 1 of each, 0 where it is not held; or,
// where thin has their bits, those of the held ones alone, in their order.
type slotPage struct {
	values []uint32
	thin   *[pageSize / 64]uint64
	n      int // slots held
}

// place is where the value of the i-th slot is; false where it is not held.
func (p *slotPage) place(i uint32) (int, bool) {
	if p.thin == nil {
		return int(i), p.values[i] != 0
	}
	return rankOf(p.thin, i), p.thin[i>>6]>>(i&63)&1 != 0
}

// rankOf is how many bits stand before the i-th.
func rankOf(b *[pageSize / 64]uint64, i uint32) int {
	before := bits.OnesCount64(b[i>>6] & (1<<(i&63) - 1))
	for _, word := range b[:i>>6] {
		before += bits.OnesCount64(word)
	}
	return before
}

// narrow makes a page thin, where few of its slots are held.
func (p *slotPage) narrow() {
	if p.thin != nil || thinShare*p.n > pageSize {
		return
	}
	values := make([]uint32, 0, p.n)
	p.thin = new([pageSize / 64]uint64)
	for i, v := range p.values {
		if v != 0 {
			p.thin[i>>6] |= 1 << (i & 63)
			values = append(values, v)
		}
	}
	p.values = values
}

// widen gives every slot its place.
func (p *slotPage) widen() {
	values, next := make([]uint32, pageSize), 0
	for i := range values {
		if p.thin[i>>6]>>(i&63)&1 != 0 {
			values[i] = p.values[next]
			next++
		}
	}
	p.values, p.thin = values, nil
}

func (t *slotTable) get(slot uint32) (uint32, bool) {
	at := int(slot >> pageBits)
	if at >= len(t.pages) || t.pages[at] == nil {
		return 0, false
	}
	p := t.pages[at]
	i, held := p.place(slot & (pageSize - 1))
	if !held {
		return 0, false
	}
	return p.values[i] - 1, true
}

// getAll puts into dst the values of slots, the largest uint32 where one is not held.
func (t *slotTable) getAll(dst, slots []uint32) {
	for i, slot := range slots {
		value, held := t.get(slot)
		if !held {
			value = math.MaxUint32
		}
		dst[i] = value
	}
}

func (t *slotTable) set(slot, value uint32) {
	at := int(slot >> pageBits)
	if at >= len(t.pages) {
		t.pages = append(t.pages, make([]*slotPage, at+1-len(t.pages))...)
	}
	if t.pages[at] == nil {
		t.pages[at] = &slotPage{values: make([]uint32, pageSize)}
	}
	p := t.pages[at]
	i, held := p.place(slot & (pageSize - 1))
	if !held && p.thin != nil {
		p.widen()
		i = int(slot & (pageSize - 1))
	}
	if !held {
		p.n++
		t.n++
	}
	p.values[i] = value + 1
}

// add is set for a slot that is not held; it tells whether that is so.
func (t *slotTable) add(slot, value uint32) bool {
	before := t.n
	t.set(slot, value)
	return t.n > before
}

func (t *slotTable) remove(slot uint32) {
	at := int(slot >> pageBits)
	if _, held := t.get(slot); !held {
		return
	}
	p := t.pages[at]
	i, _ := p.place(slot & (pageSize - 1))
	t.n--
	if p.n--; p.n == 0 {
		t.pages[at] = nil
		return
	}
	if p.thin == nil {
		p.values[i] = 0
		p.narrow()
		return
	}
	p.values = append(p.values[:i], p.values[i+1:]...)
	if n := len(p.values); cap(p.values) > n+n/8+16 {
		p.values = append(make([]uint32, 0, n), p.values...)
	}
	p.thin[slot&(pageSize-1)>>6] &^= 1 << (slot & 63)
}

// settle is for when what was to be set is set: pages that hold little take little.
func (t *slotTable) settle() {
	for _, p := range t.pages {
		if p != nil {
			p.narrow()
		}
	}
}

// appendNext appends to dst the slots of the first page from p on that exists,
// and returns the number of the page after it; 0 when there is none.
func (t *slotTable) appendNext(dst []uint32, p int) ([]uint32, int) {
	for ; p < len(t.pages); p++ {
		page := t.pages[p]
		if page == nil {
			continue
		}
		for i := range uint32(pageSize) {
			if page.thin == nil && page.values[i] != 0 || page.thin != nil && page.thin[i>>6]>>(i&63)&1 != 0 {
				dst = append(dst, uint32(p)<<pageBits+i)
			}
		}
		return dst, p + 1
	}
	return dst, 0
}

func (t *slotTable) bytes() int64 {
	size := int64(cap(t.pages)) * 8
	for _, p := range t.pages {
		if p == nil {
			continue
		}
		size += 4*int64(cap(p.values)) + int64(unsafe.Sizeof(*p))
		if p.thin != nil {
			size += pageSize / 8
		}
	}
	return size
}

// locks lets many readers in beside one writer. A change takes writer first,
// does its reading and computing there, and takes mu only for the moment in
// which it alters what readers see. What needs a still index but alters
// nothing (encoding, building a successor) takes writer alone, so that no
// reader waits for it.
type locks struct {
	writer sync.Mutex
	mu     sync.RWMutex
}

// eachSlot yields the slots of the table that current returns, page by page:
// no lock is held while the caller works on a slot.
func (l *locks) eachSlot(current func() *slotTable) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		page := make([]uint32, 0, pageSize)
		for next := 0; ; {
			l.mu.RLock()
			page, next = current().appendNext(page[:0], next)
			l.mu.RUnlock()
			for _, slot := range page {
				if !yield(slot) {
					return
				}
			}
			if next == 0 {
				return
			}
		}
	}
}
