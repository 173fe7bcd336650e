package store

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/latentdb/latentdb/embed/source"
)

func watching(cfg Config) Config {
	cfg.Watch = Watch{Field: "watch"}
	return cfg
}

// markOf is a point's mark; ok is false where it has none.
func markOf(t *testing.T, c *Collection, id ID) (score float64, outlier, ok bool) {
	t.Helper()
	got, err := c.Get(ctx, With{Payload: true}, id)
	if err != nil || len(got) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	v, there := got[0].Payload["watch"]
	if !there {
		return 0, false, false
	}
	m := v.(map[string]any)
	if len(m) != 2 {
		t.Errorf("mark %v", m)
	}
	score, _ = number(m["score"])
	return score, m["outlier"].(bool), true
}

// strange is a point far from those of curved.
func strange(id uint64, width int) Point {
	v := make([]float32, width)
	for i := range v {
		v[i] = float32(30 - 60*(i%2))
	}
	return Point{ID: NumID(id), Vector: v, Payload: Payload{"n": 1}}
}

// TestWatch compares marks with what ScoreRecords says before the write: by rows, by
// latents, beside all points and beside those that a search finds.
func TestWatch(t *testing.T) {
	for name, test := range map[string]struct {
		n, width int
		fit      bool
		all      bool
	}{
		"rows": {400, 8, false, true}, "fitted": {400, 8, true, true},
		"searched": {2300, 512, false, false}, "latents": {300, 600, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := create(t, tempDB(t, quiet()), watching(Config{Source: source.Vector{}, Dim: 4, Encoder: "pca"}))
			if err := c.CreatePayloadIndex(ctx, "watch.outlier", "bool"); err != nil {
				t.Fatal(err)
			}
			vectors := curved(31, test.n+20, test.width)
			mustUpsert(t, c, numbered(vectors[:test.n])...)
			if test.fit {
				mustFit(t, c)
			}
			odd := strange(5000, test.width)
			points := slices.Concat(numbered(vectors)[test.n:], []Point{odd})
			records := make([]any, len(points))
			for i, p := range points {
				records[i] = p.Vector
			}
			want, err := c.ScoreRecords(ctx, records...)
			if err != nil {
				t.Fatal(err)
			}
			if all := c.outlierCache.watch.all; all != test.all {
				t.Errorf("all points are trusted: %t", all)
			}
			mustUpsert(t, c, points...)
			outliers := 0
			for i, p := range points {
				score, outlier, ok := markOf(t, c, p.ID)
				if w := want.Scores[i]; !ok || math.Abs(score-w.Score) > 1e-3 || outlier != w.Outlier {
					t.Errorf("%s: mark %v %t %t, scored %v %t", p.ID, score, outlier, ok, w.Score, w.Outlier)
				}
				if outlier {
					outliers++
				}
			}
			if _, outlier, _ := markOf(t, c, odd.ID); !outlier {
				t.Error("the strange point is not marked")
			}
			marked := &Filter{Must: []Condition{{Key: "watch.outlier", Match: &Match{Value: true}}}}
			if n, err := c.Count(ctx, marked); err != nil || n != outliers {
				t.Errorf("%d points are marked, %v, want %d", n, err, outliers)
			}
			mustUpsert(t, c, odd)
			if score, outlier, ok := markOf(t, c, odd.ID); !outlier {
				t.Errorf("written again: %v %t %t", score, outlier, ok)
			}
			// Points that are written again are not compared with themselves: they score as
			// points do beside the others.
			again, mean := numbered(vectors[:100]), 0.0
			mustUpsert(t, c, again...)
			for _, p := range again {
				score, _, _ := markOf(t, c, p.ID)
				mean += score / float64(len(again))
			}
			if mean < 0.35 || mean > 0.65 {
				t.Errorf("points that are written again score %v", mean)
			}
			got, err := c.Get(ctx, With{Payload: true}, odd.ID)
			if err != nil || got[0].Payload["n"] != int64(1) || len(odd.Payload) != 1 {
				t.Errorf("%v, %v, and was given %v", got, err, odd.Payload)
			}
		})
	}
}

