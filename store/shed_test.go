package store

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	bolt "go.etcd.io/bbolt"
)

// TestDropOriginalsLearnsOnce: nothing fits a second time, by itself or when told.
func TestDropOriginalsLearnsOnce(t *testing.T) {
	db := tempDB(t, &Options{Workers: 2})
	if c, err := db.CreateCollection(ctx, "told", Config{Source: source.Vector{}, Dim: 2, DropOriginals: true}); err != nil {
		t.Fatal(err)
	} else if !c.Config().AutoFit.Disabled {
		t.Error("it would fit by itself though nobody said when")
	}
	c := create(t, db, Config{Source: source.Vector{}, Dim: 2, DropOriginals: true, AutoFit: AutoFit{MinPoints: 50}})
	points := numbered(curved(3, 400, 6))
	mustUpsert(t, c, points[:50]...)
	if s, err := c.WaitFit(ctx); err != nil || s.State != FitDone {
		t.Fatalf("%+v, %v", s, err)
	}
	for i := range points {
		for j := range points[i].Vector {
			points[i].Vector[j] *= 3 // which fits badly, and are many
		}
	}
	mustUpsert(t, c, points...)
	if s, err := c.WaitFit(ctx); err != nil || s.Generation != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	_, err := c.Fit(ctx, nil)
	_, started := c.StartFit(&FitOptions{FineTune: true})
	if !errors.Is(err, ErrNoOriginals) || !errors.Is(started, ErrNoOriginals) {
		t.Errorf("%v, %v, want ErrNoOriginals", err, started)
	}
	if err := c.Activate(ctx, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("back to before any fit: %v", err)
	}
	if err := c.Activate(ctx, 1); err != nil {
		t.Error(err)
	}
}

