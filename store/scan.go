package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/latentdb/latentdb/index"
)

// scanStep is how many slots one read transaction looks at. Long read
// transactions keep bbolt from reusing pages and stall a growing file.
const scanStep = 2048

// storedRecord is a slot and its record's stored bytes.
type storedRecord struct {
	slot uint32
	id   ID
	data []byte
}

// eachRecord calls f with the records of all points in order of slots, up to
// scanStep at a time; the bytes are valid during the call. allow restricts it;
// nil allows all. A point written meanwhile may or may not be seen.
func (c *Collection) eachRecord(ctx context.Context, allow *index.Bitmap, f func([]storedRecord) error) error {
	next := []byte{0, 0, 0, 0}
	for next != nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := c.view(func(g *ground) error {
			chunk, after, err := g.recordsFrom(next, allow)
			next = after
			if err != nil || len(chunk) == 0 {
				return err
			}
			return f(chunk)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// recordsFrom reads up to scanStep slots from a key on, and the key to go on
// from; nil at the end.
func (g *ground) recordsFrom(from []byte, allow *index.Bitmap) (chunk []storedRecord, next []byte, err error) {
	cur := g.slots.Cursor()
	looked := 0
	for k, v := cur.Seek(from); k != nil; k, v = cur.Next() {
		if looked == scanStep {
			return chunk, append([]byte(nil), k...), nil
		}
		looked++
		slot := binary.BigEndian.Uint32(k)
		if allow != nil && !allow.Has(slot) {
			continue
		}
		e, err := decodeEntry(slot, v)
		if err != nil {
			return nil, nil, err
		}
		data, err := g.record(slot)
		if err != nil {
			return nil, nil, err
		}
		chunk = append(chunk, storedRecord{slot, e.id, data})
	}
	return chunk, nil, nil
}

// entriesFrom calls f with up to scanStep slots from a key on, and returns the
// key to go on from; nil at the end.
func (g *ground) entriesFrom(from []byte, f func(slot uint32, e slotEntry)) (next []byte, err error) {
	cur := g.slots.Cursor()
	looked := 0
	for k, v := cur.Seek(from); k != nil; k, v = cur.Next() {
		if looked == scanStep {
			return append([]byte(nil), k...), nil
		}
		looked++
		slot := binary.BigEndian.Uint32(k)
		e, err := decodeEntry(slot, v)
		if err != nil {
			return nil, err
		}
		f(slot, e)
	}
	return nil, nil
}

// records yields the stored bytes of all points, or of those allowed.
func (c *Collection) records(ctx context.Context, allow *index.Bitmap) iter.Seq2[[]byte, error] {
	stopped := errors.New("stopped")
	return func(yield func([]byte, error) bool) {
		err := c.eachRecord(ctx, allow, func(chunk []storedRecord) error {
			for _, r := range chunk {
				if !yield(r.data, nil) {
					return stopped
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, stopped) {
			yield(nil, err)
		}
	}
}

// featureRows decodes a chunk of records into rows, one after another.
func (g *generation) featureRows(chunk []storedRecord, workers int) ([]float32, error) {
	width := g.fitted.Width()
	rows := make([]float32, width*len(chunk))
	errs := make([]error, len(chunk))
	inParallel(workers, len(chunk), func(i int) {
		if err := g.fitted.Row(rows[i*width:(i+1)*width], chunk[i].data); err != nil {
			errs[i] = fmt.Errorf("store: record of id %s: %w", chunk[i].id, err)
		}
	})
	return rows, errors.Join(errs...)
}

// inParallel calls f for 0 to n-1, cut into one contiguous piece per worker.
func inParallel(workers, n int, f func(i int)) {
	workers = max(1, min(workers, n))
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w * n / workers; i < (w+1)*n/workers; i++ {
				f(i)
			}
		})
	}
	wg.Wait()
}

// eachRow is eachRecord with the feature rows under a generation's front end.
func (c *Collection) eachRow(ctx context.Context, gen *generation, allow *index.Bitmap, f func(chunk []storedRecord, rows []float32) error) error {
	return c.eachRecord(ctx, allow, func(chunk []storedRecord) error {
		rows, err := gen.featureRows(chunk, c.opts.Workers)
		if err != nil {
			return err
		}
		return f(chunk, rows)
	})
}

// encodeAll fills a generation's empty index from the records, as of the last
// change before it began; later ones are in the change log. progress, if set,
// is told how many points are done.
func (c *Collection) encodeAll(ctx context.Context, gen *generation, progress func(done int)) error {
	if err := c.view(func(g *ground) error {
		gen.indexer.applied = g.number(keySeq)
		return nil
	}); err != nil {
		return err
	}
	done := 0
	err := c.eachRow(ctx, gen, nil, func(chunk []storedRecord, rows []float32) error {
		latents, err := gen.indexRows(rows)
		if err != nil {
			return err
		}
		slots := make([]uint32, len(chunk))
		for i, r := range chunk {
			slots[i] = r.slot
			gen.keepRow(r.slot, rows[i*len(rows)/len(chunk):(i+1)*len(rows)/len(chunk)])
		}
		if err := putRows(ctx, gen.index, slots, latents, c.opts.Workers); err != nil {
			return err
		}
		gen.indexer.touch(slots)
		if done += len(chunk); progress != nil {
			progress(done)
		}
		return nil
	})
	gen.tail.close(gen.indexer.applied)
	return err
}
