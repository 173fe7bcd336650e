package index

import (
	"iter"
	"math/bits"
	"slices"
)

// Bitmap is a set of slots, one bit each up to the highest ever set: slot
// 1,000,000 costs 125 kB. The zero value is the empty set, ready to use. In
// Params, a nil *Bitmap stands for all slots; the methods that read take nil
// for the empty set. Reading from many goroutines is safe while none writes.
type Bitmap struct {
	words []uint64
	n     int
}

// NewBitmap returns the set of the given slots.
func NewBitmap(slots ...uint32) *Bitmap {
	b := new(Bitmap)
	for _, s := range slots {
		b.Set(s)
	}
	return b
}

// BitmapOf is the set whose slot s is bit s%64 of words[s/64]. It takes the
// words over.
func BitmapOf(words []uint64) *Bitmap {
	b := &Bitmap{words: words}
	b.count()
	return b
}

// Set adds a slot.
func (b *Bitmap) Set(slot uint32) {
	w := int(slot >> 6)
	if w >= len(b.words) {
		b.grow(w + 1)
	}
	if mask := uint64(1) << (slot & 63); b.words[w]&mask == 0 {
		b.words[w] |= mask
		b.n++
	}
}

// Bytes is the memory held.
func (b *Bitmap) Bytes() int64 { return int64(cap(b.words)) * 8 }

// Clear removes a slot.
func (b *Bitmap) Clear(slot uint32) {
	if b.Has(slot) {
		b.words[slot>>6] &^= 1 << (slot & 63)
		b.n--
	}
}

// Has tells whether the slot is in the set.
func (b *Bitmap) Has(slot uint32) bool {
	if b == nil {
		return false
	}
	w := int(slot >> 6)
	return w < len(b.words) && b.words[w]>>(slot&63)&1 != 0
}

// word is the slots from 64·w on, one bit each.
func (b *Bitmap) word(w int) uint64 {
	if w >= len(b.words) {
		return 0
	}
	return b.words[w]
}

// Len is the number of slots in the set. It is kept, not counted.
func (b *Bitmap) Len() int {
	if b == nil {
		return 0
	}
	return b.n
}

// Slots yields the set in ascending order. The set must not change meanwhile.
func (b *Bitmap) Slots() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		if b == nil {
			return
		}
		for w, word := range b.words {
			for ; word != 0; word &= word - 1 {
				if !yield(uint32(w<<6 + bits.TrailingZeros64(word))) {
					return
				}
			}
		}
	}
}

// FillTo adds every slot below n, the universe for a negated condition:
// FillTo(n) then AndNot. n of 2^32 or more adds all slots there are.
func (b *Bitmap) FillTo(n int) {
	if n <= 0 {
		return
	}
	n = int(min(uint64(n), 1<<32))
	whole, rest := n>>6, uint(n&63)
	if need := (n + 63) >> 6; need > len(b.words) {
		b.grow(need)
	}
	for w := range b.words[:whole] {
		b.words[w] = ^uint64(0)
	}
	if rest != 0 {
		b.words[whole] |= 1<<rest - 1
	}
	b.count()
}

// Clone returns an independent copy; of nil, the empty set.
func (b *Bitmap) Clone() *Bitmap {
	if b == nil {
		return new(Bitmap)
	}
	return &Bitmap{words: slices.Clone(b.words), n: b.n}
}

// And keeps only the slots that o holds too.
func (b *Bitmap) And(o *Bitmap) {
	other := o.bits()
	b.words = b.words[:min(len(b.words), len(other))]
	for w := range b.words {
		b.words[w] &= other[w]
	}
	b.count()
}

// Or adds the slots of o.
func (b *Bitmap) Or(o *Bitmap) {
	other := o.bits()
	if len(other) > len(b.words) {
		b.grow(len(other))
	}
	for w, word := range other {
		b.words[w] |= word
	}
	b.count()
}

// AndNot removes the slots of o.
func (b *Bitmap) AndNot(o *Bitmap) {
	other := o.bits()
	for w := range b.words[:min(len(b.words), len(other))] {
		b.words[w] &^= other[w]
	}
	b.count()
}

func (b *Bitmap) bits() []uint64 {
	if b == nil {
		return nil
	}
	return b.words
}

// grow lengthens the set to n words. Memory past the length may hold old bits
// (And shortens), so what is added is cleared.
func (b *Bitmap) grow(n int) {
	old := len(b.words)
	b.words = slices.Grow(b.words, n-old)[:n]
	clear(b.words[old:])
}

func (b *Bitmap) count() {
	b.n = 0
	for _, word := range b.words {
		b.n += bits.OnesCount64(word)
	}
}
