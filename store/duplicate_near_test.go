package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/index"
)

// crowded are points of few places, so that they have neighbours and copies in plenty.
func crowded(n int, seed uint64) []Point {
	rng := rand.New(rand.NewPCG(seed, 9))
	vectors := curved(seed, n, 6)
	for i := range vectors {
		if i > 0 && i%7 == 0 {
			vectors[i] = slices.Clone(vectors[rng.IntN(i)])
			if i%14 == 0 {
				vectors[i][0] += float32(.01 * rng.NormFloat64())
			}
		}
	}
	points := numbered(vectors)
	for i := range points {
		points[i].Payload = Payload{"side": float64(i % 3)}
	}
	return points
}

// naivePairs are the pairs of a scan and its threshold, by maps and one search after another.
func naivePairs(t *testing.T, c *Collection, scan *duplicateScan) (pairs []scanPair, suggested float64) {
	t.Helper()
	search := c.generationSearch(scan.generation)
	anew := scan.generation.model != nil && c.Config().defaultSpace() == SpaceInput
	near, own := map[[2]uint32]float64{}, map[uint32][]float64{}
	vectors, content := map[uint32][]float32{}, map[uint32]string{}
	check(t, c.eachRow(ctx, scan.generation, scan.asked.allow, func(chunk []storedPoint, rows []float32) error {
		z, err := search.rowsOf(chunk)
		if err != nil {
			return err
		}
		for i, p := range chunk {
			vectors[p.slot], content[p.slot] = slices.Clone(rows[i*len(rows)/len(chunk):(i+1)*len(rows)/len(chunk)]), string(p.data)
			hits, err := search.find(nil, z[i*search.width:(i+1)*search.width], index.Params{K: 17, EF: 64, Allow: scan.partners(p.slot)})
			if err != nil {
				return err
			}
			for _, h := range hits {
				if h.Slot != p.slot {
					d := distanceOf(search.metric, h.Distance)
					near[[2]uint32{min(p.slot, h.Slot), max(p.slot, h.Slot)}] = d
					own[p.slot] = append(own[p.slot], d)
				}
			}
		}
		return nil
	}))
	if anew {
		clear(own)
		metric := c.Config().duplicateMetric()
		for k := range near {
			d := distanceOf(metric, metric.Kernel()(vectors[k[0]], vectors[k[1]]))
			near[k] = d
			own[k[0]], own[k[1]] = append(own[k[0]], d), append(own[k[1]], d)
		}
	}
	var usual []spacing
	for _, ds := range own {
		if slices.Sort(ds); len(ds) >= 10 && ds[4] > 0 {
			usual = append(usual, spacing{float32(ds[4]), float32(ds[9])})
		}
	}
	for k, d := range near {
		if content[k[0]] != content[k[1]] {
			pairs = append(pairs, scanPair{a: k[0], b: k[1], distance: d})
		}
	}
	return pairs, suggestThreshold(usual)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// described are a scan's pairs by slots and distances of a float32, in an order of their own.
func described(scan *duplicateScan, pairs []scanPair) []string {
	slot := func(place uint32) uint32 { return place }
	if scan != nil {
		slot = func(place uint32) uint32 { return scan.seen[place].slot }
	}
	var out []string
	for _, p := range pairs {
		if !p.exact {
			a, b := slot(p.a), slot(p.b)
			out = append(out, fmt.Sprint(min(a, b), max(a, b), float32(p.distance)))
		}
	}
	slices.Sort(out)
	return out
}

// TestScanAgreesWithNaive: pairs and threshold are those of a scan that keeps all in maps,
// with and without a model, of some of the points, and between some and the rest.
func TestScanAgreesWithNaive(t *testing.T) {
	side := func(n float64) *Filter {
		return &Filter{Must: []Condition{{Key: "side", Match: &Match{Value: n}}}}
	}
	for _, metric := range []Metric{Euclid, Cosine} {
		for _, fitted := range []bool{false, true} {
			cfg := vectorConfig()
			cfg.Metric = metric
			c := create(t, tempDB(t, quiet()), cfg)
			mustUpsert(t, c, crowded(700, 3)...)
			_, err := c.Delete(ctx, NumID(0), NumID(17), NumID(300)) // slots without a point
			check(t, err)
			if fitted {
				mustFit(t, c)
			}
			for name, q := range map[string]DuplicateQuery{"all": {}, "some": {Filter: side(1)}, "between": {Between: side(2)},
				"some between": {Filter: &Filter{MustNot: side(0).Must}, Between: side(2)}} {
				asked, err := c.comparison(ctx, q)
				check(t, err)
				scan, err := c.duplicateScan(ctx, asked)
				check(t, err)
				pairs, suggested := naivePairs(t, c, scan)
				if got, want := described(scan, scan.pairs), described(nil, pairs); !slices.Equal(got, want) || len(got) < 100 {
					t.Errorf("%s, fitted %t, %s: %d pairs, want %d", metric, fitted, name, len(got), len(want))
				}
				if !(math.Abs(scan.suggested-suggested) <= 1e-6*suggested) {
					t.Errorf("%s, fitted %t, %s: suggests %v, want %v", metric, fitted, name, scan.suggested, suggested)
				}
				checkCopies(t, scan)
			}
		}
	}
}

// checkCopies: every point is a pair with the first of the same bytes that it may go with.
func checkCopies(t *testing.T, scan *duplicateScan) {
	t.Helper()
	side := func(at int) bool { return scan.between != nil && scan.between.Has(scan.seen[at].slot) }
	want := map[[2]uint32]bool{}
	for i := range scan.seen {
		for j := range scan.seen {
			if scan.seen[i].content == scan.seen[j].content && i != j && (scan.between == nil || side(i) != side(j)) {
				if scan.between != nil || j < i {
					want[[2]uint32{uint32(min(i, j)), uint32(max(i, j))}] = true
				}
				break
			}
		}
	}
	n := 0
	for _, p := range scan.pairs {
		if p.exact {
			if n++; !want[[2]uint32{min(p.a, p.b), max(p.a, p.b)}] {
				t.Errorf("places %d and %d are no pair of copies", p.a, p.b)
			}
		}
	}
	if n != len(want) {
		t.Errorf("%d pairs of copies, want %d", n, len(want))
	}
}

// TestFarThresholdsScanAgain: a scan keeps the nearest pairs, and a threshold beyond them
// is answered as if it kept all.
func TestFarThresholdsScanAgain(t *testing.T) {
	defer func(n int) { nearestPairs = n }(nearestPairs)
	for _, fitted := range []bool{false, true} {
		c := create(t, tempDB(t, quiet()), vectorConfig())
		mustUpsert(t, c, crowded(400, 5)...)
		if fitted {
			mustFit(t, c)
		}
		for _, threshold := range []float64{0, .01, .1, .5, 1, 100, math.Inf(1)} {
			q := DuplicateQuery{Threshold: &threshold}
			c.lastScan = scanCache{}
			nearestPairs = 1 << 20
			want, whole, err := c.findDuplicates(ctx, q)
			check(t, err)
			c.lastScan = scanCache{}
			nearestPairs = 40
			got, scan, err := c.findDuplicates(ctx, q)
			check(t, err)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("fitted %t, threshold %v: %d groups, want %d", fitted, threshold, len(got.Groups), len(want.Groups))
			}
			if threshold == 0 && (len(scan.pairs) >= len(whole.pairs) || scan.asked.within != nil) {
				t.Errorf("the nearest scan has %d pairs, a whole one %d", len(scan.pairs), len(whole.pairs))
			}
			again, last, err := c.findDuplicates(ctx, q)
			if check(t, err); fmt.Sprint(again) != fmt.Sprint(want) || last != scan {
				t.Errorf("fitted %t, threshold %v: asked again, it is not the scan before", fitted, threshold)
			}
		}
	}
}

