package store

import "sort"

const (
	// reliabilityBlock is the fewest points that say how often a share of votes is right.
	reliabilityBlock = 20
	// reliabilityBlocks is about how many blocks there are of many points.
	reliabilityBlocks = 20
	// reliabilityPrior is how many points the share itself counts like: where few points
	// are left out it is all that is known.
	reliabilityPrior = 5
)

// reliability turns the winner's share of votes into how often that is right: straight
// lines from (0, 0) on between knots, level after the last.
type reliability struct{ shares, right []float64 }

// elections are points that were left out and predicted: how many, and the sums of the
// winners' shares and of those that were right.
type elections struct{ n, share, right float64 }

// rate is how often they are right, the shares counting like a few points more.
func (e elections) rate() float64 {
	return (e.right + reliabilityPrior*e.share/e.n) / (e.n + reliabilityPrior)
}

// reliabilityOf takes blocks of points of about the same share, and pools neighbours among
// them until larger shares are right as often at least (isotonic regression by pool
// adjacent violators, Ayer and others 1955).
func reliabilityOf(shares []float64, right []bool) (r reliability) {
	var pooled []elections
	for _, b := range electionBlocks(shares, right) {
		for len(pooled) > 0 && pooled[len(pooled)-1].rate() >= b.rate() {
			last := pooled[len(pooled)-1]
			pooled = pooled[:len(pooled)-1]
			b = elections{b.n + last.n, b.share + last.share, b.right + last.right}
		}
		pooled = append(pooled, b)
	}
	for _, b := range pooled {
		r.shares, r.right = append(r.shares, b.share/b.n), append(r.right, b.rate())
	}
	return r
}

// electionBlocks are points by ascending share, equal ones in the same block.
func electionBlocks(shares []float64, right []bool) (blocks []elections) {
	order := make([]int, len(shares))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return shares[order[i]] < shares[order[j]] })
	least := max(reliabilityBlock, len(order)/reliabilityBlocks)
	var open elections
	for i, at := range order {
		open.n, open.share = open.n+1, open.share+shares[at]
		if right[at] {
			open.right++
		}
		rest := len(order) - 1 - i
		if rest == 0 || rest >= least && int(open.n) >= least && shares[order[i+1]] > shares[at] {
			blocks, open = append(blocks, open), elections{}
		}
	}
	return blocks
}

// of is how often a share of votes is right; the share itself where nothing is known.
func (r reliability) of(share float64) float64 {
	n := len(r.shares)
	if n == 0 {
		return share
	}
	at := sort.SearchFloat64s(r.shares, share)
	if at == n {
		return r.right[n-1]
	}
	var fromShare, fromRight float64
	if at > 0 {
		fromShare, fromRight = r.shares[at-1], r.right[at-1]
	}
	if r.shares[at] == fromShare {
		return r.right[at]
	}
	return fromRight + (r.right[at]-fromRight)*(share-fromShare)/(r.shares[at]-fromShare)
}
