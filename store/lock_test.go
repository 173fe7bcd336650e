package store

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/latentdb/latentdb/embed/source"
)

func TestLockedBySecondProcess(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir, quiet())
	create(t, db, vectorConfig())
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	holder, out := child(t, "holder", dir, 0)
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "open\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := Open(dir, quiet()); !errors.Is(err, ErrLocked) {
		t.Errorf("%v, want ErrLocked", err)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // it was killed
	openDB(t, dir, quiet())
	if _, err := Open(dir, quiet()); !errors.Is(err, ErrLocked) {
		t.Errorf("opened twice in one process: %v, want ErrLocked", err)
	}
}

// TestNewerFormats raises the version in each file. Ground state is refused,
// derived state is made anew.
func TestNewerFormats(t *testing.T) {
	newer := binary.BigEndian.AppendUint32(nil, formatWithCells+1)
	raise := func(t *testing.T, path string) {
		changeBolt(t, path, func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyFormat, newer) })
	}
	for name, test := range map[string]struct {
		damage  func(t *testing.T, dir string)
		refused bool
	}{
		"catalog": {func(t *testing.T, dir string) { raise(t, filepath.Join(dir, catalogName)) }, true},
		"points":  {func(t *testing.T, dir string) { raise(t, pointsFile(t, dir)) }, true},
		"points with other buckets": {func(t *testing.T, dir string) {
			raise(t, pointsFile(t, dir))
			changeBolt(t, pointsFile(t, dir), func(tx *bolt.Tx) error { return tx.DeleteBucket(bucketFree) })
		}, true},
		"model": {newerModel, true},
		"latents": {func(t *testing.T, dir string) {
			raise(t, derivedFile(t, dir, "latents.main.db"))
			if err := os.Remove(derivedFile(t, dir, "index.main.snap")); err != nil {
				t.Fatal(err)
			}
		}, false},
		"latents under a good snapshot": {func(t *testing.T, dir string) { raise(t, derivedFile(t, dir, "latents.main.db")) }, false},
		"snapshot": {func(t *testing.T, dir string) {
			edit(t, derivedFile(t, dir, "index.main.snap"), func(b []byte) []byte { b[8]++; return b })
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir, ask := fittedDirectory(t)
			test.damage(t, dir)
			if test.refused {
				if _, err := Open(dir, quiet()); !errors.Is(err, ErrFormat) {
					t.Fatalf("%v, want ErrFormat", err)
				}
				return
			}
			db := openDB(t, dir, &Options{NoAutoFit: true, SnapshotEvery: 1})
			ask(db)
			mustUpsert(t, collection(t, db, "test"), Point{ID: StringID("new"), Vector: make([]float32, 8)})
			ask(reopen(t, db, quiet()))
		})
	}
}

// newerModel raises a model's own format, with checksums to match.
func newerModel(t *testing.T, dir string) {
	changeBolt(t, pointsFile(t, dir), func(tx *bolt.Tx) error {
		g, err := groundOf(tx)
		if err != nil {
			return err
		}
		info, err := g.modelInfo(1)
		if err != nil {
			return err
		}
		b := g.models.Bucket(seqKey(1))
		model := slices.Clone(b.Get(keyModel))
		binary.LittleEndian.PutUint32(model[8:], 99)
		sum := hashOf(model, b.Get(keyFitted), b.Get(keyHead))
		info.SHA256 = sum[:]
		data, err := json.Marshal(info)
		return errors.Join(err, b.Put(keyModel, model), b.Put(keyInfo, sealed(data)))
	})
}

// goldenDir holds a database as today's version writes it. Every later version
// must open it.
const goldenDir = "testdata/format-1"

// goldenPoints are the points of the golden database.
func goldenPoints() []Point {
	points := numbered(curved(11, 40, 6))
	points[5].ID, points[6].ID = StringID("fünf"), UUID([16]byte{6})
	points[7].Payload = Payload{"nested": map[string]any{"list": []any{"a", nil, true, 1.5}}}
	return points
}

func TestGolden(t *testing.T) {
	if *update {
		writeGolden(t)
	}
	dir := t.TempDir() // opening writes
	if err := os.CopyFS(dir, os.DirFS(goldenDir)); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(derivedFile(t, dir, "index.main.snap"))
	if err != nil {
		t.Fatal(err)
	}
	db := openDB(t, dir, quiet())
	c := collection(t, db, "golden")
	models, err := c.Models(ctx)
	if err != nil || len(models) != 2 || !models[1].Active {
		t.Fatalf("%+v, %v", models, err)
	}
	points := goldenPoints()
	for i, p := range points {
		got, err := c.Get(ctx, With{Payload: true, Vector: true}, p.ID)
		if i == 3 {
			if len(got) != 0 || err != nil {
				t.Errorf("deleted point: %v, %v", got, err)
			}
			continue
		}
		if err != nil || len(got) != 1 || !slices.Equal(got[0].Vector, p.Vector) || fmt.Sprint(got[0].Payload) != fmt.Sprint(p.Payload) {
			t.Errorf("%s: %v, %v, want %v", p.ID, got, err, p)
		}
	}
	hits := mustSearch(t, c, Query{Vector: points[5].Vector, Limit: 1}).Hits
	if len(hits) != 1 || hits[0].ID != points[5].ID || hits[0].Score != 0 {
		t.Errorf("nearest to itself is %v", hits)
	}
	if err := c.Activate(ctx, 1); err != nil {
		t.Error(err)
	}
	after, err := os.ReadFile(derivedFile(t, goldenDir, "index.main.snap"))
	if err != nil || !slices.Equal(before, after) {
		t.Errorf("the test changed its golden file: %v", err)
	}
}

// writeGolden makes the golden database anew: two generations, a deletion, and
// a change after the last snapshot.
func writeGolden(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(goldenDir); err != nil {
		t.Fatal(err)
	}
	db, err := Open(goldenDir, quiet())
	if err != nil {
		t.Fatal(err)
	}
	c, err := db.CreateCollection(ctx, "golden", Config{Source: source.Vector{}, Dim: 2})
	if err != nil {
		t.Fatal(err)
	}
	points := goldenPoints()
	mustUpsert(t, c, points[:35]...)
	mustFit(t, c)
	mustFit(t, c)
	mustUpsert(t, c, points[35:]...)
	if _, err := c.Delete(ctx, points[3].ID); err != nil {
		t.Fatal(err)
	}
	mustCheck(t, db)
	// Not closed as it should be: that would save what the log is to replay.
	if err := c.close(false); err != nil {
		t.Fatal(err)
	}
	if err := db.catalog.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(goldenDir, "c-000001", "default", "gen-000001")); err != nil {
		t.Fatal(err)
	}
}
