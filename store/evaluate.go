package store

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/latentdb/latentdb/index"
)

// slotsPerPayload is how many slots can be added to a selection in the time that
// reading one payload takes.
const slotsPerPayload = 1000

// evaluator finds the bounds of filters within one transaction.
type evaluator struct {
	ground *ground
	fields []*fieldIndex // those that can be asked
	points *index.Bitmap // all points, once they were needed
	asked  bool          // whether one of fields was
}

// term is one of the conditions that must all hold.
type term struct {
	cost   int // in slots added to a selection
	bounds func() (bounds, error)
}

// filter finds the bounds of what a filter selects, cheapest condition first.
// Where so few points are left that reading their payloads costs less than the
// next condition, the others are left to that.
func (e *evaluator) filter(f *Filter) (bounds, error) {
	terms := e.terms(f)
	if len(terms) == 0 {
		all, err := e.every()
		return sure(all.Clone()), err
	}
	slices.SortStableFunc(terms, func(a, b term) int { return cmp.Compare(a.cost, b.cost) })
	var out bounds
	for i, t := range terms {
		if i > 0 && out.hi != nil && out.hi.Len() <= t.cost/slotsPerPayload {
			if out.hi.Len() > 0 {
				return perhaps(out.hi), nil
			}
			return out, nil
		}
		b, err := t.bounds()
		if err != nil {
			return out, err
		}
		if i == 0 {
			out = b
		} else {
			out.and(b)
		}
	}
	return out, nil
}

func (e *evaluator) terms(f *Filter) []term {
	var terms []term
	for i := range f.Must {
		c := &f.Must[i]
		terms = append(terms, term{e.cost(c), func() (bounds, error) { return e.condition(c) }})
	}
	for i := range f.MustNot {
		c := &f.MustNot[i]
		terms = append(terms, term{e.cost(c), func() (bounds, error) {
			b, err := e.condition(c)
			if err != nil {
				return b, err
			}
			return b.not(e.every)
		}})
	}
	if len(f.Should) > 0 {
		terms = append(terms, term{e.costs(f.Should), func() (bounds, error) { return e.either(f.Should) }})
	}
	return terms
}

// either finds the bounds of where at least one of some conditions holds.
func (e *evaluator) either(conditions []Condition) (bounds, error) {
	out := sure(index.NewBitmap())
	for i := range conditions {
		b, err := e.condition(&conditions[i])
		if err != nil {
			return out, err
		}
		out.or(b)
	}
	return out, nil
}

func (e *evaluator) condition(c *Condition) (bounds, error) {
	switch {
	case c.Filter != nil:
		return e.filter(c.Filter)
	case c.HasID != nil:
		return e.ids(c.HasID)
	}
	x := e.field(c.payloadKey())
	if x == nil {
		return unknown(), nil
	}
	e.asked = true
	switch {
	case c.IsEmpty != "":
		return sure(x.empty()), nil
	case c.IsNull != "":
		return sure(dense(x.null)), nil
	case c.Match != nil:
		return x.match(c.Match), nil
	}
	return x.within(c.Range), nil
}

// cost estimates what a condition's bounds cost.
func (e *evaluator) cost(c *Condition) int {
	const idLookup = slotsPerPayload / 4
	switch {
	case c.Filter != nil:
		return e.costs(c.Filter.Must) + e.costs(c.Filter.Should) + e.costs(c.Filter.MustNot)
	case c.HasID != nil:
		return idLookup * len(c.HasID)
	}
	x := e.field(c.payloadKey())
	switch {
	case x == nil:
		return 0
	case c.Range != nil:
		return x.countWithin(c.Range)
	case c.IsNull != "":
		return int(x.null.GetCardinality())
	case c.Match != nil && c.Match.Value != nil:
		return x.count([]any{c.Match.Value})
	case c.Match != nil && c.Match.Any != nil:
		return x.count(c.Match.Any)
	}
	return int(x.held.GetCardinality())
}

func (e *evaluator) costs(conditions []Condition) (sum int) {
	for i := range conditions {
		sum += e.cost(&conditions[i])
	}
	return sum
}

// payloadKey is the payload key that a condition looks at.
func (c *Condition) payloadKey() string { return cmp.Or(c.Key, c.IsEmpty, c.IsNull) }

func (e *evaluator) field(key string) *fieldIndex {
	i := slices.IndexFunc(e.fields, func(x *fieldIndex) bool { return x.Key == key })
	if i < 0 {
		return nil
	}
	return e.fields[i]
}

func (e *evaluator) ids(ids []ID) (bounds, error) {
	out := index.NewBitmap()
	for _, id := range ids {
		slot, ok, err := e.ground.slotOf(id)
		if err != nil {
			return bounds{}, err
		}
		if ok {
			out.Set(slot)
		}
	}
	return sure(out), nil
}

// every is the slots of all points. It must not be changed.
func (e *evaluator) every() (*index.Bitmap, error) {
	if e.points != nil {
		return e.points, nil
	}
	if len(e.fields) > 0 {
		e.points = dense(e.fields[0].points)
		return e.points, nil
	}
	e.points = index.NewBitmap()
	return e.points, e.ground.slots.ForEach(func(k, _ []byte) error {
		e.points.Set(binary.BigEndian.Uint32(k))
		return nil
	})
}
