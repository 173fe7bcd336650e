package store

import (
	"sync"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/index"
)

// Where feature rows are read from when candidates are scored.
const (
	// RowsAuto is RowsMemory for vector collections while the rows take at most
	// 1 GiB when a fit ends, else RowsDisk.
	RowsAuto = "auto"
	// RowsMemory keeps them packed in memory: one, two or four bytes a value,
	// whichever loses nothing.
	RowsMemory = "ram"
	// RowsDisk reads and decodes the stored records.
	RowsDisk = "disk"
)

// maxAutoRows is as much as RowsAuto keeps in memory.
const maxAutoRows = 1 << 30

// makeRows gives a generation that is being made its rows in memory, if the
// collection wants them. sample tells in how many bytes a value can be kept.
func (c *Collection) makeRows(gen *generation, sample blas32.General) error {
	cfg := c.Config()
	values := make([]float32, 0, sample.Rows*sample.Cols)
	for i := range sample.Rows {
		values = append(values, embed.Row(sample, i)...)
	}
	form := index.LosslessRowForm(values)
	size := float64(c.points.Load()) * float64(sample.Cols*form.Bytes())
	if cfg.Rows == RowsDisk || cfg.Rows == RowsAuto && (!cfg.isVector() || size > maxAutoRows) {
		return nil
	}
	gen.stats.Rows = &form
	return gen.emptyRows(cfg, int(c.slots.Load()))
}

// emptyRows makes room for the rows of so many slots in the form that the fit
// chose, if it chose one.
func (g *generation) emptyRows(cfg Config, slots int) (err error) {
	if g.stats.Rows == nil {
		return nil
	}
	if g.rows, err = index.NewRows(g.fitted.Width(), cfg.Metric, *g.stats.Rows); err == nil {
		g.rows.Reserve(slots)
	}
	return err
}

// keepRow keeps the feature row of a slot in memory, where a generation does; nil
// is of a slot without a point.
func (g *generation) keepRow(slot uint32, feature []float32) {
	switch {
	case g.rows == nil:
	case feature == nil:
		g.rows.Delete(slot)
	default:
		g.rows.Put(slot, feature)
	}
}

// memory is what a generation's index and rows take.
func (g *generation) memory() int64 {
	if g.rows == nil {
		return g.index.Bytes()
	}
	return g.index.Bytes() + g.rows.Bytes()
}

// fillRows reads all feature rows of a generation into memory, in the background:
// until then those that are missing are read when they are asked for. The caller
// keeps the collection from closing meanwhile.
func (c *Collection) fillRows(gen *generation) {
	if gen.rows == nil {
		return
	}
	c.fills.Go(func() {
		next := []byte{0, 0, 0, 0}
		for next != nil && !c.stopped() && c.active.Load() == gen {
			if err := c.fillSome(gen, &next); err != nil {
				c.log.Error("reading rows into memory", "generation", gen.number, "error", err)
				return
			}
		}
	})
}

// fillSome reads the next rows while no change becomes visible, for a row that is
// older than the one there must not take its place.
func (c *Collection) fillSome(gen *generation, next *[]byte) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	return c.view(func(g *ground) error {
		chunk, after, err := g.recordsFrom(*next, nil)
		if *next = after; err != nil {
			return err
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

// pointIDs keeps the ids of slots in memory where they are numbers, so that an
// answer needs no transaction: 8 bytes a slot. Other ids are read when asked for.
type pointIDs struct {
	mu    sync.RWMutex
	pages []*idPage
}

// idPageSize is how many slots a page of ids is for.
const idPageSize = 1024

type idPage struct {
	numbers [idPageSize]uint64
	held    index.Bitmap // by place on the page
}

// follow enters what became of slots.
func (t *pointIDs) follow(changed map[uint32]slotChange) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for slot, ch := range changed {
		if ch.point == nil {
			t.put(slot, ID{})
		} else {
			t.put(slot, ch.point.id)
		}
	}
}

// put keeps the id of a slot; the caller holds mu.
func (t *pointIDs) put(slot uint32, id ID) {
	p, at := int(slot/idPageSize), slot%idPageSize
	if p >= len(t.pages) {
		t.pages = append(t.pages, make([]*idPage, p+1-len(t.pages))...)
	}
	switch {
	case id.kind == idNum:
		if t.pages[p] == nil {
			t.pages[p] = new(idPage)
		}
		t.pages[p].numbers[at] = id.num
		t.pages[p].held.Set(at)
	case t.pages[p] != nil:
		t.pages[p].held.Clear(at)
	}
}

// of gives the ids of hits; false where one is not known.
func (t *pointIDs) of(hits []index.Hit) ([]ID, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	ids := make([]ID, len(hits))
	for i, h := range hits {
		p, at := int(h.Slot/idPageSize), h.Slot%idPageSize
		if p >= len(t.pages) || t.pages[p] == nil || !t.pages[p].held.Has(at) {
			return nil, false
		}
		ids[i] = NumID(t.pages[p].numbers[at])
	}
	return ids, true
}

// fillIDs reads the ids of all slots into memory.
func (c *Collection) fillIDs() {
	next := []byte{0, 0, 0, 0}
	for next != nil && !c.stopped() {
		if err := c.fillSomeIDs(&next); err != nil {
			c.log.Error("reading ids into memory", "error", err)
			return
		}
	}
}

// fillSomeIDs reads the next ids while no change becomes visible.
func (c *Collection) fillSomeIDs(next *[]byte) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	c.ids.mu.Lock()
	defer c.ids.mu.Unlock()
	return c.view(func(g *ground) (err error) {
		*next, err = g.entriesFrom(*next, func(slot uint32, e slotEntry) { c.ids.put(slot, e.id) })
		return err
	})
}
