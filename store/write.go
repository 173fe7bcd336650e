package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/latentdb/latentdb/index/lexical"
	bolt "go.etcd.io/bbolt"
)

// MaxBatchPoints is the most points one call may write.
const MaxBatchPoints = 100_000

// Bounds of one commit: what waits in the queue is committed together, up to these.
const (
	groupPoints  = 4096
	groupBytes   = 32 << 20
	queueBatches = 1024
)

// Batch is one atomic change: all of it is carried out or none. Its parts are
// carried out in the order of the fields.
type Batch struct {
	// Delete removes points; unknown ids are passed over.
	Delete []ID
	// DeleteWhere removes the points a filter selects.
	DeleteWhere *Filter
	// Upsert inserts points, or replaces them whole, payload included. The last
	// of several points with one id wins.
	Upsert []Point
	// Payloads changes payloads and touches neither record nor latent.
	Payloads []PayloadChange
}

// PayloadOp is a kind of payload change.
type PayloadOp string

// The payload changes.
const (
	// PayloadSet puts keys on top of what is there.
	PayloadSet PayloadOp = "set"
	// PayloadOverwrite replaces the payload.
	PayloadOverwrite PayloadOp = "overwrite"
	// PayloadDelete removes keys.
	PayloadDelete PayloadOp = "delete"
	// PayloadClear removes all keys.
	PayloadClear PayloadOp = "clear"
)

// PayloadChange is one payload change of the points named by IDs, all of which
// must exist, or selected by Filter.
type PayloadChange struct {
	Op     PayloadOp
	IDs    []ID
	Filter *Filter
	// Payload is what PayloadSet and PayloadOverwrite write.
	Payload Payload
	// Keys are what PayloadDelete removes.
	Keys []string
}

// WriteResult tells what a batch did.
type WriteResult struct {
	// Seq is the number of the last change up to and including the batch; 0
	// where the call did not wait.
	Seq uint64
	// Points is how many points it removed, wrote or changed.
	Points int
}

// preparedPoint is a point checked and in its stored form.
type preparedPoint struct {
	id              ID
	at              int // its place among the points given
	record, payload []byte
	// feature is the record's feature row, and row what the index gets of it,
	// both by the generation that the point was prepared for.
	feature, row []float32
	terms        []lexical.Term
	// code is, of a point that is put back, the latent in the place of its record.
	code []byte
}

type preparedPayload struct {
	PayloadChange
}

// request is a batch in the queue.
type request struct {
	deletes  []ID
	where    *Filter
	upserts  []preparedPoint
	payloads []preparedPayload
	// generation is the one that the upserts' rows were made for.
	generation *generation
	size       int
	// duplicates are removed unless they, or the point kept for them, changed
	// after notAfter; removed tells which were.
	duplicates, removed []Removed
	notAfter            uint64
	// keep tells that what is removed is kept for an undo, which undo then names.
	keep bool
	undo uint64
	// restore, if not nil, says that the upserts are points to be put back.
	restore *restoration

	done   chan struct{}
	result WriteResult
	err    error
}

// Upsert inserts points, or replaces them whole: all of them, or none with an
// error that names the first bad one. It returns once they are durable and
// visible to every later search. The last of several points with one id wins.
// At most MaxBatchPoints a call.
func (c *Collection) Upsert(ctx context.Context, points ...Point) error {
	_, err := c.Write(ctx, Batch{Upsert: points}, false)
	return err
}

// Delete removes points by id and returns how many there were. Unknown ids
// are passed over.
func (c *Collection) Delete(ctx context.Context, ids ...ID) (int, error) {
	res, err := c.Write(ctx, Batch{Delete: ids}, false)
	return res.Points, err
}

// Write carries out a batch. It returns once the batch is durable and visible
// to every later search, or, with noWait, once it is checked and queued behind
// the batches before it. If the context ends while a batch waits in the queue,
// the batch may still be carried out; then, as with noWait, its filters must
// not be changed afterwards.
func (c *Collection) Write(ctx context.Context, b Batch, noWait bool) (WriteResult, error) {
	if err := ctx.Err(); err != nil {
		return WriteResult{}, err
	}
	r, err := c.prepare(ctx, b)
	if err != nil {
		return WriteResult{}, err
	}
	if err := c.enqueue(ctx, r); err != nil {
		return WriteResult{}, err
	}
	if noWait {
		return WriteResult{}, nil
	}
	select {
	case <-r.done:
		return r.result, r.err
	case <-ctx.Done():
		return WriteResult{}, ctx.Err()
	}
}

