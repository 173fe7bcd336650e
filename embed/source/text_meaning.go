package source

import (
	"math"
	"slices"
)

const (
	// nearWords is how many words before and after a word keep it company.
	nearWords = 5
	// chanceExponent flattens the frequencies of the words that are met, for rare ones
	// would seem to be drawn to all they stand next to.
	chanceExponent = 0.75
)

// sparse is a symmetric n×n matrix by rows.
type sparse struct {
	starts []int // of each row in cols and values, and the end of the last
	cols   []int32
	values []float32
}

// times writes a·x into y; both are n×k, dense.
func (a sparse) times(y, x []float32, k int) {
	for i := range len(a.starts) - 1 {
		row := y[i*k : (i+1)*k]
		clear(row)
		for p := a.starts[i]; p < a.starts[i+1]; p++ {
			v, from := a.values[p], x[int(a.cols[p])*k:][:k]
			for j, f := range from {
				row[j] += v * f
			}
		}
	}
}

// company is how much more often than by chance two words stand near each other: the
// positive pointwise mutual information of words within a window, with flattened
// frequencies (Levy, Goldberg and Dagan 2015), here of both words alike so that the
// matrix is symmetric.
func (c *corpus) company() sparse {
	n := len(c.words)
	near := make([]float32, n) // of one word, how often each other is near it
	totals := make([]float64, n)
	a := sparse{starts: make([]int, 1, n+1)}
	for id, places := range c.places() {
		var met []int32
		for _, at := range places {
			for _, other := range c.around(at) {
				if other < 0 {
					continue
				}
				if near[other] == 0 {
					met = append(met, other)
				}
				near[other]++
			}
		}
		slices.Sort(met)
		for _, other := range met {
			count := near[other]
			if int(other) == id {
				count -= float32(len(places)) // a word is around itself
			}
			near[other] = 0
			if count > 0 {
				a.cols, a.values = append(a.cols, other), append(a.values, count)
				totals[id] += float64(count)
			}
		}
		a.starts = append(a.starts, len(a.cols))
	}
	a.surprise(totals)
	return a
}

// places are the positions of each word in the stream.
func (c *corpus) places() [][]int32 {
	places := make([][]int32, len(c.words))
	for i, n := range c.counts {
		places[i] = make([]int32, 0, n)
	}
	for at, id := range c.stream {
		if id >= 0 {
			places[id] = append(places[id], int32(at))
		}
	}
	return places
}

// around are the words of the same text at a place and near it, the unknown ones too.
func (c *corpus) around(at int32) []int32 {
	i, _ := slices.BinarySearch(c.ends, int(at)+1)
	start, end := c.bounds(i)
	return c.stream[max(start, int(at)-nearWords):min(end, int(at)+nearWords+1)]
}

// surprise turns counts into positive pointwise mutual information and drops the rest.
func (a *sparse) surprise(totals []float64) {
	var all float64
	logs := make([]float64, len(totals))
	for i, t := range totals {
		all += math.Pow(t, chanceExponent)
		logs[i] = math.Log(t) * (1 + chanceExponent) / 2
	}
	chance := math.Log(all)
	kept, start := 0, 0
	for i := range totals {
		for p := start; p < a.starts[i+1]; p++ {
			j := a.cols[p]
			if more := math.Log(float64(a.values[p])) + chance - logs[i] - logs[j]; more > 0 {
				a.cols[kept], a.values[kept] = j, float32(more)
				kept++
			}
		}
		start = a.starts[i+1]
		a.starts[i+1] = kept
	}
	a.cols, a.values = a.cols[:kept], a.values[:kept]
}
