package store

import (
	"math"
	"slices"
)

const (
	// nearRank and farRank are the neighbours whose distances say how densely
	// points lie: beyond the copies that most duplicates have.
	nearRank, farRank = 5, 10
	// chancePairs is how many pairs of unrelated points the suggested threshold
	// should let in, in the whole collection: by default none may be removed.
	chancePairs = 0.05
)

// spacing is the distances from one point to its 5th and 10th neighbour.
type spacing struct{ near, far float32 }

// addSpacing takes a point's spacing from its distances to others, ascending.
func (s *duplicateScan) addSpacing(distances []float32) {
	if len(distances) < farRank {
		return
	}
	d := spacing{distances[nearRank-1], distances[farRank-1]}
	if d.near > 0 && !math.IsInf(float64(d.far), 0) { // zeros are what only duplicates show
		s.usual = append(s.usual, d)
	}
}

// suggestThreshold is the distance within which chance alone would bring
// chancePairs pairs, or three robust standard deviations under the median of
// the logarithm of the distances to 5th neighbours, if that is less. Where
// neighbours are spread evenly in m dimensions, a point whose 5th is at
// distance r has 5 (t/r)^m within t. The dimension comes from how much farther
// the 10th is (after Levina and Bickel, 2004). Without points enough it is 0,
// which only equal records reach.
func suggestThreshold(usual []spacing) float64 {
	if len(usual) == 0 {
		return 0
	}
	logs, growth := make([]float64, len(usual)), make([]float64, len(usual))
	for i, d := range usual {
		logs[i], growth[i] = math.Log(float64(d.near)), math.Log(float64(d.far)/float64(d.near))
	}
	dimension := max(1, min(1000, math.Log(float64(farRank)/nearRank)/middle(growth)))
	median, deviation := medianAndDeviation(slices.Clone(logs))
	line := median - 3*deviation
	// Points nearer to their 5th neighbour than the line are duplicates many
	// times over, and say nothing of chance.
	var sum float64 // of (exp(line)/r)^m
	for _, v := range logs {
		if v >= line {
			sum += math.Exp(dimension * (line - v))
		}
	}
	chance := line + math.Log(chancePairs/(nearRank/2.0*sum))/dimension
	return math.Exp(min(line, chance))
}
