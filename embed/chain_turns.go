package embed

import "math"

// turnFeatures is how many features a table has, at most, for its columns' turns to be
// found: the square of it is looked at. Of more, columns are drawn as they stand.
const turnFeatures = 1024

// inTurn is the order that columns are drawn in. The first varies with the others the most,
// and each next one with those before: what is drawn late is told by much, and little is left
// to be blurred.
func (c *Chain) inTurn(looks [][]float32, workers int) []int {
	n := len(c.columns)
	turns := make([]int, 0, n)
	if c.rows.Cols > turnFeatures {
		for i := range n {
			turns = append(turns, i)
		}
		return turns
	}
	related := c.allRelated(looks, workers)
	told := make([]float64, n) // by all others, then by those before
	for i := range n {
		for j := range n {
			told[i] += related[i][j]
		}
	}
	placed := make([]bool, n)
	for range n {
		next := -1
		for i := range n {
			if !placed[i] && (next < 0 || told[i] > told[next]) {
				next = i
			}
		}
		if len(turns) == 0 {
			clear(told)
		}
		for i := range n {
			told[i] += related[i][next]
		}
		placed[next] = true
		turns = append(turns, next)
	}
	return turns
}

// allRelated is the square of how much columns vary together, by both.
func (c *Chain) allRelated(looks [][]float32, workers int) [][]float64 {
	n := len(c.columns)
	out := make([][]float64, n)
	for i := range out {
		out[i] = make([]float64, n)
	}
	eachOf(workers, n, func(i int) {
		for j := range i {
			var most float64
			for f := c.starts[j]; f < c.starts[j+1]; f++ {
				most = max(most, c.related(i, f, looks))
			}
			out[i][j] = most * most
		}
	})
	for i := range out {
		for j := range i {
			out[j][i] = out[i][j]
		}
	}
	return out
}

// related is how much column i varies with a feature, from 0 to 1.
func (c *Chain) related(i, feature int, looks [][]float32) (most float64) {
	for f := c.starts[i]; f < c.starts[i+1]; f++ {
		most = max(most, relatedBy(looks[f], looks[feature]))
	}
	return most
}

// relatedBy is how much two features vary together, by their looks; constants do not.
func relatedBy(a, b []float32) float64 {
	if a == nil || b == nil {
		return 0
	}
	var s float32
	for k, v := range a {
		s += v * b[k]
	}
	return math.Abs(float64(s))
}
