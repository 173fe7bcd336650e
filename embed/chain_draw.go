package embed

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/blas/blas32"
)

const (
	// draftsPerDraw is how many drafts that are not too close there are to choose a draw
	// from, and fewestDrafts how many drafts at least.
	draftsPerDraw = 8
	fewestDrafts  = 20
	// draftDonors bounds the columns of all drafts.
	draftDonors = 1 << 24
)

// Drawn are new rows (n×f), and by row and column the row learned from that lent the column.
type Drawn struct {
	Rows    blas32.General
	Lenders [][]int32
}

// Draw gives n new rows. Same n and seed: same rows. The error is the context's. Cost: some 8
// to 27 drafts for each row, which are compared with all rows there are: some 20·n·f operations
// a row of the table; where that is more than 2³⁴, some 1.25 to 4 drafts.
func (c *Chain) Draw(ctx context.Context, n, workers int, seed uint64) (Drawn, error) {
	drafts, apart, err := c.measuredDrafts(ctx, c.draftsFor(n), workers, seed)
	if err != nil {
		return Drawn{}, err
	}
	far, weights := 0, make([]float64, len(drafts))
	for _, a := range apart {
		if c.farEnough(a) {
			far++
		}
	}
	var chosen []int
	if far >= n {
		eachOf(workers, len(drafts), func(i int) {
			if c.farEnough(apart[i]) {
				weights[i] = math.Exp(c.odds(drafts[i]))
			}
		})
		c.rake(weights, drafts)
		rng := rand.New(rand.NewPCG(seed, 0xd4a))
		chosen = systematic(weights, c.spread(drafts, weights, rng), n, rng)
	} else {
		chosen = farthest(apart, n)
	}
	out := Drawn{Rows: NewMatrix(n, c.rows.Cols), Lenders: make([][]int32, n)}
	for i, d := range chosen {
		out.Lenders[i] = drafts[d]
		c.fill(Row(out.Rows, i), c.rows, drafts[d])
	}
	return out, ctx.Err()
}

// draftsFor is how many drafts there are for n draws: more than are rejected, and to choose
// from as many as the work allows.
func (c *Chain) draftsFor(n int) int {
	far := float64(n) / (1 - c.closeShare)
	wanted := min(int(draftsPerDraw*far), chainWork/c.rows.Rows/c.rows.Cols, draftDonors/len(c.columns))
	return max(fewestDrafts, int(1.25*far), wanted)
}

// farthest are the n that are the largest.
func farthest(apart []float64, n int) []int {
	out := make([]int, len(apart))
	for i := range out {
		out[i] = i
	}
	slices.SortStableFunc(out, func(a, b int) int { return cmp.Compare(apart[b], apart[a]) })
	return out[:n]
}

// systematic chooses n at equal steps of an order of those whose weight is above 0, of which
// there are n at least: each once at most, with a chance in proportion to its weight, or
// surely (Madow, On the theory of systematic sampling, 1949).
func systematic(weights []float64, order []int, n int, rng *rand.Rand) []int {
	scale := chanceScale(weights, n)
	var out, rest []int
	at, run := rng.Float64(), 0.
	for _, i := range order {
		if run += min(1, scale*weights[i]); run > at && len(out) < n {
			out = append(out, i)
			at++
		} else {
			rest = append(rest, i)
		}
	}
	return append(out, rest[:n-len(out)]...) // what rounding left out
}

// chanceScale is what weights are multiplied by for their chances, at most 1, to add up to n.
func chanceScale(weights []float64, n int) float64 {
	sorted := slices.Clone(weights)
	slices.SortFunc(sorted, func(a, b float64) int { return cmp.Compare(b, a) })
	left := slices.Clone(sorted) // what each and those after it add up to
	for i := len(left) - 2; i >= 0; i-- {
		left[i] += left[i+1]
	}
	for sure, w := range sorted[:n] {
		if scale := float64(n-sure) / left[sure]; scale*w <= 1 {
			return scale
		}
	}
	return 1 / sorted[n-1]
}
