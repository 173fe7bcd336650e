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

// ranking scores points by several measures, each standardised, and by their mean.
type ranking struct {
	scales []logScale
	means  []float64 // of all points that were measured, ascending
	cut    float64
}

// newRanking takes the measures of points: all have as many.
func newRanking(points [][]float64) *ranking {
	r := &ranking{}
	if len(points) == 0 {
		r.cut = 1
		return r
	}
	for m := range points[0] {
		values := make([]float64, len(points))
		for i, p := range points {
			values[i] = p[m]
		}
		r.scales = append(r.scales, newLogScale(values))
	}
	for _, p := range points {
		r.means = append(r.means, r.mean(p))
	}
	median, deviation := medianAndDeviation(slices.Clone(r.means))
	slices.Sort(r.means)
	// A new point stranger than all is above the cut even if no stored one is.
	r.cut = min(rankIn(r.means, median+outlierDeviations*deviation), 1-0.5/float64(len(points)))
	return r
}

// mean is that of a point's standardised measures.
func (r *ranking) mean(measures []float64) float64 {
	var sum float64
	for m, v := range measures {
		sum += r.scales[m].of(v)
	}
	return sum / float64(max(1, len(measures)))
}

// rankIn is the share of sorted values below v, ties counted half.
func rankIn(sorted []float64, v float64) float64 {
	lo, _ := slices.BinarySearch(sorted, v)
	hi := lo
	for hi < len(sorted) && sorted[hi] == v {
		hi++
	}
	return (float64(lo) + float64(hi)) / 2 / float64(max(1, len(sorted)))
}

// score is a point's rank in [0,1], and the share of the points at least as strange. Of
// what is stranger than all of them, the stranger scores higher still.
func (r *ranking) score(measures []float64) (score, pValue float64) {
	n := len(r.means)
	if n == 0 {
		return 0, 1
	}
	mean := r.mean(measures)
	at, _ := slices.BinarySearch(r.means, mean)
	pValue = min(1, float64(n-at+1)/float64(n+1))
	if beyond := mean - r.means[n-1]; beyond > 0 {
		return 1 - 0.5/float64(n)/(1+beyond), pValue
	}
	return rankIn(r.means, mean), pValue
}