func TestSelectLeast(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 300 {
		v := make([]int, 1+rng.IntN(40))
		for i := range v {
			v[i] = rng.IntN(12)
		}
		sorted := slices.Sorted(slices.Values(v))
		k := rng.IntN(len(v))
		selectLeast(v, k, func(a, b int) bool { return a < b })
		if v[k] != sorted[k] || k > 0 && slices.Max(v[:k]) > v[k] || slices.Min(v[k:]) < v[k] {
			t.Fatalf("%v at %d, sorted %v", v, k, sorted)
		}
	}
}

// wholeQuestions are those about all points.
var wholeQuestions = []struct {
	name   string
	stages []string
	ask    func(context.Context, *Collection, func(Progress)) error
}{
	{"duplicates", []string{stageSearch, stageCompare}, func(ctx context.Context, c *Collection, told func(Progress)) error {
		_, err := c.Duplicates(ctx, DuplicateQuery{Progress: told})
		return err
	}},
	{"outliers", []string{stageLearn, stageMeasure}, func(ctx context.Context, c *Collection, told func(Progress)) error {
		_, err := c.Outliers(ctx, OutlierQuery{Progress: told})
		return err
	}},
	{"deduplicate", []string{stageSearch, stageCompare}, func(ctx context.Context, c *Collection, told func(Progress)) error {
		_, err := c.Deduplicate(ctx, DuplicateQuery{Progress: told}, false)
		return err
	}},
}

