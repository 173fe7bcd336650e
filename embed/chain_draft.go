package embed

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"gonum.org/v1/gonum/blas/blas32"
)

// drafts are n rows, each as the rows that lend it their columns.
func (c *Chain) drafts(ctx context.Context, n, workers int, seed uint64) ([][]int32, error) {
	out := make([][]int32, n)
	eachOf(workers, n, func(i int) {
		if ctx.Err() == nil {
			out[i] = c.draft(rand.New(rand.NewPCG(seed, uint64(i))))
		}
	})
	return out, ctx.Err()
}

// draft draws a row column by column.
func (c *Chain) draft(rng *rand.Rand) []int32 {
	donors := make([]int32, len(c.columns))
	for _, i := range c.turns {
		if len(c.columns[i].trees) == 0 {
			donors[i] = int32(rng.IntN(c.rows.Rows))
		} else {
			donors[i] = c.donor(i, donors, rng)
		}
	}
	return donors
}

// donor is the row that lends column i what follows from the donors of those before it.
func (c *Chain) donor(i int, donors []int32, rng *rand.Rand) int32 {
	col := &c.columns[i]
	told := guessed{chain: c, column: col, donors: donors, fold: rng.IntN(guessFolds)}
	leaf := col.trees[rng.IntN(len(col.trees))].leaf(func(p int32) (uint8, float32) {
		if target := int(p) - len(col.predictors); target >= 0 {
			v := told.value(target)
			return col.guesses.bin(target, v), v
		}
		at := col.predictors[p]
		row := donors[at.column]
		return c.bins[at.feature][row], Row(c.rows, int(row))[at.feature]
	})
	at := rng.IntN(len(leaf.rows))
	if leaf.line != 0 {
		return c.nearestTo(i, leaf.line+leaf.rest[at])
	}
	return c.beside(i, leaf.rows, at, rng)
}

// fill writes the row of a draft, of c.rows or c.straight.
func (c *Chain) fill(dst []float32, rows blas32.General, donors []int32) {
	for i, d := range donors {
		lo, hi := c.starts[i], c.starts[i+1]
		copy(dst[lo:hi], Row(rows, int(d))[lo:hi])
	}
}

// nearestTo is a row whose value of column i is the nearest to v.
func (c *Chain) nearestTo(i int, v float32) int32 {
	order, f := c.order[i], c.starts[i]
	value := func(k int) float32 { return Row(c.rows, int(order[k]))[f] }
	at := sort.Search(len(order), func(k int) bool { return value(k) >= v })
	if at == len(order) || at > 0 && v-value(at-1) < value(at)-v {
		at--
	}
	return order[at]
}

// beside is a row that lies about row at of a leaf in the order of column i: half as far off
// at most as the next one of the leaf. So values are not only those of alike rows.
func (c *Chain) beside(i int, leaf []int32, at int, rng *rand.Rand) int32 {
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
