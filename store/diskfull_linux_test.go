package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// TestFullDisk fills a small disk. Writes must fail with an error that says so,
// nothing acknowledged may be lost, reads go on, and so do writes once there is
// room again.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t)
	opts := &Options{NoAutoFit: true, Workers: 2, SnapshotEvery: 300}
	db := openDB(t, dir, opts)
	c := create(t, db, Config{Source: source.Vector{}, Dim: 4, Encoder: "pca"})
	vectors := curved(71, 3000, 384)
	mustUpsert(t, c, numbered(vectors[:300])...)
	mustFit(t, c)
	kept, err := fill(c, vectors, 300)
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, ErrReadOnly) {
		t.Fatalf("%d points were taken, and then: %v", kept, err)
	}
	t.Logf("full at %d points: %v", kept, err)
	isOurs(t, err)
	if _, err := c.Fit(ctx, smallFit()); err == nil {
		t.Log("a fit found room")
	} else if isOurs(t, err); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a fit on a full disk: %v", err)
	}
	acknowledged(t, c, vectors, kept)
	mustCheck(t, db)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	if errors.Is(err, ErrReadOnly) { // what is on disk was in doubt: reopening clears it
		db = reopen(t, db, opts)
		c = collection(t, db, "test")
	}
	mustUpsert(t, c, numbered(vectors[:kept+100])[kept:]...)
	mustFit(t, c)
	acknowledged(t, c, vectors, kept+100)
	db = reopen(t, db, opts)
	acknowledged(t, collection(t, db, "test"), vectors, kept+100)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// smallDisk is a directory with room for 4 MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting a small disk takes root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("mounting a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// isOurs expects every line of an error to tell whose it is.
func isOurs(t *testing.T, err error) {
	t.Helper()
	for _, line := range strings.Split(err.Error(), "\n") {
		if !strings.HasPrefix(line, "store: ") {
			t.Errorf("an error without the package's name: %q", line)
		}
	}
}

// TestFullDiskOnClose lets Close find no room for the index, nor a creation for
// a collection. Both say so, and nothing is lost.
func TestFullDiskOnClose(t *testing.T) {
	dir := smallDisk(t)
	db := openDB(t, dir, quiet())
	c := create(t, db, vectorConfig())
	vectors := curved(72, 900, 16)
	mustUpsert(t, c, numbered(vectors[:300])...)
	mustFit(t, c)
	mustUpsert(t, c, numbered(vectors)...)
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 8<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	_, failed := db.CreateCollection(ctx, "more", vectorConfig())
	for what, err := range map[string]error{"create": failed, "close": db.Close()} {
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("%s: %v, want ENOSPC", what, err)
		}
		isOurs(t, err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	db = openDB(t, dir, quiet())
	acknowledged(t, collection(t, db, "test"), vectors, 900)
	if err := db.DropCollection(ctx, "test"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if got := left(t, dir); len(got) > 0 {
		t.Errorf("%q are left", got)
	}
}

// TestFullDiskOfRows lets a fit, and later a save, find no room for rows. Mapped memory
// without room behind it would end the process; both say so instead, leave nothing
// behind, and the rows there were go on to serve.
func TestFullDiskOfRows(t *testing.T) {
	dir := smallDisk(t)
	db := openDB(t, dir, quiet())
	c := create(t, db, rowsConfig(RowsDisk, Euclid))
	vectors := curved(73, 300, 384) // 1.5 MiB in a file of rows
	mustUpsert(t, c, numbered(vectors)...)
	filler := filepath.Join(dir, "filler")
	leave := func(room int64) {
		t.Helper()
		var disk syscall.Statfs_t
		if err := syscall.Statfs(dir, &disk); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filler, make([]byte, int64(disk.Bavail)*disk.Bsize-room), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(err error) {
		t.Helper()
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("%v, want ENOSPC", err)
		}
		isOurs(t, err)
		if left, err := filepath.Glob(filepath.Join(dir, "c-*", "default", "gen-*", "*"+temporaryMark+"*")); err != nil || len(left) > 0 {
			t.Errorf("%q are left, %v", left, err)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	}
	leave(1 << 20)
	_, err := c.Fit(ctx, smallFit())
	refused(err)
	mustFit(t, c)
	gen := c.active.Load()
	// The second is enough for the rows, but not for all of the file.
	for _, room := range []int{1 << 20, rowsHeaderSize + gen.rows.Size(300)} {
		leave(int64(room))
		refused(c.saveRows(gen))
		acknowledged(t, c, vectors, 300)
		if n := keptRows(c); n != 300 {
			t.Errorf("%d rows are kept", n)
		}
	}
	if err := c.saveRows(gen); err != nil {
		t.Fatal(err)
	}
}

// fill writes points until one is refused, and tells how many there are.
func fill(c *Collection, vectors [][]float32, from int) (kept int, err error) {
	points := numbered(vectors)
	for i := from; i < len(points); i += 50 {
		if err := c.Upsert(ctx, points[i:i+50]...); err != nil {
			return i, err
		}
	}
	return len(points), nil
}

// acknowledged expects the first n points, and no others, and that they can be
// searched.
func acknowledged(t *testing.T, c *Collection, vectors [][]float32, n int) {
	t.Helper()
	if got, err := c.Count(ctx, nil); err != nil || got != n {
		t.Errorf("%d points, %v, want %d", got, err, n)
	}
	for _, i := range []int{0, n / 2, n - 1} {
		hits, err := c.Search(ctx, Query{Vector: vectors[i], Limit: 1, Exact: true})
		if err != nil || len(hits) != 1 || hits[0].ID != NumID(uint64(i)) {
			t.Errorf("point %d: %v, %v", i, hits, err)
		}
	}
}
