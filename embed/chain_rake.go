package embed

import (
	"cmp"
	"slices"
)

const (
	// rakeGroups is how many groups of a feature's values get the share of drafts that
	// they have of rows, and pairGroups how many of each of two features; in rakeRounds.
	rakeGroups = 16
	pairGroups = 6
	rakeRounds = 10
	// rakePairs is how many pairs of features get theirs, those that vary together the most.
	rakePairs = 300
	// rakeMost is the most that a round moves a weight by.
	rakeMost = 2
	// rakeSpan is what a weight may be at most, and by the inverse of which at least.
	rakeSpan = 1e9
)

// margin is what shares of rows have values in which groups: of one feature, or of two.
type margin struct {
	features []int
	shares   []float64 // by cell
}

// learnMargins learns those of the pairs that vary together the most, and of all features.
func (c *Chain) learnMargins(workers int) {
	c.fine, c.coarse = make([][chainBins]uint8, c.rows.Cols), make([][chainBins]uint8, c.rows.Cols)
	c.margins = c.pairs(workers) // before single ones, which are to hold the most
	for f := range c.fine {
		c.fine[f], c.coarse[f] = c.groupsOf(f, rakeGroups), c.groupsOf(f, pairGroups)
		c.margins = append(c.margins, margin{features: []int{f}})
	}
	cells := make([]uint8, c.rows.Rows)
	for i := range c.margins {
		m := &c.margins[i]
		m.shares = make([]float64, max(rakeGroups, pairGroups*pairGroups))
		c.cells(cells, m, func(feature, i int) uint8 { return c.bins[feature][i] })
		for _, cell := range cells {
			m.shares[cell] += 1 / float64(len(cells))
		}
	}
}

// groupsOf are about equally full groups of a feature's bins.
func (c *Chain) groupsOf(feature, groups int) (of [chainBins]uint8) {
	var counts [chainBins]int
	for _, b := range c.bins[feature] {
		counts[b]++
	}
	before := 0
	for b, n := range counts {
		of[b] = uint8(min((before+n/2)*groups/c.rows.Rows, groups-1))
		before += n
	}
	return of
}

// pairs are the features of different columns that vary together the most; none of a table
// of more than turnFeatures.
func (c *Chain) pairs(workers int) (out []margin) {
	if c.rows.Cols > turnFeatures {
		return nil
	}
	type pair struct {
		features []int
		related  float64
	}
	byFeature, looks := make([][]pair, c.rows.Cols), c.looks()
	eachOf(workers, c.rows.Cols, func(f int) {
		for g := range c.starts[c.columnOf[f]] {
			if r := relatedBy(looks[f], looks[g]); r > 0 {
				byFeature[f] = append(byFeature[f], pair{[]int{f, g}, r})
			}
		}
	})
	all := slices.Concat(byFeature...)
	slices.SortStableFunc(all, func(a, b pair) int { return cmp.Compare(b.related, a.related) })
	for _, p := range all[:min(len(all), rakePairs)] {
		out = append(out, margin{features: p.features})
	}
	return out
}

// cells sets dst to the cells of things whose bins are given.
func (c *Chain) cells(dst []uint8, m *margin, bin func(feature, i int) uint8) {
	f := m.features[0]
	if len(m.features) == 1 {
		for i := range dst {
			dst[i] = c.fine[f][bin(f, i)]
		}
		return
	}
	g := m.features[1]
	for i := range dst {
		dst[i] = c.coarse[f][bin(f, i)]*pairGroups + c.coarse[g][bin(g, i)]
	}
}

// rake moves the weights of drafts so that each margin weighs about as much as rows have
// it: columns that are drawn one by one blur what goes together, and rejecting those that
// are close takes more from where rows are dense (iterative proportional fitting: Deming and
// Stephan, 1940).
func (c *Chain) rake(weights []float64, drafts [][]int32) {
	bins := make([][]uint8, c.rows.Cols)
	for f := range bins {
		bins[f] = make([]uint8, len(drafts))
		for i, d := range drafts {
			bins[f][i] = c.bins[f][d[c.columnOf[f]]]
		}
	}
	cells := make([]uint8, len(drafts))
	for range rakeRounds {
		for i := range c.margins {
			c.cells(cells, &c.margins[i], func(feature, i int) uint8 { return bins[feature][i] })
			rakeTo(weights, cells, c.margins[i].shares)
		}
	}
}

// rakeTo moves weights so that each cell weighs about its share.
func rakeTo(weights []float64, cells []uint8, shares []float64) {
	moves := make([]float64, len(shares))
	var all float64
	for i, w := range weights {
		moves[cells[i]] += w
		all += w
	}
	for cell, sum := range moves {
		if sum > 0 {
			moves[cell] = min(max(shares[cell]*all/sum, 1./rakeMost), rakeMost)
		}
	}
	for i, w := range weights {
		if w > 0 {
			weights[i] = min(max(w*moves[cells[i]], 1/rakeSpan), rakeSpan)
		}
	}
}
