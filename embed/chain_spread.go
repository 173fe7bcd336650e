package embed

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// spreading puts drafts in an order in which neighbours are alike: those that have a
// weight are halved, by weight, where they differ the most, and so are the halves.
type spreading struct {
	chain   *Chain
	drafts  [][]int32
	weights []float64
	rng     *rand.Rand
	values  []float32 // of the cell's drafts, by draft
}

// spreadFeatures is how many features a cell is halved by one of, any if there are more.
const spreadFeatures = 64

// spread is the order of those drafts that have a weight. What is chosen at equal steps of
// it is spread over the table as all drafts are, so that chance tells less of what is drawn.
func (c *Chain) spread(drafts [][]int32, weights []float64, rng *rand.Rand) []int {
	var order []int
	for i, w := range weights {
		if w > 0 {
			order = append(order, i)
		}
	}
	s := &spreading{chain: c, drafts: drafts, weights: weights, rng: rng, values: make([]float32, len(drafts))}
	s.halve(order)
	return order
}

func (s *spreading) halve(cell []int) {
	if len(cell) <= 2 {
		return
	}
	// Equal ones are in no order, and neither end of the cell comes first always.
	s.rng.Shuffle(len(cell), func(i, j int) { cell[i], cell[j] = cell[j], cell[i] })
	feature, ok := s.widest(cell)
	if !ok {
		return
	}
	sign := float32(1 - 2*s.rng.IntN(2))
	for _, d := range cell {
		s.values[d] = sign * s.value(d, feature)
	}
	slices.SortStableFunc(cell, func(a, b int) int { return cmp.Compare(s.values[a], s.values[b]) })
	cut := s.middle(cell)
	s.halve(cell[:cut])
	s.halve(cell[cut:])
}

func (s *spreading) value(draft, feature int) float32 {
	return Row(s.chain.rows, int(s.drafts[draft][s.chain.columnOf[feature]]))[feature]
}

// widest is the feature of the largest variance in a cell; none varies if not ok.
func (s *spreading) widest(cell []int) (feature int, ok bool) {
	features := s.chain.rows.Cols
	looks := features
	if features > spreadFeatures {
		looks = spreadFeatures
	}
	best := 0.
	for f := range looks {
		if looks < features {
			f = s.rng.IntN(features)
		}
		var weight, sum, square float64
		for _, d := range cell {
			w, v := s.weights[d], float64(s.value(d, f))
			weight += w
			sum += w * v
			square += w * v * v
		}
		if left := square - sum*sum/weight; left > best && left > 1e-9*square {
			best, feature, ok = left, f, true
		}
	}
	return feature, ok
}

// middle is where a sorted cell is cut between two values: as near as can be to half of its weight.
func (s *spreading) middle(cell []int) (cut int) {
	var all, run float64
	for _, d := range cell {
		all += s.weights[d]
	}
	least := math.Inf(1)
	for i := range len(cell) - 1 {
		run += s.weights[cell[i]]
		if off := math.Abs(run - all/2); off < least && s.values[cell[i]] < s.values[cell[i+1]] {
			least, cut = off, i+1
		}
	}
	return cut
}
