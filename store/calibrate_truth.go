package store

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync/atomic"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/index"
)

// findTruth finds the true neighbours of all queries: in input space by one scan
// of all points, in latent space by the index's exact scan.
func (cal *calibration) findTruth(ctx context.Context) error {
	n := len(cal.slots)
	off := cal.offRows()
	original, decoded := newTops(n+off.Rows), newTops(n)
	query := func(q int) []float32 {
		if q < n {
			return embed.Row(cal.rows, q)
		}
		return embed.Row(off, q-n)
	}
	if err := cal.scanAll(ctx, query, original, decoded); err != nil {
		return err
	}
	cal.perQuery = float64(min(calibrationK, max(1, cal.gen.index.Len()-1)))
	reach := make(map[Space][]reached)
	answers := make(map[Space][][]index.Hit) // of the exact scans
	for q := range n {
		mse, err := cal.gen.errorOf(embed.Row(cal.rows, q))
		if err != nil {
			return err
		}
		own := func(h index.Hit) bool { return h.Slot == cal.slots[q] }
		latent, err := cal.ask(ctx, cal.gen.index, SpaceLatent, q, index.Params{K: calibrationK + truthTies, Exact: true})
		if err != nil {
			return err
		}
		nearest := slices.DeleteFunc(original[q].AppendTo(nil), own)
		cal.truthInput = append(cal.truthInput, trueSlots(nearest))
		cal.truthLatent = append(cal.truthLatent, trueSlots(latent))
		if cal.gen.latentOnly {
			nearest = slices.DeleteFunc(decoded[q].AppendTo(nil), own)
		}
		for space, hits := range map[Space][]index.Hit{SpaceInput: nearest, SpaceLatent: latent} {
			answers[space] = append(answers[space], hits)
			if len(hits) >= calibrationK {
				reach[space] = append(reach[space], reached{hits[calibrationK-1].Distance, mse})
			}
		}
	}
	cal.keepReach(reach)
	if cal.gen.latentOnly {
		cal.reportDecoded(answers[SpaceInput], answers[SpaceLatent])
	}
	return cal.keepOff(off, original[n:])
}

// keepOff keeps those rows off the points that would not be said to be out of
// distribution, as queries.
func (cal *calibration) keepOff(rows blas32.General, tops []*index.TopK) error {
	for i, top := range tops {
		nearest := top.AppendTo(nil)
		if limit, kept := cal.gen.stats.Reach[SpaceInput]; len(nearest) < calibrationK || kept && nearest[calibrationK-1].Distance > limit {
			continue
		}
		target, err := cal.gen.inputTarget(nil, cal.c.Config().Metric, embed.Row(rows, i))
		if err != nil {
			return err
		}
		cal.off = append(cal.off, stepQuery{target, trueSlots(nearest), math.MaxUint64})
	}
	return nil
}

// newTops are the nearest points of n queries, none of them found yet.
func newTops(n int) []*index.TopK {
	tops := make([]*index.TopK, n)
	for i := range tops {
		tops[i] = index.NewTopK(calibrationK + truthTies + 1)
	}
	return tops
}

// reached is how far the 10th neighbour of a held-out point is, and the point's error.
type reached struct {
	far float32
	mse float64
}

// keepReach keeps how far the 10th neighbours of held-out points are.
func (cal *calibration) keepReach(reach map[Space][]reached) {
	stats := &cal.gen.stats
	stats.Reach, stats.Spread, stats.Strange = make(map[Space]float32), make(map[Space]distanceSpread), make(map[Space]float64)
	for space, points := range reach {
		slices.SortFunc(points, func(a, b reached) int { return cmp.Compare(a.far, b.far) })
		last := len(points) - 1
		// Where each point has ten copies, there is no telling what is far.
		half := points[last/2].far
		if half == 0 {
			continue
		}
		stats.Reach[space] = points[last*99/100].far
		stats.Spread[space] = distanceSpread{Half: half, Most: points[last*85/100].far}
		if stats.UsualMSE > 0 {
			strange := make([]float64, len(points))
			for i, p := range points {
				strange[i] = stats.strangeness(space, p.far, p.mse)
			}
			slices.Sort(strange)
			stats.Strange[space] = strange[last*99/100]
		}
	}
}

// scanAll pushes all points to each query's neighbours in input space: by the rows
// that are kept, else by the stored records; where originals are dropped, to decoded too.
func (cal *calibration) scanAll(ctx context.Context, query func(q int) []float32, tops, decoded []*index.TopK) error {
	gen, workers := cal.gen, cal.c.opts.Workers
	if !gen.latentOnly && gen.rows != nil && !gen.lossy() && gen.rows.Len() == gen.index.Len() {
		var missed atomic.Bool
		inParallel(workers, len(tops), func(q int) {
			if ctx.Err() == nil && !gen.scanRows(tops[q], query(q), nil) {
				missed.Store(true)
			}
		})
		if err := ctx.Err(); err != nil || !missed.Load() {
			return err
		}
	}
	for _, t := range tops {
		t.Reset(calibrationK + truthTies + 1)
	}
	distance := cal.c.Config().Metric.Kernel()
	return cal.c.eachOriginal(ctx, gen, nil, func(chunk []storedPoint, rows []float32) error {
		width := cal.rows.Cols
		inParallel(workers, len(tops), func(q int) {
			row := query(q)
			for i, r := range chunk {
				tops[q].Push(index.Hit{Slot: r.slot, Distance: distance(row, rows[i*width:(i+1)*width])})
			}
		})
		if !gen.latentOnly {
			return nil
		}
		return cal.scanDecoded(decoded, chunk)
	})
}

// trueSlots are the slots no farther than the 10th: any 10 of them are right.
func trueSlots(hits []index.Hit) map[uint32]bool {
	out := make(map[uint32]bool)
	for _, h := range hits {
		if h.Distance <= hits[min(calibrationK, len(hits))-1].Distance {
			out[h.Slot] = true
		}
	}
	return out
}
