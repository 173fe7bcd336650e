package embed

import (
	"cmp"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
)

const (
	// minLeaf is how many rows a leaf has at least: fewer would give whole rows away.
	minLeaf = 5
	// treeShare of the rows make a tree, each once: drawn with replacement, a leaf would be
	// of three different ones.
	treeShare = .8
	// maxTargets is how many values of a row a tree tells apart.
	maxTargets = 4
	// lineRows is how many rows a line is drawn through, at least, and lineGain the share
	// of their variance that it is to tell.
	lineRows = 200
	lineGain = .3
	// What a mean, a line and a split cost, in numbers learned, is Raymaekers' and others'.
	meanCost, lineCost, splitCost = 1, 2, 5
)

// leafTree is a regression tree whose leaves keep the rows they are made of.
type leafTree struct {
	nodes []treeNode
	rows  []int32   // those of each leaf lie together, by rank
	rest  []float32 // what the lines above leave of each row's first target
}

// treeNode sends a row whose predictor's bin is at most cut to the node after it, else to
// the node right. One with a slope sends all rows to the node after it, and has the target
// move along with the predictor from lo to hi. A leaf has neither, and rows from to to.
type treeNode struct {
	predictor     int32
	right         int32
	from, to      int32
	cut           uint8
	slope, lo, hi float32
}

func (n *treeNode) isLeaf() bool { return n.right == 0 && n.slope == 0 }

// along is what the line of a node adds at a predictor's value.
func (n *treeNode) along(v float32) float32 { return n.slope * min(max(v, n.lo), n.hi) }

// leafRows are the rows of a leaf, and what the lines above it add up to.
type leafRows struct {
	rows []int32
	rest []float32
	line float32
}

// leaf is the one that a predictor's bins and values lead to.
func (t *leafTree) leaf(of func(predictor int32) (bin uint8, value float32)) (out leafRows) {
	at := int32(0)
	for {
		n := &t.nodes[at]
		if n.isLeaf() {
			out.rows, out.rest = t.rows[n.from:n.to], t.rest[n.from:n.to]
			return out
		}
		bin, value := of(n.predictor)
		out.line += n.along(value)
		if n.slope != 0 || bin <= n.cut {
			at++
		} else {
			at = n.right
		}
	}
}

// treeGrowth is a tree as it grows.
type treeGrowth struct {
	bins              [][]uint8   // by predictor, of each row
	values            [][]float32 // the same; none where there are no lines
	targets           [][]float64 // by target, of each row
	minLeaf, maxDepth int
	tree              leafTree
	moved             []bool              // of each row
	tally             [chainBins]binTally // empty between cuts
}

// binTally is how many rows are in a bin, and the sums of their targets.
type binTally struct {
	count int
	sums  [maxTargets]float64
}

// growTree grows a tree on treeShare of the rows: each split takes the most from the
// variance of the targets. Where there are values, of one target, lines may
// take more. It changes the targets.
func growTree(bins [][]uint8, values [][]float32, targets [][]float64, rank []int32, rng *rand.Rand) leafTree {
	n := len(bins[0])
	g := &treeGrowth{bins: bins, values: values, targets: targets, minLeaf: minLeaf, maxDepth: math.MaxInt, moved: make([]bool, n)}
	some := rng.Perm(n)[:max(2, int(treeShare*float64(n)))]
	g.tree.rows, g.tree.rest = make([]int32, len(some)), make([]float32, len(some))
	for i, r := range some {
		g.tree.rows[i] = int32(r)
	}
	g.split(0, len(some), 0)
	for _, leaf := range g.tree.nodes {
		if leaf.isLeaf() {
			slices.SortFunc(g.tree.rows[leaf.from:leaf.to], func(a, b int32) int { return cmp.Compare(rank[a], rank[b]) })
		}
	}
	if len(targets) > 0 {
		for i, r := range g.tree.rows {
			g.tree.rest[i] = float32(targets[0][r])
		}
	}
	return g.tree
}

// split makes the node of rows from to to, and those below it.
func (g *treeGrowth) split(from, to, depth int) {
	at := len(g.tree.nodes)
	g.tree.nodes = append(g.tree.nodes, treeNode{from: int32(from), to: int32(to)})
	if depth == g.maxDepth {
		return
	}
	predictor, cut, gain := g.best(from, to)
	if line, ok := g.line(from, to, gain); ok {
		g.tree.nodes[at] = line
		g.split(from, to, depth)
		return
	}
	if gain == 0 {
		return
	}
	rows, bins := g.tree.rows[from:to], g.bins[predictor]
	middle := 0
	for i, r := range rows {
		if bins[r] <= cut {
			rows[i], rows[middle] = rows[middle], r
			middle++
		}
	}
	g.split(from, from+middle, depth+1)
	right := len(g.tree.nodes)
	g.split(from+middle, to, depth+1)
	n := &g.tree.nodes[at]
	n.predictor, n.cut, n.right = int32(predictor), cut, int32(right)
}

// best is the split of rows from to to that gains most; a gain of 0 is none.
func (g *treeGrowth) best(from, to int) (predictor int, cut uint8, gain float64) {
	if to-from < 2*g.minLeaf {
		return 0, 0, 0
	}
	var all binTally
	var scale float64
	for _, r := range g.tree.rows[from:to] {
		all.add(g.targets, r)
		for _, t := range g.targets {
			scale += t[r] * t[r]
		}
	}
	// What rounding alone may gain splits nothing.
	least := all.score() + 1e-9*scale
	for p := range g.bins {
		if score, at, found := g.cutOf(p, from, to, &all, least); found {
			least, predictor, cut, gain = score, p, at, score-all.score()
		}
	}
	return predictor, cut, gain
}

func (b *binTally) add(targets [][]float64, row int32) {
	b.count++
	for t, v := range targets {
		b.sums[t] += v[row]
	}
}

// score is what the variance of the targets is less by: the larger, the purer.
func (b *binTally) score() float64 {
	var s float64
	for _, v := range b.sums {
		s += v * v
	}
	return s / float64(b.count)
}

// cutOf is the best cut by one predictor, if it scores more than least.
func (g *treeGrowth) cutOf(p, from, to int, all *binTally, least float64) (score float64, cut uint8, ok bool) {
	score = least
	var used [chainBins / 64]uint64 // the bins that rows are in
	for _, r := range g.tree.rows[from:to] {
		b := g.bins[p][r]
		g.tally[b].add(g.targets, r)
		used[b/64] |= 1 << (b % 64)
	}
	var left binTally
	for word, some := range used {
		for ; some != 0; some &= some - 1 {
			bin := word*64 + bits.TrailingZeros64(some)
			t := &g.tally[bin]
			left.count += t.count
			right := binTally{count: all.count - left.count}
			for k := range g.targets {
				left.sums[k] += t.sums[k]
				right.sums[k] = all.sums[k] - left.sums[k]
			}
			*t = binTally{}
			if left.count < g.minLeaf || right.count < g.minLeaf {
				continue
			}
			if s := left.score() + right.score(); s > score {
				score, cut, ok = s, uint8(bin), true
			}
		}
	}
	return score, cut, ok
}
