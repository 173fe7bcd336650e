package embed

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/stat"
)

// additive has a last column that every other one tells a little of.
func additive(n, f int, noise float64) blas32.General {
	rng, rows := newRand(21), NewMatrix(n, f)
	for i := range n {
		row, sum := Row(rows, i), 0.
		for j := range f - 1 {
			v := rng.NormFloat64()
			row[j], sum = float32(v), sum+v
		}
		row[f-1] = float32(sum + noise*rng.NormFloat64())
	}
	return rows
}

// featureBins are the bins of features from to to, and targets the values of the last one.
func featureBins(rows blas32.General) (bins [][]uint8, target []float64) {
	for f := range rows.Cols - 1 {
		bins = append(bins, binned(rows, f))
	}
	for i := range rows.Rows {
		target = append(target, float64(Row(rows, i)[rows.Cols-1]))
	}
	return bins, target
}

// TestGuessesAreOfRowsNotSeen: what is guessed of a sum is close to it, and of noise is its
// mean: trees that had learned from the row itself would follow it.
func TestGuessesAreOfRowsNotSeen(t *testing.T) {
	rows := additive(1500, 7, .1)
	bins, sum := featureBins(rows)
	rng := newRand(22)
	noise := make([]float64, rows.Rows)
	for i := range noise {
		noise[i] = rng.NormFloat64()
	}
	g, of := guess(context.Background(), bins, [][]float64{sum, noise}, 7, newRand(23))
	told := func(k int, truth []float64) float64 {
		var guesses []float64
		for _, v := range of[k] {
			guesses = append(guesses, float64(v))
		}
		return stat.Correlation(guesses, truth, nil)
	}
	if r := told(0, sum); r < .9 {
		t.Errorf("guesses of a sum correlate with it by %.3f", r)
	}
	if r := told(1, noise); math.Abs(r) > .1 {
		t.Errorf("guesses of noise correlate with it by %.3f", r)
	}
	for k, v := range of {
		for r := range v {
			b := g.bin(k, v[r])
			if edges := g.edges[k]; v[r] < edges[b] || int(b)+1 < len(edges) && v[r] >= edges[b+1] {
				t.Fatalf("%v is not in bin %d", v[r], b)
			}
		}
	}
}

// TestGuessesSharpenDraws: a column that is the sum of six others is drawn closer to their
// sum than leaves alone allow.
func TestGuessesSharpenDraws(t *testing.T) {
	rows := additive(1000, 7, .1)
	c := mustChain(t, rows, []int{0, 1, 2, 3, 4, 5, 6, 7}, 2)
	drawn, sum := mustDraw(t, c, 1000, 2, 1), 0.
	for i := range drawn.Rows {
		row := Row(drawn, i)
		off := float64(row[6])
		for _, v := range row[:6] {
			off -= float64(v)
		}
		sum += off * off / float64(drawn.Rows)
	}
	if got := math.Sqrt(sum); got > 1 { // of leaves alone 1.37; the sum's own deviation is 2.4
		t.Errorf("draws are %.2f off the sum", got)
	}
}

// TestTurnsFollowWhatTells: the sum varies with all others and is drawn first, and a column
// of noise last.
func TestTurnsFollowWhatTells(t *testing.T) {
	base, rng := additive(800, 5, .1), newRand(24)
	rows := NewMatrix(base.Rows, 6)
	for i := range rows.Rows {
		Row(rows, i)[0] = float32(rng.NormFloat64())
		copy(Row(rows, i)[1:], Row(base, i))
	}
	c := mustChain(t, rows, []int{0, 1, 2, 3, 4, 5, 6}, 2)
	if c.turns[0] != 5 || c.turns[5] != 0 {
		t.Errorf("columns are drawn in the order %v", c.turns)
	}
}

// TestWideTablesAreDrawnInOrder: the turns of very many features are not looked for.
func TestWideTablesAreDrawnInOrder(t *testing.T) {
	c := &Chain{rows: NewMatrix(2, turnFeatures+1), columns: make([]chainColumn, 3)}
	if got := c.inTurn(nil, 1); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("columns are drawn in the order %v", got)
	}
}

// TestSpreadChoosesEvenly: means of what is chosen along the order vary much less than those
// of as many chosen by chance.
func TestSpreadChoosesEvenly(t *testing.T) {
	rows := noise(newRand(25), 400, 3)
	c := mustChain(t, rows, []int{0, 1, 2, 3}, 2)
	drafts, _ := mustDraft(t, c, 1600, 2, 1)
	weights := make([]float64, len(drafts))
	for i := range weights {
		weights[i] = float64(i % 3)
	}
	spreadOf := func(order func(rng *rand.Rand) []int) float64 {
		var means []float64
		for seed := range uint64(60) {
			rng, mean := newRand(30+seed), 0.
			for _, d := range systematic(weights, order(rng), 100, rng) {
				mean += float64(Row(rows, int(drafts[d][1]))[1]) / 100
			}
			means = append(means, mean)
		}
		return stat.StdDev(means, nil)
	}
	even := spreadOf(func(rng *rand.Rand) []int {
		order := c.spread(drafts, weights, rng)
		if len(order) != 1066 || slices.ContainsFunc(order, func(d int) bool { return d%3 == 0 }) {
			t.Fatalf("%d are in order, those of no weight too", len(order))
		}
		return order
	})
	chance := spreadOf(func(rng *rand.Rand) (order []int) {
		for _, d := range rng.Perm(len(drafts)) {
			if d%3 > 0 {
				order = append(order, d)
			}
		}
		return order
	})
	if even > chance/2 {
		t.Errorf("means vary by %.4f, by chance %.4f", even, chance)
	}
}
