package store

import (
	"maps"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/tidwall/btree"

	"github.com/latentdb/latentdb/index"
)

// fieldIndex is a payload index in memory: which slots hold which values under
// a key. Values of the kind are told apart; of all others it knows only that
// they are there.
type fieldIndex struct {
	PayloadIndex
	// covered is how far it was made: slots from there on are not in it yet. Once
	// complete it follows every change.
	covered  uint64
	complete bool
	ended    chan struct{} // closed when it is complete, failed or given up
	err      error         // why it failed

	words   map[string]slotSet          // of KindKeyword and KindUUID
	numbers btree.Map[float64, slotSet] // of the other kinds; booleans are 0 and 1

	points  *roaring.Bitmap // slots that hold a point
	held    *roaring.Bitmap // slots with a value of the kind
	several *roaring.Bitmap // slots with several values of the kind
	other   *roaring.Bitmap // slots with a value of another kind
	null    *roaring.Bitmap // slots with null
	unread  *roaring.Bitmap // slots whose payload cannot be read
}

func newFieldIndex(p PayloadIndex) *fieldIndex {
	return &fieldIndex{
		PayloadIndex: p, ended: make(chan struct{}), words: make(map[string]slotSet),
		points: roaring.New(), held: roaring.New(), several: roaring.New(),
		other: roaring.New(), null: roaring.New(), unread: roaring.New(),
	}
}

// slotValues is what a payload index holds of one slot.
type slotValues struct {
	point, other, null, unread bool
	// values are those of the kind, each once: text or float64.
	values []any
}

// valueOf is a payload's value as an index of the kind holds it; false if it is
// of another kind.
func (k PayloadKind) valueOf(v any) (any, bool) {
	switch k {
	case KindInteger, KindFloat:
		return number(v)
	case KindBool:
		b, ok := v.(bool)
		if b {
			return 1.0, ok
		}
		return 0.0, ok
	}
	s, ok := v.(string)
	return s, ok
}

// valuesOf is what an index holds of a payload.
func (p PayloadIndex) valuesOf(payload Payload) (out slotValues) {
	for _, v := range valuesAt(payload, p.Key) {
		if v == nil {
			out.null = true
		} else if value, ok := p.Kind.valueOf(v); ok {
			out.values = append(out.values, value)
		} else {
			out.other = true
		}
	}
	if len(out.values) > 1 {
		once := make(map[any]struct{}, len(out.values))
		for _, v := range out.values {
			once[v] = struct{}{}
		}
		out.values = slices.AppendSeq(out.values[:0], maps.Keys(once))
	}
	return out
}

// slots are those that hold a value.
func (x *fieldIndex) slots(value any) slotSet {
	switch v := value.(type) {
	case string:
		return x.words[v]
	case float64:
		set, _ := x.numbers.Get(v)
		return set
	}
	return slotSet{}
}

func (x *fieldIndex) setSlots(value any, set slotSet) {
	switch v := value.(type) {
	case string:
		if x.words[v] = set; set.len() == 0 {
			delete(x.words, v)
		}
	case float64:
		if x.numbers.Set(v, set); set.len() == 0 {
			x.numbers.Delete(v)
		}
	}
}

// change replaces what it holds of a slot.
func (x *fieldIndex) change(slot uint32, was, now slotValues) {
	if was.unread && !x.unread.Contains(slot) {
		x.purge(slot) // damaged since it was read: nobody knows what was in it
	}
	for _, v := range was.values {
		set := x.slots(v)
		set.remove(slot)
		x.setSlots(v, set)
	}
	for _, v := range now.values {
		set := x.slots(v)
		set.add(slot)
		x.setSlots(v, set)
	}
	put(x.points, slot, now.point)
	put(x.held, slot, len(now.values) > 0)
	put(x.several, slot, len(now.values) > 1)
	put(x.other, slot, now.other)
	put(x.null, slot, now.null)
	put(x.unread, slot, now.unread)
}

func put(set *roaring.Bitmap, slot uint32, in bool) {
	if in {
		set.Add(slot)
	} else {
		set.Remove(slot)
	}
}

// purge takes a slot out of all values. Cost: a look at each.
func (x *fieldIndex) purge(slot uint32) {
	for _, v := range x.values() {
		set := x.slots(v)
		set.remove(slot)
		x.setSlots(v, set)
	}
}

// values lists the values that some slot holds.
func (x *fieldIndex) values() []any {
	out := make([]any, 0, len(x.words)+x.numbers.Len())
	for w := range x.words {
		out = append(out, w)
	}
	x.numbers.Scan(func(n float64, _ slotSet) bool {
		out = append(out, n)
		return true
	})
	return out
}