// TestWholeQuestionsTellProgress: each stage grows to the number of points, and the
// collection may be asked meanwhile.
func TestWholeQuestionsTellProgress(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	mustUpsert(t, c, crowded(2500, 4)...)
	for _, q := range wholeQuestions {
		c.lastScan, c.outlierCache = scanCache{}, populationCache{}
		var last Progress
		var ended []string
		calls := 0
		check(t, q.ask(ctx, c, func(p Progress) {
			if p.Stage == last.Stage && p.Done <= last.Done || p.Done > p.Total || p.Total != 2500 {
				t.Errorf("%s: %+v after %+v", q.name, p, last)
			}
			if _, err := c.Count(ctx, nil); err != nil {
				t.Error(err)
			}
			calls++
			if last = p; p.Done == p.Total {
				ended = append(ended, p.Stage)
			}
		}))
		if !slices.Equal(ended, q.stages) || calls != 6 { // of points in two parts
			t.Errorf("%s: stages %v end in %d calls, want %v", q.name, ended, calls, q.stages)
		}
	}
}

// TestWholeQuestionsAreCancelled at any of their steps: they go no step further, and
// nothing is removed.
func TestWholeQuestionsAreCancelled(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	mustUpsert(t, c, crowded(2500, 4)...)
	for _, q := range wholeQuestions {
		for step := 1; step <= 6; step++ {
			c.lastScan, c.outlierCache = scanCache{}, populationCache{}
			ending, cancel := context.WithCancel(ctx)
			calls := 0
			err := q.ask(ending, c, func(p Progress) {
				if calls++; calls == step {
					cancel()
				}
			})
			if cancel(); !errors.Is(err, context.Canceled) || calls != step {
				t.Errorf("%s, cancelled at step %d: %v after %d", q.name, step, err, calls)
			}
			if n, err := c.Count(ctx, nil); err != nil || n != 2500 {
				t.Errorf("%s, cancelled at step %d: %d points, %v", q.name, step, n, err)
			}
		}
	}
}

// TestSearchesAreCancelled: what is asked for neighbours ends within a search of each worker.
func TestSearchesAreCancelled(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	mustUpsert(t, c, crowded(2500, 4)...)
	ending, cancel := context.WithCancel(ctx)
	defer cancel()
	scan := c.newScan(c.active.Load(), comparison{})
	search := c.generationSearch(scan.generation)
	var calls atomic.Int32
	search.find = func([]index.Hit, []float32, index.Params) ([]index.Hit, error) {
		calls.Add(1)
		cancel()
		return nil, nil
	}
	err := c.eachChunk(ctx, nil, func(int) {}, func(chunk []storedPoint) error {
		return c.addNear(ending, newNearLists(0, false), scan, search, chunk)
	})
	if n := int(calls.Load()); !errors.Is(err, context.Canceled) || n > c.opts.Workers {
		t.Errorf("%v after %d searches", err, n)
	}
}

// TestFieldScansTellAndEnd: so it is where records are compared by fields.
func TestFieldScansTellAndEnd(t *testing.T) {
	c := create(t, tempDB(t, quiet()), Config{Source: source.Text{}})
	var points []Point
	for i, text := range topicTexts(3, 2500) {
		points = append(points, Point{ID: NumID(uint64(i)), Record: text})
	}
	mustUpsert(t, c, points...)
	var told []Progress
	_, err := c.Duplicates(ctx, DuplicateQuery{Progress: func(p Progress) { told = append(told, p) }})
	if check(t, err); len(told) < 5 || told[2] != (Progress{stageGather, 2500, 2500}) || told[len(told)-1] != (Progress{stageSearch, 2500, 2500}) {
		t.Errorf("told %+v", told)
	}
	for step := range told {
		c.lastScan = scanCache{}
		ending, cancel := context.WithCancel(ctx)
		calls := 0
		_, err := c.Duplicates(ending, DuplicateQuery{Progress: func(Progress) {
			if calls++; calls == step+1 {
				cancel()
			}
		}})
		if cancel(); !errors.Is(err, context.Canceled) || calls != step+1 {
			t.Errorf("cancelled at %+v: %v after %d", told[step], err, calls)
		}
	}
}
