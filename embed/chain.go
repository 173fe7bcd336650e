package embed

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"gonum.org/v1/gonum/blas/blas32"
)

// Chain draws new rows of a table column by column. The first column's values are those
// of any row; every other column's are of a row that a forest finds alike by the columns
// before it. So each value is one that rows have, at about the rate that they have it,
// and what follows one row much closer than all others is drawn again. It is immutable and safe for concurrent use.
//
// Drawing values from the leaves of a tree is due to Reiter (Using CART to generate
// partially synthetic public use microdata, 2005), from those of a forest to Caiola and
// Reiter (2010).
type Chain struct {
	rows    blas32.General
	starts  []int
	bins    [][]uint8 // by feature, of each row
	columns []chainColumn
	// order is, by column, the rows by its first feature, and rank where each is in it.
	order, rank [][]int32
	// leastApart is how far a draw must be from the row closest to it; see apart.
	leastApart float64
}

const (
	// chainTrees is how many trees a column's forest has: each draw takes one of them.
	chainTrees = 10
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
	// standOffShare of draws, those that follow a single row the closest, are drawn again,
	// up to chainTries times; standOffDraws tell which these are.
	standOffShare = .3
	standOffDraws = 500
	chainTries    = 20
)

// chainColumn is the forest that one column is drawn by; the first has none.
type chainColumn struct {
	predictors []predictor
	trees      []leafTree
}

// predictor is a feature of a column before.
type predictor struct{ feature, column int }

