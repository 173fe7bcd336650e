package store

import (
	"slices"
	"sync"

	"github.com/latentdb/latentdb/index"
)

// Where a fitted generation has the feature rows that candidates are scored by: packed,
// in one, two or four bytes a value, whichever loses nothing. Both are filled from the
// records after an open, in the background.
const (
	// RowsAuto is RowsMemory for vector collections while the rows take at most 1 GiB,
	// else RowsDisk. Other collections, whose searches are of latents as a rule, have
	// no rows: candidates are read and decoded, at microseconds each. Nor have those
	// that drop their originals: candidates' latents are decoded. Where such a collection
	// asks for rows, they are the decoded ones.
	RowsAuto = "auto"
	// RowsMemory has them in memory.
	RowsMemory = "ram"
	// RowsHalf has them in memory with no more than two bytes a value. Where that loses
	// something, a value is within a 4,096th of the range of all values, and so scores
	// are a little off, and the order of points that are as near to each other. The exact
	// scan does not go by such rows.
	RowsHalf = "half"
	// RowsDisk has them in a file that is mapped into memory: as fast while the
	// system's cache holds what is asked for, and no memory of the process but for what
	// changed since the file was written. Windows, where a file in use cannot be
	// replaced, and systems of 32 bits have them in memory.
	RowsDisk = "disk"
)

var rowsPlaces = []string{RowsAuto, RowsMemory, RowsHalf, RowsDisk}

// maxFitRows is as much as a fit keeps in memory of rows beside those of the
// generation before. More are read from the records once that has gone, and until
// then candidates are. It is a variable for tests.
var maxFitRows = 128e6

// maxAutoRows is as much as RowsAuto keeps in memory.
const maxAutoRows = 1 << 30

// makeRows gives a generation that is being made its rows, if the collection wants
// them, in the form that the sample can be kept in.
func (c *Collection) makeRows(gen *generation, sample *fitSample) error {
	form, constants := sample.form, sample.constants
	if gen.latentOnly {
		var err error
		if form, err = c.decodedForm(gen, sample); err != nil {
			return err
		}
		constants = nil
	}
	if c.rowsPlace(gen, form) == "" {
		return nil
	}
	gen.stats.Rows, gen.stats.RowConstants = &form, constants
	size := float64(c.slots.Load()) * float64(gen.fitted.Width()*form.Bytes())
	gen.rowsLater.Store(size > maxFitRows && c.rowsPlace(gen, form) == RowsMemory)
	if err := c.emptyRows(gen); err != nil || gen.file == nil {
		return err
	}
	gen.file.full.Store(true) // as soon as all points are encoded
	return gen.file.begin(int(c.slots.Load()))
}

// decodedForm is the form that decoded rows are kept in.
func (c *Collection) decodedForm(gen *generation, sample *fitSample) (index.RowForm, error) {
	if c.Config().Rows != RowsHalf {
		return index.RowForm{Kind: index.RowFloat32}, nil
	}
	z, err := gen.indexRows(slices.Clone(sample.rows.Data))
	if err != nil {
		return index.RowForm{}, err
	}
	rows, err := gen.decode(z, c.opts.Workers)
	return index.HalfRowForm(rows), err
}

// rowsPlace is where the rows of a generation belong; nowhere is "".
func (c *Collection) rowsPlace(gen *generation, form index.RowForm) string {
	cfg := c.Config()
	place := cfg.Rows
	if place == RowsAuto {
		switch size := float64(c.slots.Load()) * float64(gen.fitted.Width()*form.Bytes()); {
		case !cfg.isVector() || cfg.DropOriginals:
			return ""
		case size > maxAutoRows:
			place = RowsDisk
		default:
			place = RowsMemory
		}
	}
	if !canMap || place == RowsHalf {
		place = RowsMemory
	}
	return place
}

// emptyRows makes the rows of a generation in the form that the fit chose, if it chose
// one: with room in memory, or for a file to come.
func (c *Collection) emptyRows(gen *generation) (err error) {
	if gen.stats.Rows == nil {
		return nil
	}
	if gen.rows, err = index.NewRows(gen.fitted.Width(), c.Config().Metric, *gen.stats.Rows, gen.stats.RowConstants...); err != nil {
		return err
	}
	if c.rowsPlace(gen, *gen.stats.Rows) == RowsMemory {
		if !gen.rowsLater.Load() {
			gen.rows.Reserve(int(c.slots.Load()))
		}
		return nil
	}
	gen.file = &rowsFile{path: rowsPath(c.generationDir(gen.number)), rows: gen.rows, log: c.log, stop: c.stopped}
	return nil
}

// keepRow keeps the feature row of a slot, where a generation does; nil is of a slot
// without a point.
func (g *generation) keepRow(slot uint32, feature []float32) {
	if g.rows == nil || g.rowsLater.Load() || g.file != nil && !g.file.keeps.Load() {
		return
	}
	g.touchRows(func() {
		refused := false
		if feature == nil {
			g.rows.Delete(slot)
		} else {
			refused = !g.rows.Put(slot, feature)
		}
		g.offGrid.note(slot, refused)
	})
	if g.file != nil {
		g.file.changes.Add(1)
	}
}

// rescore is index.Rows.Rescore: no hit is scored where there are no rows.
func (g *generation) rescore(hits []index.Hit, row []float32) (known int) {
	if g.rows != nil && !g.touchRows(func() { known = g.rows.Rescore(hits, row) }) {
		return 0
	}
	return known
}

