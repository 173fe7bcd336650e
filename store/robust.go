package store

import (
	"math"
	"slices"
)

// medianAndDeviation is the median, and the median absolute deviation scaled to
// be the standard deviation of normal values. It changes v.
func medianAndDeviation(v []float64) (median, deviation float64) {
	if len(v) == 0 {
		return 0, 1
	}
	median = middle(v)
	for i := range v {
		v[i] = math.Abs(v[i] - median)
	}
	return median, max(1.4826*middle(v), 1e-9)
}

// middle is the median; it sorts v.
func middle(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
