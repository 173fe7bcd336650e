package embed

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"gonum.org/v1/gonum/blas/blas32"
)

// Chain draws new rows of a table column by column, those first that tell the most of others.
// The first column's values are those of any row; every other column's are of a row that a
// forest finds alike by the columns before it and by what boosted trees guess from these,
// moved along a line where the column follows one of them along it. So each value is one
// that rows have, at about the rate that they have it. Of more drafts than rows that are
// asked for it keeps those that boosted trees hardly tell from rows, in the shares that values
// of columns and of pairs of them have, spread over the table evenly, and none that follows
// a single row much closer than all others. It is immutable and safe for concurrent use.
//
// Drawing values from the leaves of a tree is due to Reiter (Using CART to generate
// partially synthetic public use microdata, 2005), from those of a forest to Caiola and
// Reiter (2010); lines in trees are those of Raymaekers, Rousseeuw, Verdonck and Yao (Fast
// linear model trees by PILOT, 2024); keeping samples by what tells them from data is due to
// Azadi and others (Discriminator rejection sampling, 2019), choosing them evenly to Grafström,
// Lundström and Schelin (Spatially balanced sampling through the pivotal method, 2012).
type Chain struct {
	rows, straight blas32.General
	starts         []int
	bins           [][]uint8 // by feature, of each row
	columns        []chainColumn
	turns          []int // the columns, in the order that they are drawn in
	columnOf       []int // by feature
	// order is, by column, the rows by its first feature, and rank where each is in it.
	order, rank [][]int32
	// leastApart is how far a draw must be from the row closest to it, see ratioOf, and
	// closeShare the share of drafts that are not.
	leastApart, closeShare float64
	critic                 boostedTrees
	// margins are what weights of drafts are raked to; fine and coarse are the groups of a
	// feature's bins by which, of one and of two.
	margins      []margin
	fine, coarse [][chainBins]uint8
}

const (
	// chainTrees is how many trees a column's forest has: each draw takes one of them.
	chainTrees = 15
	// chainColumns is how many columns have so many trees; more of them have fewer, and
	// fewestTrees at least.
	chainColumns = 64
	fewestTrees  = 2
	// chainFeatures is the most features that a column is told from, those that vary
	// with it the most; of the columns chainReach before it.
	chainFeatures = 48
	chainReach    = 256
	// chainLooks is how many rows tell how features vary together.
	chainLooks = 1000
	// chainBins is how many values of a feature are told apart.
	chainBins = 256
	// lineValues is how many values a column has that may follow another along a line:
	// those of fewer are levels, which a line would mix.
	lineValues = 100
	// chainWork bounds the values that are compared to tell how close drafts are.
	chainWork = 1 << 34
)

// chainColumn is what one column is drawn by; the first has nothing. A forest's predictors
// are followed by what is guessed of the column's targets.
type chainColumn struct {
	predictors []predictor
	guesses    *guesses // nil of few rows
	trees      []leafTree
}

// predictor is a feature of a column before.
type predictor struct{ feature, column int }

// FitChain learns how the columns of rows (n×f) depend on each other. Column i is the
// features starts[i] to starts[i+1]. Rows of straight (n×f) are the same ones on scales by
// which one counts as close to another; they may be rows itself. Cost: some 15·n·log n
// operations for each tree, column and feature that it is told from, of which there are at
// most 48, some 20,000·n at most for what is guessed of each column, and some 5·n²·f for how
// close drafts are, 2³⁴ at most. It keeps both matrices. Same rows and seed: same chain.
func FitChain(ctx context.Context, rows, straight blas32.General, starts []int, workers int, seed uint64) (*Chain, error) {
	if rows.Rows < 2 || rows.Cols < 1 || !wellFormed(rows) {
		return nil, fmt.Errorf("%w: a chain needs at least 2 rows of 1 value, has %d of %d", ErrData, rows.Rows, rows.Cols)
	}
	if straight.Rows != rows.Rows || straight.Cols != rows.Cols || !wellFormed(straight) {
		return nil, fmt.Errorf("%w: straight rows are %d of %d, not %d of %d", ErrData, straight.Rows, straight.Cols, rows.Rows, rows.Cols)
	}
	if len(starts) < 2 || starts[0] != 0 || starts[len(starts)-1] != rows.Cols || !slices.IsSorted(starts) {
		return nil, fmt.Errorf("%w: columns of a chain that are not its %d features", ErrData, rows.Cols)
	}
	for _, m := range []blas32.General{rows, straight} {
		if i := firstNotFinite(m); i >= 0 {
			return nil, fmt.Errorf("%w: row %d is not finite", ErrData, i)
		}
	}
	c, err := growChain(ctx, rows, straight, starts, workers, seed)
	if err != nil {
		return nil, err
	}
	if err := c.standOff(ctx, workers, seed); err != nil {
		return nil, err
	}
	if err := c.learnCritic(ctx, workers, seed); err != nil {
		return nil, err
	}
	c.learnMargins(workers)
	return c, ctx.Err()
}

