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

// slotSet is the slots that hold one value: a sorted list while they are few, as
// they are for most values of a key that has many, else a roaring bitmap.
type slotSet struct {
	few  []uint32
	many *roaring.Bitmap
}

func (s slotSet) len() int {
	if s.many != nil {
		return int(s.many.GetCardinality())
	}
	return len(s.few)
}

func (s *slotSet) add(slot uint32) {
	if s.many == nil && len(s.few) == fewSlots {
		s.few, s.many = nil, roaring.BitmapOf(s.few...)
	}
	if s.many != nil {
		s.many.Add(slot)
		return
	}
	if at, held := slices.BinarySearch(s.few, slot); !held {
		s.few = slices.Insert(s.few, at, slot)
	}
}

func (s *slotSet) remove(slot uint32) {
	if s.many != nil {
		s.many.Remove(slot)
		return
	}
	if at, held := slices.BinarySearch(s.few, slot); held {
		s.few = slices.Delete(s.few, at, at+1)
	}
}

// addTo adds the slots to a selection.
func (s slotSet) addTo(dst *index.Bitmap) {
	if s.many != nil {
		addAll(dst, s.many)
		return
	}
	for _, slot := range s.few {
		dst.Set(slot)
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
