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
	var out []Point
	err := c.view(func(g *ground) error {
		slots := make([]uint32, 0, len(ids))
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
			if ok {
				slots = append(slots, slot)
			}
		}
		var err error
		out, err = c.readPoints(g, slots, with, gen)
		return err
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
	var slots []uint32
	for k, v := range keys {
		if len(slots) == scrollStep || looked == scrollLook {
			next = bytes.Clone(k)
			break
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
		slots = append(slots, slot)
	}
	points, err = c.readPoints(g, slots, q.With, gen)
	return points, next, err
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

// readPoints reads slots that hold points. Records that are dropped are decoded all at once.
func (c *Collection) readPoints(g *ground, slots []uint32, with With, gen *generation) ([]Point, error) {
	out := make([]Point, len(slots))
	isVector := c.Config().isVector()
	var contents []storedPoint
	for i, slot := range slots {
		e, ok, err := g.entry(slot)
		if err != nil || !ok {
			return nil, errors.Join(err, fmt.Errorf("%w: slot %d holds no point", ErrCorrupt, slot))
		}
		if out[i].ID = e.id; with.Payload {
			if out[i].Payload, err = g.payload(slot); err != nil {
				return nil, err
			}
		}
		if !with.Vector && (!with.Record || isVector) {
			continue
		}
		p, err := g.content(slot, e)
		if err != nil {
			return nil, err
		}
		if p.data == nil {
			gen = c.active.Load() // where it came to be after the one that is asked
		}
		contents = append(contents, p)
	}
	if gen.latentOnly {
		return out, gen.decodePoints(out, contents, with, c.opts.Workers)
	}
	for i, p := range contents {
		if err := c.fillIn(&out[i], p, with, gen); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// fillIn fills in what is asked for of a point whose record is there.
func (c *Collection) fillIn(p *Point, stored storedPoint, with With, gen *generation) (err error) {
	spec := c.Config().Source
	switch {
	case c.Config().isVector():
		v, err := spec.Unmarshal(stored.data)
		p.Vector, _ = v.([]float32)
		return err
	case with.Record:
		if p.Record, err = spec.Unmarshal(stored.data); err != nil {
			return err
		}
	}
	if with.Vector && gen.model != nil {
		_, p.Vector, err = gen.rowsOf([]storedPoint{stored}, 1, false)
	}
	return err
}
