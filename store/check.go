package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/index"
	bolt "go.etcd.io/bbolt"
)

// maxProblems bounds a report; what ails one point often ails all.
const maxProblems = 100

// Check reads everything and verifies it: the catalog, then every collection.
func (db *DB) Check(ctx context.Context) (*CheckReport, error) {
	out := &CheckReport{Problems: []string{}, Remarks: []string{}}
	if err := db.checkCatalog(out); err != nil {
		return nil, err
	}
	for _, c := range db.all() {
		r, err := c.Check(ctx)
		if err != nil {
			return nil, err
		}
		out.Collections++
		out.Points += r.Points
		for _, p := range r.Problems {
			out.note("collection %q: %s", c.name, p)
		}
		for _, remark := range r.Remarks {
			out.Remarks = append(out.Remarks, fmt.Sprintf("collection %q: %s", c.name, remark))
		}
	}
	return out, nil
}

// checkCatalog verifies the catalog's pages, and that it names exactly the
// collections that are open.
func (db *DB) checkCatalog(out *CheckReport) error {
	db.mu.RLock()
	defer db.mu.RUnlock()
	if db.closed {
		return ErrClosed
	}
	if !out.pages(db.catalog.Path()) {
		return db.checkStrays(out)
	}
	dirs, _, err := db.readCatalog()
	if err != nil {
		out.note("%v", err)
	}
	for dir, name := range dirs {
		if c := db.collections[name]; c == nil || filepath.Base(c.dir) != dir {
			out.note("%s: collection %q in %q is not open", catalogName, name, dir)
		}
	}
	if len(dirs) != len(db.collections) {
		out.note("%s: names %d collections of %d", catalogName, len(dirs), len(db.collections))
	}
	return db.checkStrays(out)
}

// pages verifies the pages of a bbolt file that nobody writes to meanwhile, and
// tells whether they can be trusted to lead to what the file holds.
func (r *CheckReport) pages(path string) bool {
	if err := metaDamage(path); err != nil {
		r.note("%v", err)
	}
	err := verifyPages(path, allPages)
	if err != nil {
		r.note("%v; what the file holds was not checked", err)
	}
	return err == nil
}

func (r *CheckReport) note(format string, args ...any) {
	switch n := len(r.Problems); {
	case n < maxProblems:
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	case n == maxProblems:
		r.Problems = append(r.Problems, "more problems are not listed")
	}
}

// Check reads the whole collection and verifies it: the pages and checksums of
// its ground state, that ids, slots, records and counters agree, the checksums
// of its models, and that the index holds exactly the points, each as the
// model encodes it, and rows and terms that are kept are those of the records. Writers wait
// meanwhile. Cost: every record encoded once.
func (c *Collection) Check(ctx context.Context) (*CheckReport, error) {
	if c.stopped() {
		return nil, ErrClosed
	}
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	out := &CheckReport{Collections: 1, Problems: []string{}, Remarks: []string{}}
	gen := c.active.Load()
	if err := gen.drain(); err != nil {
		out.note("indexing what was written last: %v", err)
	}
	sound := false
	err := c.exclusive(func(tx *bolt.Tx) error {
		if sound = out.pages(c.db.Path()); !sound {
			return nil
		}
		g, err := groundOf(tx)
		if err != nil {
			return err
		}
		g.checkSlots(out)
		g.checkModels(out)
		g.checkUndo(out)
		c.payloadIndexes.check(g, out)
		return nil
	})
	if errors.Is(err, ErrCorrupt) {
		out.note("%v", err)
		return out, nil
	}
	if err != nil || !sound {
		return out, err
	}
	c.checkRowsFile(ctx, gen, out)
	if err := c.checkIndex(ctx, gen, out); err != nil {
		return out, err
	}
	return out, c.checkLexicon(ctx, out)
}

