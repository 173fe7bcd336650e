package store

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sync/errgroup"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
)

// whole is all that can be read of a collection.
func whole(t *testing.T, c *Collection) string {
	t.Helper()
	var out []Point
	for p, err := range c.Scroll(ctx, ScrollQuery{With: With{Payload: true, Vector: true, Record: true}}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return fmt.Sprintf("%d %v", len(out), out)
}

func mustDeduplicate(t *testing.T, c *Collection, q DuplicateQuery) *Deduplication {
	t.Helper()
	done, err := c.Deduplicate(ctx, q, false)
	if err != nil || len(done.Removed) == 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	return done
}

func mustUndo(t *testing.T, c *Collection, id uint64) *Undone {
	t.Helper()
	out, err := c.UndoDeduplicate(ctx, id)
	if err != nil || out.Undo != id {
		t.Fatalf("undo %d: %+v, %v", id, out, err)
	}
	return out
}

// gone expects that there is nothing to undo, and nothing kept.
func gone(t *testing.T, c *Collection, id uint64) {
	t.Helper()
	if out, err := c.UndoDeduplicate(ctx, id); !errors.Is(err, ErrNotFound) {
		t.Errorf("undo %d: %+v, %v, want ErrNotFound", id, out, err)
	}
	if err := c.view(func(g *ground) error {
		if g.tx.Bucket(bucketUndo) != nil {
			t.Error("something is kept")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestUndoDeduplicate(t *testing.T) {
	for name, cfg := range map[string]Config{
		"vectors": vectorConfig(), "on disk": {Source: source.Vector{}, Dim: 4, Rows: RowsDisk},
		"cosine": {Source: source.Vector{}, Metric: Cosine, Dim: 4}, "latents": {Source: source.Vector{}, Dim: 16, Encoder: embed.PCA, DropOriginals: true},
	} {
		for _, fitted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s fitted %t", name, fitted), func(t *testing.T) {
				db := openDB(t, t.TempDir(), quiet())
				c := create(t, db, cfg)
				mustUpsert(t, c, withDuplicates()...)
				if fitted {
					mustFit(t, c)
				}
				before := whole(t, c)
				done := mustDeduplicate(t, c, DuplicateQuery{})
				db = reopen(t, db, quiet())
				c = collection(t, db, "test")
				if out := mustUndo(t, c, done.Undo); len(out.Restored) != len(done.Removed) || len(out.Skipped) != 0 {
					t.Errorf("undone %+v", out)
				}
				if after := whole(t, c); after != before {
					t.Errorf("after the undo\n%s, before\n%s", after, before)
				}
				for _, r := range done.Removed {
					hits := mustSearch(t, c, Query{ID: r.ID, Limit: 3}).Hits
					if !slices.ContainsFunc(hits, func(h Hit) bool { return h.ID == r.Kept }) {
						t.Errorf("nearest to %s are %v", r.ID, hits)
					}
					hits = mustSearch(t, c, Query{ID: r.Kept, Limit: 3}).Hits
					if !slices.ContainsFunc(hits, func(h Hit) bool { return h.ID == r.ID }) {
						t.Errorf("nearest to %s are %v", r.Kept, hits)
					}
				}
				gone(t, c, done.Undo)
				if again := mustDeduplicate(t, c, DuplicateQuery{}); len(again.Removed) != len(done.Removed) || again.Undo <= done.Undo {
					t.Errorf("again %+v", again)
				}
				c = collection(t, reopen(t, db, quiet()), "test")
				mustUndo(t, c, c.undoNow(t))
			})
		}
	}
}

// undoNow is the number of what can be undone.
func (c *Collection) undoNow(t *testing.T) (id uint64) {
	t.Helper()
	if err := c.view(func(g *ground) error {
		if u := g.lastUndo(); u != nil {
			id = u.id
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return id
}

// TestUndoSkips gives ids of removed points to others before the undo.
func TestUndoSkips(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	mustUpsert(t, c, withDuplicates()...)
	done := mustDeduplicate(t, c, DuplicateQuery{})
	other := Point{ID: NumID(1003), Vector: make([]float32, 16), Payload: Payload{"other": true}}
	mustUpsert(t, c, other)
	out := mustUndo(t, c, done.Undo)
	if len(out.Restored) != 9 || !slices.Equal(out.Skipped, []ID{NumID(1003)}) {
		t.Errorf("%+v", out)
	}
	got, err := c.Get(ctx, With{Payload: true}, NumID(1003), NumID(1004))
	if err != nil || len(got) != 2 || got[0].Payload["other"] != true || got[1].Payload["copy"] != true {
		t.Errorf("%v, %v", got, err)
	}
	gone(t, c, done.Undo)
}

// TestUndoLives follows what takes the place of what is kept, and what does not.
func TestUndoLives(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	mustUpsert(t, c, withDuplicates()...)
	one := mustDeduplicate(t, c, DuplicateQuery{Limit: 1})
	if dry, err := c.Deduplicate(ctx, DuplicateQuery{}, true); err != nil || dry.Undo != 0 {
		t.Errorf("a dry run: %+v, %v", dry, err)
	}
	if forgone := mustDeduplicate(t, c, DuplicateQuery{Limit: 1, NoUndo: true}); forgone.Undo != 0 {
		t.Errorf("without: %+v", forgone)
	}
	if _, err := c.UndoDeduplicate(ctx, one.Undo+1); !errors.Is(err, ErrNotFound) {
		t.Errorf("another number: %v", err)
	}
	if out := mustUndo(t, c, one.Undo); len(out.Restored) != 1 {
		t.Errorf("%+v", out)
	}
	one = mustDeduplicate(t, c, DuplicateQuery{Limit: 1})
	two := mustDeduplicate(t, c, DuplicateQuery{})
	if _, err := c.UndoDeduplicate(ctx, one.Undo); !errors.Is(err, ErrNotFound) {
		t.Errorf("the one before the last: %v", err)
	}
	mustFit(t, c)
	gone(t, c, two.Undo)
	mustUpsert(t, c, withDuplicates()...)
	mustFit(t, c)
	three := mustDeduplicate(t, c, DuplicateQuery{})
	if err := c.Activate(ctx, c.active.Load().number-1); err != nil {
		t.Fatal(err)
	}
	gone(t, c, three.Undo)
}

// TestUndoIsBounded refuses to remove more than can be kept.
func TestUndoIsBounded(t *testing.T) {
	defer func(was int) { mostUndoBytes = was }(mostUndoBytes)
	c := create(t, tempDB(t, quiet()), vectorConfig())
	mustUpsert(t, c, withDuplicates()...)
	one := mustDeduplicate(t, c, DuplicateQuery{Limit: 1})
	before := whole(t, c)
	mostUndoBytes = 400
	var refused *InvalidError
	if out, err := c.Deduplicate(ctx, DuplicateQuery{}, false); !errors.As(err, &refused) || refused.Field != "undo" {
		t.Errorf("%+v, %v", out, err)
	}
	if after := whole(t, c); after != before {
		t.Errorf("after a refusal\n%s, before\n%s", after, before)
	}
	mustUndo(t, c, one.Undo)
	if done := mustDeduplicate(t, c, DuplicateQuery{NoUndo: true}); len(done.Removed) != 10 {
		t.Errorf("%+v", done)
	}
}

// TestUndoOfTexts puts texts back where they are found by their terms.
func TestUndoOfTexts(t *testing.T) {
	c := create(t, tempDB(t, quiet()), Config{Source: source.Text{}})
	for i := range 60 {
		text := fmt.Sprintf("the %dth of many notes, about subject%d and number%d", i%30, i%30, 7*(i%30))
		mustUpsert(t, c, Point{ID: StringID(fmt.Sprint("n", i)), Record: text})
	}
	before := whole(t, c)
	zero := 0.0
	done := mustDeduplicate(t, c, DuplicateQuery{Threshold: &zero})
	mustUndo(t, c, done.Undo)
	if after := whole(t, c); after != before {
		t.Errorf("after the undo\n%s, before\n%s", after, before)
	}
	if hits := mustSearch(t, c, Query{Record: "subject7", Limit: 3, Space: SpaceLexical}).Hits; len(hits) < 2 || hits[0].Score != hits[1].Score {
		t.Errorf("found %v", hits)
	}
}

// TestUndoKeepsNoRecords: where originals are dropped, what is removed before its record
// was given up is kept by its latent.
func TestUndoKeepsNoRecords(t *testing.T) {
	holdShedding(t)
	c := create(t, tempDB(t, quiet()), Config{Source: source.Vector{}, Dim: 16, Encoder: embed.PCA, DropOriginals: true})
	mustUpsert(t, c, withDuplicates()...)
	mustFit(t, c)
	done := mustDeduplicate(t, c, DuplicateQuery{})
	if err := c.view(func(g *ground) error {
		each(g.lastUndo().points, func(k, v []byte) {
			if p, err := decodeUndo(k, v); err != nil || p.kind != keptLatent {
				t.Errorf("%+v, %v", p, err)
			}
		})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	records, latents := stored(t, c)
	mustUndo(t, c, done.Undo)
	if r, l := stored(t, c); r != records || l != latents+len(done.Removed) && l != len(done.Removed) {
		t.Errorf("%d records, %d latents; before %d and %d", r, l, records, latents)
	}
}

// TestUndoOfDamage passes over what cannot be read, and puts back the rest.
func TestUndoOfDamage(t *testing.T) {
	db := tempDB(t, quiet())
	c := create(t, db, vectorConfig())
	mustUpsert(t, c, withDuplicates()...)
	done := mustDeduplicate(t, c, DuplicateQuery{})
	if err := c.changeUndo(func(u *undoable) error { return u.points.Put(NumID(1002).key(), []byte("not sealed")) }); err != nil {
		t.Fatal(err)
	}
	if report, err := c.Check(ctx); err != nil || len(report.Problems) != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	out, err := c.UndoDeduplicate(ctx, done.Undo)
	if !errors.Is(err, ErrCorrupt) || len(out.Restored) != 9 {
		t.Errorf("%+v, %v", out, err)
	}
	if err := c.changeUndo(func(u *undoable) error { return u.points.Delete(NumID(1002).key()) }); err != nil {
		t.Fatal(err)
	}
}

// TestUndoInSteps ends an undo in its midst and calls again.
func TestUndoInSteps(t *testing.T) {
	defer func(was int) { undoStep = was }(undoStep)
	undoStep = 3
	c := create(t, tempDB(t, quiet()), vectorConfig())
	mustUpsert(t, c, withDuplicates()...)
	before := whole(t, c)
	done := mustDeduplicate(t, c, DuplicateQuery{})
	next, bad := []byte{}, error(nil)
	r, err := c.prepareUndo(done.Undo, &next, &bad)
	if err == nil {
		err = c.carryOut(ctx, r)
	}
	if err != nil || bad != nil || len(r.restore.restored) != 3 {
		t.Fatalf("%+v, %v, %v", r.restore, err, bad)
	}
	if out := mustUndo(t, c, done.Undo); len(out.Restored) != 7 {
		t.Errorf("%+v", out)
	}
	if after := whole(t, c); after != before {
		t.Errorf("after the undo\n%s, before\n%s", after, before)
	}
}

// TestUndoOvertaken switches generations, and fits generation 0's front end anew, between
// the reading of what is kept and its writing.
func TestUndoOvertaken(t *testing.T) {
	c := create(t, tempDB(t, quiet()), Config{Source: source.Table{}})
	row := func(i int) Point {
		return Point{ID: NumID(uint64(i)), Record: map[string]any{"a": i % 20, "b": (i * i) % 20}}
	}
	for i := range 40 {
		mustUpsert(t, c, row(i))
	}
	zero := 0.0
	done := mustDeduplicate(t, c, DuplicateQuery{Threshold: &zero})
	next, bad := []byte{}, error(nil)
	r, err := c.prepareUndo(done.Undo, &next, &bad)
	if err != nil {
		t.Fatal(err)
	}
	for i := 100; i < 220; i++ {
		mustUpsert(t, c, row(i))
	}
	if r.generation == c.active.Load() {
		t.Fatal("the front end was not fitted anew")
	}
	if err := c.carryOut(ctx, r); err != nil || len(r.restore.restored) != len(done.Removed) {
		t.Errorf("%+v, %v", r.restore, err)
	}
	done = mustDeduplicate(t, c, DuplicateQuery{Threshold: &zero})
	next = []byte{}
	if r, err = c.prepareUndo(done.Undo, &next, &bad); err != nil {
		t.Fatal(err)
	}
	mustFit(t, c)
	if err := c.carryOut(ctx, r); !errors.Is(err, ErrNotFound) {
		t.Errorf("after a fit: %v", err)
	}
}

// TestUndoOfAnotherGeneration takes what a version left there that knows of no undo and
// switched generations.
func TestUndoOfAnotherGeneration(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	mustUpsert(t, c, withDuplicates()...)
	var id uint64
	if err := c.update(func(tx *bolt.Tx) error {
		g, err := groundOf(tx)
		if err != nil {
			return err
		}
		w := newWriter(g, c.Config().Source, &c.payloadIndexes)
		id = w.seq
		points, err := w.beginUndo(7, id)
		if err != nil {
			return err
		}
		return points.Put(NumID(5000).key(), encodeUndo(keptRecord, sealed([]byte{1, 2, 3}), nil))
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UndoDeduplicate(ctx, id); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
	done := mustDeduplicate(t, c, DuplicateQuery{})
	mustUndo(t, c, done.Undo)
	gone(t, c, id)
}

// changeUndo changes what is kept by bbolt's own means.
func (c *Collection) changeUndo(f func(*undoable) error) error {
	return c.update(func(tx *bolt.Tx) error {
		g, err := groundOf(tx)
		if err != nil {
			return err
		}
		return f(g.lastUndo())
	})
}

// TestUndoConcurrently undoes the same deduplication many times at once, beside other writes.
func TestUndoConcurrently(t *testing.T) {
	defer func(was int) { undoStep = was }(undoStep)
	undoStep = 2
	c := create(t, tempDB(t, quiet()), vectorConfig())
	mustUpsert(t, c, withDuplicates()...)
	before := whole(t, c)
	done := mustDeduplicate(t, c, DuplicateQuery{})
	var group errgroup.Group
	var restored atomic.Int64
	for range 4 {
		group.Go(func() error {
			out, err := c.UndoDeduplicate(ctx, done.Undo)
			if out != nil {
				restored.Add(int64(len(out.Restored)))
			}
			if errors.Is(err, ErrNotFound) { // another was quicker
				return nil
			}
			return err
		})
		group.Go(func() error { return c.Upsert(ctx, withDuplicates()[0]) })
	}
	if err := group.Wait(); err != nil || restored.Load() != int64(len(done.Removed)) {
		t.Errorf("%d restored, %v, want %d", restored.Load(), err, len(done.Removed))
	}
	if after := whole(t, c); after != before {
		t.Errorf("after the undo\n%s, before\n%s", after, before)
	}
	gone(t, c, done.Undo)
}

func FuzzDecodeUndo(f *testing.F) {
	id := NumID(7).key()
	f.Add(id, encodeUndo(keptRecord, sealed([]byte("record")), sealed([]byte(`{"a":1}`)))[4:])
	f.Add(id, encodeUndo(keptLatent, sealed(make([]byte, 12)), nil)[4:])
	f.Add(StringID("a").key(), []byte{keptRecord, 255, 255, 255, 255, 0})
	f.Add([]byte{9}, []byte{})
	f.Fuzz(func(t *testing.T, key, body []byte) {
		p, err := decodeUndo(key, sealed(body))
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Error(err)
			}
			return
		}
		if again := encodeUndo(p.kind, p.content, p.payload); !slices.Equal(again[4:], body) || !slices.Equal(p.id.key(), key) {
			t.Errorf("%x is encoded as %x", body, again[4:])
		}
		if got := p.prepared(); (got.record == nil) == (got.code == nil) {
			t.Errorf("prepared as %+v", got)
		}
	})
}
