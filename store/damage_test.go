package store

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/latentdb/latentdb/embed/source"
)

// fittedDirectory makes a closed database of fitted vectors, some written after
// the fit, and the answers it gave to a query.
func fittedDirectory(t *testing.T) (dir string, ask func(*DB) []float64) {
	t.Helper()
	dir = t.TempDir()
	db, err := Open(dir, quiet())
	if err != nil {
		t.Fatal(err)
	}
	c := create(t, db, vectorConfig())
	vectors := curved(9, 640, 8)
	mustUpsert(t, c, numbered(vectors[:600])...)
	mustFit(t, c)
	mustUpsert(t, c, numbered(vectors)[550:]...)
	if _, err := c.Delete(ctx, NumID(3), NumID(630)); err != nil {
		t.Fatal(err)
	}
	ask = func(db *DB) []float64 {
		c := collection(t, db, "test")
		if n := c.active.Load().number; n != 1 {
			t.Errorf("generation %d is active", n)
		}
		var scores []float64
		for _, space := range []Space{SpaceInput, SpaceLatent} {
			for _, i := range []int{0, 555, 635} {
				for _, h := range mustSearch(t, c, Query{Vector: vectors[i], Space: space, Exact: true, Limit: 20}).Hits {
					scores = append(scores, h.Score)
				}
			}
		}
		return scores
	}
	mustCheck(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, ask
}

func derivedFile(t *testing.T, dir, name string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "c-*", "default", "gen-*", name))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%v, %v", paths, err)
	}
	return paths[0]
}

