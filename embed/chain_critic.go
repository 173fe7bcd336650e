package embed

import (
	"context"
	"math"
	"math/rand/v2"
)

// criticDraws is how many drafts the critic learns from, for each row, and one row in
// criticFold is held out.
const (
	criticDraws = 10
	criticFold  = 5
)

var criticBoosting = boosting{rounds: 300, depth: 5, leaf: 20, features: chainFeatures, patience: 10, share: .1}

// odds is the logarithm of how much likelier a row is than a draft.
func (c *Chain) odds(donors []int32) float64 {
	var out [1]float64
	row := make([]uint8, len(c.bins))
	for f, bins := range c.bins {
		row[f] = bins[donors[c.columnOf[f]]]
	}
	c.critic.add(out[:], row)
	return out[0]
}

// learnCritic has a critic learn from all rows and from drafts that are not too close.
func (c *Chain) learnCritic(ctx context.Context, workers int, seed uint64) error {
	n := min(criticDraws*c.rows.Rows, max(chainWork/c.rows.Rows/c.rows.Cols, fewestHalved))
	drafts, apart, err := c.measuredDrafts(ctx, n, workers, seed^0xc417)
	if err != nil {
		return err
	}
	far := drafts[:0]
	for i := range drafts {
		if c.farEnough(apart[i]) {
			far = append(far, drafts[i])
		}
	}
	bins := make([][]uint8, c.rows.Cols)
	eachOf(workers, len(bins), func(f int) {
		bins[f] = append(make([]uint8, 0, c.rows.Rows+len(far)), c.bins[f]...)
		for _, d := range far {
			bins[f] = append(bins[f], c.bins[f][d[c.columnOf[f]]])
		}
	})
	c.critic = newCritic(ctx, bins, c.rows.Rows, rand.New(rand.NewPCG(seed, 0xc417)))
	return ctx.Err()
}

// newCritic tells rows of the table, which are the first, from drafts.
func newCritic(ctx context.Context, bins [][]uint8, rows int, rng *rand.Rand) boostedTrees {
	n := len(bins[0])
	var learn, held []int32
	for i := range int32(n) {
		if rng.IntN(criticFold) == 0 {
			held = append(held, i)
		} else {
			learn = append(learn, i)
		}
	}
	loss := &logistic{rows: rows, odds: make([]float64, n), slope: make([]float64, n)}
	for i := range n {
		loss.move(i, []float64{0})
	}
	return criticBoosting.boost(ctx, bins, loss, learn, held, rng)
}

// logistic is the logistic loss of telling the first rows from others.
type logistic struct {
	rows        int
	odds, slope []float64
}

func (l *logistic) left() [][]float64 { return [][]float64{l.slope} }

// step is Newton's, by the loss's slope and bend; less where there are few rows.
func (l *logistic) step(_ int, rows []int32) float64 {
	slope, bend := 0., 1.
	for _, r := range rows {
		p := chance(l.odds[r])
		slope += l.slope[r]
		bend += p * (1 - p)
	}
	return slope / bend
}

func (l *logistic) move(row int, by []float64) {
	l.odds[row] += by[0]
	l.slope[row] = -chance(l.odds[row])
	if row < l.rows {
		l.slope[row]++
	}
}

func (l *logistic) of(rows []int32) (sum float64) {
	for _, i := range rows {
		odds := l.odds[i]
		if int(i) < l.rows {
			odds = -odds
		}
		sum += math.Log1p(math.Exp(odds))
	}
	return sum
}

func chance(odds float64) float64 { return 1 / (1 + math.Exp(-odds)) }
