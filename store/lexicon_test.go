package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/index"
	"github.com/latentdb/latentdb/index/lexical"
)

// lexiconQuery is asked of collections of topicTexts.
const lexiconQuery = "common1 common7 aqword3 bpword12 copword5 unheard"

// failer is a test, or a case of rapid's.
type failer interface {
	Helper()
	Errorf(string, ...any)
	Fatal(...any)
	Fatalf(string, ...any)
}

// lexicalScores are the scores of all points, by id.
func lexicalScores(t failer, c *Collection) map[ID]float64 {
	t.Helper()
	hits, err := c.Search(ctx, Query{Record: lexiconQuery, Space: SpaceLexical, Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[ID]float64)
	for _, h := range hits {
		out[h.ID] = h.Score
	}
	return out
}

// sameLexicon expects a collection to score as another did, whose scores are given: to
// the bit, or once both have weighed their terms.
func sameLexicon(t failer, c *Collection, want map[ID]float64, exact bool) {
	t.Helper()
	if !exact {
		c.lexicon.index.Compact()
	}
	got := lexicalScores(t, c)
	if len(got) != len(want) {
		t.Errorf("%d points are scored, want %d", len(got), len(want))
	}
	for id, score := range want {
		if s, there := got[id]; !there || exact && s != score || !near(s, score) {
			t.Fatalf("%s scores %v, want %v", id, s, score)
		}
	}
}

// openedTexts opens a directory and tells whether the terms were made anew of the records.
func openedTexts(t testing.TB, dir string) (db *DB, c *Collection, anew bool) {
	t.Helper()
	var told bytes.Buffer
	db = openDB(t, dir, &Options{NoAutoFit: true, Workers: 2, SnapshotEvery: 1 << 30, Logger: slog.New(slog.NewTextHandler(&told, nil))})
	return db, collection(t, db, "test"), strings.Contains(told.String(), "lexicon.snap")
}

// lexiconFile is where the terms of the one collection below a directory are saved.
func lexiconFile(dir string) string { return filepath.Join(dir, "c-000001", "default", "lexicon.snap") }

// textDirectory makes a closed database of texts with a history, and tells its scores.
func textDirectory(t testing.TB) (dir string, want map[ID]float64) {
	t.Helper()
	dir = t.TempDir()
	db, err := Open(dir, quiet())
	if err != nil {
		t.Fatal(err)
	}
	c := create(t, db, Config{Source: source.Text{}})
	mustUpsert(t, c, textPoints(topicTexts(1, 300))...)
	mustUpsert(t, c, textPoints(topicTexts(2, 310))[290:]...)
	if _, err := c.Delete(ctx, NumID(3), NumID(77)); err != nil {
		t.Fatal(err)
	}
	want = lexicalScores(t, c)
	mustCheck(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, want
}

func copyOf(t testing.TB, dir string) string {
	t.Helper()
	out := t.TempDir()
	if err := os.CopyFS(out, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return out
}

// resave writes the snapshot again, with another header or other terms.
func resave(t testing.TB, c *Collection, path string, alter func(*index.Header, *lexical.Index)) {
	t.Helper()
	h, x, err := c.readLexicon()
	if err != nil {
		t.Fatal(err)
	}
	alter(&h, x)
	if err := writeFile(path, func(f *os.File) error { return index.Save(f, h, x.State()) }); err != nil {
		t.Fatal(err)
	}
}

// TestLexiconSnapshots damages the snapshot in many ways, and expects the terms to be made
// anew of the records then, and only then.
func TestLexiconSnapshots(t *testing.T) {
	pristine, before := textDirectory(t)
	_, c, anew := openedTexts(t, copyOf(t, pristine))
	if anew {
		t.Error("a sound snapshot was not used")
	}
	sameLexicon(t, c, before, true)
	c.lexicon.index.Compact()
	want := lexicalScores(t, c)
	saved := func(alter func(*index.Header, *lexical.Index)) func(t *testing.T, path string) {
		return func(t *testing.T, path string) { resave(t, c, path, alter) }
	}
	edited := func(f func([]byte) []byte) func(t *testing.T, path string) {
		return func(t *testing.T, path string) { edit(t, path, f) }
	}
	for name, damage := range map[string]func(t *testing.T, path string){
		"gone": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		},
		"emptied":           edited(func([]byte) []byte { return nil }),
		"cut":               edited(func(b []byte) []byte { return b[:len(b)/2] }),
		"header flipped":    edited(func(b []byte) []byte { b[70] ^= 1; return b }),
		"body flipped":      edited(func(b []byte) []byte { b[len(b)/2] ^= 1; return b }),
		"end flipped":       edited(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }),
		"of another format": edited(newerFormat),
		"of another source": saved(func(h *index.Header, _ *lexical.Index) {
			h.ModelHash, _ = lexiconHash(source.Text{Vocabulary: 9, Meaning: .5})
		}),
		"of another version": saved(func(h *index.Header, _ *lexical.Index) {
			h.ModelHash = sha256.Sum256([]byte("terms of another kind"))
		}),
		"of a later state": saved(func(h *index.Header, _ *lexical.Index) { h.AppliedSeq += 9 }),
		"of too few":       saved(func(_ *index.Header, x *lexical.Index) { x.Delete(9) }),
		"of too many":      saved(func(_ *index.Header, x *lexical.Index) { x.Put(lexical.Document{Slot: 3}) }),
		"of another collection": saved(func(_ *index.Header, x *lexical.Index) {
			others, own := textPoints(topicTexts(9, 310)), newLexicon(source.Text{})
			for slot, held := range held(t, x) {
				if held {
					terms, err := own.terms([]byte(others[slot].Record.(string)))
					if err != nil {
						t.Fatal(err)
					}
					x.Put(lexical.Document{Slot: uint32(slot), Terms: terms})
				}
			}
		}),
		"of another engine": func(t *testing.T, path string) {
			h, x, err := c.readLexicon()
			if err != nil {
				t.Fatal(err)
			}
			if err := writeFile(path, func(f *os.File) error { return index.Save(f, h, ofAnother{x.State()}) }); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyOf(t, pristine)
			damage(t, lexiconFile(dir))
			db, c, anew := openedTexts(t, dir)
			if !anew {
				t.Error("the terms were not made anew")
			}
			sameLexicon(t, c, want, false)
			mustCheck(t, db)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			_, c, anew = openedTexts(t, dir)
			if anew {
				t.Error("what was made anew was not saved")
			}
			sameLexicon(t, c, want, true)
		})
	}
}