// TestDropOriginalsByItself waits for records to be given up in the background: those that
// were there, those that came later, and those that were written over others.
func TestDropOriginalsByItself(t *testing.T) {
	db := openDB(t, t.TempDir(), quiet())
	c := create(t, db, Config{Source: source.Vector{}, Dim: 3, DropOriginals: true})
	points := numbered(curved(4, 300, 6))
	mustUpsert(t, c, points[:200]...)
	mustFit(t, c)
	given := func(want int) {
		t.Helper()
		for range 10_000 {
			info, err := c.Info(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if !info.Shedding {
				if records, latents := stored(t, c); records != 0 || latents != want {
					t.Errorf("%d records, %d latents, want 0 and %d", records, latents, want)
				}
				mustCheck(t, db)
				return
			}
			time.Sleep(time.Millisecond)
		}
		t.Fatal("records are never given up")
	}
	given(200)
	changed := points[10]
	changed.Vector = points[250].Vector
	mustUpsert(t, c, append(points[200:], changed)...)
	given(300)
	got, err := c.Get(ctx, With{Vector: true}, changed.ID, points[250].ID)
	if err != nil || len(got) != 2 || !slices.Equal(got[0].Vector, got[1].Vector) {
		t.Errorf("%v, %v", got, err)
	}
	if n, err := c.Delete(ctx, points[0].ID, points[10].ID); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	given(298)
	mustUpsert(t, c, points[0])
	given(299)
}

// TestDamagedLatent: a latent that fails its checksum is refused, and told of.
func TestDamagedLatent(t *testing.T) {
	holdShedding(t)
	db, err := Open(t.TempDir(), quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	c := create(t, db, Config{Source: source.Vector{}, Dim: 3, DropOriginals: true})
	mustUpsert(t, c, numbered(curved(4, 60, 6))...)
	mustFit(t, c)
	shed(t, c)
	if err := c.update(func(tx *bolt.Tx) error {
		g, err := groundOf(tx)
		if err != nil {
			return err
		}
		v := slices.Clone(g.latents.Get(slotKey(5)))
		v[len(v)-1]++
		return g.latents.Put(slotKey(5), v)
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(ctx, With{Vector: true}, NumID(5)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%v, want ErrCorrupt", err)
	}
	if _, err := c.Get(ctx, With{Vector: true}, NumID(6)); err != nil {
		t.Error(err)
	}
	if r, err := db.Check(ctx); err != nil || r.OK() {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestUnreadableRecordStays: a record that fails its checksum is passed over, and all
// others are given up.
func TestUnreadableRecordStays(t *testing.T) {
	holdShedding(t)
	db, err := Open(t.TempDir(), quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	c := create(t, db, Config{Source: source.Vector{}, Dim: 3, DropOriginals: true})
	mustUpsert(t, c, numbered(curved(4, 60, 6))...)
	mustFit(t, c)
	if err := c.update(func(tx *bolt.Tx) error {
		g, err := groundOf(tx)
		if err != nil {
			return err
		}
		return errors.Join(g.records.Put(slotKey(5), []byte("not sealed")), g.records.Put(slotKey(7), sealed([]byte("no vector"))))
	}); err != nil {
		t.Fatal(err)
	}
	if err := c.shedAll(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%v, want ErrCorrupt", err)
	}
	if records, latents := stored(t, c); records != 2 || latents != 58 {
		t.Errorf("%d records, %d latents", records, latents)
	}
	mustUpsert(t, c, numbered(curved(4, 60, 6))...)
	shed(t, c)
	mustCheck(t, db)
}

// TestGoldenWithoutRecords opens a database of today's version some of whose records are
// given up.
func TestGoldenWithoutRecords(t *testing.T) {
	holdShedding(t)
	if *update {
		writeGoldenWithoutRecords(t)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(goldenWithoutRecords)); err != nil {
		t.Fatal(err)
	}
	db := openDB(t, dir, quiet())
	c := collection(t, db, "golden")
	if records, latents := stored(t, c); records != 5 || latents != 34 {
		t.Errorf("%d records, %d latents", records, latents)
	}
	want := goldenPoints()
	for range 2 {
		for _, i := range []int{5, 6, 7, 39} {
			hits := mustSearch(t, c, Query{Vector: want[i].Vector, Limit: 1, WithVector: true}).Hits
			if len(hits) != 1 || hits[0].ID != want[i].ID || fmt.Sprint(hits[0].Payload) != fmt.Sprint(want[i].Payload) {
				t.Errorf("nearest to %s is %v", want[i].ID, hits)
			}
		}
		shed(t, c)
	}
}

const goldenWithoutRecords = "testdata/format-2"

func writeGoldenWithoutRecords(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(goldenWithoutRecords); err != nil {
		t.Fatal(err)
	}
	db, err := Open(goldenWithoutRecords, quiet())
	if err != nil {
		t.Fatal(err)
	}
	c, err := db.CreateCollection(ctx, "golden", Config{Source: source.Vector{}, Dim: 6, Encoder: embed.PCA, DropOriginals: true})
	if err != nil {
		t.Fatal(err)
	}
	points := goldenPoints()
	mustUpsert(t, c, points[:35]...)
	mustFit(t, c)
	shed(t, c)
	mustUpsert(t, c, points[35:]...)
	if _, err := c.Delete(ctx, points[3].ID); err != nil {
		t.Fatal(err)
	}
	mustCheck(t, db)
	if err := errors.Join(c.close(false), db.catalog.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(goldenWithoutRecords, "c-000001", "default")); err != nil {
		t.Fatal(err)
	}
}

// TestShedOvertaken changes points between the reading of their records and the giving up
// of them: what is there then is of the change.
func TestShedOvertaken(t *testing.T) {
	holdShedding(t)
	db := tempDB(t, quiet())
	c := create(t, db, Config{Source: source.Vector{}, Dim: 3, DropOriginals: true})
	points := numbered(curved(4, 60, 6))
	mustUpsert(t, c, points...)
	mustFit(t, c)
	batch, err := c.encodedRecords(&[]byte{0, 0, 0, 0})
	if err != nil {
		t.Fatal(err)
	}
	points[5].Vector = points[50].Vector
	mustUpsert(t, c, points[5])
	if _, err := c.Delete(ctx, points[6].ID, points[7].ID); err != nil {
		t.Fatal(err)
	}
	mustUpsert(t, c, Point{ID: StringID("in the slot of 6"), Vector: points[51].Vector})
	if err := c.replaceRecords(batch); err != nil {
		t.Fatal(err)
	}
	if records, latents := stored(t, c); records != 2 || latents != 57 {
		t.Errorf("%d records, %d latents", records, latents)
	}
	mustCheck(t, db)
	shed(t, c)
	got, err := c.Get(ctx, With{Vector: true}, points[5].ID, points[50].ID, StringID("in the slot of 6"), points[51].ID)
	if err != nil || len(got) != 4 || !slices.Equal(got[0].Vector, got[1].Vector) || !slices.Equal(got[2].Vector, got[3].Vector) {
		t.Errorf("%v, %v", got, err)
	}
}

// childShedder gives records up batch by batch, and tells after each.
func childShedder(dir string) error {
	shedPause = time.Hour
	db, err := Open(dir, quiet())
	if err != nil {
		return err
	}
	c, err := db.Collection("test")
	if err != nil {
		return err
	}
	for next := []byte{0, 0, 0, 0}; next != nil; {
		batch, err := c.encodedRecords(&next)
		if err != nil {
			return err
		}
		if err := c.replaceRecords(batch); err != nil {
			return err
		}
		fmt.Println("done")
	}
	return nil
}

// TestKillShedding kills a process that gives records up, after some batches and at a random
// moment of the next. Each point then has its record or its latent, and answers are
// the same.
func TestKillShedding(t *testing.T) {
	holdShedding(t)
	dir := t.TempDir()
	db := openDB(t, dir, quiet())
	c := create(t, db, Config{Source: source.Vector{}, Dim: 3, DropOriginals: true})
	const n = 8 * shedStep
	mustUpsert(t, c, numbered(curved(4, n, 6))...)
	mustFit(t, c)
	query := Query{Vector: curved(5, 1, 6)[0], Limit: 20, WithVector: true, Exact: true}
	before := mustSearch(t, c, query).Hits
	rng := rand.New(rand.NewPCG(5, 6))
	given := 0
	for round := 0; given < n; round++ {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		cmd, out := child(t, "shedder", dir, 0)
		lines, told := bufio.NewScanner(out), 0
		for told < 1+round%2 && lines.Scan() {
			told++
		}
		time.Sleep(time.Duration(rng.IntN(10_000)) * time.Microsecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		var err error
		if db, err = Open(dir, quiet()); err != nil {
			t.Fatal(err)
		}
		c = collection(t, db, "test")
		mustCheck(t, db)
		records, latents := stored(t, c)
		if records+latents != n || latents < min(n, given+told*shedStep) {
			t.Fatalf("round %d: %d records and %d latents, after %d and %d batches", round, records, latents, given, told)
		}
		given = latents
		after := mustSearch(t, c, query).Hits
		for i := range before {
			if !near(before[i].Score, after[i].Score) {
				t.Errorf("round %d: hit %d is %v, was %v", round, i, after[i], before[i])
			}
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestSheddingUnderLoad reads and writes all through a fit and the giving up that follows:
// nobody notices when a record goes.
func TestSheddingUnderLoad(t *testing.T) {
	before := shedPause
	shedPause = time.Millisecond
	t.Cleanup(func() { shedPause = before })
	db := tempDB(t, &Options{NoAutoFit: true, Workers: 2, SnapshotEvery: 50})
	c := create(t, db, Config{Source: source.Vector{}, Dim: 3, DropOriginals: true, Rows: RowsMemory})
	points := numbered(curved(7, 600, 6))
	mustUpsert(t, c, points[:400]...)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for name, f := range map[string]func(i int) error{
		"write": func(i int) error {
			_, err := c.Write(ctx, Batch{Upsert: points[i%600 : i%600+1], Delete: []ID{NumID(uint64(i * 7 % 600))}}, false)
			return err
		},
		"search": func(i int) error {
			_, err := c.Search(ctx, Query{Vector: points[i%600].Vector, WithVector: true, Exact: i%3 == 0, Space: []Space{SpaceInput, SpaceLatent}[i%2]})
			return err
		},
		"get": func(i int) error {
			_, err := c.Get(ctx, With{Vector: true, Record: true}, NumID(uint64(i%600)))
			return err
		},
		"duplicates": func(int) error {
			_, err := c.Duplicates(ctx, DuplicateQuery{})
			return err
		},
		"outliers": func(int) error {
			_, err := c.Outliers(ctx, OutlierQuery{})
			if errors.Is(err, ErrNotFitted) {
				return nil
			}
			return err
		},
	} {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := f(i); err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
			}
		})
	}
	mustFit(t, c)
	for range 10 {
		if r, err := c.Check(ctx); err != nil || !r.OK() {
			t.Errorf("%+v, %v", r, err)
		}
	}
	close(stop)
	wg.Wait()
}
