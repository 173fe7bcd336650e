package embed

import "math"

// line is a node that has the rows from to to follow one predictor, and takes off their
// targets what it tells of them; none if a split, of which the gain is given, tells more by
// the Bayesian information criterion.
func (g *treeGrowth) line(from, to int, splitGain float64) (node treeNode, ok bool) {
	rows := g.tree.rows[from:to]
	if len(g.values) == 0 || len(rows) < lineRows {
		return node, false
	}
	y, n := g.targets[0], float64(len(rows))
	var sum, square float64
	for _, r := range rows {
		sum += y[r]
		square += y[r] * y[r]
	}
	mean := sum / n
	total := square - sum*mean
	best, p, slope := 0., 0, 0.
	for q := range g.values {
		if gain, s := g.slopeOn(q, rows, mean); gain > best {
			best, p, slope = gain, q, s
		}
	}
	criterion := func(gain, cost float64) float64 {
		return n*math.Log(max(total-gain, 1e-9*total)) + cost*math.Log(n)
	}
	node = treeNode{from: int32(from), to: int32(to), predictor: int32(p), slope: float32(slope)}
	if total <= 1e-9*square || best < lineGain*total || node.slope == 0 ||
		criterion(best, lineCost) > min(criterion(0, meanCost), criterion(splitGain, splitCost)) {
		return node, false
	}
	node.lo, node.hi = float32(math.Inf(1)), float32(math.Inf(-1))
	for _, r := range rows {
		node.lo, node.hi = min(node.lo, g.values[p][r]), max(node.hi, g.values[p][r])
	}
	for _, r := range rows {
		if !g.moved[r] { // a row may be there several times
			g.moved[r] = true
			y[r] -= float64(node.along(g.values[p][r]))
		}
	}
	for _, r := range rows {
		g.moved[r] = false
	}
	return node, true
}

// slopeOn is the slope of the line on a predictor, and what it takes from the variance.
func (g *treeGrowth) slopeOn(p int, rows []int32, mean float64) (gain, slope float64) {
	var sx, sxx, sxy float64
	y, x := g.targets[0], g.values[p]
	for _, r := range rows {
		v := float64(x[r])
		sx += v
		sxx += v * v
		sxy += v * (y[r] - mean)
	}
	n := float64(len(rows))
	spread := sxx - sx*sx/n
	if spread <= 1e-9*sxx {
		return 0, 0
	}
	return sxy * sxy / spread, sxy / spread
}
