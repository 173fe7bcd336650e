package store

import (
	"context"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// MaxUndoBytes is the most that is kept of what a deduplication removes, in stored bytes of
// records, latents, payloads and ids.
const MaxUndoBytes = 256 << 20

// mostUndoBytes is MaxUndoBytes, and undoStep how many points go back in one transaction;
// variables for tests.
var mostUndoBytes, undoStep = MaxUndoBytes, groupPoints

// Undone is what UndoDeduplicate put back.
type Undone struct {
	Undo uint64 `json:"undo"`
	// Restored are the points that are there again, Skipped those whose ids were given to
	// other points meanwhile, which stay. Both are in order of ids.
	Restored []ID `json:"restored"`
	Skipped  []ID `json:"skipped"`
}

// UndoDeduplicate puts back what the deduplication removed whose report has this id
// (Deduplication.Undo): records, vectors and payloads to the byte, durable and visible to
// every later search when it returns. A point whose id exists again is skipped. The points
// count as written now, so KeepNewest takes them for the newest.
//
// The last deduplication that removed anything can be undone, as long as no other generation
// was switched to, and once: else ErrNotFound. Points go back some thousand at a time, each
// time in one transaction. Where the call ends early, it returns what it put back beside
// the error, and another call puts back the rest.
func (c *Collection) UndoDeduplicate(ctx context.Context, id uint64) (*Undone, error) {
	if c.stopped() {
		return nil, ErrClosed
	}
	out := &Undone{Undo: id, Restored: []ID{}, Skipped: []ID{}}
	var bad error
	next := []byte{}
	for next != nil {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		r, err := c.prepareUndo(id, &next, &bad)
		if err == nil && len(r.upserts) > 0 {
			err = c.carryOut(ctx, r)
		}
		switch {
		case errors.Is(err, ErrNotFound) && len(out.Restored)+len(out.Skipped) == 0:
			return nil, err
		case err != nil:
			return out, err
		case r.restore != nil:
			out.Restored = append(out.Restored, r.restore.restored...)
			out.Skipped = append(out.Skipped, r.restore.skipped...)
		}
	}
	return out, bad
}

// carryOut queues a request and waits for its outcome, which must be told once it is
// queued, even if the context ends.
func (c *Collection) carryOut(ctx context.Context, r *request) error {
	if err := c.enqueue(ctx, r); err != nil {
		return err
	}
	<-r.done
	return r.err
}

// restoration is that a request puts back what a deduplication removed.
type restoration struct {
	undo              uint64
	restored, skipped []ID
}

// prepareUndo reads the next of the points that are kept, and makes their rows. One that
// cannot be read is passed over, and stays where it is.
func (c *Collection) prepareUndo(id uint64, next *[]byte, bad *error) (*request, error) {
	r := &request{restore: &restoration{undo: id}, generation: c.active.Load(), done: make(chan struct{})}
	err := c.view(func(g *ground) error {
		u, err := g.undoable(id)
		if err != nil {
			return err
		}
		cur := u.points.Cursor()
		k, v := cur.Seek(*next)
		for ; k != nil && len(r.upserts) < undoStep && r.size < groupBytes; k, v = cur.Next() {
			p, err := decodeUndo(k, v)
			if err != nil {
				*bad = errors.Join(*bad, err)
				continue
			}
			r.upserts, r.size = append(r.upserts, p.prepared()), r.size+len(v)
		}
		if *next = nil; k != nil {
			*next = append([]byte{}, k...)
		}
		return nil
	})
	if err == nil {
		err = c.lexicon.prepare(r.upserts)
	}
	if err != nil {
		return nil, err
	}
	return r, r.adoptRestored(r.generation)
}

// adoptRestored makes the rows of points that are to be put back by a generation. Where that
// is another than they were removed under, nothing is put back; latents are all of one model.
func (r *request) adoptRestored(active *generation) error {
	r.generation = active
	if active.fitted == nil {
		return nil // the front end is fitted when they are published
	}
	chunk := make([]storedPoint, len(r.upserts))
	for i, p := range r.upserts {
		chunk[i] = storedPoint{id: p.id, data: p.record, code: p.code, latentOf: active.number}
	}
	features, rows, err := active.rowsOf(chunk, 1, active.rows != nil)
	if err != nil {
		return err
	}
	if active.rows == nil {
		features = nil
	}
	active.giveRows(r.upserts, features, rows)
	return nil
}

func errNoUndo(id uint64) error {
	return fmt.Errorf("%w: no deduplication %d to undo: it was undone, a later one or another generation has taken its place, or nothing was kept", ErrNotFound, id)
}

// applyRestoration puts back those of a request's points that are still kept.
func applyRestoration(w *writer, r *request) error {
	u, err := w.undoable(r.restore.undo)
	if err != nil {
		return err
	}
	for i := range r.upserts {
		p := &r.upserts[i]
		v := u.points.Get(p.id.key())
		if v == nil {
			continue // another call was quicker
		}
		kept, err := decodeUndo(p.id.key(), v)
		if err != nil {
			return err
		}
		_, exists, err := w.slotOf(p.id)
		switch {
		case err != nil:
			return err
		case exists:
			r.restore.skipped = append(r.restore.skipped, p.id)
		default:
			if err := w.putBack(p, kept); err != nil {
				return err
			}
			r.restore.restored = append(r.restore.restored, p.id)
			r.result.Points++
		}
		if err := u.points.Delete(p.id.key()); err != nil {
			return err
		}
	}
	if k, _ := u.points.Cursor().First(); k == nil {
		return w.dropUndo()
	}
	return nil
}

// putBack writes a point as it was stored, in whatever slot is free.
func (w *writer) putBack(p *preparedPoint, kept keptPoint) error {
	slot, err := w.admit(p.id)
	if err != nil {
		return err
	}
	key, content := slotKey(slot), w.records
	if kept.kind == keptLatent {
		if err := w.roomForLatents(w.activeGeneration()); err != nil {
			return err
		}
		content = w.latents
	}
	w.touch(slot)
	w.seq++
	err = errors.Join(w.slots.Put(key, sealed(seqKey(w.seq), p.id.key())), content.Put(key, kept.content), w.log(slot, p))
	if len(kept.payload) > 0 {
		err = errors.Join(err, w.payloads.Put(key, kept.payload))
	}
	return err
}

// keeper keeps what a deduplication removes, within its transaction.
type keeper struct {
	writer *writer
	gen    *generation
	points *bolt.Bucket // nil until something is removed
	id     uint64
	bytes  int
}

// remove is the writer's, and keeps the point.
func (k *keeper) remove(id ID) error {
	w := k.writer
	slot, known, err := w.slotOf(id)
	if err != nil || !known {
		return err
	}
	if k.points == nil {
		k.id = w.seq + 1
		if k.points, err = w.beginUndo(k.gen.number, k.id); err != nil {
			return err
		}
	}
	v, err := k.kept(slot)
	if err != nil {
		return err
	}
	key := id.key()
	if k.bytes += len(key) + len(v); k.bytes > mostUndoBytes {
		return invalid("undo", "what is removed takes more than the %d bytes that are kept for an undo; do without one, or remove fewer", mostUndoBytes)
	}
	if err := k.points.Put(key, v); err != nil {
		return err
	}
	_, err = w.remove(id)
	return err
}

// kept is what is kept of a slot's point. A record that is still to be given up is not
// kept by that: its latent is.
func (k *keeper) kept(slot uint32) ([]byte, error) {
	w, key := k.writer, slotKey(slot)
	if !k.gen.latentOnly {
		return encodeUndo(keptRecord, w.records.Get(key), w.payloads.Get(key)), nil
	}
	if w.latents != nil {
		if v := w.latents.Get(key); v != nil {
			return encodeUndo(keptLatent, v, w.payloads.Get(key)), nil
		}
	}
	p, ok, err := w.point(slot)
	if err != nil || !ok {
		return nil, errors.Join(err, fmt.Errorf("%w: slot %d holds no point", ErrCorrupt, slot))
	}
	v, err := k.gen.latentValue(p)
	return encodeUndo(keptLatent, v, w.payloads.Get(key)), err
}
