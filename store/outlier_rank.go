package store

import (
	"math"
	"slices"
)

// outlierDeviations is how many robust standard deviations above the median the suggested
// cut lies: Iglewicz and Hoaglin's customary 3.5.
const outlierDeviations = 3.5

// logScale standardises a positive measure: how many robust standard deviations
// its logarithm lies above the collection's median. A rank would not tell a
// gross outlier from a mild one. Below a hundredth of what is usual nothing is
// told apart, and no deviation counts as less than a tenth: rounding noise of
// records that the model knows exactly is not strange.
type logScale struct{ usual, median, deviation float64 }

func newLogScale(values []float64) logScale {
	s := logScale{usual: math.SmallestNonzeroFloat64}
	if positive := slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return !(v > 0) }); len(positive) > 0 {
		s.usual = middle(positive)
	}
	logs := make([]float64, len(values))
	for i, v := range values {
		logs[i] = s.log(v)
	}
	s.median, s.deviation = medianAndDeviation(logs)
	s.deviation = max(s.deviation, 0.1)
	return s
}

func (s logScale) log(v float64) float64 { return math.Log(0.01 + min(v/s.usual, math.MaxFloat64)) }

func (s logScale) of(v float64) float64 { return (s.log(v) - s.median) / s.deviation }

// mostMeasures is how many a point has at most.
const mostMeasures = 3

// measures are what a point is ranked by: the first n of of. Millions of them lie in one
// piece of memory.
type measures struct {
	of [mostMeasures]float64
	n  int
}

func measuresOf(values ...float64) (m measures) {
	m.n = copy(m.of[:], values)
	return m
}

// ranking scores points by several measures, each standardised, and by their mean.
type ranking struct {
	scales []logScale
	means  []float64 // of all points that were measured, ascending
	// limit is the mean above which a point may be called strange, and cut its score.
	limit, cut float64
}

// newRanking takes the measures of points: all have as many.
func newRanking(points []measures) *ranking {
	r := &ranking{}
	if len(points) == 0 {
		r.cut = 1
		return r
	}
	values := make([]float64, len(points))
	for m := range points[0].n {
		for i, p := range points {
			values[i] = p.of[m]
		}
		r.scales = append(r.scales, newLogScale(values))
	}
	r.means = make([]float64, len(points))
	for i, p := range points {
		r.means[i] = r.mean(p)
	}
	median, deviation := medianAndDeviation(slices.Clone(r.means))
	slices.Sort(r.means)
	// Where half of the points are copies the deviation is that between copies and others,
	// and says nothing: what is twice as far out as the farthest is strange all the same.
	most := r.means[len(r.means)-1]
	r.limit = min(median+outlierDeviations*deviation, most+(most-median))
	r.cut = rankIn(r.means, r.limit)
	return r
}

// mean is that of a point's standardised measures.
func (r *ranking) mean(m measures) float64 {
	var sum float64
	for i, v := range m.of[:m.n] {
		sum += r.scales[i].of(v)
	}
	return sum / float64(max(1, m.n))
}

// strange tells whether a point's measures lie above the limit.
func (r *ranking) strange(m measures) bool { return r.mean(m) > r.limit }

// rankIn is about the share of sorted values that are less than v. It grows with v, between
// the values and beyond the last of them: what is stranger than all the points can be
// stranger still.
func rankIn(sorted []float64, v float64) float64 {
	n := len(sorted)
	lo, _ := slices.BinarySearch(sorted, v)
	hi := lo
	for hi < n && sorted[hi] == v {
		hi++
	}
	at := float64(lo+hi) / 2 // of those that are as large, the middle
	switch {
	case hi > lo:
	case lo == n:
		at -= 0.5 / (1 + v - sorted[n-1])
	case lo == 0:
		at += 0.5 / (1 + sorted[0] - v)
	default:
		at += (v-sorted[lo-1])/(sorted[lo]-sorted[lo-1]) - 0.5
	}
	return at / float64(n)
}

// score is a point's rank in [0,1], and the share of the points at least as strange.
func (r *ranking) score(m measures) (score, pValue float64) {
	n := len(r.means)
	if n == 0 {
		return 0, 1
	}
	mean := r.mean(m)
	at, _ := slices.BinarySearch(r.means, mean)
	return rankIn(r.means, mean), min(1, float64(n-at+1)/float64(n+1))
}
