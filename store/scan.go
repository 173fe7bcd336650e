package store

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"sync"

	"github.com/latentdb/latentdb/index"
)

// scanStep is how many slots one read transaction looks at. Long read
// transactions keep bbolt from reusing pages and stall a growing file.
const scanStep = 2048

// eachPoint calls f with what is stored of all points in order of slots, up to
// scanStep at a time; the chunk and its bytes are valid during the call. allow restricts
// it; nil allows all. A point written meanwhile may or may not be seen.
func (c *Collection) eachPoint(ctx context.Context, allow *index.Bitmap, f func([]storedPoint) error) error {
	return c.eachChunk(ctx, allow, func(int) {}, f)
}

// eachChunk is eachPoint that says after each chunk how many points it was of. No
// transaction is open then.
func (c *Collection) eachChunk(ctx context.Context, allow *index.Bitmap, done func(n int), f func([]storedPoint) error) error {
	var chunk []storedPoint
	next := []byte{0, 0, 0, 0}
	for next != nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := c.view(func(g *ground) (err error) {
			chunk, next, err = g.pointsFrom(chunk[:0], next, allow)
			if err != nil || len(chunk) == 0 {
				return err
			}
			return f(chunk)
		})
		if err != nil {
			return err
		}
		done(len(chunk))
	}
	return ctx.Err()
}

// pointsFrom appends up to scanStep slots from a key on, and gives the key to go on
// from; nil at the end.
func (g *ground) pointsFrom(chunk []storedPoint, from []byte, allow *index.Bitmap) (points []storedPoint, next []byte, err error) {
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
		p, err := g.content(slot, e)
		if err != nil {
			return nil, nil, err
		}
		chunk = append(chunk, p)
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
		err := c.eachPoint(ctx, allow, func(chunk []storedPoint) error {
			for _, p := range chunk {
				if p.data == nil {
					return ErrNoOriginals
				}
				if !yield(p.data, nil) {
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

// eachRow is eachPoint with the rows that a generation scores points by.
func (c *Collection) eachRow(ctx context.Context, gen *generation, allow *index.Bitmap, f func(chunk []storedPoint, rows []float32) error) error {
	return c.eachPoint(ctx, allow, func(chunk []storedPoint) error {
		rows, err := gen.featureRows(chunk, c.opts.Workers)
		if err != nil {
			return err
		}
		return f(chunk, rows)
	})
}

// eachOriginal is eachPoint with the rows of the records, all of which must be there.
func (c *Collection) eachOriginal(ctx context.Context, gen *generation, allow *index.Bitmap, f func(chunk []storedPoint, rows []float32) error) error {
	return c.eachPoint(ctx, allow, func(chunk []storedPoint) error {
		rows, err := gen.originals(chunk, c.opts.Workers)
		if err != nil {
			return err
		}
		return f(chunk, rows)
	})
}

// encodeAll fills a generation's empty index from what is stored, as of the last
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
	err := c.eachPoint(ctx, nil, func(chunk []storedPoint) error {
		rows, latents, err := gen.rowsOf(chunk, c.opts.Workers, gen.rows != nil)
		if err != nil {
			return err
		}
		slots := make([]uint32, len(chunk))
		for i, p := range chunk {
			slots[i] = p.slot
			gen.keepRow(p.slot, rows[i*len(rows)/len(chunk):(i+1)*len(rows)/len(chunk)])
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