// equal tells whether two indexes hold the same.
func (x *fieldIndex) equal(o *fieldIndex) bool {
	for _, pair := range [][2]*roaring.Bitmap{
		{x.points, o.points}, {x.held, o.held}, {x.several, o.several}, {x.other, o.other}, {x.null, o.null}, {x.unread, o.unread},
	} {
		if !pair[0].Equals(pair[1]) {
			return false
		}
	}
	values := x.values()
	return len(values) == len(o.values()) &&
		!slices.ContainsFunc(values, func(v any) bool { return !x.slots(v).equal(o.slots(v)) })
}

// union is the slots that hold one of some values.
func (x *fieldIndex) union(values []any) *index.Bitmap {
	out := index.NewBitmap()
	for _, v := range values {
		x.slots(v).addTo(out)
	}
	return out
}

// wanted sorts what a Match compares with: values that the index tells exactly,
// numbers so large that float64 blurs them, and whether there are values of
// other kinds.
func (x *fieldIndex) wanted(values []any) (sharp, blurred []any, others bool) {
	const sharpBelow = 1 << 53
	for _, v := range values {
		value, ok := x.Kind.valueOf(v)
		switch n, isNumber := value.(float64); {
		case !ok:
			others = true
		case isNumber && math.Abs(n) >= sharpBelow:
			blurred = append(blurred, value)
		default:
			sharp = append(sharp, value)
		}
	}
	return sharp, blurred, others
}

// equals are the bounds of holding one of some values.
func (x *fieldIndex) equals(values []any) bounds {
	sharp, blurred, others := x.wanted(values)
	out := sure(x.union(sharp))
	if len(blurred) > 0 {
		out.or(perhaps(x.union(blurred)))
	}
	if others {
		out.or(perhaps(dense(x.other)))
	}
	return out
}

// except are the bounds of holding a value that is none of some. Null is one, too.
func (x *fieldIndex) except(values []any) bounds {
	sharp, blurred, others := x.wanted(values)
	excepted := x.union(sharp)
	out := bounds{lo: dense(x.held), hi: dense(x.held)}
	out.lo.AndNot(excepted)
	out.lo.AndNot(x.union(blurred))
	excepted.AndNot(dense(x.several)) // those may hold another value besides
	out.hi.AndNot(excepted)
	out.or(sure(dense(x.null)))
	if others {
		out.or(perhaps(dense(x.other)))
	} else {
		out.or(sure(dense(x.other)))
	}
	return out
}

// contains are the bounds of holding a text that contains another.
func (x *fieldIndex) contains(text string) bounds {
	if x.Kind != KindKeyword && x.Kind != KindUUID {
		return perhaps(dense(x.other))
	}
	out := index.NewBitmap()
	for w, set := range x.words {
		if strings.Contains(w, text) {
			set.addTo(out)
		}
	}
	return sure(out)
}

// within are the bounds of holding a number of a range.
func (x *fieldIndex) within(r *Range) bounds {
	if x.Kind != KindInteger && x.Kind != KindFloat {
		return perhaps(dense(x.other))
	}
	out := index.NewBitmap()
	low, _ := r.ends()
	x.numbers.Ascend(low, func(n float64, set slotSet) bool {
		if r.contains(n) {
			set.addTo(out)
			return true
		}
		return n == low // left out by gt: go on
	})
	return sure(out)
}

// countWithin estimates how many slots a range holds, from how many of the
// distinct numbers it does.
func (x *fieldIndex) countWithin(r *Range) int {
	distinct := x.numbers.Len()
	if distinct == 0 {
		return 0
	}
	rank := func(v float64) int {
		return sort.Search(distinct, func(i int) bool {
			n, _, _ := x.numbers.GetAt(i)
			return n >= v
		})
	}
	low, high := r.ends()
	some := max(0, rank(high)-rank(low))
	return int(float64(some) / float64(distinct) * float64(x.held.GetCardinality()))
}

// match are the bounds of a Match.
func (x *fieldIndex) match(m *Match) bounds {
	switch {
	case m.Any != nil:
		return x.equals(m.Any)
	case m.Except != nil:
		return x.except(m.Except)
	case m.Text != "":
		return x.contains(m.Text)
	}
	return x.equals([]any{m.Value})
}

// empty is the slots that hold nothing but null.
func (x *fieldIndex) empty() *index.Bitmap {
	out := dense(x.points)
	out.AndNot(dense(x.held))
	out.AndNot(dense(x.other))
	return out
}

// count is how many slots hold the values, those with several counted as often.
func (x *fieldIndex) count(values []any) (n int) {
	sharp, blurred, _ := x.wanted(values)
	for _, v := range append(sharp, blurred...) {
		n += x.slots(v).len()
	}
	return n
}
