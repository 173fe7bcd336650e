package embed

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/blas/blas32"
)

// binned is where each row's value of a feature stands among those of all, equal ones
// alike: by value where there are few different ones, else in equally full bins.
func binned(rows blas32.General, f int) []uint8 {
	values := make([]float32, rows.Rows)
	for i := range values {
		values[i] = Row(rows, i)[f]
	}
	edges := binEdges(slices.Sorted(slices.Values(values)))
	out := make([]uint8, rows.Rows)
	for i, v := range values {
		out[i] = binOf(edges, v)
	}
	return out
}

// binEdges are the least values of bins of sorted values: one bin for each value where few
// are different, else equally full ones.
func binEdges(sorted []float32) []float32 {
	edges := slices.Compact(slices.Clone(sorted))
	if len(edges) > chainBins {
		edges = edges[:0]
		for b := range chainBins {
			edges = append(edges, sorted[b*len(sorted)/chainBins])
		}
		edges = slices.Compact(edges)
	}
	return edges
}

// binOf is the bin of a value.
func binOf(edges []float32, v float32) uint8 {
	return uint8(max(0, sort.Search(len(edges), func(i int) bool { return edges[i] > v })-1))
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
