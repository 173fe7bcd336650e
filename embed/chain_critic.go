package embed

import (
	"math"
	"math/rand/v2"
)

const (
	// criticDraws is how many drafts the critic learns from, for each row.
	criticDraws = 4
	// criticRounds is the most trees, of criticDepth splits at most one below the other
	// and criticLeaf rows in a leaf; each takes criticRate of a step.
	criticRounds = 100
	criticDepth  = 5
	criticLeaf   = 20
	criticRate   = .1
	// One row in criticFold is held out, and tells how many trees to keep: there are no
	// more once criticPatience have not lessened the loss of these.
	criticFold     = 5
	criticPatience = 10
)

// critic tells rows of the table from drafts: trees boosted for the logistic loss
// (Friedman, Greedy function approximation: a gradient boosting machine, 2001).
type critic struct{ trees []criticTree }

// criticTree looks at some features, and has a value for each leaf.
type criticTree struct {
	leafTree
	features []int
	values   []float64 // by node
}

func (t *criticTree) score(bin func(feature int) uint8) float64 {
	at := int32(0)
	for t.nodes[at].right != 0 {
		n := &t.nodes[at]
		if bin(t.features[n.predictor]) <= n.cut {
			at++
		} else {
			at = n.right
		}
	}
	return t.values[at]
}

// odds is the logarithm of how much likelier a row is than a draft.
func (c *Chain) odds(donors []int32) float64 {
	var s float64
	for i := range c.critic.trees {
		s += c.critic.trees[i].score(func(f int) uint8 { return c.bins[f][donors[c.columnOf[f]]] })
	}
	return s
}

// learnCritic has a critic learn from all rows and from drafts that are not too close.
func (c *Chain) learnCritic(workers int, seed uint64) {
	n := min(criticDraws*c.rows.Rows, max(chainWork/c.rows.Rows/c.rows.Cols, fewestHalved))
	drafts := c.drafts(n, workers, seed^0xc417)
	far := drafts[:0]
	for i, apart := range c.allApart(drafts, workers) {
		if c.farEnough(apart) {
			far = append(far, drafts[i])
		}
	}
	bins := make([][]uint8, c.rows.Cols)
	eachOf(workers, len(bins), func(f int) {
		bins[f] = append(make([]uint8, 0, c.rows.Rows+len(far)), c.bins[f]...)
		for _, d := range far {
			bins[f] = append(bins[f], c.bins[f][d[c.columnOf[f]]])
		}
	})
	c.critic = newCritic(bins, c.rows.Rows, rand.New(rand.NewPCG(seed, 0xc417)))
}

// boosting is a critic as it learns. The first rows are the table's.
type boosting struct {
	bins        [][]uint8 // by feature, of each row
	rows        int
	odds        []float64 // of each row, by the trees so far
	step        []float64 // what the odds are to move by, for the loss to be less
	learn, test []int32
	rng         *rand.Rand
}

func newCritic(bins [][]uint8, rows int, rng *rand.Rand) *critic {
	n := len(bins[0])
	b := &boosting{bins: bins, rows: rows, odds: make([]float64, n), step: make([]float64, n), rng: rng}
	for i := range int32(n) {
		if rng.IntN(criticFold) == 0 {
			b.test = append(b.test, i)
		} else {
			b.learn = append(b.learn, i)
		}
	}
	k := &critic{}
	least, best := b.loss(), 0
	for round := 1; round <= criticRounds && round <= best+criticPatience; round++ {
		k.trees = append(k.trees, b.tree())
		if loss := b.loss(); loss < least {
			least, best = loss, round
		}
	}
	k.trees = k.trees[:best]
	return k
}

// loss is the logistic loss of the rows held out.
func (b *boosting) loss() (sum float64) {
	for _, i := range b.test {
		if int(i) < b.rows {
			sum += math.Log1p(math.Exp(-b.odds[i]))
		} else {
			sum += math.Log1p(math.Exp(b.odds[i]))
		}
	}
	return sum
}

func chance(odds float64) float64 { return 1 / (1 + math.Exp(-odds)) }

// tree is the next tree, and moves the odds by it. It looks at chainFeatures features, any
// if there are more.
func (b *boosting) tree() criticTree {
	for i, f := range b.odds {
		b.step[i] = -chance(f)
		if i < b.rows {
			b.step[i]++
		}
	}
	features := b.rng.Perm(len(b.bins))
	features = features[:min(len(features), chainFeatures)]
	g := &treeGrowth{targets: [][]float64{b.step}, minLeaf: criticLeaf, maxDepth: criticDepth, keys: make([]uint64, len(b.learn))}
	for _, f := range features {
		g.bins = append(g.bins, b.bins[f])
	}
	g.tree.rows = append(g.tree.rows, b.learn...)
	g.split(0, len(b.learn), 0)
	t := criticTree{leafTree: leafTree{nodes: g.tree.nodes}, features: features, values: make([]float64, len(g.tree.nodes))}
	for i, node := range t.nodes {
		if node.right == 0 {
			t.values[i] = criticRate * b.newton(g.tree.rows[node.from:node.to])
		}
	}
	for i := range b.odds {
		b.odds[i] += t.score(func(f int) uint8 { return b.bins[f][i] })
	}
	return t
}

// newton is the step that lessens the loss of some rows the most, by its slope and bend;
// less where there are few rows.
func (b *boosting) newton(rows []int32) float64 {
	slope, bend := 0., 1.
	for _, r := range rows {
		p := chance(b.odds[r])
		slope += b.step[r]
		bend += p * (1 - p)
	}
	return slope / bend
}
