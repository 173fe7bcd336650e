package store

import (
	"context"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/index"
)

const (
	// mostLate is the share of held-out points whose searches may go on, where queries
	// that lie off the points need more; where they do not, none does.
	mostLate = .2
	// offQueries is how many such queries are asked, at most.
	offQueries = 64
	// offShare is how far they lie off: so much of the way from one held-out point to
	// another.
	offShare = .3
	// offSlack is how much less than is promised they may find.
	offSlack = .01
)

// offRows are rows between held-out points: queries unlike those that are calibrated.
func (cal *calibration) offRows() blas32.General {
	n := min(offQueries, len(cal.slots)/2)
	if cal.gen.rows == nil || cal.gen.latentOnly || cal.c.Config().Metric == Dot {
		n = 0
	}
	rows := embed.NewMatrix(n, cal.rows.Cols)
	for i := range n {
		from, to, row := embed.Row(cal.rows, i), embed.Row(cal.rows, len(cal.slots)-1-i), embed.Row(rows, i)
		for j := range row {
			row[j] = from[j] + offShare*(to[j]-from[j])
		}
		if cal.c.Config().Metric == Cosine {
			if err := index.Cosine.Prepare(row, row); err != nil {
				copy(row, from) // opposite points have none between them
			}
		}
	}
	return rows
}

// stepQuery is a query by which going on is calibrated.
type stepQuery struct {
	target []float32
	truth  map[uint32]bool
	// own is the slot of the query's own point; none has more than all slots.
	own uint64
}

// setLate sets how many of the nearest the latter half of a search must find for it to
// go on: more than for any of the held-out points; or than for all but mostLate of them,
// where queries off the points would else find less than is promised. It is 0 where the
// engine does not go by steps. Where nearlyAll is promised, and those queries find less
// all the same, less is promised.
func (cal *calibration) setLate(ctx context.Context, idx index.Index, p *CalibrationPoint) error {
	finds := make([]int, 0, len(cal.slots))
	for q := range cal.slots {
		found, err := cal.findsByStep(ctx, idx, p, stepQuery{cal.targets[q], cal.truthInput[q], uint64(cal.slots[q])}, 2)
		if err != nil {
			return err
		}
		if len(found) < 2 {
			break
		}
		finds = append(finds, found[1])
	}
	if len(finds) == 0 || len(finds) < len(cal.slots) {
		return nil
	}
	var off [][]int
	for _, q := range cal.off {
		found, err := cal.findsByStep(ctx, idx, p, q, mostSteps)
		if err != nil {
			return err
		}
		off = append(off, found)
	}
	slices.Sort(finds)
	last := len(finds) - 1
	least := 1 + finds[int(float64(last)*(1-mostLate))]
	p.Late = 1 + finds[last]
	for p.Late > least && recallGoingOn(off, p.Late) < p.Promised-offSlack {
		p.Late--
	}
	if p.Promised >= nearlyAll {
		least := math.Nextafter(nearlyAll, 0) // who asks for less is not concerned
		p.Promised = min(p.Promised, max(least, recallGoingOn(off, p.Late)+offSlack))
	}
	return nil
}

// recallGoingOn is the share of the nearest that queries find which go on after some
// late finds; found is how many each finds in each step. It is 1 for no queries.
func recallGoingOn(found [][]int, late int) float64 {
	if len(found) == 0 {
		return 1
	}
	sum := 0
	for _, steps := range found {
		for i, n := range steps {
			if sum += n; i > 0 && n < late {
				break
			}
		}
	}
	return float64(sum) / float64(calibrationK*len(found))
}

// findsByStep is how many of the nearest each step of a search finds; none where the engine
// does not go by steps.
func (cal *calibration) findsByStep(ctx context.Context, idx index.Index, p *CalibrationPoint, q stepQuery, steps int) (finds []int, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	left := calibrationK // any of the true ones that are as far as the 10th
	params := inSteps(index.Params{K: p.Rerank, EF: p.EF, Rough: true}, calibrationK, func(found []index.Hit) bool {
		n := 0
		for _, h := range found {
			if q.truth[h.Slot] && uint64(h.Slot) != q.own && n < left {
				n++
			}
		}
		left -= n
		finds = append(finds, n)
		return len(finds) < steps
	})
	_, err = idx.Search(nil, q.target, params)
	return finds, err
}
