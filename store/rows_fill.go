package store

import (
	"errors"
	"os"
)

// fill runs f in the background: Info tells of it. The caller keeps the collection
// from closing meanwhile.
func (c *Collection) fill(what string, f func() error) {
	c.filling.Add(1)
	c.fills.Go(func() {
		defer c.filling.Add(-1)
		if err := f(); err != nil && !c.stopped() {
			c.log.Error("reading what is kept in memory", "what", what, "error", err)
		}
	})
}

// fillRows gives a generation its rows in the background: until then those that are
// missing are read when they are asked for.
func (c *Collection) fillRows(gen *generation) {
	if gen.rows != nil {
		c.fill("rows", func() error { return c.fillAll(gen) })
	}
}

func (c *Collection) fillAll(gen *generation) error {
	c.writeMu.Lock()
	c.beginRows(gen)
	c.writeMu.Unlock()
	saved, err := c.openRows(gen)
	next := []byte{0, 0, 0, 0}
	for err == nil && next != nil && !c.stopped() && c.active.Load() == gen {
		err = c.fillSome(gen, saved, &next)
	}
	if errors.Is(err, ErrClosed) {
		return nil // it was given up
	}
	gen.rows.Settle()
	if err != nil || next != nil || gen.file == nil {
		return err
	}
	gen.file.full.Store(true)
	if saved == nil || c.rowsDue(gen) {
		c.trySavingRows(gen)
	}
	return nil
}

// openRows maps the file of a generation's rows, if it has its place there, or begins
// a new one.
func (c *Collection) openRows(gen *generation) (*savedRows, error) {
	if gen.file == nil {
		return nil, nil
	}
	seq, err := c.lastChange()
	if err != nil {
		return nil, err
	}
	saved, err := gen.file.load(gen.rowsHeader(), seq)
	switch {
	case err == nil || errors.Is(err, ErrClosed):
		return saved, err
	case errors.Is(err, os.ErrNotExist):
		c.log.Info("a derived file is missing; rebuilding", "generation", gen.number, "file", "rows")
	default:
		c.log.Warn("a derived file cannot be used; rebuilding", "generation", gen.number, "file", "rows", "error", err)
		// It must not come to be of use again: points may reach a change of its number.
		if err := os.Remove(gen.file.path); err != nil {
			return nil, wrapped(err)
		}
	}
	return nil, gen.file.begin(int(c.slots.Load()))
}

// fillSome reads the next rows while no change becomes visible, for a row that is
// older than the one there must not take its place.
func (c *Collection) fillSome(gen *generation, saved *savedRows, next *[]byte) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	return c.view(func(g *ground) error {
		var chunk []storedPoint
		after, err := g.entriesFrom(*next, func(slot uint32, e slotEntry) {
			if saved.has(slot, e.seq) {
				gen.rows.Keep(slot)
			} else {
				chunk = append(chunk, storedPoint{slot: slot, id: e.id, seq: e.seq})
			}
		})
		if *next = after; err != nil {
			return err
		}
		for i := range chunk {
			p := &chunk[i]
			if *p, err = g.content(p.slot, slotEntry{id: p.id, seq: p.seq}); err != nil {
				return err
			}
		}
		rows, err := gen.featureRows(chunk, 1)
		if err != nil {
			return err
		}
		width := gen.fitted.Width()
		for i, r := range chunk {
			gen.keepRow(r.slot, rows[i*width:(i+1)*width])
		}
		return nil
	})
}
