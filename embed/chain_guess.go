package embed

import (
	"context"
	"math/rand/v2"
	"slices"
)

// guessing is how a column's guesses are boosted; of more columns than guessColumns there
// are fewer rounds, and fewestRounds at least.
var guessing = boosting{rounds: 150, depth: 4, leaf: 10, features: 12, patience: 8, share: .1}

const (
	// guessFolds is how many folds of rows there are: what is guessed of a row's column was
	// learned from the rows of the others.
	guessFolds   = 3
	guessColumns = 32
	fewestRounds = 10
	// fewestGuessed is how many rows can be learned from by folds.
	fewestGuessed = 60
)

// guesses tell a column's targets from the columns before it, as well as boosted trees
// can: what a forest's leaf gathers of alike rows is blurred where many columns matter a
// little each. Rows with alike guesses lend each other values, as in predictive mean
// matching (Little, Missing-data adjustments in large surveys, 1988).
type guesses struct {
	means [][]float64 // by fold and target
	folds []boostedTrees
	edges [][]float32 // by target, of the bins of what is guessed
}

// guess has guesses learned, and gives those of each row, by target. Bins are of the
// predictors.
func guess(ctx context.Context, bins [][]uint8, targets [][]float64, columns int, rng *rand.Rand) (g *guesses, of [][]float32) {
	n := len(bins[0])
	of = make([][]float32, len(targets))
	for k := range of {
		of[k] = make([]float32, n)
	}
	b := guessing
	b.rounds = max(fewestRounds, b.rounds*guessColumns/max(guessColumns, columns))
	g, places, rows := &guesses{}, rng.Perm(n), binRows(bins)
	for fold := range guessFolds {
		var learn, held []int32
		for r, place := range places {
			if place%guessFolds == fold {
				held = append(held, int32(r))
			} else {
				learn = append(learn, int32(r))
			}
		}
		loss := newSquares(targets, learn)
		g.means = append(g.means, loss.means)
		g.folds = append(g.folds, b.boost(ctx, bins, loss, learn, held, rng))
		out := make([]float64, len(targets))
		for _, r := range held {
			g.tell(fold, out, rows[r])
			for k, v := range out {
				of[k][r] = float32(v)
			}
		}
	}
	for _, v := range of {
		g.edges = append(g.edges, binEdges(slices.Sorted(slices.Values(v))))
	}
	return g, of
}

// tell sets out to what a fold's trees guess of a row, by its predictors' bins.
func (g *guesses) tell(fold int, out []float64, row []uint8) {
	copy(out, g.means[fold])
	g.folds[fold].add(out, row)
}

// bin is where a guess of a target stands among those of the rows.
func (g *guesses) bin(target int, v float32) uint8 { return binOf(g.edges[target], v) }

// squares is the squared loss.
type squares struct {
	means []float64
	rest  [][]float64
}

func newSquares(targets [][]float64, learn []int32) *squares {
	s := &squares{}
	for _, t := range targets {
		mean, rest := 0., slices.Clone(t)
		for _, r := range learn {
			mean += t[r] / float64(len(learn))
		}
		for r := range rest {
			rest[r] -= mean
		}
		s.means, s.rest = append(s.means, mean), append(s.rest, rest)
	}
	return s
}

func (s *squares) left() [][]float64 { return s.rest }

func (s *squares) step(output int, rows []int32) (mean float64) {
	for _, r := range rows {
		mean += s.rest[output][r] / float64(len(rows))
	}
	return mean
}

func (s *squares) move(row int, by []float64) {
	for k, v := range by {
		s.rest[k][row] -= v
	}
}

func (s *squares) of(rows []int32) (sum float64) {
	for _, rest := range s.rest {
		for _, r := range rows {
			sum += rest[r] * rest[r]
		}
	}
	return sum
}

// guessed is what a draft's columns so far tell of a column, by one fold's trees; nothing
// until a tree asks for it.
type guessed struct {
	chain  *Chain
	column *chainColumn
	donors []int32
	fold   int
	values []float64
}

func (g *guessed) value(target int) float32 {
	if g.values == nil {
		g.values = make([]float64, len(g.column.guesses.edges))
		var row [chainFeatures]uint8
		for p, at := range g.column.predictors {
			row[p] = g.chain.bins[at.feature][g.donors[at.column]]
		}
		g.column.guesses.tell(g.fold, g.values, row[:])
	}
	return float32(g.values[target])
}
