package store

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/index"
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
