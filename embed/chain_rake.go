package embed

const (
	// rakeGroups is how many groups of a feature's values get the share of drafts that
	// they have of rows, in rakeRounds rounds.
	rakeGroups = 16
	rakeRounds = 10
	// rakeMost is the most that a round moves a weight by.
	rakeMost = 2
	// rakeSpan is what a weight may be at most, and by the inverse of which at least.
	rakeSpan = 1e9
)

// rake moves the weights of drafts so that each feature's values weigh about as much as
// rows have them: rejecting those that are close takes more from where rows are dense
// (iterative proportional fitting: Deming and Stephan, 1940).
func (c *Chain) rake(weights []float64, drafts [][]int32) {
	type margin struct {
		group [chainBins]uint8
		share [rakeGroups]float64
	}
	margins := make([]margin, c.rows.Cols)
	for f := range margins {
		var counts [chainBins]int
		for _, b := range c.bins[f] {
			counts[b]++
		}
		before, m := 0, &margins[f]
		for b, n := range counts {
			m.group[b] = uint8(min(before*rakeGroups/c.rows.Rows, rakeGroups-1))
			m.share[m.group[b]] += float64(n) / float64(c.rows.Rows)
			before += n
		}
	}
	for range rakeRounds {
		for f := range margins {
			m, bins := &margins[f], c.bins[f]
			var sums [rakeGroups]float64
			var all float64
			for i, d := range drafts {
				sums[m.group[bins[d[c.columnOf[f]]]]] += weights[i]
				all += weights[i]
			}
			for g, sum := range sums {
				if sum > 0 {
					sums[g] = min(max(m.share[g]*all/sum, 1./rakeMost), rakeMost)
				}
			}
			for i, d := range drafts {
				if weights[i] > 0 {
					weights[i] = min(max(weights[i]*sums[m.group[bins[d[c.columnOf[f]]]]], 1/rakeSpan), rakeSpan)
				}
			}
		}
	}
}