// edit rewrites a file.
func edit(t *testing.T, path string, f func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDerivedFilesAreRebuilt damages derived files in many ways, one after
// another, and expects the same answers each time.
func TestDerivedFilesAreRebuilt(t *testing.T) {
	dir, ask := fittedDirectory(t)
	db, err := Open(dir, quiet())
	if err != nil {
		t.Fatal(err)
	}
	want := ask(db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	remove := func(names ...string) func() {
		return func() {
			for _, n := range names {
				if err := os.RemoveAll(derivedFile(t, dir, n)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	flip := func(name string, at float64) func() {
		return func() {
			edit(t, derivedFile(t, dir, name), func(b []byte) []byte { b[int(at*float64(len(b)-1))] ^= 0x10; return b })
		}
	}
	cut := func(name string, to float64) func() {
		return func() {
			edit(t, derivedFile(t, dir, name), func(b []byte) []byte { return b[:int(to*float64(len(b)))] })
		}
	}
	const snap, latents = "index.main.snap", "latents.main.db"
	for name, damage := range map[string][]func(){
		"snapshot flipped in its header": {flip(snap, 0)},
		"snapshot flipped in its middle": {flip(snap, 0.5)},
		"snapshot flipped at its end":    {flip(snap, 1)},
		"snapshot cut":                   {cut(snap, 0.7)},
		"snapshot emptied":               {cut(snap, 0)},
		"latents gone":                   {remove(latents)},
		"latents gone, then snapshot":    {remove(latents), remove(snap)},
		"snapshot gone":                  {remove(snap)},
		"latents cut":                    {remove(snap), cut(latents, 0.6)},
		"latents cut to two pages": {func() {
			remove(snap)()
			edit(t, derivedFile(t, dir, latents), func(b []byte) []byte { return b[:8192] })
		}},
		"latents emptied": {func() { remove(snap)(); cut(latents, 0)() }},
		"latents no database": {func() {
			edit(t, derivedFile(t, dir, latents), func(b []byte) []byte { return slices.Repeat([]byte("x"), len(b)) })
		}, remove(snap)},
		"latent block flipped": {func() { remove(snap)(); flipValue(t, derivedFile(t, dir, latents), bucketLatents, slotKey(1)) }},
		"both flipped":         {func() { flip(snap, 0.3)(); flip(latents, 0.3)() }},
		"directory gone": {func() {
			if err := os.RemoveAll(filepath.Dir(derivedFile(t, dir, snap))); err != nil {
				t.Fatal(err)
			}
		}},
		"stray files": {func() { strays(t, dir) }},
	} {
		t.Run(name, func(t *testing.T) {
			for _, d := range damage {
				d()
				db := openDB(t, dir, &Options{NoAutoFit: true, SnapshotEvery: 1})
				if got := ask(db); !slices.EqualFunc(got, want, near) {
					t.Errorf("answers differ: %v, want %v", got, want)
				}
				// A change makes the next Close save what was rebuilt.
				c := collection(t, db, "test")
				mustUpsert(t, c, Point{ID: StringID("new"), Vector: make([]float32, 8)})
				if _, err := c.Delete(ctx, StringID("new")); err != nil {
					t.Fatal(err)
				}
				mustCheck(t, db)
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// strays leaves what crashes leave, and expects the next open to remove it.
func strays(t *testing.T, dir string) {
	t.Helper()
	gen := filepath.Dir(derivedFile(t, dir, "index.main.snap"))
	for _, path := range []string{
		filepath.Join(dir, "c-000099", "points.db"), filepath.Join(dir, "c-000099", discardMark),
		filepath.Join(gen, "..", "gen-000077", "report.json"), filepath.Join(gen, "index.main.snap.tmp-123"),
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("half"), 0o600)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is still there: %v", path, err)
			}
		})
	}
}

// flipValue flips a bit in a bucket's value with bbolt's own means, so that no
// page of the file tells of it. Nested buckets are given as "outer/inner".
func flipValue(t *testing.T, path string, bucket, key []byte) {
	t.Helper()
	changeBolt(t, path, func(tx *bolt.Tx) error {
		b := nestedBucket(tx, bucket)
		v := slices.Clone(b.Get(key))
		if len(v) == 0 {
			return errors.New("nothing to flip")
		}
		v[len(v)/2] ^= 0x04
		return b.Put(key, v)
	})
}

func nestedBucket(tx *bolt.Tx, name []byte) *bolt.Bucket {
	outer, inner, nested := strings.Cut(string(name), "/")
	b := tx.Bucket([]byte(outer))
	if nested {
		b = b.Bucket([]byte(inner))
	}
	return b
}

func changeBolt(t *testing.T, path string, f func(tx *bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(f), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func pointsFiles(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "c-*", "points.db"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func pointsFile(t *testing.T, dir string) string {
	t.Helper()
	paths := pointsFiles(t, dir)
	if len(paths) != 1 {
		t.Fatalf("%q", paths)
	}
	return paths[0]
}

// TestCheckFindsDamage flips bits in values of points.db, removes entries, and
// expects Check to name each, or the open to refuse.
func TestCheckFindsDamage(t *testing.T) {
	pristine, _ := fittedDirectory(t)
	field := fieldBucketPrefix + defaultField
	id := func(n uint64) []byte { return NumID(n).key() }
	drop := func(bucket string, key []byte) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			changeBolt(t, path, func(tx *bolt.Tx) error { return nestedBucket(tx, []byte(bucket)).Delete(key) })
		}
	}
	put := func(bucket string, key, value []byte) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			changeBolt(t, path, func(tx *bolt.Tx) error { return nestedBucket(tx, []byte(bucket)).Put(key, value) })
		}
	}
	flip := func(bucket string, key []byte) func(t *testing.T, path string) {
		return func(t *testing.T, path string) { flipValue(t, path, []byte(bucket), key) }
	}
	for name, test := range map[string]struct {
		damage func(t *testing.T, path string)
		finds  string
	}{
		"record flipped":   {flip("records/"+field, slotKey(7)), "record of slot 7 fails its checksum"},
		"payload flipped":  {flip("payloads", slotKey(8)), "payload of slot 8 fails its checksum"},
		"entry flipped":    {flip("slots", slotKey(9)), "entry of slot 9 fails its checksum"},
		"id elsewhere":     {put("ids", id(10), slotKey(11)), "names another slot"},
		"id missing":       {drop("ids", id(10)), "names another slot"},
		"record missing":   {drop("records/"+field, slotKey(12)), "record of slot 12"},
		"slot missing":     {drop("slots", slotKey(13)), "in use and"},
		"payload stray":    {put("payloads", slotKey(5000), sealed([]byte("{}"))), "payload but no point"},
		"slot in use free": {put("free", slotKey(14), nil), "is in use, and free"},
		"count":            {put("meta", keyPoints, seqKey(5)), "a count of 5"},
		"last slot":        {put("meta", keyNextSlot, seqKey(20)), "beyond the last"},
		"none active":      {drop("meta", []byte(keyPrefixActive+defaultField)), "no generation is active"},
		"log entry":        {put("changes", seqKey(1<<40), slotKey(1)), "after the last change"},
		"record swapped":   {put("records/"+field, slotKey(20), sealed(make([]byte, 4*8))), "another row"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(pristine)); err != nil {
				t.Fatal(err)
			}
			test.damage(t, pointsFile(t, dir))
			db, err := Open(dir, quiet())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
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

// TestDamagedRecord reads a flipped record in every way, and repairs it by
// writing the point again.
func TestDamagedRecord(t *testing.T) {
	dir, _ := fittedDirectory(t)
	flipValue(t, pointsFile(t, dir), []byte("records/"+fieldBucketPrefix), slotKey(7))
	db := openDB(t, dir, quiet())
	c := collection(t, db, "test")
	calls := map[string]error{}
	_, calls["get"] = c.Get(ctx, With{Vector: true}, NumID(7))
	_, calls["reconstruct"] = c.Reconstruct(ctx, NumID(7))
	_, calls["search"] = c.Search(ctx, Query{Vector: make([]float32, 8), Exact: true})
	_, calls["fit"] = c.Fit(ctx, smallFit())
	for _, err := range c.Scroll(ctx, ScrollQuery{With: With{Vector: true}}) {
		calls["scroll"] = err
	}
	for name, err := range calls {
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", name, err)
		}
	}
	mustUpsert(t, c, Point{ID: NumID(7), Vector: make([]float32, 8)})
	if _, err := c.Get(ctx, With{Vector: true}, NumID(7)); err != nil {
		t.Error(err)
	}
}

// TestDamagedText: a text that is damaged keeps nothing from opening, and is told of by
// whoever would need its terms, until it is written again.
func TestDamagedText(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(dir, quiet())
	if err != nil {
		t.Fatal(err)
	}
	texts := topicTexts(1, 1200)
	c := create(t, db, Config{Source: source.Text{}, Dim: 8})
	mustUpsert(t, c, textPoints(texts)...)
	mustFit(t, c)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	flipValue(t, pointsFile(t, dir), []byte("records/"+fieldBucketPrefix), slotKey(7))
	if db, err = Open(dir, quiet()); err != nil {
		t.Fatal(err)
	}
	if _, err := collection(t, db, "test").Search(ctx, Query{Record: texts[3], Limit: 1}); err != nil {
		t.Errorf("while its terms are saved: %v", err)
	}
	if err := errors.Join(db.Close(), os.Remove(lexiconFile(dir))); err != nil {
		t.Fatal(err)
	}
	c = collection(t, openDB(t, dir, quiet()), "test")
	for _, space := range []Space{SpaceLexical, SpaceHybrid} {
		if _, err := c.Search(ctx, Query{Record: texts[3], Space: space}); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "id 7") {
			t.Errorf("%s: %v, want ErrCorrupt of id 7", space, err)
		}
	}
	if _, err := c.Search(ctx, Query{Record: texts[3], Space: SpaceLatent, OmitPayload: true}); err != nil {
		t.Errorf("by latents alone: %v", err)
	}
	mustUpsert(t, c, Point{ID: NumID(7), Record: "entirely new"})
	if got := mustSearch(t, c, Query{Record: "entirely new", Limit: 1}); got.Hits[0].ID != NumID(7) {
		t.Errorf("after it was written again: %v", got.Hits)
	}
}

// TestOlderLatents puts back an older file of latents under a newer snapshot.
// The next save must not take it for complete.
func TestOlderLatents(t *testing.T) {
	dir, ask := fittedDirectory(t)
	opts := &Options{NoAutoFit: true, SnapshotEvery: 1 << 30} // saved on Close alone
	older, err := os.ReadFile(derivedFile(t, dir, "latents.main.db"))
	if err != nil {
		t.Fatal(err)
	}
	var want []float64
	for step := range 3 {
		db := openDB(t, dir, opts)
		c := collection(t, db, "test")
		// Of 600 slots in three blocks, each step changes the points of one.
		moved := numbered(curved(uint64(80+step), 250, 8))
		for i := range moved {
			moved[i].ID = NumID(uint64(i + 256*step + 5))
		}
		mustUpsert(t, c, moved[:100]...)
		want = ask(db)
		mustCheck(t, db)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if step == 1 {
			if err := os.WriteFile(derivedFile(t, dir, "latents.main.db"), older, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Remove(derivedFile(t, dir, "index.main.snap")); err != nil {
		t.Fatal(err)
	}
	if got := ask(openDB(t, dir, opts)); !slices.EqualFunc(got, want, near) {
		t.Errorf("answers differ: %v, want %v", got, want)
	}
}

// TestDamagedLatentPages lets leaf pages of the latents' file claim a page more
// than is theirs. A commit into such a file would free that page while another
// leaf is in it, or with a larger claim not end; a save has to write a fresh one.
func TestDamagedLatentPages(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir, quiet())
	c := create(t, db, Config{Source: source.Vector{}, Dim: 8, Encoder: "pca"})
	mustUpsert(t, c, numbered(curved(31, 2000, 8))...)
	mustFit(t, c)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	path, leaves := derivedFile(t, dir, "latents.main.db"), 0
	edit(t, path, func(b []byte) []byte {
		for at := 2 * os.Getpagesize(); at < len(b); at += os.Getpagesize() {
			p := boltPage(b[at:])
			overflow := native.Uint32(p[12:])
			if int(native.Uint64(p)) != at/os.Getpagesize() || p.kind() != pageLeaf || overflow == 0 {
				continue // not a page of latents, which take more than one
			}
			if leaves++; leaves > 1 { // the first is always looked at
				native.PutUint32(p[12:], overflow+1)
			}
		}
		return b
	})
	if leaves < 3 {
		t.Fatalf("%d leaf pages were found", leaves)
	}
	db = openDB(t, dir, quiet())
	mustUpsert(t, collection(t, db, "test"), Point{ID: NumID(900), Vector: make([]float32, 8)})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := verifyPages(path, allPages); err != nil {
		t.Error(err)
	}
}
