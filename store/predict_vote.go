package store

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// votes are the weights of the first k voters, which sum to 1: how much nearer each is
// than the next, which has no vote. Where there is no next, it is as much farther than the
// last as voters are from each other; where all are as near, all count the same.
func votes(near []Voter, k int) []float64 {
	n := min(k, len(near))
	out := make([]float64, n)
	if n == 0 {
		return out
	}
	far := near[n-1].distance + (near[n-1].distance-near[0].distance)/float64(n)
	if len(near) > k {
		far = near[k].distance
	}
	var sum float64
	for i := range out {
		out[i] = max(0, far-near[i].distance)
		sum += out[i]
	}
	for i := range out {
		if sum > 0 {
			out[i] /= sum
		} else {
			out[i] = 1 / float64(n)
		}
	}
	return out
}

// elect is the value with most votes, of equals that of the nearest voter, and its share.
func elect(near []Voter, votes []float64) (value any, share float64) {
	sums := make(map[any]float64)
	for i, v := range votes {
		sums[near[i].Value] += v
	}
	for i := range votes {
		if s := sums[near[i].Value]; value == nil || s > share {
			value, share = near[i].Value, s
		}
	}
	return value, share
}

// average is the weighted mean of the voters' values, and their deviation from it.
func average(near []Voter, votes []float64) (mean, deviation float64) {
	values := make([]float64, len(votes))
	for i := range votes {
		values[i], _ = number(near[i].Value)
	}
	mean, variance := stat.PopMeanVariance(values, votes)
	return mean, math.Sqrt(max(0, variance))
}

const (
	// leastSpread is the share of the deviation of all values below which it says nothing
	// that neighbours agree.
	leastSpread = .05
	// within is the share of points that lie within the spread: that of one standard
	// deviation of a normal distribution.
	within = .683
	// leastErrors is how many errors say how wide a spread has to be.
	leastErrors = 10
)

// widthOf is by how much the deviation of neighbours' values is to be multiplied for the
// share within of the errors to be smaller.
func widthOf(errors, deviations []float64) float64 {
	if len(errors) < leastErrors {
		return 1
	}
	ratios := make([]float64, 0, len(errors))
	for i, e := range errors {
		if deviations[i] > 0 {
			ratios = append(ratios, math.Abs(e)/deviations[i])
		}
	}
	if len(ratios) == 0 {
		return 1
	}
	slices.Sort(ratios)
	return stat.Quantile(within, stat.Empirical, ratios, nil)
}