// keptRow copies the feature row of a slot as memory holds it, where that is what the
// record says to the bit.
func (g *generation) keptRow(dst []float32, slot uint32) (kept bool) {
	if g.rows == nil || g.latentOnly || g.stats.Rows.Kind == index.RowFloat16 {
		return false
	}
	if g.file == nil {
		return g.rows.Row(dst, slot)
	}
	return g.touchRows(func() { kept = g.rows.Row(dst, slot) }) && kept
}

// scanRows is index.Rows.Scan; false too where the rows are lost on the way.
func (g *generation) scanRows(top *index.TopK, row []float32, allow *index.Bitmap) (measured bool) {
	return g.touchRows(func() { measured = g.rows.Scan(top, row, allow) }) && measured
}

// touchRows runs f, which reads or writes rows, and gives them up where the file no
// longer backs them.
func (g *generation) touchRows(f func()) bool {
	if g.file == nil {
		f()
		return true
	}
	err := guarded("rows", func() error { f(); return nil })
	if err != nil {
		g.file.lose(err)
	}
	return err == nil
}

// lossy tells that rows are not quite what the records say.
func (g *generation) lossy() bool {
	return g.stats.Rows != nil && g.stats.Rows.Kind == index.RowFloat16 && g.stats.Rows.Step != 0
}

// memory is what a generation's index and rows take.
func (g *generation) memory() int64 {
	switch {
	case g.rows == nil:
		return g.index.Bytes()
	case g.rowsLater.Load():
		return g.index.Bytes() + int64(g.rows.Size(g.index.Len()))
	}
	return g.index.Bytes() + g.rows.Bytes()
}

// beginRows has rows that a fit left for later kept from now on. The caller lets no
// change become visible meanwhile, and then fills them.
func (c *Collection) beginRows(gen *generation) (later bool) {
	if later = gen.rowsLater.Swap(false); later {
		gen.rows.Reserve(int(c.slots.Load()))
	}
	return later
}

// release gives up what a generation holds of the system. Searches that still pin it
// read records.
func (c *Collection) release(gen *generation) {
	if gen.file == nil {
		return
	}
	if err := gen.file.close(); err != nil {
		c.log.Warn("giving up a file of rows", "generation", gen.number, "error", err)
	}
}

// rowsHeader names the generation in its file of rows, as of the last change that its
// index holds: every row was kept before the index heard of it.
func (g *generation) rowsHeader() rowsHeader {
	g.indexer.mu.Lock()
	defer g.indexer.mu.Unlock()
	return rowsHeader{
		form: *g.stats.Rows, dim: uint32(g.fitted.Width() - len(g.stats.RowConstants)),
		generation: g.number, modelHash: g.hash, applied: g.indexer.applied,
	}
}

// saveRows writes the rows of a generation to its file, where it has one.
func (c *Collection) saveRows(gen *generation) error {
	if gen.file == nil {
		return nil
	}
	return gen.file.save(gen.rowsHeader(), int(c.slots.Load()), c.lastChange)
}

// lastChange is the number of the last change that is committed.
func (c *Collection) lastChange() (seq uint64, err error) {
	err = c.view(func(g *ground) error { seq = g.number(keySeq); return nil })
	return seq, err
}

// wholeShare is which share of the points must have changed for a file of them to be
// written anew, in whole.
const wholeShare = 16

// worthWriting tells whether so many changes are worth a file of all points.
func (c *Collection) worthWriting(changes int64) bool {
	return changes >= max(int64(c.opts.SnapshotEvery), c.points.Load()/wholeShare)
}

// rowsDue tells whether so many rows changed since the file was written that a new one
// is worth it: reading them again on open, and the memory they take, are not.
func (c *Collection) rowsDue(gen *generation) bool {
	return gen.file != nil && gen.file.full.Load() && c.worthWriting(gen.file.changes.Load())
}

// saveRowsIfDue writes the rows in the background: no point waits for it.
func (c *Collection) saveRowsIfDue(gen *generation) {
	if !c.rowsDue(gen) || !gen.file.saving.CompareAndSwap(false, true) {
		return
	}
	c.fills.Go(func() {
		defer gen.file.saving.Store(false)
		c.trySavingRows(gen)
	})
}

// trySavingRows is saveRows where a failure costs only time on the next open.
func (c *Collection) trySavingRows(gen *generation) {
	if err := c.saveRows(gen); err != nil && !c.stopped() {
		c.log.Error("saving rows", "generation", gen.number, "error", err)
	}
}

// slotNotes are the few slots whose rows are not of the form that rows are kept in.
type slotNotes struct {
	mu    sync.Mutex
	slots map[uint32]struct{}
}

func (n *slotNotes) note(slot uint32, here bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !here {
		delete(n.slots, slot)
		return
	}
	if n.slots == nil {
		n.slots = make(map[uint32]struct{})
	}
	n.slots[slot] = struct{}{}
}

// hits lists the slots, of those allowed, without distances, and counts all.
func (n *slotNotes) hits(allow *index.Bitmap) (out []index.Hit, all int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for slot := range n.slots {
		if allow == nil || allow.Has(slot) {
			out = append(out, index.Hit{Slot: slot})
		}
	}
	return out, len(n.slots)
}
