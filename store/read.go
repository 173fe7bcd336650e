package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// With says which parts of a point are read; the id always is. Vector is the
// input vector of a vector collection, the stored latent of any other. Of a fitted
// collection that drops its originals, records and input vectors are decoded: an image
// as PNG, a vector measured by Cosine at length one.
type With struct {
	Payload, Record, Vector bool
}

// ScrollQuery says which points Scroll yields.
type ScrollQuery struct {
	// From is the id to begin at; zero begins at the first.
	From   ID
	Filter *Filter
	With   With
}

// Get reads points in the order of the ids; unknown ids are left out.
func (c *Collection) Get(ctx context.Context, with With, ids ...ID) ([]Point, error) {
	gen := c.active.Load()
	out := make([]Point, 0, len(ids))
	err := c.view(func(g *ground) error {
		for i, id := range ids {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := id.validate(fmt.Sprintf("ids[%d]", i)); err != nil {
				return err
			}
			slot, ok, err := g.slotOf(id)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			p, err := c.readPoint(g, slot, with, gen)
			if err != nil {
				return err
			}
			out = append(out, p)
		}
		return nil
	})
	return out, err
}

// Count counts the points that a filter selects; nil counts all.
func (c *Collection) Count(ctx context.Context, f *Filter) (int, error) {
	if c.stopped() {
		return 0, ErrClosed
	}
	selected, err := c.selection(ctx, f)
	if err != nil {
		return 0, err
	}
	if selected == nil {
		return int(c.points.Load()), nil
	}
	return selected.Len(), nil
}

// scrollStep is how many points Scroll reads in one transaction, and scrollLook
// how many it looks at.
const (
	scrollStep = 256
	scrollLook = 16 * scrollStep
)

// Scroll yields points in order of ids. It reads some at a time, so that a slow
// reader holds up nobody; points written meanwhile may or may not be seen. An
// error ends it.
func (c *Collection) Scroll(ctx context.Context, q ScrollQuery) iter.Seq2[Point, error] {
	return func(yield func(Point, error) bool) {
		from := []byte{0}
		if !q.From.IsZero() {
			from = q.From.key()
		}
		filter, err := q.Filter.prepared()
		q.Filter = filter
		for from != nil {
			var points []Point
			if err = errors.Join(err, ctx.Err()); err == nil {
				err = c.selecting(q.Filter, func(g *ground, s *selector) (err error) {
					points, from, err = c.scrollFrom(g, from, q, s)
					return err
				})
			}
			if err != nil {
				yield(Point{}, err)
				return
			}
			for _, p := range points {
				if !yield(p, nil) {
					return
				}
			}
		}
	}
}

// scrollFrom reads the next points from an id key on, and the key to go on
// from; nil at the end. It looks at no more than scrollLook, so that a filter
// that selects little makes no long transaction.
func (c *Collection) scrollFrom(g *ground, from []byte, q ScrollQuery, s *selector) (points []Point, next []byte, err error) {
	gen := c.active.Load()
	keys, err := s.keysFrom(from)
	if err != nil {
		return nil, nil, err
	}
	looked := 0
	for k, v := range keys {
		if len(points) == scrollStep || looked == scrollLook {
			return points, bytes.Clone(k), nil
		}
		looked++
		id, err := idOfKey(k)
		if err != nil || len(v) != 4 {
			return nil, nil, fmt.Errorf("%w: id entry %x", ErrCorrupt, k)
		}
		slot := binary.BigEndian.Uint32(v)
		if fits, err := s.fits(slot, id); err != nil {
			return nil, nil, err
		} else if !fits {
			continue
		}
		point, err := c.readPoint(g, slot, q.With, gen)
		if err != nil {
			return nil, nil, err
		}
		points = append(points, point)
	}
	return points, nil, nil
}

// keysFrom yields the keys and slots, as stored, of the ids from a key on that
// the filter may select: all of them, or where the indexes leave few, those.
func (s *selector) keysFrom(from []byte) (iter.Seq2[[]byte, []byte], error) {
	if s.hi == nil || s.hi.Len() > scrollLook {
		return func(yield func(k, v []byte) bool) {
			cur := s.ground.ids.Cursor()
			for k, v := cur.Seek(from); k != nil && yield(k, v); k, v = cur.Next() {
			}
		}, nil
	}
	var keys [][]byte
	for slot := range s.hi.Slots() {
		e, ok, err := s.ground.entry(slot)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if k := e.id.key(); bytes.Compare(k, from) >= 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, bytes.Compare)
	return func(yield func(k, v []byte) bool) {
		for _, k := range keys {
			if !yield(k, s.ground.ids.Get(k)) {
				return
			}
		}
	}, nil
}

// readPoint reads a slot that holds a point.
func (c *Collection) readPoint(g *ground, slot uint32, with With, gen *generation) (Point, error) {
	e, ok, err := g.entry(slot)
	if err != nil || !ok {
		return Point{}, errors.Join(err, fmt.Errorf("%w: slot %d holds no point", ErrCorrupt, slot))
	}
	p := Point{ID: e.id}
	if with.Payload {
		if p.Payload, err = g.payload(slot); err != nil {
			return p, err
		}
	}
	isVector := c.Config().isVector()
	if !with.Vector && (!with.Record || isVector) {
		return p, nil
	}
	stored, err := g.content(slot, e)
	if err != nil {
		return p, err
	}
	if stored.data == nil {
		gen = c.active.Load() // it came to be after the one that is asked
	}
	if gen.latentOnly {
		return p, p.decode(gen, stored, with, isVector)
	}
	record := stored.data
	switch {
	case isVector:
		v, err := c.Config().Source.Unmarshal(record)
		p.Vector, _ = v.([]float32)
		return p, err
	case with.Record:
		if p.Record, err = c.Config().Source.Unmarshal(record); err != nil {
			return p, err
		}
	}
	if with.Vector && gen.model != nil {
		p.Vector, err = gen.rowOfSlot(g, slot)
	}
	return p, err
}

// decode fills in what is asked for of a point whose record is dropped.
func (p *Point) decode(gen *generation, stored storedPoint, with With, isVector bool) error {
	record, latent, err := gen.recordOf(stored)
	if err != nil {
		return err
	}
	switch {
	case isVector:
		p.Vector, _ = record.([]float32)
		return nil
	case with.Record:
		p.Record = record
	}
	if with.Vector {
		p.Vector = latent
	}
	return nil
}
