package store

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
)

// pairsOf are n records of two views of the same two numbers: a vector of waves, and a
// table of the numbers and their quarter.
func pairsOf(n int) []map[string]any {
	rng := rand.New(rand.NewPCG(3, 4))
	out := make([]map[string]any, n)
	for i := range out {
		x, y := rng.Float64()*2-1, rng.Float64()*2-1
		v := make([]float32, 12)
		for j := range v {
			v[j] = float32(x*math.Sin(float64(j)) + y*math.Cos(2*float64(j)) + 0.01*rng.NormFloat64())
		}
		out[i] = map[string]any{"left": v, "right": map[string]any{
			"x": 10 * x, "y": 20 * y, "quarter": fmt.Sprint(x > 0, y > 0),
		}}
	}
	return out
}

func only(record map[string]any, side string) map[string]any {
	return map[string]any{side: record[side]}
}

// pairCollection holds 300 pairs, is fitted, and then holds 60 sides alone of 60 others.
func pairCollection(t *testing.T, db *DB, cfg Config) (c *Collection, apart []map[string]any) {
	t.Helper()
	cfg.Source = source.Pair{Left: source.Vector{}, Right: source.Table{}}
	c = create(t, db, cfg)
	records := pairsOf(360)
	var points []Point
	for i, r := range records[:300] {
		points = append(points, Point{ID: NumID(uint64(i)), Record: r})
	}
	if err := c.Upsert(ctx, points...); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Fit(ctx, nil); err != nil {
		t.Fatal(err)
	}
	points, apart = nil, records[300:]
	for i, r := range apart {
		for _, side := range []string{"left", "right"} {
			points = append(points, Point{ID: StringID(fmt.Sprint(side, i)), Record: only(r, side), Payload: Payload{"side": side}})
		}
	}
	if err := c.Upsert(ctx, points...); err != nil {
		t.Fatal(err)
	}
	return c, apart
}

// sidesFound is how many sides find the other alone among the 5 nearest of those alone.
func sidesFound(t *testing.T, c *Collection, apart []map[string]any) int {
	t.Helper()
	n := 0
	for i, r := range apart {
		for _, sides := range [][2]string{{"left", "right"}, {"right", "left"}} {
			hits, err := c.Search(ctx, Query{Record: only(r, sides[0]), Limit: 5,
				Filter: &Filter{Must: []Condition{{Key: "side", Match: &Match{Value: sides[1]}}}}})
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range hits {
				if h.ID == StringID(fmt.Sprint(sides[1], i)) {
					n++
				}
			}
		}
	}
	return n
}

func TestEitherSideOfAPairFindsTheOther(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir, quiet())
	c, apart := pairCollection(t, db, Config{})
	before := sidesFound(t, c, apart)
	if before < 100 {
		t.Errorf("%d of 120 sides find the other", before)
	}
	report, err := c.Quality()
	if err != nil {
		t.Fatal(err)
	}
	if report.RecallAt10.Model < 0.9 || report.RecallAt10.Model < report.RecallAt10.PCA || report.Encoder != string(embed.PCA) {
		t.Errorf("report %+v", report)
	}
	mustCheck(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openDB(t, dir, quiet())
	if c, err = db.Collection(c.Name()); err != nil {
		t.Fatal(err)
	}
	if after := sidesFound(t, c, apart); after != before {
		t.Errorf("%d sides find the other, %d once the database was opened again", before, after)
	}
}

func TestOneSideOfAPairDecodesToBoth(t *testing.T) {
	c, apart := pairCollection(t, tempDB(t, quiet()), Config{})
	var off, spread float64
	for _, r := range apart {
		back, err := c.ReconstructRecords(ctx, only(r, "left"))
		if err != nil {
			t.Fatal(err)
		}
		record := back[0].Record.(map[string]any)
		if len(record["left"].([]float32)) != 12 {
			t.Fatalf("reconstructed %v", record)
		}
		for _, p := range back[0].Parts {
			if p.Name[:5] != "left." {
				t.Fatalf("part %q of a side that is missing", p.Name)
			}
		}
		got, want := record["right"].(map[string]any)["x"], r["right"].(map[string]any)["x"].(float64)
		x, _ := got.(float64)
		if f, ok := got.(float32); ok {
			x = float64(f)
		}
		off += (x - want) * (x - want)
		spread += want * want
	}
	if off > 0.3*spread {
		t.Errorf("the right side decodes with %.2f of the variance left", off/spread)
	}
	fresh, err := c.Sample(ctx, SampleQuery{N: 2, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range fresh.Records {
		if record := s.(map[string]any); record["left"] == nil || record["right"] == nil {
			t.Errorf("a sample has one side: %v", record)
		}
	}
	if _, err := c.Outliers(ctx, OutlierQuery{Limit: 3}); err != nil {
		t.Error(err)
	}
}

// TestPairsBeforeAFit: until a model joins the sides, a side finds the pairs it is of.
func TestPairsBeforeAFit(t *testing.T) {
	c := create(t, tempDB(t, quiet()), Config{Source: source.Pair{Left: source.Vector{}, Right: source.Table{}}})
	records := pairsOf(50)
	for i, r := range records {
		if err := c.Upsert(ctx, Point{ID: NumID(uint64(i)), Record: r}); err != nil {
			t.Fatal(err)
		}
	}
	hits, err := c.Search(ctx, Query{Record: records[7], Limit: 1, WithRecord: true})
	if err != nil || hits[0].ID != NumID(7) || !reflect.DeepEqual(hits[0].Record.(map[string]any)["left"], records[7]["left"]) {
		t.Errorf("hits %v, error %v", hits, err)
	}
	refused(t, "no side", c.Upsert(ctx, Point{ID: NumID(99), Record: map[string]any{}}), "points[0].record: ")
	refused(t, "a key", c.Upsert(ctx, Point{ID: NumID(99), Record: map[string]any{"left": records[0]["left"], "up": 1}}), "points[0].record: ")
}

// TestPairsWithoutOriginals: what their latents decode to answers as it did.
func TestPairsWithoutOriginals(t *testing.T) {
	db := tempDB(t, quiet())
	c, apart := pairCollection(t, db, Config{DropOriginals: true})
	if n := sidesFound(t, c, apart); n < 100 {
		t.Errorf("%d of 120 sides find the other", n)
	}
	points, err := c.Get(ctx, With{Record: true}, StringID("left0"))
	if err != nil {
		t.Fatal(err)
	}
	if record := points[0].Record.(map[string]any); record["right"] == nil {
		t.Errorf("a side that decodes to %v", record)
	}
}
