package embed

import (
	"context"
	"math/rand/v2"
)

// boostedTrees add up to what is told of a row: each learned what those before it left
// (Friedman, Greedy function approximation: a gradient boosting machine, 2001). Each looks
// at some features only, as in a forest (Breiman, Random forests, 2001).
type boostedTrees []boostedTree

// boostedTree has a value for each output in each leaf.
type boostedTree struct {
	nodes  []treeNode
	values []float64 // by node, and by output in it
}

// add adds to out what the trees tell of a row, by its bins of all features.
func (b boostedTrees) add(out []float64, row []uint8) {
	for i := range b {
		for k, v := range b[i].leaf(len(out), row) {
			out[k] += v
		}
	}
}

// leaf are the values of the leaf that a row leads to.
func (t *boostedTree) leaf(outputs int, row []uint8) []float64 {
	at := int32(0)
	for {
		n := &t.nodes[at]
		switch {
		case n.right == 0:
			return t.values[int(at)*outputs:][:outputs]
		case row[n.predictor] <= n.cut:
			at++
		default:
			at = n.right
		}
	}
}

// boostLoss is what trees are to lessen.
type boostLoss interface {
	// left is what the trees so far leave of each row, by output.
	left() [][]float64
	// step is the move of an output of some rows that lessens their loss the most.
	step(output int, rows []int32) float64
	// move moves a row's outputs.
	move(row int, by []float64)
	// of is the loss of some rows.
	of(rows []int32) float64
}

// boosting is how trees are boosted: so many rounds at most, of trees with depth splits at
// most one below the other, with leaf rows in a leaf at least, that look at some features and
// take a share of a step. There are no more once so many have not lessened the loss of rows
// held out, which is the patience.
type boosting struct {
	rounds, depth, leaf, features, patience int
	share                                   float64
}

// boost learns from some rows, with others held out, and leaves the loss as all trees that
// were tried move it. Once ctx has ended, no tree is added.
func (b boosting) boost(ctx context.Context, bins [][]uint8, loss boostLoss, learn, held []int32, rng *rand.Rand) boostedTrees {
	var trees boostedTrees
	rows := binRows(bins)
	least, best := loss.of(held), 0
	for round := 1; round <= min(b.rounds, best+b.patience) && ctx.Err() == nil; round++ {
		t := b.tree(bins, loss, learn, rng)
		for r, row := range rows {
			loss.move(r, t.leaf(len(loss.left()), row))
		}
		trees = append(trees, t)
		if l := loss.of(held); l < least {
			least, best = l, round
		}
	}
	return trees[:best]
}

// tree is the next tree.
func (b boosting) tree(bins [][]uint8, loss boostLoss, learn []int32, rng *rand.Rand) boostedTree {
	features := rng.Perm(len(bins))
	features = features[:min(len(features), b.features)]
	g := &treeGrowth{targets: loss.left(), minLeaf: b.leaf, maxDepth: b.depth}
	for _, f := range features {
		g.bins = append(g.bins, bins[f])
	}
	g.tree.rows = append(g.tree.rows, learn...)
	g.split(0, len(learn), 0)
	outputs := len(g.targets)
	t := boostedTree{nodes: g.tree.nodes, values: make([]float64, outputs*len(g.tree.nodes))}
	for i := range t.nodes {
		n := &t.nodes[i]
		n.predictor = int32(features[n.predictor])
		for k := range g.targets {
			if n.right == 0 {
				t.values[i*outputs+k] = b.share * loss.step(k, g.tree.rows[n.from:n.to])
			}
		}
	}
	return t
}

// binRows are bins by row, then feature.
func binRows(bins [][]uint8) [][]uint8 {
	all, rows := make([]uint8, len(bins)*len(bins[0])), make([][]uint8, len(bins[0]))
	for r := range rows {
		rows[r] = all[r*len(bins):][:len(bins)]
		for f := range bins {
			rows[r][f] = bins[f][r]
		}
	}
	return rows
}
