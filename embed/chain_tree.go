package embed

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

const (
	// minLeaf is how many rows a leaf has at least: fewer would give whole rows away.
	minLeaf = 5
	// maxTargets is how many values of a row a tree tells apart.
	maxTargets = 4
)

// leafTree is a regression tree whose leaves keep the rows they are made of.
type leafTree struct {
	nodes []treeNode
	rows  []int32 // those of each leaf lie together, by rank
}

// treeNode sends a row whose predictor's bin is at most cut to the node after it, else to
// the node right. A leaf has right 0, and rows from to to.
type treeNode struct {
	predictor int32
	right     int32
	from, to  int32
	cut       uint8
}

// leaf gives the rows of the leaf that bins lead to.
func (t *leafTree) leaf(bin func(predictor int32) uint8) []int32 {
	at := int32(0)
	for {
		n := &t.nodes[at]
		switch {
		case n.right == 0:
			return t.rows[n.from:n.to]
		case bin(n.predictor) <= n.cut:
			at++
		default:
			at = n.right
		}
	}
}

// treeGrowth is a tree as it grows.
type treeGrowth struct {
	bins    [][]uint8   // by predictor, of each row
	targets [][]float64 // by target, of each row
	tree    leafTree
	keys    []uint64
	tally   [chainBins]binTally
}

// binTally is how many rows are in a bin, and the sums of their targets.
type binTally struct {
	count int
	sums  [maxTargets]float64
}

// growTree grows a tree on as many rows, drawn with replacement: each split takes the
// most from the variance of the targets.
func growTree(bins [][]uint8, targets [][]float64, rank []int32, rng *rand.Rand) leafTree {
	n := len(bins[0])
	g := &treeGrowth{bins: bins, targets: targets, keys: make([]uint64, n)}
	g.tree.rows = make([]int32, n)
	for i := range g.tree.rows {
		g.tree.rows[i] = int32(rng.IntN(n))
	}
	g.split(0, n)
	for _, leaf := range g.tree.nodes {
		if leaf.right == 0 {
			slices.SortFunc(g.tree.rows[leaf.from:leaf.to], func(a, b int32) int { return cmp.Compare(rank[a], rank[b]) })
		}
	}
	return g.tree
}

// split makes the node of rows from to to, and those below it.
func (g *treeGrowth) split(from, to int) {
	at := len(g.tree.nodes)
	g.tree.nodes = append(g.tree.nodes, treeNode{from: int32(from), to: int32(to)})
	predictor, cut, ok := g.best(from, to)
	if !ok {
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
	g.split(from, from+middle)
	right := len(g.tree.nodes)
	g.split(from+middle, to)
	n := &g.tree.nodes[at]
	n.predictor, n.cut, n.right = int32(predictor), cut, int32(right)
}

// best is the split of rows from to to that gains most.
func (g *treeGrowth) best(from, to int) (predictor int, cut uint8, ok bool) {
	if to-from < 2*minLeaf {
		return 0, 0, false
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
			least, predictor, cut, ok = score, p, at, true
		}
	}
	return predictor, cut, ok
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

// cutOf is the best cut by one predictor, if it scores more than least. Bins are counted
// where rows are many, else the rows sorted.
func (g *treeGrowth) cutOf(p, from, to int, all *binTally, least float64) (score float64, cut uint8, ok bool) {
	score = least
	rows, bins := g.tree.rows[from:to], g.bins[p]
	var left binTally
	try := func(bin uint8) {
		if left.count < minLeaf || all.count-left.count < minLeaf {
			return
		}
		right := binTally{count: all.count - left.count}
		for t := range g.targets {
			right.sums[t] = all.sums[t] - left.sums[t]
		}
		if s := left.score() + right.score(); s > score {
			score, cut, ok = s, bin, true
		}
	}
	if len(rows) >= chainBins {
		clear(g.tally[:])
		for _, r := range rows {
			g.tally[bins[r]].add(g.targets, r)
		}
		for b := range g.tally[:chainBins-1] {
			if t := &g.tally[b]; t.count > 0 {
				left.count += t.count
				for i := range g.targets {
					left.sums[i] += t.sums[i]
				}
				try(uint8(b))
			}
		}
		return score, cut, ok
	}
	keys := g.keys[:len(rows)]
	for i, r := range rows {
		keys[i] = uint64(bins[r])<<32 | uint64(r)
	}
	slices.Sort(keys)
	for i, k := range keys {
		left.add(g.targets, int32(k))
		if bin := uint8(k >> 32); i+1 < len(keys) && uint8(keys[i+1]>>32) != bin {
			try(bin)
		}
	}
	return score, cut, ok
}
