package embed

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync/atomic"
	"testing"

	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/stat"
)

func mustChain(t *testing.T, rows blas32.General, starts []int, workers int) *Chain {
	t.Helper()
	c, err := FitChain(context.Background(), rows, rows, starts, workers, 1)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustDraw(t *testing.T, c *Chain, n, workers int, seed uint64) blas32.General {
	t.Helper()
	drawn, err := c.Draw(context.Background(), n, workers, seed)
	if err != nil {
		t.Fatal(err)
	}
	return drawn.Rows
}

func mustDraft(t *testing.T, c *Chain, n, workers int, seed uint64) (drafts [][]int32, apart []float64) {
	t.Helper()
	drafts, apart, err := c.measuredDrafts(context.Background(), n, workers, seed)
	if err != nil {
		t.Fatal(err)
	}
	return drafts, apart
}

// ringRows are points about a circle, their angle's quadrant as four features, and noise.
func ringRows(n int) blas32.General {
	rng, rows := newRand(3), NewMatrix(n, 7)
	for i := range n {
		sin, cos := math.Sincos(rng.Float64() * 2 * math.Pi)
		row, r := Row(rows, i), 1+.05*rng.NormFloat64()
		row[0], row[1], row[6] = float32(r*sin), float32(r*cos), float32(rng.NormFloat64())
		quadrant := 0
		if sin < 0 {
			quadrant = 2
		}
		if cos < 0 {
			quadrant++
		}
		row[2+quadrant] = 1
	}
	return rows
}

var ringStarts = []int{0, 1, 2, 6, 7}

// TestChainKeepsDependence: a Gaussian would fill the circle.
func TestChainKeepsDependence(t *testing.T) {
	rows := ringRows(3000)
	drawn := mustDraw(t, mustChain(t, rows, ringStarts, 2), 3000, 2, 4)
	var radii []float64
	wrong := 0
	for i := range drawn.Rows {
		row := Row(drawn, i)
		radii = append(radii, math.Hypot(float64(row[0]), float64(row[1])))
		quadrant := slices.Index(row[2:6], 1)
		if (row[0] < 0) != (quadrant >= 2) || (row[1] < 0) != (quadrant%2 == 1) {
			wrong++
		}
		if stat.Mean([]float64{float64(row[2]), float64(row[3]), float64(row[4]), float64(row[5])}, nil) != .25 {
			t.Fatalf("%v is in no one quadrant", row[2:6])
		}
	}
	if mean, spread := stat.MeanStdDev(radii, nil); math.Abs(mean-1) > .02 || spread > .12 {
		t.Errorf("radii are %.3f ± %.3f", mean, spread)
	}
	if wrong > 60 {
		t.Errorf("%d of 3000 are in another quadrant than they say", wrong)
	}
}

// TestChainCopiesNoRow: values are those of rows, and hardly any row is taken whole.
func TestChainCopiesNoRow(t *testing.T) {
	rows := ringRows(500)
	drawn := mustDraw(t, mustChain(t, rows, ringStarts, 2), 1000, 2, 4)
	known := make([]map[float32]bool, 7)
	for f := range known {
		known[f] = map[float32]bool{}
		for i := range rows.Rows {
			known[f][Row(rows, i)[f]] = true
		}
	}
	copies := 0
	for at := range drawn.Rows {
		row := Row(drawn, at)
		for f, v := range row {
			if !known[f][v] {
				t.Fatalf("feature %d is %v, which no row has", f, v)
			}
		}
		for i := range rows.Rows {
			if slices.Equal(row, Row(rows, i)) {
				copies++
			}
		}
	}
	if copies > 0 {
		t.Errorf("%d of 1000 are copies", copies)
	}
}

func TestChainIsTheSameOfAnyWorkers(t *testing.T) {
	rows := ringRows(400)
	a, b := mustChain(t, rows, ringStarts, 1), mustChain(t, rows, ringStarts, 3)
	if !slices.Equal(mustDraw(t, a, 100, 3, 1).Data, mustDraw(t, b, 100, 1, 1).Data) {
		t.Fatal("the number of workers counts")
	}
}

// TestTreeIsTheBest compares each split with all there are.
func TestTreeIsTheBest(t *testing.T) {
	rng := newRand(5)
	for _, n := range []int{30, 700} { // fewer than bins, and more
		bins, targets := [][]uint8{make([]uint8, n), make([]uint8, n)}, [][]float64{make([]float64, n), make([]float64, n)}
		for i := range n {
			bins[0][i], bins[1][i] = uint8(rng.IntN(20)), uint8(rng.IntN(256))
			targets[0][i], targets[1][i] = float64(bins[0][i])+rng.NormFloat64(), rng.NormFloat64()
		}
		g := &treeGrowth{bins: bins, targets: targets, minLeaf: minLeaf, maxDepth: 99}
		for i := range n {
			g.tree.rows = append(g.tree.rows, int32(i))
		}
		p, cut, gain := g.best(0, n)
		if gain == 0 {
			t.Fatalf("%d rows are not split", n)
		}
		got, best := lossOf(bins, targets, p, cut), math.Inf(1)
		for q := range bins {
			for at := range 256 {
				best = min(best, lossOf(bins, targets, q, uint8(at)))
			}
		}
		if !agree(got, best, 1e-9) {
			t.Errorf("%d rows: a loss of %v, the least is %v", n, got, best)
		}
	}
}

// lossOf is the squared distance of targets to the means of their sides.
func lossOf(bins [][]uint8, targets [][]float64, p int, cut uint8) (loss float64) {
	for _, t := range targets {
		var sides [2][]float64
		for i, v := range t {
			side := 0
			if bins[p][i] > cut {
				side = 1
			}
			sides[side] = append(sides[side], v)
		}
		for _, s := range sides {
			if len(s) < minLeaf {
				return math.Inf(1)
			}
			mean := stat.Mean(s, nil)
			for _, v := range s {
				loss += (v - mean) * (v - mean)
			}
		}
	}
	return loss
}

func TestChainRefuses(t *testing.T) {
	rows := ringRows(20)
	nan := ringRows(20)
	Row(nan, 3)[2] = float32(math.NaN())
	for name, try := range map[string]struct {
		rows   blas32.General
		starts []int
	}{
		"one row": {ringRows(1), ringStarts}, "NaN": {nan, ringStarts}, "no columns": {rows, nil},
		"short": {rows, []int{0, 3}}, "descending": {rows, []int{0, 5, 2, 7}}, "from 1": {rows, []int{1, 7}},
	} {
		if _, err := FitChain(context.Background(), try.rows, try.rows, try.starts, 1, 1); !errors.Is(err, ErrData) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, straight := range map[string]blas32.General{"short": ringRows(19), "narrow": NewMatrix(20, 6), "NaN": nan} {
		if _, err := FitChain(context.Background(), rows, straight, ringStarts, 1, 1); !errors.Is(err, ErrData) {
			t.Errorf("straight rows that are %s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := FitChain(ctx, rows, rows, ringStarts, 1, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestChainOfAwkwardRows: constants, columns without features, few rows, wide columns.
func TestChainOfAwkwardRows(t *testing.T) {
	wide := noise(newRand(6), 60, 400)
	var many []int
	for i := 0; i <= 400; i++ {
		many = append(many, i)
	}
	for name, try := range map[string]struct {
		rows   blas32.General
		starts []int
	}{
		"constant": {NewMatrix(50, 3), []int{0, 1, 2, 3}}, "two rows": {noise(newRand(1), 2, 2), []int{0, 1, 2}},
		"empty column": {ringRows(50), []int{0, 0, 3, 3, 7, 7}}, "wide columns": {wide, []int{0, 200, 400}}, "many": {wide, many},
	} {
		c := mustChain(t, try.rows, try.starts, 2)
		for _, n := range []int{1, 20} {
			drawn := mustDraw(t, c, n, 2, 2)
			if drawn.Rows != n || name == "constant" && slices.ContainsFunc(drawn.Data, func(v float32) bool { return v != 0 }) {
				t.Errorf("%s: %v", name, drawn)
			}
		}
	}
}

// endsAfter is a context that ends when it has been asked so often.
type endsAfter struct {
	context.Context
	asked *int64 // by several goroutines
}

func (c endsAfter) Err() error {
	if atomic.AddInt64(c.asked, -1) < 0 {
		return context.Canceled
	}
	return nil
}

// TestChainEndsWithItsContext: wherever it is, what it had is not taken for a chain or a draw.
func TestChainEndsWithItsContext(t *testing.T) {
	rows := ringRows(100)
	var chain *Chain
	fit := func(ctx context.Context) (err error) {
		chain, err = FitChain(ctx, rows, rows, ringStarts, 2, 1)
		return err
	}
	draw := func(ctx context.Context) error {
		_, err := chain.Draw(ctx, 20, 2, 1)
		return err
	}
	for name, f := range map[string]func(context.Context) error{"fit": fit, "draw": draw} {
		if err := fit(context.Background()); err != nil {
			t.Fatal(err)
		}
		whole := chain
		total := int64(math.MaxInt64)
		if err := f(endsAfter{context.Background(), &total}); err != nil {
			t.Fatal(err)
		}
		all := math.MaxInt64 - total
		if all < 100 {
			t.Errorf("%s asks %d times", name, all)
		}
		for step := range int64(30) {
			chain = whole
			asked := all * step / 30
			if err := f(endsAfter{context.Background(), &asked}); !errors.Is(err, context.Canceled) {
				t.Errorf("%s ended when it was asked for the %dth time: %v", name, all*step/30+1, err)
			}
			if -asked > closeDrafts+100 { // drafts that were to be made are still turned down
				t.Errorf("%s asks %d times more", name, -asked)
			}
		}
	}
}
