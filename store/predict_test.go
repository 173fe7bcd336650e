package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/latentdb/latentdb/embed/source"
)

// blobs are points around three corners of a plane, with payloads that say which: as text,
// as a number, as a boolean, nested, and with a number that follows the place.
func blobs(seed uint64, n int) (vectors [][]float32, payloads []Payload) {
	rng := rand.New(rand.NewPCG(seed, 3))
	for i := range n {
		x, y := float64(i%3)*2+rng.NormFloat64(), float64(i%3%2)*2+rng.NormFloat64()
		vectors = append(vectors, []float32{float32(x), float32(y), float32(x - y + 0.1*rng.NormFloat64())})
		payloads = append(payloads, Payload{
			"name": []string{"red", "green", "blue"}[i%3], "corner": i % 3, "first": i%3 == 0, "n": i,
			"deep": map[string]any{"price": 10*x + rng.NormFloat64()},
		})
	}
	return vectors, payloads
}

func blobCollection(t testing.TB, n int) (*Collection, [][]float32, []Payload) {
	t.Helper()
	vectors, payloads := blobs(1, n)
	c := create(t, tempDB(t, quiet()), Config{Source: source.Vector{}, Dim: 2})
	points := make([]Point, n)
	for i := range points {
		points[i] = Point{ID: NumID(uint64(i)), Vector: vectors[i], Payload: payloads[i]}
	}
	mustUpsert(t, c, points...)
	return c, vectors, payloads
}

// setPayloads puts keys into the payloads of points 0 to n-1.
func setPayloads(t testing.TB, c *Collection, n int, payload func(i int) Payload) {
	t.Helper()
	var b Batch
	for i := range n {
		b.Payloads = append(b.Payloads, PayloadChange{Op: PayloadSet, IDs: []ID{NumID(uint64(i))}, Payload: payload(i)})
	}
	if _, err := c.Write(ctx, b, false); err != nil {
		t.Fatal(err)
	}
}