// FitChain learns how the columns of rows (n×f) depend on each other. Column i is the
// features starts[i] to starts[i+1]. Cost: some 10·n·log n operations for each tree,
// column and feature that it is told from, of which there are at most 48. It keeps the
// rows. Same rows and seed: same chain.
func FitChain(ctx context.Context, rows blas32.General, starts []int, workers int, seed uint64) (*Chain, error) {
	if rows.Rows < 2 || rows.Cols < 1 || !wellFormed(rows) {
		return nil, fmt.Errorf("%w: a chain needs at least 2 rows of 1 value, has %d of %d", ErrData, rows.Rows, rows.Cols)
	}
	if len(starts) < 2 || starts[0] != 0 || starts[len(starts)-1] != rows.Cols || !slices.IsSorted(starts) {
		return nil, fmt.Errorf("%w: columns of a chain that are not its %d features", ErrData, rows.Cols)
	}
	if i := firstNotFinite(rows); i >= 0 {
		return nil, fmt.Errorf("%w: row %d is not finite", ErrData, i)
	}
	c := &Chain{rows: rows, starts: starts, bins: make([][]uint8, rows.Cols), columns: make([]chainColumn, len(starts)-1)}
	eachOf(workers, rows.Cols, func(f int) { c.bins[f] = binned(rows, f) })
	c.order, c.rank = make([][]int32, len(c.columns)), make([][]int32, len(c.columns))
	eachOf(workers, len(c.columns), c.rankBy)
	looks := c.looks()
	eachOf(workers, len(c.columns), func(i int) {
		if i > 0 && ctx.Err() == nil {
			c.columns[i] = c.grow(i, looks, rand.New(rand.NewPCG(seed, uint64(i))))
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.standOff(workers, seed)
	return c, nil
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

// binned is where each row's value of a feature stands among those of all, equal ones
// alike: by value where there are few different ones, else in equally full bins.
func binned(rows blas32.General, f int) []uint8 {
	sorted := make([]float32, rows.Rows)
	for i := range sorted {
		sorted[i] = Row(rows, i)[f]
	}
	slices.Sort(sorted)
	edges := slices.Compact(slices.Clone(sorted))
	if len(edges) > chainBins {
		edges = edges[:0]
		for b := range chainBins {
			edges = append(edges, sorted[b*len(sorted)/chainBins])
		}
		edges = slices.Compact(edges)
	}
	out := make([]uint8, rows.Rows)
	for i := range out {
		at, found := slices.BinarySearch(edges, Row(rows, i)[f])
		if !found {
			at-- // the smallest value of all is an edge
		}
		out[i] = uint8(at)
	}
	return out
}

// looks are the standardised values of each feature in some of the rows; nil of a
// constant one.
func (c *Chain) looks() [][]float32 {
	n := min(c.rows.Rows, chainLooks)
	out := make([][]float32, c.rows.Cols)
	for f := range out {
		v := make([]float32, n)
		var mean, square float64
		for i := range v {
			v[i] = Row(c.rows, i*c.rows.Rows/n)[f]
			mean += float64(v[i]) / float64(n)
		}
		for _, x := range v {
			square += (float64(x) - mean) * (float64(x) - mean)
		}
		if square == 0 {
			continue
		}
		for i, x := range v {
			v[i] = float32((float64(x) - mean) / math.Sqrt(square))
		}
		out[f] = v
	}
	return out
}

// grow makes the forest of column i.
func (c *Chain) grow(i int, looks [][]float32, rng *rand.Rand) chainColumn {
	col := chainColumn{predictors: c.predictorsOf(i, looks)}
	if len(col.predictors) == 0 {
		return col
	}
	bins := make([][]uint8, len(col.predictors))
	for p, at := range col.predictors {
		bins[p] = c.bins[at.feature]
	}
	for range max(fewestTrees, chainTrees*chainColumns/max(chainColumns, len(c.columns))) {
		col.trees = append(col.trees, growTree(bins, c.targets(i, rng), c.rank[i], rng))
	}
	return col
}

// predictorsOf are the features that column i is told from.
func (c *Chain) predictorsOf(i int, looks [][]float32) []predictor {
	type candidate struct {
		predictor
		related float64
	}
	var all []candidate
	for column := max(0, i-chainReach); column < i; column++ {
		for f := c.starts[column]; f < c.starts[column+1]; f++ {
			if looks[f] != nil {
				all = append(all, candidate{predictor: predictor{f, column}})
			}
		}
	}
	if len(all) > chainFeatures {
		for a := range all {
			for f := c.starts[i]; f < c.starts[i+1]; f++ {
				if looks[f] != nil {
					all[a].related = max(all[a].related, math.Abs(float64(dot(looks[f], looks[all[a].feature]))))
				}
			}
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

func dot(a, b []float32) float32 {
	var s float32
	for i, v := range a {
		s += v * b[i]
	}
	return s
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

// Draw writes a new row to dst, of its f values. Cost: some n·f operations, for it is
// compared with all rows there are.
func (c *Chain) Draw(dst []float32, rng *rand.Rand) {
	best := -1.
	var kept []float32
	for try := range chainTries {
		c.link(dst, try > 0, rng)
		apart := c.apart(dst)
		if apart >= c.leastApart {
			return
		}
		if apart > best {
			best, kept = apart, append(kept[:0], dst...)
		}
	}
	copy(dst, kept)
}

// standOff learns how far draws are to be from the row they are the closest to.
func (c *Chain) standOff(workers int, seed uint64) {
	apart := make([]float64, standOffDraws)
	eachOf(workers, len(apart), func(i int) {
		rng, row := rand.New(rand.NewPCG(seed^0x57a4d, uint64(i))), make([]float32, c.rows.Cols)
		c.link(row, false, rng)
		apart[i] = c.apart(row)
	})
	slices.Sort(apart)
	c.leastApart = apart[int(standOffShare*standOffDraws)]
}

// apart is how far the closest row is, in units of how far the second closest is. It is
// 0 of the copy of a row, and 1 of a copy of several.
func (c *Chain) apart(row []float32) float64 {
	first, second := float32(math.MaxFloat32), float32(math.MaxFloat32)
	for i := range c.rows.Rows {
		if d := nearer(row, Row(c.rows, i), second); d < first {
			first, second = d, first
		} else if d < second {
			second = d
		}
	}
	if second == 0 {
		return 1
	}
	return float64(first) / float64(second)
}

// nearer is the squared distance of two rows, or something beyond most.
func nearer(a, b []float32, most float32) float32 {
	const block = 32
	var s float32
	for lo := 0; lo < len(a) && s < most; lo += block {
		hi := min(lo+block, len(a))
		x, y := a[lo:hi], b[lo:hi]
		for i, v := range x {
			d := v - y[i]
			s += d * d
		}
	}
	return s
}

// beside is a row that lies about one of a leaf in the order of column i: half as far off
// at most as the next one of the leaf. So values are not only those of alike rows.
func (c *Chain) beside(i int, leaf []int32, rng *rand.Rand) int32 {
	at := rng.IntN(len(leaf))
	row, order, rank := leaf[at], c.order[i], c.rank[i]
	gap := int32(math.MaxInt32)
	for lo := at; lo >= 0; lo-- {
		if leaf[lo] != row {
			gap = rank[row] - rank[leaf[lo]]
			break
		}
	}
	for hi := at; hi < len(leaf); hi++ {
		if leaf[hi] != row {
			gap = min(gap, rank[leaf[hi]]-rank[row])
			break
		}
	}
	if gap == math.MaxInt32 {
		return row
	}
	to := int(rank[row]) + int(math.Round((rng.Float64()-.5)*float64(gap)))
	other := order[min(max(to, 0), len(order)-1)]
	lo, hi := c.starts[i], c.starts[i+1]
	if lo < hi && slices.Equal(Row(c.rows, int(row))[lo+1:hi], Row(c.rows, int(other))[lo+1:hi]) {
		return other
	}
	return row // a time or a category has no order that its first feature tells
}

// rankBy puts the rows into the order of column i's first feature.
func (c *Chain) rankBy(i int) {
	c.order[i], c.rank[i] = make([]int32, c.rows.Rows), make([]int32, c.rows.Rows)
	for r := range c.order[i] {
		c.order[i][r] = int32(r)
	}
	if f := c.starts[i]; f < c.starts[i+1] {
		slices.SortStableFunc(c.order[i], func(a, b int32) int {
			return cmp.Compare(Row(c.rows, int(a))[f], Row(c.rows, int(b))[f])
		})
	}
	for at, r := range c.order[i] {
		c.rank[i][r] = int32(at)
	}
}

// link draws a row column by column; values of a row that is drawn again are moved off
// those of their donors.
func (c *Chain) link(dst []float32, again bool, rng *rand.Rand) {
	donors := make([]int32, len(c.columns))
	for i := range c.columns {
		col := &c.columns[i]
		if len(col.trees) == 0 {
			donors[i] = int32(rng.IntN(c.rows.Rows))
		} else {
			leaf := col.trees[rng.IntN(len(col.trees))].leaf(func(p int32) uint8 {
				at := col.predictors[p]
				return c.bins[at.feature][donors[at.column]]
			})
			donors[i] = leaf[rng.IntN(len(leaf))]
			if again {
				donors[i] = c.beside(i, leaf, rng)
			}
		}
		copy(dst[c.starts[i]:c.starts[i+1]], Row(c.rows, int(donors[i]))[c.starts[i]:c.starts[i+1]])
	}
}