// held tells by slot which have terms.
func held(t testing.TB, x *lexical.Index) []bool {
	t.Helper()
	prints, err := x.Audit()
	if err != nil {
		t.Fatal(err)
	}
	out := make([]bool, len(prints))
	for slot, print := range prints {
		out[slot] = print != 0
	}
	return out
}

// ofAnother is a body that another engine says is its own.
type ofAnother struct{ lexical.State }

func (ofAnother) Engine() string { return "another" }

// newerFormat is a snapshot that says it is of a format to come.
func newerFormat(b []byte) []byte {
	const end = 8 + 4 + 16 + 8 + 32 + 8 + 8 + 32 // of what the header's checksum is of
	binary.LittleEndian.PutUint32(b[8:], 99)
	binary.LittleEndian.PutUint32(b[end:], crc32.Checksum(b[:end], castagnoli))
	return b
}

// TestLexiconFollowsTheLog puts an older snapshot back. It must be brought up to date by
// the change log, as long as that reaches back.
func TestLexiconFollowsTheLog(t *testing.T) {
	dir, _ := textDirectory(t)
	older, err := os.ReadFile(lexiconFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	db, c, _ := openedTexts(t, dir)
	mustUpsert(t, c, textPoints(topicTexts(5, 340))[280:]...) // some new, some replaced
	if _, err := c.Delete(ctx, NumID(40), NumID(300)); err != nil {
		t.Fatal(err)
	}
	mustUpsert(t, c, Point{ID: StringID("takes a slot again"), Record: lexiconQuery})
	before := lexicalScores(t, c)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	forgotten := copyOf(t, dir)
	db, c, _ = openedTexts(t, dir)
	sameLexicon(t, c, before, true)
	c.lexicon.index.Compact()
	want := lexicalScores(t, c)
	if err := errors.Join(db.Close(), os.WriteFile(lexiconFile(dir), older, 0o600)); err != nil {
		t.Fatal(err)
	}
	_, c, anew := openedTexts(t, dir)
	if anew {
		t.Error("the terms were made anew, though the change log reaches back")
	}
	sameLexicon(t, c, want, false)

	db, c, _ = openedTexts(t, forgotten)
	mustFit(t, c)
	mustUpsert(t, c, Point{ID: StringID("gone again"), Record: lexiconQuery})
	if _, err := c.Delete(ctx, StringID("gone again")); err != nil { // the index is saved then, and the log trimmed
		t.Fatal(err)
	}
	if err := errors.Join(db.Close(), os.WriteFile(lexiconFile(forgotten), older, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, c, anew = openedTexts(t, forgotten); !anew {
		t.Error("a snapshot was used that the change log does not reach back to")
	}
	sameLexicon(t, c, want, false)
}

// TestLexiconIsSavedInTime copies the files of a database in use, as a crash would leave
// them. The terms must come from a snapshot that the changes were worth, and the change log
// reach back to it, however often the index of latents was saved since.
func TestLexiconIsSavedInTime(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir, &Options{NoAutoFit: true, Workers: 2, SnapshotEvery: 4})
	c := create(t, db, Config{Source: source.Text{}, Dim: 4})
	texts := topicTexts(6, 400)
	mustUpsert(t, c, textPoints(texts)...)
	mustFit(t, c)
	for deadline := time.Now().Add(10 * time.Second); !exists(lexiconFile(dir)); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the terms were never saved")
		}
	}
	for i := range 15 { // fewer than a sixteenth of the points, but enough for the index
		mustUpsert(t, c, Point{ID: NumID(uint64(i)), Record: texts[i] + " " + lexiconQuery})
	}
	gen := c.active.Load()
	for deadline := time.Now().Add(10 * time.Second); gen.tail.size() > 0 || gen.unsavedChanges() >= 4 || c.lexicon.saving.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the index was never saved")
		}
	}
	if n := c.lexicon.unsavedChanges(); n != 15 {
		t.Errorf("%d changes are not saved, want 15", n)
	}
	c.lexicon.index.Compact()
	want := lexicalScores(t, c)
	_, crashed, anew := openedTexts(t, copyOf(t, dir))
	if anew {
		t.Error("the terms were made anew")
	}
	sameLexicon(t, crashed, want, false)
}

