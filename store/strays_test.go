package store

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// unname takes a collection's name out of a closed database's catalog.
func unname(t *testing.T, dir, name string) {
	t.Helper()
	changeBolt(t, filepath.Join(dir, catalogName), func(tx *bolt.Tx) error {
		return tx.Bucket(bucketCollections).Delete([]byte(name))
	})
}

// left lists what is in a database's directory beside its catalog.
func left(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.Name() != catalogName {
			out = append(out, e.Name())
		}
	}
	return out
}

// TestStraysStay opens a database beside whose collection lie another that the
// catalog does not name, and things of the user's with similar names. All must
// stay, and Check must tell of the collection.
func TestStraysStay(t *testing.T) {
	dir, _ := threeCollections(t)
	unname(t, dir, "beta")
	collection := os.DirFS(filepath.Join(dir, "c-000001"))
	err := errors.Join(os.CopyFS(filepath.Join(dir, "c-000001.backup"), collection), os.CopyFS(filepath.Join(dir, "c-12"), collection),
		os.WriteFile(filepath.Join(dir, "c-2024-notes.txt"), []byte("mine"), 0o600), os.WriteFile(filepath.Join(dir, "c-202412"), nil, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	before := left(t, dir)
	for range 2 {
		db, err := Open(dir, quiet())
		if err != nil {
			t.Fatal(err)
		}
		report, err := db.Check(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Problems) != 1 || !strings.Contains(report.Problems[0], "c-000002") {
			t.Errorf("found %q, want c-000002", report.Problems)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if after := left(t, dir); !slices.Equal(after, before) {
		t.Errorf("%q are left of %q", after, before)
	}
}

// TestStrayComesBack follows FORMAT.md's advice for a collection that lost its
// name: its files in the place of a new collection's.
func TestStrayComesBack(t *testing.T) {
	dir, _ := threeCollections(t)
	unname(t, dir, "beta")
	db, err := Open(dir, quiet())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.CreateCollection(ctx, "back", vectorConfig()); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	fresh := filepath.Join(dir, "c-000004")
	if err := errors.Join(os.RemoveAll(fresh), os.Rename(filepath.Join(dir, "c-000002"), fresh)); err != nil {
		t.Fatal(err)
	}
	if n, err := collection(t, openDB(t, dir, quiet()), "back").Count(ctx, nil); err != nil || n != 20 {
		t.Errorf("%d points, %v, want 20", n, err)
	}
}

// TestInterrupted leaves what a crash leaves at each step of a creation and of a
// drop, and opens it: done or not done, and nothing in between.
func TestInterrupted(t *testing.T) {
	beta := func(dir string) string { return filepath.Join(dir, "c-000002") }
	for name, test := range map[string]struct {
		crash func(t *testing.T, dir string) error
		stays bool
	}{
		"created, before the mark": {func(t *testing.T, dir string) error {
			unname(t, dir, "beta")
			return errors.Join(os.RemoveAll(beta(dir)), os.Mkdir(beta(dir), 0o700))
		}, false},
		"created, before the name": {func(t *testing.T, dir string) error {
			unname(t, dir, "beta")
			return mark(beta(dir))
		}, false},
		"created, before the mark goes": {func(_ *testing.T, dir string) error { return mark(beta(dir)) }, true},
		"dropped, half removed": {func(t *testing.T, dir string) error {
			unname(t, dir, "beta")
			return errors.Join(mark(beta(dir)), os.Remove(filepath.Join(beta(dir), "points.db")))
		}, false},
		"dropped, but for the name": {func(t *testing.T, dir string) error {
			unname(t, dir, "beta")
			return os.RemoveAll(beta(dir))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := threeCollections(t)
			if err := test.crash(t, dir); err != nil {
				t.Fatal(err)
			}
			db := openDB(t, dir, quiet())
			want := []string{"c-000001", "c-000003"}
			if test.stays {
				want = slices.Insert(want, 1, "c-000002")
			}
			if got := left(t, dir); !slices.Equal(got, want) || len(db.Collections()) != len(want) {
				t.Errorf("%q with collections %q, want %q", got, db.Collections(), want)
			}
			if marked(beta(dir)) {
				t.Error("the mark is still there")
			}
		})
	}
}

// TestCreateAndDropLeaveNoMark looks at what the two leave when nothing crashes.
func TestCreateAndDropLeaveNoMark(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir, quiet())
	for _, name := range []string{"a", "b"} {
		if _, err := db.CreateCollection(ctx, name, vectorConfig()); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.DropCollection(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if got := left(t, dir); !slices.Equal(got, []string{"c-000002"}) || marked(filepath.Join(dir, "c-000002")) {
		t.Errorf("%q", got)
	}
}

// TestOlderCatalog puts back a catalog from before a collection was made. The
// next creation must not touch the directory whose number it would give.
func TestOlderCatalog(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir, quiet())
	create(t, db, vectorConfig())
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	older, err := os.ReadFile(filepath.Join(dir, catalogName))
	if err != nil {
		t.Fatal(err)
	}
	db = openDB(t, dir, quiet())
	c, err := db.CreateCollection(ctx, "later", vectorConfig())
	if err != nil {
		t.Fatal(err)
	}
	mustUpsert(t, c, numbered(curved(51, 20, 4))...)
	if err := errors.Join(db.Close(), os.WriteFile(filepath.Join(dir, catalogName), older, 0o600)); err != nil {
		t.Fatal(err)
	}
	if db, err = Open(dir, quiet()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.CreateCollection(ctx, "new", vectorConfig()); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if got := left(t, dir); !slices.Equal(got, []string{"c-000001", "c-000002", "c-000003"}) {
		t.Errorf("%q", got)
	}
}