// checkRowsFile verifies the file that a generation's rows lie in, if it is there:
// opening makes one that is missing.
func (c *Collection) checkRowsFile(ctx context.Context, gen *generation, out *CheckReport) {
	if gen.file == nil {
		return
	}
	f, err := os.Open(gen.file.path)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err == nil {
		var h rowsHeader
		if h, err = readRowsHeader(f); err == nil {
			err = errors.Join(h.isOf(gen.rowsHeader(), c.published.Load()), verifyRows(f, h, func() bool { return ctx.Err() != nil }))
		}
		err = errors.Join(err, wrapped(f.Close()))
	}
	if err != nil {
		out.note("rows of generation %d: %v", gen.number, err)
	}
}

// checkSlots verifies that ids, slots, records, payloads, free slots and
// counters tell one story.
func (g *ground) checkSlots(out *CheckReport) {
	next := g.number(keyNextSlot)
	each(g.slots, func(k, v []byte) {
		out.Points++
		slot := binary.BigEndian.Uint32(k)
		e, err := decodeEntry(slot, v)
		if err != nil {
			out.note("%v", err)
			return
		}
		if got := g.ids.Get(e.id.key()); !bytes.Equal(got, k) {
			out.note("slot %d holds id %s, which names another slot", slot, e.id)
		}
		if p, err := g.content(slot, e); err != nil {
			out.note("%v", err)
		} else if p.data == nil && (g.records.Get(k) != nil || g.latentOf != g.activeGeneration()) {
			out.note("slot %d has a latent of generation %d, and a record or another model", slot, g.latentOf)
		}
		if _, err := g.payload(slot); err != nil {
			out.note("%v", err)
		}
		if g.free.Get(k) != nil || uint64(slot) >= next {
			out.note("slot %d is in use, and free or beyond the last", slot)
		}
		if e.seq > g.number(keySeq) {
			out.note("slot %d changed at %d, after the last change", slot, e.seq)
		}
	})
	counts := map[string]int{}
	for name, b := range map[string]*bolt.Bucket{"ids": g.ids, "records": g.records, "free": g.free, "latents": g.latents} {
		if b != nil {
			each(b, func(_, _ []byte) { counts[name]++ })
		}
	}
	each(g.payloads, func(k, _ []byte) {
		if g.slots.Get(k) == nil {
			out.note("slot %d has a payload but no point", binary.BigEndian.Uint32(k))
		}
	})
	if counts["ids"] != out.Points || counts["records"]+counts["latents"] != out.Points || g.number(keyPoints) != uint64(out.Points) {
		out.note("%d slots, %d ids, %d records, %d latents in the place of others, a count of %d",
			out.Points, counts["ids"], counts["records"], counts["latents"], g.number(keyPoints))
	}
	if uint64(counts["free"]+out.Points) != next {
		out.note("%d slots in use and %d free of %d", out.Points, counts["free"], next)
	}
	g.checkChanges(out)
}

// checkChanges verifies that the change log holds the last change of every
// slot's record that is not forgotten, and nothing after the last change.
func (g *ground) checkChanges(out *CheckReport) {
	logged := make(map[uint64]uint32)
	each(g.changes, func(k, v []byte) {
		if len(k) != 8 || len(v) != 4 || binary.BigEndian.Uint64(k) > g.number(keySeq) {
			out.note("change log entry %x: %x is damaged or after the last change", k, v)
			return
		}
		logged[binary.BigEndian.Uint64(k)] = binary.BigEndian.Uint32(v)
	})
	each(g.slots, func(k, v []byte) {
		slot := binary.BigEndian.Uint32(k)
		e, err := decodeEntry(slot, v)
		if err != nil || e.seq <= g.number(keyForgotten) {
			return // noted already, or forgotten
		}
		if got, ok := logged[e.seq]; !ok || got != slot {
			out.note("change %d of slot %d is not in the change log", e.seq, slot)
		}
	})
}

// each visits a bucket; its callbacks only look.
func each(b *bolt.Bucket, f func(k, v []byte)) {
	c := b.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		f(k, v)
	}
}