// After any changes a database that is opened again scores as before, to the bit.
func TestLexiconComesBack(t *testing.T) {
	all := topicTexts(9, 200)
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		db, err := Open(dir, quiet())
		if err != nil {
			rt.Fatal(err)
		}
		c := create(t, db, Config{Source: source.Text{}})
		for range rapid.IntRange(1, 3).Draw(rt, "opens") {
			for range rapid.IntRange(1, 6).Draw(rt, "batches") {
				var b Batch
				for range rapid.IntRange(1, 12).Draw(rt, "changes") {
					id, text := NumID(rapid.Uint64Range(0, 40).Draw(rt, "id")), rapid.SampledFrom(all).Draw(rt, "text")
					if rapid.Bool().Draw(rt, "gone") {
						b.Delete = append(b.Delete, id)
					} else {
						b.Upsert = append(b.Upsert, Point{ID: id, Record: text})
					}
				}
				if _, err := c.Write(ctx, b, false); err != nil {
					rt.Fatal(err)
				}
			}
			want := lexicalScores(t, c)
			if err := db.Close(); err != nil {
				rt.Fatal(err)
			}
			if db, err = Open(dir, quiet()); err != nil {
				rt.Fatal(err)
			}
			c = collection(t, db, "test")
			if c.lexicon.unsavedChanges() != 0 {
				rt.Fatal("the terms were not taken from the snapshot")
			}
			sameLexicon(rt, c, want, true)
			mustCheck(rt, db)
		}
		if err := db.Close(); err != nil {
			rt.Fatal(err)
		}
	})
}

