package store

import (
	"context"
	"errors"
	"os"

	bolt "go.etcd.io/bbolt"
)

// Activate switches to a generation that is kept, after it has caught up with
// every change since it was last active. ErrNotFound if it is not kept.
func (c *Collection) Activate(ctx context.Context, number uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.switchMu.Lock()
	defer c.switchMu.Unlock()
	if c.stopped() {
		return ErrClosed
	}
	c.holds.Add(1)
	defer c.holds.Add(-1)
	if c.active.Load().number == number && number != 0 {
		return nil
	}
	gen, err := c.loadGeneration(ctx, number)
	if err != nil {
		return err
	}
	return c.switchTo(gen, false)
}

// switchTo makes a generation the active one: writers pause while it catches up
// with the last changes, then one transaction names it. With isNew, its model
// enters the ground state in that transaction and the oldest one leaves it; so does what
// is kept for an undo.
// The caller holds switchMu.
func (c *Collection) switchTo(gen *generation, isNew bool) error {
	old := c.active.Load()
	if err := old.drain(); err == nil && old.model != nil {
		c.trySaving(old) // so that a way back replays little
	}
	if err := c.replayMost(gen); err != nil {
		return err
	}
	var dropped []uint64
	if err := c.commitSwitch(gen, isNew, &dropped); err != nil {
		return err
	}
	for _, n := range dropped {
		if err := os.RemoveAll(c.generationDir(n)); err != nil {
			c.log.Warn("removing a replaced generation", "generation", n, "error", err)
		}
	}
	c.release(old)
	c.trySaving(gen)
	return nil
}

// trySaving saves a generation's derived files where a failure costs only time
// on the next open.
func (c *Collection) trySaving(gen *generation) {
	if err := c.persist(gen); err != nil {
		c.log.Error("saving the index", "generation", gen.number, "error", err)
	}
}

func (c *Collection) commitSwitch(gen *generation, isNew bool, dropped *[]uint64) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	if c.readOnly.Load() {
		return ErrReadOnly
	}
	if err := c.replay(gen); err != nil {
		return err
	}
	if err := c.verifyCount(gen); err != nil {
		return err
	}
	err := c.update(func(tx *bolt.Tx) error {
		g, err := groundOf(tx)
		if err != nil {
			return err
		}
		if isNew {
			if err := g.putModel(gen); err != nil {
				return err
			}
			*dropped = g.superseded(gen.number)
			for _, n := range *dropped {
				if err := g.models.DeleteBucket(seqKey(n)); err != nil {
					return err
				}
			}
		}
		return errors.Join(g.setActive(gen.number), g.clearPendingFit(gen.number), g.dropUndo())
	})
	if err != nil {
		return err
	}
	gen.tail.close(c.published.Load())
	c.active.Store(gen)
	switch {
	case c.beginRows(gen) || !isNew:
		c.fillRows(gen)
	case gen.rows != nil: // they were kept as the points were encoded
		c.fill("rows", func() error { gen.rows.Settle(); return nil })
	}
	c.fits.drift.reset() // what it saw was measured by the other model
	c.shed()
	c.wakeIndexer()
	return nil
}

// superseded lists the generations that leave when one is made: all but the
// new one and the one that was active.
func (g *ground) superseded(made uint64) []uint64 {
	var out []uint64
	active := g.activeGeneration()
	for _, n := range g.generations() {
		if n != made && n != active {
			out = append(out, n)
		}
	}
	return out
}
