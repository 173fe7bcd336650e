package store

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// purchases are rows whose columns depend on each other: what costs much is rarely
// bought in numbers, and only shoes have a size.
func purchases(seed uint64, n int) []Point {
	rng := rand.New(rand.NewPCG(seed, 9))
	points := make([]Point, n)
	for i := range points {
		kind := []string{"book", "book", "book", "shoe", "lamp"}[rng.IntN(5)]
		price := map[string]float64{"book": 12, "shoe": 80, "lamp": 40}[kind] * math.Exp(rng.NormFloat64()/4)
		record := map[string]any{"kind": kind, "price": math.Round(price*100) / 100, "count": int64(1 + rng.IntN(max(1, int(100/price)))), "gift": rng.IntN(4) == 0}
		if kind == "shoe" {
			record["size"] = int64(36 + rng.IntN(10))
		}
		points[i] = Point{ID: NumID(uint64(i)), Record: record, Payload: map[string]any{"kind": kind}}
	}
	return points
}

func column(records []any, name string) (out []float64, missing int) {
	for _, r := range records {
		switch v := r.(map[string]any)[name].(type) {
		case int64:
			out = append(out, float64(v))
		case float64:
			out = append(out, v)
		default:
			missing++
		}
	}
	slices.Sort(out)
	return out, missing
}

// gapOf is the largest distance of two distributions (Kolmogorov and Smirnov's).
func gapOf(a, b []float64) (gap float64) {
	for _, x := range slices.Concat(a, b) {
		i, _ := slices.BinarySearch(a, math.Nextafter(x, math.Inf(1)))
		j, _ := slices.BinarySearch(b, math.Nextafter(x, math.Inf(1)))
		gap = max(gap, math.Abs(float64(i)/float64(len(a))-float64(j)/float64(len(b))))
	}
	return gap
}

// TestSampledTables judges samples by what the rows were made by.
func TestSampledTables(t *testing.T) {
	c := create(t, tempDB(t, quiet()), Config{Source: source.Table{}})
	points := purchases(1, 1500)
	mustUpsert(t, c, points...)
	mustFit(t, c)
	few := mustSample(t, c, SampleQuery{N: 100, Seed: 7})
	if again := mustSample(t, c, SampleQuery{N: 100, Seed: 7}); !reflect.DeepEqual(few, again) {
		t.Error("the same seed draws others")
	}
	if other := mustSample(t, c, SampleQuery{N: 100, Seed: 8}); reflect.DeepEqual(few.Records, other.Records) {
		t.Error("another seed draws the same")
	}
	s := mustSample(t, c, SampleQuery{N: 1500, Seed: 7})
	var real []any
	for _, p := range points {
		real = append(real, p.Record)
	}
	for _, name := range []string{"price", "count", "size"} {
		got, without := column(s.Records, name)
		want, lacking := column(real, name)
		if gap := gapOf(got, want); gap > .08 {
			t.Errorf("%s lies %.3f from the records'", name, gap)
		}
		if math.Abs(float64(without-lacking)) > 60 {
			t.Errorf("%s is missing in %d samples and %d records", name, without, lacking)
		}
		if got[0] < want[0] || got[len(got)-1] > want[len(want)-1] {
			t.Errorf("%s is from %v to %v, records' from %v to %v", name, got[0], got[len(got)-1], want[0], want[len(want)-1])
		}
	}
	wrong := 0
	for _, r := range s.Records {
		r := r.(map[string]any)
		if _, whole := r["count"].(int64); !whole {
			t.Fatalf("count %v", r["count"])
		}
		if _, sized := r["size"].(int64); sized != (r["kind"] == "shoe") {
			wrong++
		}
		if !slices.Contains([]any{"book", "shoe", "lamp"}, r["kind"]) {
			t.Fatalf("kind %v", r["kind"])
		}
		if err := c.Upsert(ctx, Point{ID: NumID(1 << 40), Record: r}); err != nil {
			t.Fatal(err)
		}
	}
	if wrong > 30 {
		t.Errorf("%d of %d samples have a size and are no shoe, or the other way", wrong, len(s.Records))
	}
	if p := s.Privacy; p.Compared == 0 || p.ShareCloserToTrain > .6 {
		t.Errorf("%+v", p)
	}
}

// TestSampledLike draws like some of the rows: all that is learned is of them.
func TestSampledLike(t *testing.T) {
	c := create(t, tempDB(t, quiet()), Config{Source: source.Table{}})
	points := purchases(2, 600)
	mustUpsert(t, c, points...)
	mustFit(t, c)
	var shoes []ID
	for _, p := range points {
		if p.Payload["kind"] == "shoe" {
			shoes = append(shoes, p.ID)
		}
	}
	lamps := &Filter{Must: []Condition{{Key: "kind", Match: &Match{Value: "lamp"}}}}
	for want, q := range map[string]SampleQuery{"shoe": {N: 50, IDs: shoes}, "lamp": {N: 50, Filter: lamps}} {
		for _, r := range mustSample(t, c, q).Records {
			if got := r.(map[string]any)["kind"]; got != want {
				t.Errorf("like %s: %v", want, got)
			}
		}
	}
	for name, q := range map[string]SampleQuery{
		"few":  {N: 5, IDs: shoes[:minSampled-1]},
		"none": {N: 5, Filter: &Filter{Must: []Condition{{Key: "kind", Match: &Match{Value: "hat"}}}}},
	} {
		_, err := c.Sample(ctx, q)
		refused(t, name, err, fmt.Sprintf("at least %d", minSampled))
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSamplesLearnFromNoHeldOut: all others are learned from.
func TestSamplesLearnFromNoHeldOut(t *testing.T) {
	c := create(t, tempDB(t, quiet()), Config{Source: source.Table{}})
	mustUpsert(t, c, purchases(3, 400)...)
	mustFit(t, c)
	gen := c.active.Load()
	learned, err := gen.learnable(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, slot := range gen.stats.HeldOut {
		if slices.Contains(learned, slot) {
			t.Errorf("slot %d is learned from and held out", slot)
		}
	}
	if len(learned)+len(gen.stats.HeldOut) != 400 {
		t.Errorf("%d learned from, %d held out", len(learned), len(gen.stats.HeldOut))
	}
}

// TestSamplesNameRareLevels: levels that share a feature are drawn as the records have them,
// and those of records held out are not.
func TestSamplesNameRareLevels(t *testing.T) {
	c := create(t, tempDB(t, quiet()), Config{Source: source.Table{}})
	points := purchases(4, 500)
	tickets := make(map[any]uint64)
	for i, p := range points {
		ticket := "open"
		if i%5 > 0 {
			ticket = fmt.Sprintf("T%d", i)
		}
		p.Record.(map[string]any)["ticket"], tickets[ticket] = ticket, uint64(i)
	}
	mustUpsert(t, c, points...)
	mustFit(t, c)
	held := make(map[uint64]bool) // slots are in order of the points
	for _, slot := range c.active.Load().stats.HeldOut {
		held[uint64(slot)] = true
	}
	drawn := make(map[any]int)
	for _, r := range mustSample(t, c, SampleQuery{N: 500, Seed: 1}).Records {
		ticket := r.(map[string]any)["ticket"]
		drawn[ticket]++
		id, there := tickets[ticket]
		if !there || ticket != "open" && held[id] {
			t.Errorf("ticket %v is of no record learned from", ticket)
		}
	}
	if open := drawn["open"]; open < 60 || open > 140 || len(drawn) < 150 {
		t.Errorf("%d of 500 are open, and %d tickets different", open, len(drawn))
	}
}