func (c *Collection) enqueue(ctx context.Context, r *request) error {
	c.queueMu.RLock()
	defer c.queueMu.RUnlock()
	if c.stopped() {
		return ErrClosed
	}
	select {
	case c.queue <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// writeLoop commits what waits in the queue, group by group, until the queue
// is closed. One fsync serves a whole group.
func (c *Collection) writeLoop() {
	defer close(c.writerDone)
	for first := range c.queue {
		group, points, size := []*request{first}, len(first.upserts), first.size
	fill:
		for points < groupPoints && size < groupBytes {
			select {
			case r, ok := <-c.queue:
				if !ok {
					break fill
				}
				group = append(group, r)
				points, size = points+len(r.upserts), size+r.size
			default:
				break fill
			}
		}
		c.commitGroup(group)
		for _, r := range group {
			close(r.done)
		}
	}
}

// commitGroup commits a group in one transaction. If one of its batches is
// refused, the others must not suffer: the group is rolled back and each batch
// gets a transaction of its own.
func (c *Collection) commitGroup(group []*request) {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	err := c.commit(group)
	if err == nil {
		return
	}
	for _, r := range group {
		if len(group) > 1 {
			err = c.commit([]*request{r})
		}
		if r.err = err; err != nil {
			r.reset()
		}
	}
}

// commit carries out a group in one transaction and publishes it. The caller
// holds writeMu.
func (c *Collection) commit(group []*request) error {
	if c.readOnly.Load() {
		return ErrReadOnly
	}
	for _, r := range group {
		if err := r.adopt(c.active.Load()); err != nil {
			return err
		}
	}
	var w *writer
	err := c.update(func(tx *bolt.Tx) error {
		g, err := groundOf(tx)
		if err != nil {
			return err
		}
		w = newWriter(g, c.Config().Source, &c.payloadIndexes)
		for _, r := range group {
			if err := c.apply(w, r); err != nil {
				return err
			}
		}
		return w.finish()
	})
	if err != nil {
		return err
	}
	c.payloadIndexes.follow(w.seq)
	c.publish(group, w)
	return nil
}

// adopt makes a request's rows anew if another generation has become the active
// one since they were made. It comes before the commit, for what is committed
// must be searchable: a record that has no row under the active generation is
// refused while nothing of it is written. The caller holds writeMu, so no switch
// comes between.
func (r *request) adopt(active *generation) error {
	if r.generation == active || len(r.upserts) == 0 {
		return nil
	}
	if r.restore != nil {
		return r.adoptRestored(active)
	}
	if err := active.prepareRows(r.upserts); err != nil {
		return err
	}
	r.generation = active
	return nil
}

// reset forgets what a transaction did that did not come to be.
func (r *request) reset() {
	r.result, r.removed, r.undo = WriteResult{}, nil, 0
	if r.restore != nil {
		r.restore.restored, r.restore.skipped = nil, nil
	}
}

// apply carries out one request in the transaction.
func (c *Collection) apply(w *writer, r *request) error {
	r.reset()
	for _, id := range r.deletes {
		had, err := w.remove(id)
		if err != nil {
			return err
		}
		if had {
			r.result.Points++
		}
	}
	if r.where != nil {
		if err := c.applyDeleteWhere(w, r); err != nil {
			return err
		}
	}
	if err := c.applyDuplicates(w, r); err != nil {
		return err
	}
	if err := applyUpserts(w, r); err != nil {
		return err
	}
	for i := range r.payloads {
		p := &r.payloads[i]
		slots, err := w.slotsOf(p.IDs)
		if err != nil {
			return err
		}
		if p.Filter != nil {
			selected, err := w.selectSlots(p.Filter)
			if err != nil {
				return err
			}
			for s := range selected.Slots() {
				slots = append(slots, s)
			}
		}
		if err := w.changePayload(p, slots); err != nil {
			return err
		}
		r.result.Points += len(slots)
	}
	r.result.Seq = w.seq
	return nil
}

func applyUpserts(w *writer, r *request) error {
	if r.restore != nil {
		return applyRestoration(w, r)
	}
	for i := range r.upserts {
		if err := w.upsert(&r.upserts[i]); err != nil {
			return err
		}
		r.result.Points++
	}
	return nil
}

// applyDuplicates removes duplicates that are still what they were found to be.
func (c *Collection) applyDuplicates(w *writer, r *request) error {
	kept := keeper{writer: w, gen: c.active.Load()}
	unchanged := func(id ID) (bool, error) {
		slot, ok, err := w.slotOf(id)
		if err != nil || !ok {
			return false, err
		}
		e, ok, err := w.entry(slot)
		return ok && e.seq <= r.notAfter, err
	}
	for _, d := range r.duplicates {
		stays, err := unchanged(d.Kept)
		if err != nil {
			return err
		}
		same, err := unchanged(d.ID)
		if err != nil {
			return err
		}
		if !stays || !same {
			continue
		}
		if r.keep {
			err = kept.remove(d.ID)
		} else {
			_, err = w.remove(d.ID)
		}
		if err != nil {
			return err
		}
		r.removed = append(r.removed, d)
		r.result.Points++
	}
	r.undo = kept.id
	return nil
}

func (c *Collection) applyDeleteWhere(w *writer, r *request) error {
	selected, err := w.selectSlots(r.where)
	if err != nil {
		return err
	}
	for slot := range selected.Slots() {
		e, ok, err := w.entry(slot)
		if err != nil || !ok {
			return errors.Join(err, fmt.Errorf("%w: selected slot %d holds no point", ErrCorrupt, slot))
		}
		if _, err := w.remove(e.id); err != nil {
			return err
		}
		r.result.Points++
	}
	return nil
}
