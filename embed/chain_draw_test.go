package embed

import (
	"context"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"
)

// TestSystematicChoosesByWeight: chances are weights, none is chosen twice, and what must
// be chosen is.
func TestSystematicChoosesByWeight(t *testing.T) {
	weights := []float64{0, 1, 2, 3, 4, 100}
	counts := make([]int, len(weights))
	const times = 20_000
	rng, order := newRand(7), []int{5, 1, 4, 2, 3} // 0 has no weight
	for range times {
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		chosen := systematic(weights, order, 3, rng)
		slices.Sort(chosen)
		if len(slices.Compact(chosen)) != 3 {
			t.Fatalf("%v are not 3", chosen)
		}
		for _, i := range chosen {
			counts[i]++
		}
	}
	for i, want := range []float64{0, .2, .4, .6, .8, 1} { // 100 surely, the others are 2 of 10
		if got := float64(counts[i]) / times; math.Abs(got-want) > .015 {
			t.Errorf("%d is chosen in %.3f, want %.3f", i, got, want)
		}
	}
}

// TestLinesReachBetweenRows: a column that follows another along a line is told closer than
// by any leaf of minLeaf rows.
func TestLinesReachBetweenRows(t *testing.T) {
	rng, rows := newRand(8), NewMatrix(600, 2)
	for i := range rows.Rows {
		x := rng.NormFloat64()
		Row(rows, i)[0], Row(rows, i)[1] = float32(x), float32(2*x+.01*rng.NormFloat64())
	}
	drawn := mustDraw(t, mustChain(t, rows, []int{0, 1, 2}, 2), 600, 2, 1)
	var off []float64
	for i := range drawn.Rows {
		off = append(off, math.Abs(float64(Row(drawn, i)[1]-2*Row(drawn, i)[0])))
	}
	slices.Sort(off)
	if got := stat.Quantile(.5, stat.Empirical, off, nil); got > .012 {
		t.Errorf("half of the draws are more than %.4f off the line, of rows .0067", got)
	}
}

// TestDrawsAreNoCloserToTheirRows: new rows of a Gaussian and those learned from are
// about as close.
func TestDrawsAreNoCloserToTheirRows(t *testing.T) {
	rows, others := noise(newRand(9), 800, 6), noise(newRand(10), 800, 6)
	drawn := mustDraw(t, mustChain(t, rows, []int{0, 1, 2, 3, 4, 5, 6}, 2), 800, 2, 1)
	closer := 0
	for i := range drawn.Rows {
		own, _ := closestTwo(Row(drawn, i), rows)
		if other, _ := closestTwo(Row(drawn, i), others); own < other {
			closer++
		}
	}
	if share := float64(closer) / 800; share > closerShare+.05 {
		t.Errorf("%.3f of draws are closer to rows learned from", share)
	}
}

// TestCriticTellsApart: it knows rows from drafts of another spread, and knows nothing of
// those of the same.
func TestCriticTellsApart(t *testing.T) {
	for name, spread := range map[string]int{"same": 256, "narrow": 128} {
		rng, bins := newRand(11), make([][]uint8, 2)
		const n = 2000
		for i := range n {
			for f := range bins {
				span := 256
				if i >= n/2 && f == 0 {
					span = spread
				}
				bins[f] = append(bins[f], uint8(rng.IntN(span)))
			}
		}
		k := newCritic(context.Background(), bins, n/2, rng)
		odds := func(v uint8) float64 {
			var out [1]float64
			k.add(out[:], []uint8{v, 100})
			return out[0]
		}
		if low, high := odds(50), odds(200); name == "same" && (math.Abs(low-high) > .2 || len(k) > criticBoosting.rounds/2) ||
			name == "narrow" && (low > 0 || high < 1.5) {
			t.Errorf("%s: %d trees, odds of a low value are %.2f, of a high one %.2f", name, len(k), low, high)
		}
	}
}

// TestRakeGivesRowsShares: of drafts half of which weigh nothing, values weigh as rows have them.
func TestRakeGivesRowsShares(t *testing.T) {
	rows := noise(newRand(12), 500, 2)
	c := mustChain(t, rows, []int{0, 1, 2}, 1)
	drafts, _ := mustDraft(t, c, 2000, 1, 3)
	weights := make([]float64, 2000)
	var all, low float64
	for i, d := range drafts {
		if Row(rows, int(d[0]))[0] < 0 || i%5 == 0 {
			weights[i] = 1
		}
	}
	c.rake(weights, drafts)
	for i, d := range drafts {
		all += weights[i]
		if c.rank[0][d[0]] < 250 {
			low += weights[i]
		}
	}
	if share := low / all; math.Abs(share-.5) > .03 {
		t.Errorf("the lower half of rows weighs %.3f", share)
	}
}

// TestDrawsOfCloseDrafts: where fewer drafts are far enough than are asked for, the farthest
// are drawn.
func TestDrawsOfCloseDrafts(t *testing.T) {
	const n = 12
	rows := noise(newRand(14), 60, 3)
	c := mustChain(t, rows, []int{0, 1, 2, 3}, 2)
	c.leastApart = 2 // which none is
	_, apart := mustDraft(t, c, c.draftsFor(n), 1, 5)
	slices.Sort(apart)
	least := apart[len(apart)-n]
	drawn := mustDraw(t, c, n, 2, 5)
	if drawn.Rows != n {
		t.Fatalf("%d rows, want %d", drawn.Rows, n)
	}
	for i := range n {
		if got := ratioOf(closestTwo(Row(drawn, i), rows)); got < least {
			t.Errorf("row %d is %v apart, the %dth farthest draft %v", i, got, n, least)
		}
	}
}

// TestRakeGivesPairsShares: drafts of two features that hardly vary together weigh as rows of
// which they do.
func TestRakeGivesPairsShares(t *testing.T) {
	rng, rows := newRand(15), NewMatrix(600, 2)
	for i := range rows.Rows {
		x := rng.NormFloat64()
		Row(rows, i)[0], Row(rows, i)[1] = float32(x), float32(x+rng.NormFloat64())
	}
	c := mustChain(t, rows, []int{0, 1, 2}, 1)
	drafts, weights := make([][]int32, 4000), make([]float64, 4000)
	for i := range drafts {
		drafts[i] = []int32{int32(rng.IntN(600)), int32(rng.IntN(600))}
		weights[i] = 1
	}
	c.rake(weights, drafts)
	var both, all float64
	for i, d := range drafts {
		all += weights[i]
		if c.rank[0][d[0]] < 200 && c.rank[1][d[1]] < 200 {
			both += weights[i]
		}
	}
	want := 0.
	for i := range rows.Rows {
		if c.rank[0][i] < 200 && c.rank[1][i] < 200 {
			want += 1. / 600
		}
	}
	if got := both / all; want < .15 || math.Abs(got-want) > .01 { // of drafts .111
		t.Errorf("both are in their lowest third in %.3f, of rows %.3f", got, want)
	}
}
