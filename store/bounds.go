package store

import "github.com/latentdb/latentdb/index"

// bounds are what is known of a set of slots before payloads are read: lo is in
// it, and nothing outside of hi is. A nil hi is all points. Where lo and hi are
// one and the same bitmap, the set is known.
type bounds struct{ lo, hi *index.Bitmap }

// sure are the bounds of a set that is known.
func sure(set *index.Bitmap) bounds { return bounds{set, set} }

// perhaps are the bounds of a set of which only candidates are known.
func perhaps(candidates *index.Bitmap) bounds { return bounds{index.NewBitmap(), candidates} }

// unknown are the bounds of a set of which nothing is known.
func unknown() bounds { return perhaps(nil) }

func (b bounds) exact() bool { return b.lo == b.hi }

// part gives lo and hi memory of their own.
func (b *bounds) part() {
	if b.exact() {
		b.hi = b.lo.Clone()
	}
}

// and keeps what is in o, too. It takes o's bitmaps over.
func (b *bounds) and(o bounds) {
	if !o.exact() {
		b.part()
	}
	b.lo.And(o.lo)
	switch {
	case b.hi == nil:
		b.hi = o.hi
	case o.hi != nil && !b.exact():
		b.hi.And(o.hi)
	}
}

// or adds what is in o. It takes o's bitmaps over.
func (b *bounds) or(o bounds) {
	if !o.exact() {
		b.part()
	}
	b.lo.Or(o.lo)
	switch {
	case b.hi == nil || o.hi == nil:
		b.hi = nil
	case !b.exact():
		b.hi.Or(o.hi)
	}
}

// not is all points less the set. every gives the points, where they are needed.
func (b bounds) not(every func() (*index.Bitmap, error)) (bounds, error) {
	if b.hi == nil && b.lo.Len() == 0 {
		return unknown(), nil
	}
	all, err := every()
	if err != nil {
		return bounds{}, err
	}
	less := func(set *index.Bitmap) *index.Bitmap {
		out := all.Clone()
		out.AndNot(set)
		return out
	}
	switch {
	case b.exact():
		return sure(less(b.lo)), nil
	case b.hi == nil:
		return perhaps(less(b.lo)), nil
	}
	return bounds{lo: less(b.hi), hi: less(b.lo)}, nil
}