func (g *ground) checkModels(out *CheckReport) {
	active, seen := g.activeGeneration(), false
	for _, n := range g.generations() {
		seen = seen || n == active
		if _, err := g.generation(n); err != nil {
			out.note("generation %d: %v", n, err)
		}
	}
	switch {
	case active != 0 && !seen:
		out.note("the active generation %d has no model", active)
	case active == 0 && len(g.generations()) > 0:
		out.note("there are models, but no generation is active")
	}
}

// checkIndex compares the index with the points.
func (c *Collection) checkIndex(ctx context.Context, gen *generation, out *CheckReport) error {
	if gen.fitted == nil {
		switch n := c.points.Load(); {
		case errors.Is(gen.broken, source.ErrOneSided):
			out.Remarks = append(out.Remarks, fmt.Sprintf("%d points cannot be searched yet: %v", n, gen.broken))
		case n > 0:
			out.note("%d points and no front end", n)
		}
		return nil
	}
	held := 0
	err := c.eachPoint(ctx, nil, func(chunk []storedPoint) error {
		rows, want, err := gen.rowsOf(chunk, c.opts.Workers, gen.rows != nil)
		if err != nil {
			return err
		}
		d := gen.width()
		have := make([]float32, d)
		for i, r := range chunk {
			if row := rows[i*len(rows)/len(chunk):][:len(rows)/len(chunk)]; !gen.keepsRow(r.slot, row) {
				out.note("id %s has another row than its record", r.id)
			}
			if !gen.index.Row(have, r.slot) {
				out.note("id %s is not in the index", r.id)
				continue
			}
			held++
			if !gen.sameRow(have, want[i*d:(i+1)*d]) {
				out.note("id %s is in the index with another row", r.id)
			}
		}
		return nil
	})
	if errors.Is(err, ErrCorrupt) {
		out.note("%v", err)
		return nil
	}
	if n := gen.index.Len(); err == nil && n != held {
		out.note("the index holds %d slots, %d of them points", n, held)
	}
	return err
}

// keepsRow tells whether a row that is kept of a slot, if one is, is the one given,
// but for what RowFloat16 rounds and what decoding does.
func (g *generation) keepsRow(slot uint32, want []float32) bool {
	if g.rows == nil {
		return true
	}
	have, held := make([]float32, len(want)), false
	if !g.touchRows(func() { held = g.rows.Row(have, slot) }) || !held {
		return true
	}
	if g.nearRow(have, want) {
		return true
	}
	// A latent that was encoded alone may be off by one in a code, and its row by more.
	if !g.latentOnly {
		return false
	}
	known, indexed, err := g.decodeSlots([]index.Hit{{Slot: slot}}, 1)
	return err == nil && len(known) == 1 && g.nearRow(have, indexed)
}

// nearRow tells whether a row that is kept is the one given, but for rounding.
func (g *generation) nearRow(have, want []float32) bool {
	form := g.rows.Form()
	for i, x := range want {
		tolerance := 0.0
		if g.lossy() { // the digits of a float16
			tolerance = (form.Step + math.Abs(float64(x)-form.Offset)) / 2048
		}
		if g.latentOnly { // what decoding one latent alone rounds otherwise
			tolerance += 1e-4 * (math.Abs(float64(x)) + float64(g.model.Scale()))
		}
		if !(math.Abs(float64(have[i])-float64(x)) <= tolerance) {
			return false
		}
	}
	return true
}

// sameRow compares index rows. Encoding one record alone may round otherwise
// than encoding it among others, by a little of the row's length, which can tip
// an int8 code over by one.
func (g *generation) sameRow(a, b []float32) bool {
	tolerance := 1e-6
	if g.model != nil {
		var square float64
		for _, v := range b {
			square += float64(v) * float64(v)
		}
		tolerance = 1.5*float64(g.model.CodeStep()) + 1e-4*math.Sqrt(square) + 1e-6
	}
	for i := range a {
		if d := math.Abs(float64(a[i]) - float64(b[i])); !(d <= tolerance+1e-5*math.Abs(float64(b[i]))) {
			return false
		}
	}
	return true
}
