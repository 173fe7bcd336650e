package store

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// damageMeta changes one meta page of a bbolt file: the newer of the two, or the
// older.
func damageMeta(t *testing.T, path string, newer bool, damage func(page []byte)) {
	t.Helper()
	metas, err := fileMetas(path)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if newer == (metas[1].txn > metas[0].txn) {
		n = 1
	}
	edit(t, path, func(b []byte) []byte {
		size := int(metas[0].pageSize)
		damage(b[n*size : (n+1)*size])
		return b
	})
}

func flipRoot(page []byte) { page[pageHeader+16] ^= 1 }

// findsMeta expects Check to name a damaged meta page, and nothing else.
func findsMeta(t *testing.T, db *DB, file string) {
	t.Helper()
	report, err := db.Check(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Problems) != 1 || !strings.Contains(report.Problems[0], "meta page") || !strings.Contains(report.Problems[0], file) {
		t.Errorf("found %q, want a meta page of %s", report.Problems, file)
	}
}

// TestDamagedMetaAfterClose flips a bit in either meta page of points.db.
// Nothing that was acknowledged may be missing, and Check tells of it until the
// next write has put it right.
func TestDamagedMetaAfterClose(t *testing.T) {
	for name, newer := range map[string]bool{"newer": true, "older": false} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			db := openDB(t, dir, quiet())
			c := create(t, db, vectorConfig())
			points := numbered(curved(41, 90, 8))
			mustUpsert(t, c, points[:50]...)
			mustUpsert(t, c, points[50:80]...)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			damageMeta(t, pointsFile(t, dir), newer, flipRoot)
			db = openDB(t, dir, quiet())
			c = collection(t, db, "test")
			if n, err := c.Count(ctx, nil); err != nil || n != 80 {
				t.Errorf("%d points, %v, want 80", n, err)
			}
			findsMeta(t, db, "points.db")
			mustUpsert(t, c, points[80:]...)
			mustUpsert(t, c, points[:1]...) // the commits before and after write both pages
			mustCheck(t, db)
		})
	}
}

// TestTornMeta opens what a crash leaves that cuts a commit's last write short:
// the commit before, with all that it holds.
func TestTornMeta(t *testing.T) {
	live, dir := t.TempDir(), t.TempDir()
	db := openDB(t, live, quiet())
	c := create(t, db, vectorConfig())
	points := numbered(curved(42, 80, 8))
	mustUpsert(t, c, points[:50]...)
	mustUpsert(t, c, points[50:]...)
	if err := os.CopyFS(dir, os.DirFS(live)); err != nil { // a crash: there is no Close
		t.Fatal(err)
	}
	damageMeta(t, pointsFile(t, dir), true, func(page []byte) { clear(page[pageHeader+40:]) })
	db = openDB(t, dir, quiet())
	c = collection(t, db, "test")
	if n, err := c.Count(ctx, nil); err != nil || n != 50 {
		t.Errorf("%d points, %v, want 50", n, err)
	}
	findsMeta(t, db, "points.db")
	mustUpsert(t, c, points...)
	mustCheck(t, db)
}

// TestDamagedMetaOfCatalog flips a bit in either meta page of a catalog that
// was never closed. Its collections must all be there.
func TestDamagedMetaOfCatalog(t *testing.T) {
	for name, newer := range map[string]bool{"newer": true, "older": false} {
		t.Run(name, func(t *testing.T) {
			live, dir := t.TempDir(), t.TempDir()
			db := openDB(t, live, quiet())
			for _, name := range []string{"a", "b", "c"} {
				if _, err := db.CreateCollection(ctx, name, vectorConfig()); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.DropCollection(ctx, "b"); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(dir, os.DirFS(live)); err != nil {
				t.Fatal(err)
			}
			damageMeta(t, filepath.Join(dir, catalogName), newer, flipRoot)
			damaged, err := Open(dir, quiet())
			if err != nil {
				t.Fatal(err)
			}
			if got := damaged.Collections(); !slices.Equal(got, []string{"a", "c"}) {
				t.Errorf("collections %q", got)
			}
			findsMeta(t, damaged, catalogName)
			if err := damaged.Close(); err != nil {
				t.Fatal(err)
			}
			mustCheck(t, openDB(t, dir, quiet())) // Close put it right
		})
	}
}

// TestCloseWritesNothingTwice opens and closes a database. Its ground state must
// stay as it is, byte for byte.
func TestCloseWritesNothingTwice(t *testing.T) {
	dir, _ := fittedDirectory(t)
	for _, path := range []string{pointsFile(t, dir), filepath.Join(dir, catalogName)} {
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := openDB(t, dir, quiet()).Close(); err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(path)
		if err != nil || !slices.Equal(before, after) {
			t.Errorf("%s changed: %v", filepath.Base(path), err)
		}
	}
}