// growChain makes the forests alone.
func growChain(ctx context.Context, rows, straight blas32.General, starts []int, workers int, seed uint64) (*Chain, error) {
	n := len(starts) - 1
	c := &Chain{rows: rows, straight: straight, starts: starts, bins: make([][]uint8, rows.Cols), columns: make([]chainColumn, n),
		columnOf: make([]int, rows.Cols), order: make([][]int32, n), rank: make([][]int32, n)}
	eachOf(workers, rows.Cols, func(f int) { c.bins[f] = binned(rows, f) })
	eachOf(workers, n, func(i int) {
		c.rankBy(i)
		for f := starts[i]; f < starts[i+1]; f++ {
			c.columnOf[f] = i
		}
	})
	looks := c.looks()
	c.turns = c.inTurn(looks, workers)
	eachOf(workers, n, func(turn int) {
		if i := c.turns[turn]; turn > 0 && ctx.Err() == nil {
			c.columns[i] = c.grow(ctx, i, c.turns[max(0, turn-chainReach):turn], looks, rand.New(rand.NewPCG(seed, uint64(i))))
		}
	})
	return c, ctx.Err()
}

// grow makes the forest of column i, of which those before are drawn earlier. Once ctx has
// ended, it means nothing.
func (c *Chain) grow(ctx context.Context, i int, before []int, looks [][]float32, rng *rand.Rand) chainColumn {
	col := chainColumn{predictors: c.predictorsOf(i, before, looks)}
	if len(col.predictors) == 0 {
		return col
	}
	bins := make([][]uint8, len(col.predictors))
	var values [][]float32
	lines := c.followsLines(i)
	for p, at := range col.predictors {
		bins[p] = c.bins[at.feature]
		if lines {
			values = append(values, c.valuesOf(at.feature))
		}
	}
	if c.rows.Rows >= fewestGuessed {
		var of [][]float32
		col.guesses, of = guess(ctx, bins, c.targets(i, rng), len(c.columns), rng)
		for k, v := range of {
			bins = append(bins, make([]uint8, len(v)))
			for r := range v {
				bins[len(bins)-1][r] = col.guesses.bin(k, v[r])
			}
			if lines {
				values = append(values, v)
			}
		}
	}
	for range max(fewestTrees, chainTrees*chainColumns/max(chainColumns, len(c.columns))) {
		if ctx.Err() != nil {
			break
		}
		col.trees = append(col.trees, growTree(bins, values, c.targets(i, rng), c.rank[i], rng))
	}
	return col
}

func (c *Chain) valuesOf(f int) []float32 {
	out := make([]float32, c.rows.Rows)
	for r := range out {
		out[r] = Row(c.rows, r)[f]
	}
	return out
}

// followsLines tells that column i is one number of many values.
func (c *Chain) followsLines(i int) bool {
	if c.starts[i+1]-c.starts[i] != 1 {
		return false
	}
	values := c.valuesOf(c.starts[i])
	slices.Sort(values)
	return len(slices.Compact(values)) > lineValues
}

// predictorsOf are the features that column i is told from.
func (c *Chain) predictorsOf(i int, before []int, looks [][]float32) []predictor {
	type candidate struct {
		predictor
		related float64
	}
	var all []candidate
	for _, column := range before {
		for f := c.starts[column]; f < c.starts[column+1]; f++ {
			if looks[f] != nil {
				all = append(all, candidate{predictor: predictor{f, column}})
			}
		}
	}
	if len(all) > chainFeatures {
		for a := range all {
			all[a].related = c.related(i, all[a].feature, looks)
		}
		slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(b.related, a.related) })
		all = all[:chainFeatures]
	}
	out := make([]predictor, len(all))
	for a := range all {
		out[a] = all[a].predictor
	}
	return out
}

// targets are what a tree of column i tells rows apart by: its features, or of more
// than maxTargets as many random projections of them.
func (c *Chain) targets(i int, rng *rand.Rand) [][]float64 {
	lo, width := c.starts[i], c.starts[i+1]-c.starts[i]
	out := make([][]float64, min(width, maxTargets))
	weights := make([]float64, width)
	for t := range out {
		for w := range weights {
			weights[w] = 0
			if width > maxTargets {
				weights[w] = rng.NormFloat64()
			} else if w == t {
				weights[w] = 1
			}
		}
		out[t] = make([]float64, c.rows.Rows)
		for r := range out[t] {
			for w, v := range Row(c.rows, r)[lo : lo+width] {
				out[t][r] += weights[w] * float64(v)
			}
		}
	}
	return out
}

// eachOf runs f for 0 to n−1 on some workers, whichever is free.
func eachOf(workers, n int, f func(i int)) {
	next := make(chan int, n)
	for i := range n {
		next <- i
	}
	close(next)
	var wg sync.WaitGroup
	for range max(1, min(workers, n)) {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	wg.Wait()
}