// TestWatchField: the field is the collection's when points are upserted, and the user's
// when payloads are changed.
func TestWatchField(t *testing.T) {
	db := openDB(t, t.TempDir(), quiet())
	cfg := watching(vectorConfig())
	cfg.Watch.Cut = 0.5
	c := create(t, db, cfg)
	points := numbered(curved(32, 99, 8))
	for i := range points {
		points[i].Payload["watch"] = "mine"
	}
	mustUpsert(t, c, points...)
	late := points[5]
	mustUpsert(t, c, late) // of 99 points
	for i := range points {
		if score, outlier, ok := markOf(t, c, points[i].ID); ok {
			t.Fatalf("of few points %d has mark %v %t", i, score, outlier)
		}
	}
	mustUpsert(t, c, Point{ID: NumID(99), Vector: curved(33, 1, 8)[0]})
	c = collection(t, reopen(t, db, quiet()), "test")
	if c.Config().Watch != cfg.Watch {
		t.Errorf("opened with %+v", c.Config().Watch)
	}
	mustUpsert(t, c, late)
	score, outlier, ok := markOf(t, c, late.ID)
	if !ok || outlier != (score > 0.5) || late.Payload["watch"] != "mine" {
		t.Errorf("mark %v %t %t", score, outlier, ok)
	}
	if _, err := c.Write(ctx, Batch{Payloads: []PayloadChange{{Op: PayloadSet, IDs: []ID{late.ID}, Payload: Payload{"watch": map[string]any{"score": 0, "outlier": !outlier}}}}}, false); err != nil {
		t.Fatal(err)
	}
	if score, now, _ := markOf(t, c, late.ID); now == outlier || score != 0 {
		t.Errorf("mark %v %t after it was set", score, now)
	}
	mustUpsert(t, c, late)
	if _, now, ok := markOf(t, c, late.ID); now != outlier || !ok {
		t.Errorf("mark %t %t after another upsert", now, ok)
	}
}

// TestWatchWithoutMarks writes where ScoreRecords has no answer.
func TestWatchWithoutMarks(t *testing.T) {
	db := tempDB(t, quiet())
	c := create(t, db, watching(Config{Source: source.Text{}}))
	for i := range 120 {
		mustUpsert(t, c, Point{ID: NumID(uint64(i)), Record: fmt.Sprintf("note %d of several", i)})
	}
	if _, _, ok := markOf(t, c, NumID(119)); ok {
		t.Error("a text has a mark before any fit")
	}
}

// TestWatchBesideDamage writes where what is usual has to be learned again, and a record
// cannot be read.
func TestWatchBesideDamage(t *testing.T) {
	c := create(t, tempDB(t, quiet()), watching(vectorConfig()))
	points := numbered(curved(34, 200, 8))
	mustUpsert(t, c, points[:150]...)
	put := func(v []byte) {
		t.Helper()
		if err := c.update(func(tx *bolt.Tx) error {
			g, err := groundOf(tx)
			if err != nil {
				return err
			}
			return g.records.Put(slotKey(7), v)
		}); err != nil {
			t.Fatal(err)
		}
	}
	put([]byte("not sealed"))
	mustUpsert(t, c, points[150])
	if _, _, ok := markOf(t, c, points[150].ID); ok {
		t.Error("a mark, and a point beside which it was measured is damaged")
	}
	mustUpsert(t, c, points[7])
	mustUpsert(t, c, points[150])
	if _, _, ok := markOf(t, c, points[150].ID); !ok {
		t.Error("no mark after the damage was repaired")
	}
}

// TestWatchLearnsAgain follows when the detector is fitted anew.
func TestWatchLearnsAgain(t *testing.T) {
	c := create(t, tempDB(t, quiet()), watching(vectorConfig()))
	vectors := curved(35, 400, 8)
	mustUpsert(t, c, numbered(vectors[:200])...)
	mustUpsert(t, c, numbered(vectors[:201])[200:]...)
	first := c.outlierCache.watch
	mustUpsert(t, c, numbered(vectors[:210])[201:]...)
	if c.outlierCache.watch != first {
		t.Error("it was learned again before a tenth changed")
	}
	mustUpsert(t, c, numbered(vectors[:300])[210:]...)
	mustUpsert(t, c, numbered(vectors[:301])[300:]...)
	if c.outlierCache.watch == first {
		t.Error("it was not learned again")
	}
	mustFit(t, c)
	second := c.outlierCache.watch
	mustUpsert(t, c, numbered(vectors[:302])[301:]...)
	if c.outlierCache.watch == second || c.outlierCache.watch.generation != c.active.Load() {
		t.Error("it is of another generation")
	}
}

func TestWatchIsChecked(t *testing.T) {
	db := tempDB(t, quiet())
	for field, watch := range map[string][]Watch{
		"watch.field": {{Cut: 0.5}, {Field: "a.b"}, {Field: "a[]"}, {Field: "\xff"}, {Field: string(make([]byte, 256))}},
		"watch.cut":   {{Field: "w", Cut: 1}, {Field: "w", Cut: -0.1}, {Field: "w", Cut: math.NaN()}},
	} {
		for _, w := range watch {
			cfg := vectorConfig()
			cfg.Watch = w
			var refused *InvalidError
			if _, err := db.CreateCollection(ctx, "test", cfg); !errors.As(err, &refused) || refused.Field != field {
				t.Errorf("%+v: %v", w, err)
			}
		}
	}
}
