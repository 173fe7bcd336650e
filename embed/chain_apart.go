package embed

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/blas/blas32"
)

const (
	// closerShare of draws may be closer to a row that was learned from than to as many
	// that were not, before the critic chooses, which prefers those in the midst of rows. Of
	// new rows it would be half.
	closerShare = .54
	// closeDrafts tell what drafts these are, and mostRejected how many of them at most.
	closeDrafts  = 2000
	mostRejected = .7
	// fewestHalved is how many rows can be learned from by halves; of fewer, the
	// unmeasuredShare of drafts is too close.
	fewestHalved    = 40
	unmeasuredShare = .5
)

// standOff learns how far draws are to be from the row they are the closest to: a chain
// of half of the rows tells how many drafts to reject for the rest to be about as close to
// the other half.
func (c *Chain) standOff(ctx context.Context, workers int, seed uint64) error {
	n := min(closeDrafts, max(chainWork/8/c.rows.Rows/c.rows.Cols, fewestHalved))
	c.closeShare = unmeasuredShare
	if c.rows.Rows >= fewestHalved {
		at := rand.New(rand.NewPCG(seed, 0x57a4d)).Perm(c.rows.Rows)
		half := len(at) / 2
		part, err := growChain(ctx, rowsAt(c.rows, at[:half]), rowsAt(c.straight, at[:half]), c.starts, workers, seed)
		if err != nil {
			return err
		}
		if c.closeShare, err = part.shareTooClose(ctx, rowsAt(c.straight, at[half:2*half]), n, workers, seed); err != nil {
			return err
		}
	}
	_, apart, err := c.measuredDrafts(ctx, n, workers, seed^0x57a4d)
	if err != nil {
		return err
	}
	slices.Sort(apart)
	c.leastApart = apart[int(c.closeShare*float64(n))]
	return nil
}

func rowsAt(m blas32.General, at []int) blas32.General {
	out := NewMatrix(len(at), m.Cols)
	for i, r := range at {
		copy(Row(out, i), Row(m, r))
	}
	return out
}

// shareTooClose is the smallest share of n drafts, those that follow a row the closest,
// without which closerShare of the others are closer to a row of the chain than to others.
func (c *Chain) shareTooClose(ctx context.Context, others blas32.General, n, workers int, seed uint64) (float64, error) {
	drafts, err := c.drafts(ctx, n, workers, seed^0xca11)
	if err != nil {
		return 0, err
	}
	type judged struct{ apart, closer float64 }
	all := make([]judged, n)
	eachOf(workers, n, func(i int) {
		row := make([]float32, c.rows.Cols)
		c.fill(row, c.straight, drafts[i])
		own, second := closestTwo(row, c.straight)
		other, _ := closestTwo(row, others)
		all[i].apart = ratioOf(own, second)
		if own < other {
			all[i].closer = 1
		} else if own == other {
			all[i].closer = .5
		}
	})
	slices.SortFunc(all, func(a, b judged) int { return cmp.Compare(b.apart, a.apart) })
	kept, sum := 0, 0.
	for i, s := range all {
		if sum += s.closer; sum <= closerShare*float64(i+1) {
			kept = i + 1
		}
	}
	return min(mostRejected, 1-float64(kept)/float64(n)), nil
}

// measuredDrafts are n drafts, and how far each is from the row it is the closest to.
func (c *Chain) measuredDrafts(ctx context.Context, n, workers int, seed uint64) (drafts [][]int32, apart []float64, err error) {
	if drafts, err = c.drafts(ctx, n, workers, seed); err != nil {
		return nil, nil, err
	}
	apart = make([]float64, n)
	eachOf(workers, n, func(i int) {
		if ctx.Err() == nil {
			row := make([]float32, c.rows.Cols)
			c.fill(row, c.straight, drafts[i])
			apart[i] = ratioOf(closestTwo(row, c.straight))
		}
	})
	return drafts, apart, ctx.Err()
}

// farEnough tells that a draft may be drawn.
func (c *Chain) farEnough(apart float64) bool { return apart >= c.leastApart }

// ratioOf is how far the closest row is, in units of how far the second closest is. It is
// 0 of the copy of a row, and 1 of a copy of several.
func ratioOf(first, second float32) float64 {
	if second == 0 {
		return 1
	}
	return float64(first) / float64(second)
}

// closestTwo are the squared distances to the closest rows.
func closestTwo(row []float32, among blas32.General) (first, second float32) {
	first, second = math.MaxFloat32, math.MaxFloat32
	for i := range among.Rows {
		if d := nearer(row, Row(among, i), second); d < first {
			first, second = d, first
		} else if d < second {
			second = d
		}
	}
	return first, second
}

// nearer is the squared distance of two rows, or something beyond most.
func nearer(a, b []float32, most float32) float32 {
	const block = 32
	var s float32
	for lo := 0; lo < len(a) && s < most; lo += block {
		hi := min(lo+block, len(a))
		x, y := a[lo:hi], b[lo:hi]
		for i, v := range x {
			d := v - y[i]
			s += d * d
		}
	}
	return s
}
