package store

import (
	"math/bits"
	"slices"
	"sync"
	"unsafe"

	"github.com/latentdb/latentdb/index"
)

// pointIDs keeps the ids of slots in memory where they are numbers, so that an
// answer needs no transaction: 8 bytes a slot. Other ids are read when asked for.
type pointIDs struct {
	mu    sync.RWMutex
	pages []*idPage
}

// idPageSize is how many slots a page of ids is for.
const idPageSize = 1024

// idPage has the ids of the slots of a page that hold one, in their order: slots that
// are gone take nothing.
type idPage struct {
	held    [idPageSize / 64]uint64
	numbers []uint64
}

// find is where the id of a slot stands, or would stand.
func (p *idPage) find(at uint32) (place int, held bool) {
	word := p.held[at/64]
	place = bits.OnesCount64(word & (1<<(at%64) - 1))
	for _, w := range p.held[:at/64] {
		place += bits.OnesCount64(w)
	}
	return place, word>>(at%64)&1 != 0
}

func (p *idPage) put(at uint32, number uint64) {
	place, held := p.find(at)
	if held {
		p.numbers[place] = number
		return
	}
	if n := len(p.numbers); n == cap(p.numbers) {
		p.numbers = append(make([]uint64, 0, min(idPageSize, n+n/2+16)), p.numbers...)
	}
	p.numbers = slices.Insert(p.numbers, place, number)
	p.held[at/64] |= 1 << (at % 64)
}

func (p *idPage) clear(at uint32) {
	place, held := p.find(at)
	if !held {
		return
	}
	p.numbers = slices.Delete(p.numbers, place, place+1)
	p.held[at/64] &^= 1 << (at % 64)
	if n := len(p.numbers); cap(p.numbers) > n+n/2+64 {
		p.numbers = slices.Clone(p.numbers)
	}
}

// follow enters what became of slots.
func (t *pointIDs) follow(changed map[uint32]slotChange) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for slot, ch := range changed {
		if ch.point == nil {
			t.put(slot, ID{})
		} else {
			t.put(slot, ch.point.id)
		}
	}
}

// put keeps the id of a slot; the caller holds mu.
func (t *pointIDs) put(slot uint32, id ID) {
	p, at := int(slot/idPageSize), slot%idPageSize
	if p >= len(t.pages) {
		t.pages = append(t.pages, make([]*idPage, p+1-len(t.pages))...)
	}
	switch {
	case id.kind == idNum:
		if t.pages[p] == nil {
			t.pages[p] = new(idPage)
		}
		t.pages[p].put(at, id.num)
	case t.pages[p] != nil:
		t.pages[p].clear(at)
	}
}

// bytes is the memory held.
func (t *pointIDs) bytes() int64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	total := int64(cap(t.pages)) * 8
	for _, p := range t.pages {
		if p != nil {
			total += int64(unsafe.Sizeof(*p)) + 8*int64(cap(p.numbers))
		}
	}
	return total
}

// of appends the ids of hits; false where one is not known.
func (t *pointIDs) of(dst []ID, hits []index.Hit) ([]ID, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, h := range hits {
		p, at := int(h.Slot/idPageSize), h.Slot%idPageSize
		if p >= len(t.pages) || t.pages[p] == nil {
			return dst, false
		}
		place, held := t.pages[p].find(at)
		if !held {
			return dst, false
		}
		dst = append(dst, NumID(t.pages[p].numbers[place]))
	}
	return dst, true
}

// fillIDs reads the ids of all slots into memory.
func (c *Collection) fillIDs() error {
	next := []byte{0, 0, 0, 0}
	for next != nil && !c.stopped() {
		if err := c.fillSomeIDs(&next); err != nil {
			return err
		}
	}
	return nil
}

// fillSomeIDs reads the next ids while no change becomes visible.
func (c *Collection) fillSomeIDs(next *[]byte) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	c.ids.mu.Lock()
	defer c.ids.mu.Unlock()
	return c.view(func(g *ground) (err error) {
		*next, err = g.entriesFrom(*next, func(slot uint32, e slotEntry) { c.ids.put(slot, e.id) })
		return err
	})
}
