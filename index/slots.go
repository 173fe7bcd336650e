package index

import (
	"iter"
	"sync"
)

const (
	pageBits = 10
	pageSize = 1 << pageBits
)

// slotTable maps slots to row or node numbers. Slots are dense as a rule, so
// it is an array; the array is cut into pages that exist only where a slot is
// held, so that one slot near 2^32 costs a directory and a page, not 16 GB.
// Values are below 2^32-1.
type slotTable struct {
	pages []*[pageSize]uint32 // value + 1; 0 where the slot is not held
	n     int
}

func (t *slotTable) get(slot uint32) (uint32, bool) {
	p := int(slot >> pageBits)
	if p >= len(t.pages) || t.pages[p] == nil {
		return 0, false
	}
	v := t.pages[p][slot&(pageSize-1)]
	return v - 1, v != 0
}

func (t *slotTable) set(slot, value uint32) {
	p := int(slot >> pageBits)
	if p >= len(t.pages) {
		t.pages = append(t.pages, make([]*[pageSize]uint32, p+1-len(t.pages))...)
	}
	if t.pages[p] == nil {
		t.pages[p] = new([pageSize]uint32)
	}
	at := &t.pages[p][slot&(pageSize-1)]
	if *at == 0 {
		t.n++
	}
	*at = value + 1
}

// add is set for a slot that is not held; it tells whether that is so.
func (t *slotTable) add(slot, value uint32) bool {
	before := t.n
	t.set(slot, value)
	return t.n > before
}

func (t *slotTable) remove(slot uint32) {
	if _, held := t.get(slot); held {
		t.pages[slot>>pageBits][slot&(pageSize-1)] = 0
		t.n--
	}
}

// appendNext appends to dst the slots of the first page from p on that exists,
// and returns the number of the page after it; 0 when there is none.
func (t *slotTable) appendNext(dst []uint32, p int) ([]uint32, int) {
	for ; p < len(t.pages); p++ {
		if t.pages[p] == nil {
			continue
		}
		for i, v := range t.pages[p] {
			if v != 0 {
				dst = append(dst, uint32(p<<pageBits+i))
			}
		}
		return dst, p + 1
	}
	return dst, 0
}

func (t *slotTable) bytes() int64 {
	size := int64(cap(t.pages)) * 8
	for _, p := range t.pages {
		if p != nil {
			size += 4 * pageSize
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
