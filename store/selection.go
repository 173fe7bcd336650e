package store

import (
	"context"
	"encoding/binary"
	"sync"

	"github.com/latentdb/latentdb/index"
)

// selection is the points that a filter selected, as of one state of them.
type selection struct {
	// slots are theirs; nil for all.
	slots *index.Bitmap
	// seq is the last change of that state.
	seq uint64
	// info is nil where there was no filter.
	info *FilterInfo
}

// FilterInfo says how a filter was answered.
type FilterInfo struct {
	// Matching is how many points it selects.
	Matching int `json:"matching"`
	// Indexed tells that payload indexes had a part in it.
	Indexed bool `json:"indexed"`
	// Scanned is how many payloads were read.
	Scanned int `json:"scanned"`
	// Cached tells that the same filter was answered before, and nothing changed since.
	Cached bool `json:"cached,omitempty"`
}

// selector answers a filter within one transaction: by ids and payload indexes
// as far as these know, by payloads beyond that.
type selector struct {
	bounds
	ground  *ground
	filter  *Filter
	indexed bool
	scanned int
}

// fits tells whether the filter selects a point.
func (s *selector) fits(slot uint32, id ID) (bool, error) {
	switch {
	case s.filter.empty() || s.lo.Has(slot):
		return true, nil
	case s.hi != nil && !s.hi.Has(slot):
		return false, nil
	case len(s.filter.keys) > 0:
		s.scanned++
	}
	return s.ground.fits(s.filter, id, slot)
}

// selectSlots finds the points that the filter selects.
func (s *selector) selectSlots(ctx context.Context) (*index.Bitmap, error) {
	if s.exact() {
		return s.lo, ctx.Err()
	}
	out := s.lo.Clone()
	look := func(slot uint32, entry []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		e, err := decodeEntry(slot, entry)
		if err != nil {
			return err
		}
		fits, err := s.fits(slot, e.id)
		if fits {
			out.Set(slot)
		}
		return err
	}
	if s.hi == nil {
		return out, s.ground.slots.ForEach(func(k, v []byte) error { return look(binary.BigEndian.Uint32(k), v) })
	}
	s.hi.AndNot(s.lo)
	for slot := range s.hi.Slots() {
		// A slot that changed since the indexes did may hold no point any more.
		if v := s.ground.slots.Get(slotKey(slot)); v != nil {
			if err := look(slot, v); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// selecting calls f in a read transaction with a selector of a prepared filter.
func (c *Collection) selecting(filter *Filter, f func(g *ground, s *selector) error) error {
	// The indexes are held from before the transaction begins, so that they are
	// never of a later state than it sees; of an earlier one they know what changed.
	c.payloadIndexes.mu.RLock()
	release := sync.OnceFunc(c.payloadIndexes.mu.RUnlock)
	defer release()
	return c.view(func(g *ground) error {
		s, err := c.payloadIndexes.selector(g, filter, c.payloadIndexes.changedSince(g.number(keySeq)))
		release()
		if err != nil {
			return err
		}
		return f(g, s)
	})
}

// selected finds the points that a prepared filter selects.
func (c *Collection) selected(ctx context.Context, f *Filter) (out selection, err error) {
	if f.empty() {
		return out, ctx.Err()
	}
	key, as := selectionKey(f), c.selections.commits.Load()
	if kept, known := c.selections.get(key, as); known {
		return kept, ctx.Err()
	}
	err = c.selecting(f, func(g *ground, s *selector) (err error) {
		if out.slots, err = s.selectSlots(ctx); err == nil {
			out.seq = g.number(keySeq)
			out.info = &FilterInfo{Matching: out.slots.Len(), Indexed: s.indexed, Scanned: s.scanned}
		}
		return err
	})
	if err == nil {
		c.selections.put(key, as, out)
	}
	return out, err
}

// selection is the slots of the points that a filter selects; nil for all.
func (c *Collection) selection(ctx context.Context, f *Filter) (*index.Bitmap, error) {
	f, err := f.prepared()
	if err != nil {
		return nil, err
	}
	s, err := c.selected(ctx, f)
	return s.slots, err
}

// fits tells whether a filter selects a slot that holds a point, reading its
// payload if the filter asks for it.
func (g *ground) fits(f *Filter, id ID, slot uint32) (bool, error) {
	if f.empty() {
		return true, nil
	}
	var p Payload
	if len(f.keys) > 0 {
		var err error
		if p, err = g.payloadKeys(slot, f.keys); err != nil {
			return false, err
		}
	}
	return f.matches(id, p), nil
}