func mustPredict(t testing.TB, c *Collection, q PredictQuery) []Prediction {
	t.Helper()
	got, err := c.Predict(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// naive is what the triangular kernel says of the k nearest vectors: the sum of votes of
// each value and the weighted mean, by an exhaustive search in float64.
func naive(vectors [][]float32, values []any, at []float32, leave, k int) (sums map[any]float64, mean float64, ids []int) {
	type one struct {
		i int
		d float64
	}
	var all []one
	for i, v := range vectors {
		if i != leave {
			all = append(all, one{i, trueScore(Euclid, v, at)})
		}
	}
	slices.SortFunc(all, func(a, b one) int {
		switch {
		case a.d < b.d:
			return -1
		case a.d > b.d:
			return 1
		}
		return a.i - b.i
	})
	sums = map[any]float64{}
	var total float64
	for _, o := range all[:k] {
		w := all[k].d - o.d
		sums[values[o.i]] += w
		if x, ok := number(values[o.i]); ok {
			mean += w * x
		}
		total += w
		ids = append(ids, o.i)
	}
	for v := range sums {
		sums[v] /= total
	}
	return sums, mean / total, ids
}

// Predictions are those of an exhaustive search and votes counted by hand, of new records
// and of stored points.
func TestPredictIsVotesOfTheNearest(t *testing.T) {
	c, vectors, payloads := blobCollection(t, 150)
	fresh, _ := blobs(2, 40)
	names, prices := make([]any, len(payloads)), make([]any, len(payloads))
	for i, p := range payloads {
		names[i], prices[i] = p["name"], p["deep"].(map[string]any)["price"]
	}
	for _, k := range []int{1, 3, 10} {
		named := mustPredict(t, c, PredictQuery{Key: "name", Vectors: fresh, K: k})
		priced := mustPredict(t, c, PredictQuery{Key: "deep.price", Vectors: fresh, K: k})
		var ids []ID
		for i := range 30 {
			ids = append(ids, NumID(uint64(i)))
		}
		stored := mustPredict(t, c, PredictQuery{Key: "name", IDs: ids, K: k})
		check := func(p Prediction, sums map[any]float64, near []int) {
			t.Helper()
			for v, s := range sums {
				if s > sums[p.Value]+1e-5 {
					t.Errorf("k %d: predicted %v with %.4f of the votes, %v has %.4f", k, p.Value, sums[p.Value], v, s)
				}
			}
			if len(p.Neighbours) != k {
				t.Fatalf("%d neighbours, want %d", len(p.Neighbours), k)
			}
			for j, v := range p.Neighbours {
				if v.ID != NumID(uint64(near[j])) || v.Value != names[near[j]] {
					t.Errorf("k %d: neighbour %d is %s with %v, want %d with %v", k, j, v.ID, v.Value, near[j], names[near[j]])
				}
			}
		}
		for i, v := range fresh {
			sums, _, near := naive(vectors, names, v, -1, k)
			check(named[i], sums, near)
			if _, mean, _ := naive(vectors, prices, v, -1, k); !near32(priced[i].Value.(float64), mean) {
				t.Errorf("k %d: price %v, want %v", k, priced[i].Value, mean)
			}
		}
		for i := range ids {
			sums, _, near := naive(vectors, names, vectors[i], i, k)
			check(stored[i], sums, near)
		}
	}
}

func near32(a, b float64) bool { return math.Abs(a-b) <= 1e-3*(1+math.Abs(a)) }

// Quality is what leaving each stored point out comes to, by an exhaustive search, and K
// is the best of those tried.
func TestPredictQualityIsLeaveOneOut(t *testing.T) {
	c, vectors, payloads := blobCollection(t, 150)
	names, prices := make([]any, len(payloads)), make([]any, len(payloads))
	for i, p := range payloads {
		names[i], prices[i] = p["name"], p["deep"].(map[string]any)["price"]
	}
	class, err := c.PredictQuality(ctx, PredictQuery{Key: "name"})
	if err != nil {
		t.Fatal(err)
	}
	numbers, err := c.PredictQuality(ctx, PredictQuery{Key: "deep.price"})
	if err != nil {
		t.Fatal(err)
	}
	if class.As != PredictClass || numbers.As != PredictNumber || class.Points != 150 || class.Skipped != 0 || class.Space != SpaceInput {
		t.Errorf("quality of names %+v, of prices %+v", class, numbers)
	}
	if len(class.Tried) != len(triedK) || !near32(*class.MostCommon, 1./3) {
		t.Errorf("quality of names: %+v", class)
	}
	var total, square float64
	for _, p := range prices {
		total += p.(float64) / 150
	}
	for _, p := range prices {
		square += (p.(float64) - total) * (p.(float64) - total)
	}
	for _, tried := range class.Tried {
		right := 0.
		for i, v := range vectors {
			sums, _, _ := naive(vectors, names, v, i, tried.K)
			best := true
			for _, s := range sums {
				best = best && s <= sums[names[i]]+1e-9
			}
			if best {
				right++
			}
		}
		if math.Abs(right/150-tried.Score) > 1.01/150 { // rounding decides ties
			t.Errorf("k %d: accuracy %.4f, want %.4f", tried.K, tried.Score, right/150)
		}
		if slack := math.Sqrt(tried.Score * (1 - tried.Score) / 150); *class.Accuracy < tried.Score-slack {
			t.Errorf("k %d was chosen with %.4f, %d has %.4f", class.K, *class.Accuracy, tried.K, tried.Score)
		}
	}
	if class.K == 1 {
		t.Error("one neighbour votes, whose confidence tells nothing apart")
	}
	for _, tried := range numbers.Tried {
		if tried.Score > *numbers.R2 {
			t.Errorf("k %d was chosen with R² %.4f, %d has %.4f", numbers.K, *numbers.R2, tried.K, tried.Score)
		}
		var left float64
		for i, v := range vectors {
			_, mean, _ := naive(vectors, prices, v, i, tried.K)
			left += (mean - prices[i].(float64)) * (mean - prices[i].(float64))
		}
		if !near32(1-left/square, tried.Score) {
			t.Errorf("k %d: R² %.4f, want %.4f", tried.K, tried.Score, 1-left/square)
		}
	}
	if *numbers.R2 < .9 || *class.Accuracy < .7 {
		t.Errorf("R² %.3f, accuracy %.3f", *numbers.R2, *class.Accuracy)
	}
}

// Another name for a label is another name for what is predicted, and nothing else.
func TestPredictFollowsRenamedLabels(t *testing.T) {
	c, _, payloads := blobCollection(t, 120)
	fresh, _ := blobs(4, 30)
	before := mustPredict(t, c, PredictQuery{Key: "name", Vectors: fresh})
	renamedTo := map[any]string{"red": "aaa", "green": "red", "blue": "green"}
	setPayloads(t, c, 120, func(i int) Payload { return Payload{"name": renamedTo[payloads[i]["name"]]} })
	after := mustPredict(t, c, PredictQuery{Key: "name", Vectors: fresh})
	for i := range before {
		if after[i].Value != renamedTo[before[i].Value] || after[i].Confidence != before[i].Confidence {
			t.Errorf("%v with %v became %v with %v", before[i].Value, before[i].Confidence, after[i].Value, after[i].Confidence)
		}
	}
	if *after[0].Quality.Accuracy != *before[0].Quality.Accuracy || after[0].Quality.K != before[0].Quality.K {
		t.Errorf("quality %+v became %+v", before[0].Quality, after[0].Quality)
	}
}

// What is predicted follows the stored values: their type, and of numbers how many levels
// there are.
func TestPredictedKinds(t *testing.T) {
	c, _, _ := blobCollection(t, 60)
	type want struct {
		as      PredictAs
		skipped int
	}
	odd := func(i int, usual, other any) any {
		if i%6 == 0 {
			return other
		}
		return usual
	}
	for key, w := range map[string]want{
		"text": {PredictClass, 0}, "few": {PredictClass, 0}, "bool": {PredictClass, 0}, "many": {PredictNumber, 0},
		"half": {PredictNumber, 0}, "mixed": {PredictNumber, 10}, "labels": {PredictClass, 10}, "list": {PredictClass, 10},
		"one of list": {PredictClass, 0}, "huge": {PredictNumber, 10}, "a.b": {PredictClass, 0}, "absent": {PredictClass, 0},
	} {
		setPayloads(t, c, 60, func(i int) Payload {
			name := string(rune('a' + i%3))
			v := map[string]any{
				"text": name, "few": i % 3, "bool": i%3 == 1, "many": i, "half": float64(i%3) / 2, "mixed": odd(i, i, "n/a"),
				"labels": odd(i, name, 7), "list": odd(i, name, []any{"x", "y"}), "one of list": []any{name}, "huge": odd(i, 1e148*float64(i), -1e300),
				"a.b": name, "absent": odd(i, name, nil),
			}[key]
			if key == "a.b" {
				return Payload{"a": map[string]any{"b": v}}
			}
			return Payload{key: v}
		})
		q, err := c.PredictQuality(ctx, PredictQuery{Key: key})
		if err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		if got := (want{q.As, q.Skipped}); got != w {
			t.Errorf("%s is predicted as %+v, want %+v", key, got, w)
		}
		got := mustPredict(t, c, PredictQuery{Key: key, IDs: []ID{NumID(3)}, K: 20})[0]
		if len(got.Neighbours) != 20 {
			t.Errorf("%s: %d neighbours vote", key, len(got.Neighbours))
		}
		if _, err := json.Marshal(got); err != nil {
			t.Errorf("%s: %v", key, err)
		}
		for _, v := range got.Neighbours {
			if v.Value == "n/a" || v.Value == int64(7) || v.Value == nil || v.ID == NumID(3) {
				t.Errorf("%s: %s votes with %v", key, v.ID, v.Value)
			}
		}
	}
}

// Where few points have what counts, searches go on until enough have voted.
func TestPredictFindsRareVoters(t *testing.T) {
	c, _, _ := blobCollection(t, 300)
	setPayloads(t, c, 300, func(i int) Payload {
		if i >= 288 {
			return Payload{"rare": "z"}
		}
		return Payload{"rare": []any{"x", "y"}}
	})
	got := mustPredict(t, c, PredictQuery{Key: "rare", Vectors: [][]float32{{0, 0, 0}}, K: 12})[0]
	if len(got.Neighbours) != 12 || got.Value != "z" || got.Quality.Skipped != 288 {
		t.Errorf("predicted %+v, quality %+v", got, got.Quality)
	}
}

func TestPredictUnderAFilter(t *testing.T) {
	c, _, _ := blobCollection(t, 90)
	reds := &Filter{Must: []Condition{{Key: "name", Match: &Match{Any: []any{"red", "blue"}}}}}
	fresh, _ := blobs(5, 20)
	for _, p := range mustPredict(t, c, PredictQuery{Key: "name", Vectors: fresh, Filter: reds}) {
		for _, v := range p.Neighbours {
			if v.Value == "green" {
				t.Fatalf("%s votes, which the filter leaves out", v.ID)
			}
		}
		if p.Quality.Points != 60 {
			t.Fatalf("quality of %d points, want 60", p.Quality.Points)
		}
	}
}

// One point with a value predicts it, and nothing predicts its own.
func TestPredictByOnePoint(t *testing.T) {
	c, vectors, _ := blobCollection(t, 12)
	mustUpsert(t, c, Point{ID: NumID(4), Vector: vectors[4], Payload: Payload{"only": "this"}})
	got := mustPredict(t, c, PredictQuery{Key: "only", Vectors: vectors[:1]})[0]
	if got.Value != "this" || got.Confidence != 1 || got.Quality.Points != 0 || got.Quality.Accuracy != nil {
		t.Errorf("predicted %+v, quality %+v", got, got.Quality)
	}
	got = mustPredict(t, c, PredictQuery{Key: "only", IDs: []ID{NumID(4)}})[0]
	if got.Value != nil || got.Confidence != 0 || len(got.Neighbours) != 0 {
		t.Errorf("predicted its own: %+v", got)
	}
}

// A predictor is kept until a tenth of the points changed.
func TestPredictorsAreKept(t *testing.T) {
	c, vectors, _ := blobCollection(t, 100)
	q := PredictQuery{Key: "name", Vectors: vectors[:1]}
	first := mustPredict(t, c, q)[0].Quality
	if again := mustPredict(t, c, q)[0].Quality; again != first {
		t.Error("the second call learned anew")
	}
	if other := mustPredict(t, c, PredictQuery{Key: "corner", Vectors: vectors[:1]})[0].Quality; other == first {
		t.Error("two keys share a predictor")
	}
	for i := range 20 {
		mustUpsert(t, c, Point{ID: NumID(uint64(200 + i)), Vector: vectors[i], Payload: Payload{"name": "new"}})
	}
	if later := mustPredict(t, c, q)[0].Quality; later == first || later.Points != 120 {
		t.Errorf("after 20 points more: %+v", later)
	}
	mustFit(t, c)
	fitted := mustPredict(t, c, q)[0].Quality
	if fitted.Generation != 1 {
		t.Errorf("after a fit it is of generation %d", fitted.Generation)
	}
}

// Confidence is how often predictions are right, and a spread holds two of three values,
// of records that nothing was learned from.
func TestPredictIsCalibrated(t *testing.T) {
	c, _, _ := blobCollection(t, 1200)
	fresh, truth := blobs(9, 1500)
	var right, confidence float64
	sure, sureRight := 0., 0.
	for i, p := range mustPredict(t, c, PredictQuery{Key: "name", Vectors: fresh, K: 20}) {
		confidence += p.Confidence
		hit := p.Value == truth[i]["name"]
		if hit {
			right++
		}
		if p.Confidence > .9 {
			sure++
			if hit {
				sureRight++
			}
		}
	}
	if math.Abs(right-confidence)/1500 > .04 {
		t.Errorf("%.0f of 1500 are right, %.0f were expected", right, confidence)
	}
	if sure < 100 || sureRight/sure < .88 {
		t.Errorf("of %.0f sure ones %.0f are right", sure, sureRight)
	}
	inside := 0.
	for i, p := range mustPredict(t, c, PredictQuery{Key: "deep.price", Vectors: fresh, K: 10}) {
		price := truth[i]["deep"].(map[string]any)["price"].(float64)
		if math.Abs(p.Value.(float64)-price) <= *p.Spread {
			inside++
		}
	}
	if share := inside / 1500; share < .62 || share > .75 {
		t.Errorf("%.3f of the values lie within the spread", share)
	}
}

// Reliability never falls with the share, stays within 0 and 1, and is the share itself
// where nothing is known.
func TestReliability(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 300).Draw(t, "n")
		shares, right := make([]float64, n), make([]bool, n)
		for i := range shares {
			shares[i] = float64(rapid.IntRange(1, 40).Draw(t, "share")) / 40
			right[i] = rapid.Bool().Draw(t, "right")
		}
		r := reliabilityOf(shares, right)
		last := 0.
		for s := 0.; s <= 1; s += 1. / 64 {
			got := r.of(s)
			if got < last-1e-12 || got < 0 || got > 1 || math.IsNaN(got) {
				t.Fatalf("share %v is right at %v, after %v", s, got, last)
			}
			if n == 0 && got != s {
				t.Fatalf("share %v became %v of nothing", s, got)
			}
			last = got
		}
	})
}

