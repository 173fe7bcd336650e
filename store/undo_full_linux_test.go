package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// TestFullDiskOfUndo lets a deduplication find no room for what it removes: it says so,
// and every point is there. Once there is room it goes on, and can be undone as ever.
func TestFullDiskOfUndo(t *testing.T) {
	dir := smallDisk(t)
	db := openDB(t, dir, quiet())
	c := create(t, db, vectorConfig())
	vectors := curved(75, 300, 384)
	vectors = slices.Concat(vectors, vectors)
	mustUpsert(t, c, numbered(vectors)...)
	whole := func() {
		t.Helper()
		got, err := c.Get(ctx, With{Vector: true}, NumID(0), NumID(300), NumID(599))
		if info, _ := c.Info(ctx); err != nil || info.Points != 600 || len(got) != 3 || !slices.Equal(got[2].Vector, vectors[599]) {
			t.Errorf("%d points of 600, %d of 3 by id, %v", info.Points, len(got), err)
		}
		mustCheck(t, db)
	}
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 8<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	copies := DuplicateQuery{Threshold: new(float64)}
	report, err := c.Deduplicate(ctx, copies, false)
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("%+v, %v, want ENOSPC", report, err)
	}
	isOurs(t, err)
	whole()
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	report, err = c.Deduplicate(ctx, copies, false)
	if err != nil || len(report.Removed) != 300 {
		t.Fatalf("%d removed, %v", len(report.Removed), err)
	}
	back, err := c.UndoDeduplicate(ctx, report.Undo)
	if err != nil || len(back.Restored) != 300 {
		t.Fatalf("%+v, %v", back, err)
	}
	whole()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestFullDiskOfTerms lets Close find no room for the terms of texts. It says so, and the
// next open makes them anew.
func TestFullDiskOfTerms(t *testing.T) {
	dir := smallDisk(t)
	db := openDB(t, dir, quiet())
	c := create(t, db, Config{Source: source.Text{}})
	points := make([]Point, 200)
	for i := range points {
		points[i] = Point{ID: NumID(uint64(i)), Record: fmt.Sprintf("the parcel number %d came to house %d", i, i*7)}
	}
	mustUpsert(t, c, points...)
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 8<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	err := db.Close()
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("%v, want ENOSPC", err)
	}
	isOurs(t, err)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	db = openDB(t, dir, quiet())
	if left, err := filepath.Glob(filepath.Join(dir, "c-*", "default", "*"+temporaryMark+"*")); err != nil || len(left) > 0 {
		t.Errorf("%q are left, %v", left, err)
	}
	hits := mustSearch(t, collection(t, db, "test"), Query{Record: points[17].Record, Limit: 1, Space: SpaceLexical}).Hits
	if len(hits) != 1 || hits[0].ID != NumID(17) {
		t.Errorf("found %v", hits)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
