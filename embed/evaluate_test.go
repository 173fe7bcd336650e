package embed

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas/blas32"
	"pgregory.net/rapid"
)

func TestSmallestAgreesWithSort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Few distinct values, so that many are equal.
		values := rapid.SliceOfN(rapid.IntRange(-3, 3), 0, 60).Draw(t, "values")
		k := rapid.IntRange(0, 70).Draw(t, "k")
		var all []candidate
		var s smallest
		for i, v := range values {
			c := candidate{float32(v), uint32(i)}
			all = append(all, c)
			s.offer(k, c)
		}
		slices.SortStableFunc(all, func(a, b candidate) int { return int(a.value) - int(b.value) })
		got := s.ascending()
		if len(got) != min(k, len(values)) {
			t.Fatalf("%d of %d values, asked for %d", len(got), len(values), k)
		}
		for i, at := range got {
			if at != all[i].at {
				t.Fatalf("place %d is %d, want %d", i, at, all[i].at)
			}
		}
	})
}

// nearest64 is the naive twin of nearest.
func nearest64(queries, references blas32.General, k int) [][]uint32 {
	out := make([][]uint32, queries.Rows)
	for i := range out {
		ids := make([]uint32, references.Rows)
		dist := make([]float64, references.Rows)
		for j := range ids {
			ids[j], dist[j] = uint32(j), squaredDistance(Row(queries, i), Row(references, j))
		}
		slices.SortStableFunc(ids, func(a, b uint32) int {
			if dist[a] < dist[b] {
				return -1
			}
			if dist[a] > dist[b] {
				return 1
			}
			return 0
		})
		out[i] = ids[:min(k, len(ids))]
	}
	return out
}

// grid is rows of small multiples of 1/4: their distances are exact in float32,
// and many are equal.
func grid(seed uint64, n, d int, origin float32) blas32.General {
	rng, m := newRand(seed), NewMatrix(n, d)
	for i := range m.Data {
		m.Data[i] = origin + float32(rng.IntN(17)-8)/4
	}
	return m
}

func TestNearestAgreesWithTwin(t *testing.T) {
	for _, n := range []int{1, 7, scanChunk, 2*scanChunk + 5} {
		queries, references := grid(1, 9, 3, 0), grid(2, n, 3, 0)
		got, err := nearest(context.Background(), queries, n, 12, func(lo, hi int) blas32.General { return rowsOf(references, lo, hi) })
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range nearest64(queries, references, 12) {
			if !slices.Equal(got[i], want) {
				t.Fatalf("%d references, query %d: %v, want %v", n, i, got[i], want)
			}
		}
	}
}

// TestTrueNeighboursFarFromTheOrigin: distances of rows far from the origin must
// not drown in the rounding of their squares.
func TestTrueNeighboursFarFromTheOrigin(t *testing.T) {
	const far = 1 << 16
	queries, references := grid(1, 20, 5, far), grid(2, 1500, 5, far)
	base := mustPCA(t, NumericLayout(5), references, 2)
	e, err := newExaminer(context.Background(), base, &Config{Own: queries.Cols, Workers: 1}, queries, references)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range nearest64(queries, references, TrueNeighbours) {
		var got, sum float64
		for k, at := range e.truth[i] {
			got += squaredDistance(Row(queries, i), Row(references, int(at)))
			sum += squaredDistance(Row(queries, i), Row(references, int(want[k])))
		}
		if !agree(got, sum, 1e-9) { // equal distances may be listed either way
			t.Fatalf("query %d: squared distances sum to %v, the nearest ones' to %v", i, got, sum)
		}
	}
}

func TestScoreOfPerfectLatents(t *testing.T) {
	rng := newRand(7)
	rows, queries := lowRank(rng, 300, 6, 6), lowRank(rng, 40, 6, 6)
	m := mustPCA(t, NumericLayout(6), rows, 6)
	inputScale := []float32{2, 2, 2, 2, 2, 2}
	e, err := newExaminer(context.Background(), m, &Config{InputScale: inputScale, Own: queries.Cols, Workers: 2}, queries, rows)
	if err != nil {
		t.Fatal(err)
	}
	got, err := e.score(context.Background(), m, false)
	if err != nil {
		t.Fatal(err)
	}
	if got.MSE > 1e-9 || got.Recall10 < 0.99 || got.Recall50 != 1 || got.Recall100 != 1 {
		t.Errorf("latents that lose nothing score %+v", got)
	}
	// One component: the error in input units is the standardised one, rescaled.
	got, err = e.score(context.Background(), m.truncated(1), false)
	if err != nil {
		t.Fatal(err)
	}
	back := 4 * float64(m.scale) * float64(m.scale)
	if got.MSE < 0.01 || !agree(got.MSEInput, got.MSE*back, 1e-4) {
		t.Errorf("errors %v and %v in input units, factor %v", got.MSE, got.MSEInput, back)
	}
	if got.Recall10 > got.Recall50 || got.Recall50 > got.Recall100 || got.Recall10 > 0.9 {
		t.Errorf("one component of six recalls %+v", got)
	}
}

func TestEncodeParallelChangesNothing(t *testing.T) {
	rng := newRand(8)
	rows := lowRank(rng, 2*encodeBatch+2, 9, 4) // ends in a batch of another product
	m := trainedModel(t, Deep, NumericLayout(9), rows, 3, []int{12, 8})
	want := mustEncode(t, m, rows)
	for _, workers := range []int{1, 2, 3, 8} {
		got := NewMatrix(rows.Rows, 3)
		if err := encodeParallel(context.Background(), m, got, rows, workers); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Data, want.Data) {
			t.Fatalf("%d workers change latents", workers)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := encodeParallel(ctx, m, NewMatrix(rows.Rows, 3), rows, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestNaNErrorLoses(t *testing.T) {
	base := Evaluation{whole: 1, Recall50: 0.5}
	for _, c := range []struct {
		e    Evaluation
		want bool
	}{
		{base, true},
		{Evaluation{whole: 0.9, Recall50: 0.6}, true},
		{Evaluation{whole: 1.1, Recall50: 0.6}, false},
		{Evaluation{whole: 0.9, Recall50: 0.4}, false},
		{Evaluation{whole: math.NaN(), Recall50: 1}, false},
	} {
		if c.e.losesNothingTo(base) != c.want {
			t.Errorf("%+v against %+v: want %v", c.e, base, c.want)
		}
	}
}

// TestAdmits: a standard error of recall@50 passes only with more in the first 10.
func TestAdmits(t *testing.T) {
	e := &examiner{truth: make([][]uint32, 500)} // 5,000 neighbours
	floor := Evaluation{whole: 1, Recall10: 0.8, Recall50: 1}
	for _, c := range []struct {
		score Evaluation
		want  bool
	}{
		{Evaluation{whole: 0.9, Recall10: 0.7, Recall50: 1}, true},
		{Evaluation{whole: 1.1, Recall10: 0.9, Recall50: 1}, false},
		{Evaluation{whole: 0.9, Recall10: 0.9, Recall50: 0.9998}, true}, // one is missed
		{Evaluation{whole: 0.9, Recall10: 0.8, Recall50: 0.9998}, false},
		{Evaluation{whole: 0.9, Recall10: 0.9, Recall50: 0.9994}, false},
	} {
		if got := e.admits(c.score, floor); got != c.want {
			t.Errorf("%+v: %v", c.score, got)
		}
	}
}
