package store

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
)

const (
	// shedStep is how many records one transaction gives up, and shedBytes about how many
	// bytes of them are read for it.
	shedStep  = 1024
	shedBytes = 16 << 20
)

// shedPause is how long records gather before they are given up: a transaction for each
// that is written would cost as much again as the writing. It is a variable for tests.
var shedPause = 200 * time.Millisecond

// shedding is the giving up of records in the background. What is still to be given up is
// what the bucket of records holds, so it goes on after an open where it ended.
type shedding struct {
	wake chan struct{}
	// asked and done count the times that it was asked for, and of these the ones that
	// were seen to.
	asked, done atomic.Uint64
}

// going tells that there may be records to give up.
func (s *shedding) going() bool { return s.done.Load() < s.asked.Load() }

// shed lets the records be given up that are there by now, where originals are dropped and
// a model is active.
func (c *Collection) shed() {
	if !c.active.Load().latentOnly {
		return
	}
	c.shedding.asked.Add(1)
	select {
	case c.shedding.wake <- struct{}{}:
	default:
	}
}

// shedLoop gives records up until the collection closes.
func (c *Collection) shedLoop() {
	for {
		select {
		case <-c.shedding.wake:
		case <-c.stop:
			return
		}
		select {
		case <-time.After(shedPause):
		case <-c.stop:
			return
		}
		asked := c.shedding.asked.Load()
		if err := c.shedAll(); err != nil && !c.stopped() {
			c.log.Error("giving up records; they stay until more are written, or the next open", "error", err)
		}
		c.shedding.done.Store(asked)
	}
}

// shedAll walks over the records that are there. One that cannot be read is passed over:
// it stays, and reads of it tell what is wrong.
func (c *Collection) shedAll() error {
	next := []byte{0, 0, 0, 0}
	var bad error
	for next != nil && !c.stopped() {
		if c.readOnly.Load() {
			return ErrReadOnly
		}
		batch, err := c.encodedRecords(&next)
		if err != nil {
			return err
		}
		bad = errors.Join(bad, batch.bad)
		if err := c.replaceRecords(batch); err != nil {
			return err
		}
	}
	return bad
}

// shedBatch is points whose records are to be given up, encoded.
type shedBatch struct {
	gen        *generation
	points     []storedPoint
	latents    []float32
	fidelities []fidelity
	bad        error
}

// encodedRecords reads the next records from a key on, and encodes them.
func (c *Collection) encodedRecords(next *[]byte) (*shedBatch, error) {
	b := &shedBatch{gen: c.active.Load()}
	return b, c.view(func(g *ground) (err error) {
		cur, size := g.records.Cursor(), 0
		k, v := cur.Seek(*next)
		for ; k != nil && len(b.points) < shedStep && size < shedBytes; k, v = cur.Next() {
			p, ok, err := g.point(binary.BigEndian.Uint32(k))
			if err != nil {
				b.bad = errors.Join(b.bad, err)
			} else if ok {
				b.points, size = append(b.points, p), size+len(v)
			}
		}
		if *next = nil; k != nil {
			*next = append(*next, k...)
		}
		rows, err := b.gen.originals(b.points, c.opts.Workers)
		if err != nil {
			rows, err = b.dropBad()
		}
		if err == nil {
			b.latents, err = b.gen.indexRows(rows)
		}
		if err == nil {
			b.fidelities, err = b.gen.fidelitiesOf(rows, b.latents, c.opts.Workers)
		}
		return err
	})
}

// dropBad takes points out whose records have no feature row, and returns those of the others.
func (b *shedBatch) dropBad() ([]float32, error) {
	b.points = slices.DeleteFunc(b.points, func(p storedPoint) bool {
		_, err := b.gen.originals([]storedPoint{p}, 1)
		b.bad = errors.Join(b.bad, err)
		return err != nil
	})
	return b.gen.originals(b.points, 1)
}

// replaceRecords puts latents in the place of records, in one transaction, but for those of
// points that changed since they were encoded. While no change becomes visible it takes
// the latents as searches have them: they may differ from those by rounding.
func (c *Collection) replaceRecords(b *shedBatch) error {
	if len(b.points) == 0 {
		return nil
	}
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	d := b.gen.model.Dim()
	return c.update(func(tx *bolt.Tx) error {
		g, err := groundOf(tx)
		if err != nil {
			return err
		}
		for i, p := range b.points {
			e, ok, err := g.entry(p.slot)
			if err != nil {
				return err
			}
			if !ok || e.seq != p.seq {
				continue
			}
			z := b.gen.asSearched(p.slot, b.latents[i*d:(i+1)*d])
			if err := g.putLatent(b.gen, p.slot, z, b.fidelities[i]); err != nil {
				return err
			}
		}
		return nil
	})
}
