package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestMissingCatalog must not take the collections for what a crash left.
func TestMissingCatalog(t *testing.T) {
	dir, ask := fittedDirectory(t)
	catalog := filepath.Join(dir, catalogName)
	kept, err := os.ReadFile(catalog)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := os.RemoveAll(catalog); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := Open(dir, quiet()); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("without a catalog: %v", err)
			}
		}
		if err := os.WriteFile(catalog, kept, 0o600); err != nil {
			t.Fatal(err)
		}
		db := openDB(t, dir, quiet())
		ask(db)
		mustCheck(t, db)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(pointsFile(t, dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, quiet()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("without points.db: %v", err)
	}
}

// TestDamagedCatalog flips bits all over a catalog that names three
// collections. Opening may refuse it, or take it for whole where what is flipped
// is a name; it must never panic, nor may Check, and no directory may go.
func TestDamagedCatalog(t *testing.T) {
	dir, file := threeCollections(t)
	refused := 0
	for at := 0; at < len(file); at++ {
		// What no page uses is zero; of the rest, every third byte.
		if at%3 != 0 || bytes.Count(file[at:min(at+4, len(file))], []byte{0}) == 4 {
			continue
		}
		flipped := slices.Clone(file)
		flipped[at] ^= 1 << (at / 3 % 8)
		if err := os.WriteFile(filepath.Join(dir, catalogName), flipped, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := Open(dir, quiet())
		if left := len(pointsFiles(t, dir)); left != 3 {
			t.Fatalf("byte %d: %d collections are left", at, left)
		}
		switch {
		case errors.Is(err, ErrCorrupt), errors.Is(err, ErrFormat):
			refused++
			continue
		case err != nil:
			t.Fatalf("byte %d: %v, want ErrCorrupt", at, err)
		}
		if _, err := db.Check(ctx); err != nil {
			t.Errorf("byte %d: check: %v", at, err)
		}
		if err := db.Close(); err != nil {
			t.Errorf("byte %d: close: %v", at, err)
		}
	}
	if refused < 50 {
		t.Errorf("%d flips were refused", refused)
	}
}

// threeCollections makes a closed database, and gives its catalog's bytes.
func threeCollections(t *testing.T) (dir string, catalog []byte) {
	t.Helper()
	dir = t.TempDir()
	db := openDB(t, dir, quiet())
	for i, name := range []string{"alpha", "beta", "gamma"} {
		c, err := db.CreateCollection(ctx, name, vectorConfig())
		if err != nil {
			t.Fatal(err)
		}
		mustUpsert(t, c, numbered(curved(uint64(i), 20, 4))...)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	catalog, err := os.ReadFile(filepath.Join(dir, catalogName))
	if err != nil {
		t.Fatal(err)
	}
	return dir, catalog
}

// TestCutCatalog cuts a catalog short at every page.
func TestCutCatalog(t *testing.T) {
	dir, file := threeCollections(t)
	for size := len(file) - os.Getpagesize(); size > 0; size -= os.Getpagesize() {
		if err := os.WriteFile(filepath.Join(dir, catalogName), file[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := Open(dir, quiet())
		if err == nil { // the page cut off was never used
			mustCheck(t, db)
			err = db.Close()
		}
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes: %v, want ErrCorrupt", size, err)
		}
	}
}