// Votes sum to one, never rise with distance, and are equal where distances are.
func TestVotes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		distances := rapid.SliceOfN(rapid.Float64Range(-5, 5), 1, 20).Draw(t, "distances")
		slices.Sort(distances)
		near := make([]Voter, len(distances))
		for i, d := range distances {
			near[i].distance = d
		}
		k := rapid.IntRange(1, 25).Draw(t, "k")
		got := votes(near, k)
		sum := 0.
		for i, v := range got {
			sum += v
			if v < 0 || i > 0 && v > got[i-1]+1e-12 || i > 0 && distances[i] == distances[i-1] && v != got[i-1] {
				t.Fatalf("votes %v of distances %v", got, distances)
			}
		}
		if len(got) != min(k, len(near)) || math.Abs(sum-1) > 1e-9 {
			t.Fatalf("%d votes that sum to %v", len(got), sum)
		}
	})
}

// Of equal votes the nearest voter decides.
func TestElectTies(t *testing.T) {
	near := []Voter{{Value: "b"}, {Value: "a"}, {Value: "c"}, {Value: "b"}, {Value: "a"}}
	if v, share := elect(near, votes(near, 5)); v != "b" || share != .4 {
		t.Errorf("%v was elected with %v", v, share)
	}
}

func TestPredictRefuses(t *testing.T) {
	c, vectors, _ := blobCollection(t, 12)
	one := vectors[:1]
	for want, q := range map[string]PredictQuery{
		"key: is missing":            {Vectors: one},
		"key: no point":              {Key: "colour", Vectors: one},
		"needs exactly one":          {Key: "name"},
		"exactly one of records":     {Key: "name", Vectors: one, IDs: []ID{NumID(1)}},
		"k: is 101":                  {Key: "name", Vectors: one, K: 101},
		"k: is -1":                   {Key: "name", Vectors: one, K: -1},
		`as: "word"`:                 {Key: "name", Vectors: one, As: "word"},
		"as: is number":              {Key: "name", Vectors: one, As: PredictNumber},
		"space: ":                    {Key: "name", Vectors: one, Space: "outer"},
		"space: lexical":             {Key: "name", Vectors: one, Space: SpaceLexical},
		"vectors[1]: ":               {Key: "name", Vectors: [][]float32{vectors[0], {1}}},
		"vectors[0]: ":               {Key: "name", Vectors: [][]float32{nil}},
		"records[0]: ":               {Key: "name", Records: []any{nil}},
		"records[2]: ":               {Key: "name", Records: []any{vectors[0], vectors[1], "word"}},
		"ids[1]: ":                   {Key: "name", IDs: []ID{NumID(1), {}}},
		"10001 entries":              {Key: "name", Records: make([]any, 0, 10001)},
		"filter.must[0]: needs":      {Key: "name", Vectors: one, Filter: &Filter{Must: []Condition{{}}}},
		"that may vote has a string": {Key: "name", Vectors: one, Filter: &Filter{Must: []Condition{{Key: "n", Match: &Match{Value: 99}}}}},
	} {
		if want == "10001 entries" {
			for range 10001 {
				q.Records = append(q.Records, vectors[0])
			}
		}
		if _, err := c.Predict(ctx, q); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	if _, err := c.Predict(ctx, PredictQuery{Key: "name", IDs: []ID{NumID(1), NumID(99)}}); !errors.Is(err, ErrNotFound) || !strings.Contains(fmt.Sprint(err), "99") {
		t.Errorf("an unknown id: %v", err)
	}
	empty, err := tempDB(t, quiet()).CreateCollection(ctx, "empty", vectorConfig())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := empty.Predict(ctx, PredictQuery{Key: "name", Vectors: one}); !errors.Is(err, ErrInvalid) {
		t.Errorf("an empty collection: %v", err)
	}
}

// A fitted collection that gave its records up predicts as well.
func TestPredictByLatents(t *testing.T) {
	vectors, payloads := blobs(1, 400)
	c := create(t, tempDB(t, quiet()), Config{Source: source.Vector{}, Dim: 2, DropOriginals: true})
	for i, v := range vectors {
		mustUpsert(t, c, Point{ID: NumID(uint64(i)), Vector: v, Payload: payloads[i]})
	}
	mustFit(t, c)
	fresh, truth := blobs(2, 200)
	right := 0
	for i, p := range mustPredict(t, c, PredictQuery{Key: "corner", Vectors: fresh}) {
		if fmt.Sprint(p.Value) == fmt.Sprint(truth[i]["corner"]) {
			right++
		}
	}
	if right < 140 {
		t.Errorf("%d of 200 are right", right)
	}
}
