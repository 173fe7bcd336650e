package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/index"
	bolt "go.etcd.io/bbolt"
)

// holdShedding lets no record be given up but by the test.
func holdShedding(t testing.TB) {
	before := shedPause
	shedPause = time.Hour
	t.Cleanup(func() { shedPause = before })
}

// shed gives all records up that are there.
func shed(t testing.TB, c *Collection) {
	t.Helper()
	if err := c.shedAll(); err != nil {
		t.Fatal(err)
	}
}

// stored counts records, and latents in the place of others.
func stored(t testing.TB, c *Collection) (records, latents int) {
	t.Helper()
	err := c.view(func(g *ground) error {
		each(g.records, func(_, _ []byte) { records++ })
		if g.latents != nil {
			each(g.latents, func(_, _ []byte) { latents++ })
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return records, latents
}

// dropping are collections of each kind that drop their originals, fitted, with all records
// still there, and with rows in each place.
func dropping(t *testing.T, f func(t *testing.T, db *DB, c *Collection)) {
	vectors := make([]any, 300)
	for i, v := range curved(61, 300, 8) {
		vectors[i] = v
	}
	for name, kind := range map[string]struct {
		cfg     Config
		records []any
	}{
		"vector":           {Config{Source: source.Vector{}}, vectors},
		"vector, ram":      {Config{Source: source.Vector{}, Rows: RowsMemory, Metric: Manhattan}, vectors},
		"vector, half":     {Config{Source: source.Vector{}, Rows: RowsHalf, Metric: Dot}, vectors},
		"vector, disk":     {Config{Source: source.Vector{}, Rows: RowsDisk, Metric: Cosine}, vectors},
		"vector in latent": {Config{Source: source.Vector{}, Engine: EngineFlat, Encoder: embed.PCA}, vectors},
		"table":            {Config{Source: source.Table{}, Engine: EngineHNSW}, rows(300)},
		"image":            {Config{Source: source.Image{Width: 6, Height: 6}}, pictures(300)},
	} {
		t.Run(name, func(t *testing.T) {
			holdShedding(t)
			db := openDB(t, t.TempDir(), quiet())
			kind.cfg.Dim, kind.cfg.DropOriginals = 4, true
			c := create(t, db, kind.cfg)
			for i, r := range kind.records {
				mustUpsert(t, c, Point{ID: NumID(uint64(i)), Record: r, Payload: Payload{"low": i < 100}})
			}
			mustFit(t, c)
			filled(t, c)
			f(t, db, c)
		})
	}
}

// answers is what a collection says to all that it can be asked.
func answers(t *testing.T, c *Collection) any {
	t.Helper()
	filled(t, c)
	must := func(v any, err error) any {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	q := Query{ID: NumID(7), Limit: 5, WithRecord: true, WithVector: true}
	points := must(c.Get(ctx, With{Payload: true, Record: true, Vector: true}, NumID(3), NumID(7), NumID(299))).([]Point)
	if len(points) == 0 {
		t.Fatal("no points")
	}
	asked := Query{Record: points[0].Record, Limit: 5, Filter: &Filter{Must: []Condition{{Key: "low", Match: &Match{Value: true}}}}}
	if c.Config().isVector() {
		asked.Vector = points[0].Vector
	}
	all := []any{points}
	for _, space := range []Space{SpaceInput, SpaceLatent} {
		for _, exact := range []bool{true, false} {
			q.Space, asked.Space, q.Exact, asked.Exact = space, space, exact, exact
			all = append(all, mustSearch(t, c, q), mustSearch(t, c, asked))
		}
	}
	odd := must(c.Outliers(ctx, OutlierQuery{Limit: 5})).(*Outliers)
	for i, o := range odd.Outliers { // the order of those that add nothing is rounding
		odd.Outliers[i].Parts = slices.DeleteFunc(o.Parts, func(p Part) bool { return p.Share < 1e-6 })
	}
	all = append(all, odd, must(c.Duplicates(ctx, DuplicateQuery{})),
		must(c.Reconstruct(ctx, NumID(3), NumID(7))), must(c.Sample(ctx, SampleQuery{N: 3})))
	for p, err := range c.Scroll(ctx, ScrollQuery{With: With{Record: true, Vector: true}}) {
		all = append(all, must(p, err))
	}
	data, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// sameAnswers compares numbers but for rounding, and all else as it is.
func sameAnswers(path string, a, b any) error {
	switch a := a.(type) {
	case float64:
		if b, ok := b.(float64); ok && math.Abs(a-b) <= 1e-3*(1+math.Abs(a)) {
			return nil
		}
	case []any:
		if b, ok := b.([]any); ok && len(a) == len(b) {
			for i := range a {
				if err := sameAnswers(fmt.Sprintf("%s[%d]", path, i), a[i], b[i]); err != nil {
					return err
				}
			}
			return nil
		}
	case map[string]any:
		if b, ok := b.(map[string]any); ok && len(a) == len(b) {
			for k := range a {
				if err := sameAnswers(path+"."+k, a[k], b[k]); err != nil {
					return err
				}
			}
			return nil
		}
	default:
		if a == b {
			return nil
		}
	}
	return fmt.Errorf("%s: %v, before it was %v", path, b, a)
}

// TestDropOriginals gives records up under all kinds of answers, none of which changes: not
// by giving them up, nor by opening again without what is derived.
func TestDropOriginals(t *testing.T) {
	dropping(t, func(t *testing.T, db *DB, c *Collection) {
		before := answers(t, c)
		if records, latents := stored(t, c); records != 300 || latents != 0 {
			t.Fatalf("%d records, %d latents", records, latents)
		}
		compare := func(when string) {
			t.Helper()
			mustCheck(t, db)
			if err := sameAnswers("", before, answers(t, c)); err != nil {
				t.Errorf("%s: %v", when, err)
			}
		}
		batch, err := c.encodedRecords(&[]byte{0, 0, 0, 0})
		if err != nil {
			t.Fatal(err)
		}
		batch.points = batch.points[:120]
		if err := c.replaceRecords(batch); err != nil {
			t.Fatal(err)
		}
		if records, latents := stored(t, c); records != 180 || latents != 120 {
			t.Fatalf("%d records, %d latents", records, latents)
		}
		compare("where some are given up")
		db = reopen(t, db, quiet())
		c = collection(t, db, "test")
		compare("opened again")
		shed(t, c)
		if records, latents := stored(t, c); records != 0 || latents != 300 {
			t.Fatalf("%d records, %d latents", records, latents)
		}
		compare("where all are given up")
		for _, pattern := range []string{"*/*.snap", "*/latents*", "*/rows*", "*"} {
			mustCheck(t, db)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if err := removeAll(filepath.Join(db.Dir(), "c-*", "default", pattern)); err != nil {
				t.Fatal(err)
			}
			db = openDB(t, db.Dir(), quiet())
			c = collection(t, db, "test")
			compare("without " + pattern)
		}
	})
}

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

// TestDropOriginalsQuality compares what a fit says of decoded rows with a scan of what
// they are.
func TestDropOriginalsQuality(t *testing.T) {
	c := create(t, tempDB(t, quiet()), Config{Source: source.Vector{}, Dim: 3, DropOriginals: true})
	vectors := curved(5, 1200, 12)
	mustUpsert(t, c, numbered(vectors)...)
	report := mustFit(t, c)
	queries := c.active.Load().stats.HeldOut
	queries = queries[:min(len(queries), calibrationQueries)]
	var ids []ID
	for i := range vectors {
		ids = append(ids, NumID(uint64(i)))
	}
	read, err := c.Get(ctx, With{Vector: true}, ids...)
	if err != nil {
		t.Fatal(err)
	}
	nearest := func(q uint32, of func(i int) []float32) []uint32 {
		top := index.NewTopK(10)
		for i := range vectors {
			if uint32(i) != q {
				top.Push(index.Hit{Slot: uint32(i), Distance: float32(trueScore(Euclid, vectors[q], of(i)))})
			}
		}
		var out []uint32
		for _, h := range top.AppendTo(nil) {
			out = append(out, h.Slot)
		}
		return out
	}
	var exact, searched float64
	for _, q := range queries {
		truth := nearest(q, func(i int) []float32 { return vectors[i] })
		share := func(slots []uint32) (n float64) {
			for _, s := range slots {
				if slices.Contains(truth, s) {
					n += 0.1 / float64(len(queries))
				}
			}
			return n
		}
		exact += share(nearest(q, func(i int) []float32 { return read[i].Vector }))
		result := mustSearch(t, c, Query{Vector: vectors[q], Limit: 11})
		if info := result.Info; !info.Decoded || info.Exact || info.ExpectedRecall > report.Decoded.RecallAt10+0.01 {
			t.Fatalf("%+v", info)
		}
		var slots []uint32
		for _, h := range result.Hits {
			if n := uint32(h.ID.num); n != q && len(slots) < 10 {
				slots = append(slots, n)
			}
		}
		searched += share(slots)
	}
	if d := report.Decoded; math.Abs(d.RecallAt10-exact) > 0.005 || d.RecallAt10 < d.LatentAt10-0.02 || searched < 0.95*exact {
		t.Errorf("reported %+v, the scan finds %.3f and searches %.3f", d, exact, searched)
	}
	if info := mustSearch(t, c, Query{Vector: vectors[0], Exact: true}).Info; !info.Exact || info.ExpectedRecall != report.Decoded.RecallAt10 {
		t.Errorf("%+v", info)
	}
	if info := mustSearch(t, c, Query{Vector: vectors[0], Space: SpaceLatent}).Info; info.Decoded || info.ExpectedRecall < 0.95 {
		t.Errorf("%+v", info)
	}
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
