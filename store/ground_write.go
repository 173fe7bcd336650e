package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/index"
)

// writer changes ground state within one bbolt transaction, for a group of
// batches. Counters are kept here and written once, at the end.
type writer struct {
	*ground
	spec     source.Spec // of the records
	seq      uint64
	nextSlot uint64
	points   uint64
	// changed is what became of each slot whose record changed.
	changed map[uint32]slotChange

	indexes *payloadIndexes
	// touched is what the payload indexes hold, and should hold, of each slot that
	// changed in any way.
	touched map[uint32]payloadDelta
}

// slotChange is the last change of a slot: the point it holds now, or nil.
type slotChange struct {
	seq   uint64
	point *preparedPoint
}

func newWriter(g *ground, spec source.Spec, indexes *payloadIndexes) *writer {
	return &writer{
		ground: g, spec: spec, seq: g.number(keySeq), nextSlot: g.number(keyNextSlot), points: g.number(keyPoints),
		changed: make(map[uint32]slotChange), indexes: indexes, touched: make(map[uint32]payloadDelta),
	}
}

// touch notes what the payload indexes hold of a slot, before it changes.
func (w *writer) touch(slot uint32) {
	if _, known := w.touched[slot]; !known && len(w.indexes.fields) > 0 {
		w.touched[slot] = payloadDelta{was: w.indexes.valuesOf(w.ground, slot)}
	}
}

// selectSlots finds the points that a filter selects, changes of this transaction
// included.
func (w *writer) selectSlots(f *Filter) (*index.Bitmap, error) {
	s, err := w.indexes.selector(w.ground, f, w.touched)
	if err != nil {
		return nil, err
	}
	return s.selectSlots(context.Background())
}

// finish writes the counters, and tells the payload indexes what to expect.
func (w *writer) finish() error {
	for slot, d := range w.touched {
		d.now = w.indexes.valuesOf(w.ground, slot)
		w.touched[slot] = d
	}
	w.indexes.expect(w.touched)
	return errors.Join(w.putNumber(keySeq, w.seq), w.putNumber(keyNextSlot, w.nextSlot), w.putNumber(keyPoints, w.points))
}

// allocate takes a free slot, the lowest freed one first.
func (w *writer) allocate() (uint32, error) {
	c := w.free.Cursor()
	if k, _ := c.First(); k != nil {
		slot := binary.BigEndian.Uint32(k)
		return slot, c.Delete()
	}
	if w.nextSlot > math.MaxUint32-1 {
		return 0, invalid("points", "a collection holds at most %d points", uint32(math.MaxUint32))
	}
	slot := uint32(w.nextSlot)
	w.nextSlot++
	return slot, nil
}

// admit gives a new id a slot.
func (w *writer) admit(id ID) (uint32, error) {
	slot, err := w.allocate()
	if err != nil {
		return 0, err
	}
	w.points++
	return slot, w.ids.Put(id.key(), slotKey(slot))
}

// upsert writes one point. A record that is the same byte for byte, or would be if it
// were written today, is left alone: then only the payload changes, and no latent with
// it. That cannot be told of a record that was given up, which is written anew.
func (w *writer) upsert(p *preparedPoint) error {
	slot, known, err := w.slotOf(p.id)
	if err != nil {
		return err
	}
	if known {
		if w.holds(slot, p.record) {
			return w.replacePayload(slot, p.payload)
		}
	} else if slot, err = w.admit(p.id); err != nil {
		return err
	}
	if _, ok := w.spec.(source.Renewing); ok {
		if err := w.raiseFormat(formatWithCells); err != nil {
			return err
		}
	}
	w.seq++
	entry := sealed(seqKey(w.seq), p.id.key())
	if err := errors.Join(w.slots.Put(slotKey(slot), entry), w.records.Put(slotKey(slot), sealed(p.record)), w.deleteLatent(slot), w.log(slot, p)); err != nil {
		return err
	}
	return w.putPayload(slot, p.payload)
}

// holds tells whether a slot has a record already. One that cannot be read is none.
func (w *writer) holds(slot uint32, record []byte) bool {
	stored, err := w.record(slot)
	if err == nil {
		stored, err = source.Renewed(w.spec, stored)
	}
	return err == nil && bytes.Equal(stored, record)
}

// log enters a change in the change log, and the point that the slot now holds,
// nil for none.
func (w *writer) log(slot uint32, p *preparedPoint) error {
	w.changed[slot] = slotChange{seq: w.seq, point: p}
	return w.changes.Put(seqKey(w.seq), slotKey(slot))
}

func (w *writer) putPayload(slot uint32, data []byte) error {
	w.touch(slot)
	if len(data) == 0 {
		return w.payloads.Delete(slotKey(slot))
	}
	return w.payloads.Put(slotKey(slot), sealed(data))
}

// remove deletes a point and tells whether there was one.
func (w *writer) remove(id ID) (bool, error) {
	slot, known, err := w.slotOf(id)
	if err != nil || !known {
		return false, err
	}
	w.touch(slot)
	w.seq++
	w.points--
	key := slotKey(slot)
	return true, errors.Join(w.ids.Delete(id.key()), w.slots.Delete(key), w.records.Delete(key), w.deleteLatent(slot),
		w.payloads.Delete(key), w.free.Put(key, nil), w.log(slot, nil))
}

// changePayload applies one payload change to the slots it selects.
func (w *writer) changePayload(ch *preparedPayload, slots []uint32) error {
	for _, slot := range slots {
		var next Payload
		old, err := w.payload(slot)
		if err != nil {
			return err
		}
		switch ch.Op {
		case PayloadSet:
			next = old.merged(ch.Payload)
		case PayloadOverwrite:
			next = ch.Payload
		case PayloadDelete:
			next = old.without(ch.Keys)
		}
		data, err := next.encode("payload")
		if err != nil {
			return err
		}
		if err := w.replacePayload(slot, data); err != nil {
			return err
		}
	}
	return nil
}

// replacePayload is a change of its own, but not one of the change log: indexes
// hold nothing of payloads.
func (w *writer) replacePayload(slot uint32, data []byte) error {
	w.seq++
	return w.putPayload(slot, data)
}

// slotsOf finds the slots of ids, every one of which must exist.
func (g *ground) slotsOf(ids []ID) ([]uint32, error) {
	out := make([]uint32, 0, len(ids))
	for _, id := range ids {
		slot, ok, err := g.slotOf(id)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fmt.Errorf("%w: no point with id %s", ErrNotFound, id)
		}
		out = append(out, slot)
	}
	return out, nil
}
