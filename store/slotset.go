package store

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/latentdb/latentdb/index"
)

// fewSlots is how many slots a slotSet lists before it turns to a bitmap, which
// takes some 200 bytes however few it holds.
const fewSlots = 32

// denseSlots is from how many slots on a bitmap is joined word by word.
const denseSlots = 4096

// slotSet is the slots that hold one value. Most values of a key that has many
// are held by one slot or few, so that one takes no memory of its own.
type slotSet struct {
	one  uint32 // where n is 1 and more is nil
	n    uint32
	more *slotList
}

// slotList is the slots of a slotSet: a sorted list while they are few, else a bitmap.
type slotList struct {
	few  []uint32
	many *roaring.Bitmap
}

func (s slotSet) len() int { return int(s.n) }

func (s *slotSet) add(slot uint32) {
	switch {
	case s.n == 0 && s.more == nil:
		s.one, s.n = slot, 1
		return
	case s.more == nil && s.one == slot:
		return
	case s.more == nil:
		s.more = &slotList{few: []uint32{s.one}}
	}
	m := s.more
	if m.many == nil && len(m.few) == fewSlots {
		m.few, m.many = nil, roaring.BitmapOf(m.few...)
	}
	if m.many != nil {
		if m.many.CheckedAdd(slot) {
			s.n++
		}
	} else if at, held := slices.BinarySearch(m.few, slot); !held {
		m.few = slices.Insert(m.few, at, slot)
		s.n++
	}
}

func (s *slotSet) remove(slot uint32) {
	switch {
	case s.more == nil:
		if s.n == 1 && s.one == slot {
			s.n = 0
		}
	case s.more.many != nil:
		if s.more.many.CheckedRemove(slot) {
			s.n--
		}
	default:
		if at, held := slices.BinarySearch(s.more.few, slot); held {
			s.more.few = slices.Delete(s.more.few, at, at+1)
			s.n--
		}
	}
}

// addTo adds the slots to a selection.
func (s slotSet) addTo(dst *index.Bitmap) {
	switch {
	case s.n == 1 && s.more == nil:
		dst.Set(s.one)
	case s.more == nil:
	case s.more.many != nil:
		addAll(dst, s.more.many)
	default:
		for _, slot := range s.more.few {
			dst.Set(slot)
		}
	}
}

func (s slotSet) equal(o slotSet) bool {
	a, b := index.NewBitmap(), index.NewBitmap()
	s.addTo(a)
	o.addTo(b)
	return a.Len() == b.Len() && slices.Equal(slices.Collect(a.Slots()), slices.Collect(b.Slots()))
}

// addAll adds a roaring bitmap to a selection. Indexes keep roaring bitmaps,
// which are small; a selection is dense, since a walk asks it about every node
// it meets, and a roaring bitmap would answer ten times as slowly.
func addAll(dst *index.Bitmap, set *roaring.Bitmap) {
	if set.GetCardinality() >= denseSlots {
		dst.Or(index.BitmapOf(set.ToDense()))
		return
	}
	var some [256]uint32
	it := set.ManyIterator()
	for n := it.NextMany(some[:]); n > 0; n = it.NextMany(some[:]) {
		for _, slot := range some[:n] {
			dst.Set(slot)
		}
	}
}

// dense is a roaring bitmap as a selection of its own.
func dense(set *roaring.Bitmap) *index.Bitmap { return index.BitmapOf(set.ToDense()) }