// TestCheckFindsOtherTerms alters terms in memory and in the snapshot, and expects Check
// to name the points.
func TestCheckFindsOtherTerms(t *testing.T) {
	pristine, _ := textDirectory(t)
	other := lexical.Document{Slot: 9, Terms: []lexical.Term{{ID: 1, Weight: 1}}}
	for name, test := range map[string]struct {
		alter func(t *testing.T, c *Collection)
		finds string
	}{
		"others in memory":   {func(_ *testing.T, c *Collection) { c.lexicon.index.Put(other) }, "id 9 has other terms in memory"},
		"none in memory":     {func(_ *testing.T, c *Collection) { c.lexicon.index.Delete(9) }, "id 9 has other terms in memory"},
		"too many in memory": {func(_ *testing.T, c *Collection) { c.lexicon.index.Put(lexical.Document{Slot: 3}) }, "are held, there are"},
		"others in snapshot": {altered(func(_ *index.Header, x *lexical.Index) { x.Put(other) }), "id 9 has other terms in the snapshot"},
		"none in snapshot":   {altered(func(_ *index.Header, x *lexical.Index) { x.Delete(9) }), "id 9 has other terms in the snapshot"},
		"a later snapshot":   {altered(func(h *index.Header, _ *lexical.Index) { h.AppliedSeq += 9 }), "the last one is"},
		"another's snapshot": {altered(func(h *index.Header, _ *lexical.Index) { h.ModelHash[0]++ }), "another source"},
		"a damaged snapshot": {func(t *testing.T, c *Collection) {
			edit(t, c.lexiconPath(), func(b []byte) []byte { b[len(b)-1]++; return b })
		}, "checksum"},
		"a snapshot that ends": {func(t *testing.T, c *Collection) { edit(t, c.lexiconPath(), func(b []byte) []byte { return b[:200] }) }, "truncated"},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := Open(copyOf(t, pristine), quiet())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			test.alter(t, collection(t, db, "test"))
			report, err := db.Check(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(report.Problems, "\n"); !strings.Contains(all, test.finds) {
				t.Errorf("found %q, want %q", all, test.finds)
			}
		})
	}
}

func altered(alter func(*index.Header, *lexical.Index)) func(t *testing.T, c *Collection) {
	return func(t *testing.T, c *Collection) { resave(t, c, c.lexiconPath(), alter) }
}

// TestLexiconStrays leaves what a crash leaves of a save. It must go, and nothing else.
func TestLexiconStrays(t *testing.T) {
	dir, want := textDirectory(t)
	half, mine := lexiconFile(dir)+temporaryMark+"123", filepath.Join(filepath.Dir(lexiconFile(dir)), "notes.txt")
	for _, path := range []string{half, mine} {
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, c, anew := openedTexts(t, dir)
	if anew || exists(half) || !exists(mine) {
		t.Errorf("made anew: %v; the unfinished file is there: %v, the user's: %v", anew, exists(half), exists(mine))
	}
	sameLexicon(t, c, want, true)
}

// What is never opened again, and what has no terms, saves none.
func TestLexiconIsNotSavedInVain(t *testing.T) {
	texts, err := OpenTemp(&Options{NoAutoFit: true, SnapshotEvery: 1})
	if err != nil {
		t.Fatal(err)
	}
	mustUpsert(t, create(t, texts, Config{Source: source.Text{}}), textPoints(topicTexts(1, 50))...)
	vectors := openDB(t, t.TempDir(), &Options{NoAutoFit: true, SnapshotEvery: 1})
	c := create(t, vectors, vectorConfig())
	mustUpsert(t, c, numbered(curved(1, 50, 8))...)
	mustFit(t, c)
	for _, db := range []*DB{vectors, texts} {
		if found, err := filepath.Glob(filepath.Join(db.Dir(), "*", "*", "lexicon*")); err != nil || len(found) > 0 {
			t.Errorf("%q, %v", found, err)
		}
	}
	if err := texts.Close(); err != nil {
		t.Fatal(err)
	}
}
