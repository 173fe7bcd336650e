package store

import (
	"context"
	"errors"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/index"
)

// Where a collection drops its originals, candidates are scored by what their latents
// decode to, and that misses true neighbours of its own, however many are scored. A fit
// is the last that can tell how many: its truth is of the original rows.

// scanDecoded pushes points to each query's neighbours by decoded rows.
func (cal *calibration) scanDecoded(tops []*index.TopK, chunk []storedPoint) error {
	hits := make([]index.Hit, len(chunk))
	for i, p := range chunk {
		hits[i].Slot = p.slot
	}
	workers := cal.c.opts.Workers
	known, rows, err := cal.gen.decodeSlots(hits, workers)
	if err != nil {
		return err
	}
	distance, width := cal.c.Config().Metric.Kernel(), cal.rows.Cols
	inParallel(workers, len(tops), func(q int) {
		row := embed.Row(cal.rows, q)
		for i, h := range known {
			tops[q].Push(index.Hit{Slot: h.Slot, Distance: distance(row, rows[i*width:(i+1)*width])})
		}
	})
	return nil
}

// reportDecoded keeps how many of the true neighbours are among the 10 nearest by decoded
// rows, and how many by latents alone.
func (cal *calibration) reportDecoded(decoded, latent [][]index.Hit) {
	share := func(lists [][]index.Hit) (sum float64) {
		for q, hits := range lists {
			n := len(found(cal.truthInput[q], hits[:min(calibrationK, len(hits))]))
			sum += float64(n) / cal.perQuery / float64(len(lists))
		}
		return sum
	}
	cal.gen.report.Decoded = &DecodedRecall{RecallAt10: share(decoded), LatentAt10: share(latent)}
}

// exactRecall is which share of the true neighbours the exact scan of a space finds.
func (g *generation) exactRecall(space Space) float64 {
	if !g.latentOnly || space != SpaceInput {
		return 1
	}
	return g.report.Decoded.RecallAt10
}

// decodedDistances are the distances, by decoded rows, of a query's candidates so far.
type decodedDistances map[uint32]float32

// measureDecoded measures all queries' candidates. Each point is decoded once, whichever
// queries it is a candidate of.
func (cal *calibration) measureDecoded(ctx context.Context, lists [][]index.Hit) error {
	if cal.decoded == nil {
		cal.decoded = make([]decodedDistances, len(lists))
		for q := range cal.decoded {
			cal.decoded[q] = make(decodedDistances)
		}
	}
	var missing []index.Hit
	askedBy := make(map[uint32][]int)
	for q, hits := range lists {
		for _, h := range hits {
			if _, known := cal.decoded[q][h.Slot]; known {
				continue
			}
			if askedBy[h.Slot] == nil {
				missing = append(missing, h)
			}
			askedBy[h.Slot] = append(askedBy[h.Slot], q)
		}
	}
	distance, width := cal.c.Config().Metric.Kernel(), cal.rows.Cols
	for len(missing) > 0 {
		some := missing[:min(len(missing), scanStep)]
		missing = missing[len(some):]
		known, rows, err := cal.gen.decodeSlots(some, cal.c.opts.Workers)
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		for i, h := range known {
			for _, q := range askedBy[h.Slot] {
				cal.decoded[q][h.Slot] = distance(embed.Row(cal.rows, q), rows[i*width:(i+1)*width])
			}
		}
	}
	return nil
}

// foundDecoded counts, for each width, the true neighbours of a query among the 10 nearest
// by decoded rows of so many first candidates.
func (cal *calibration) foundDecoded(q int, hits []index.Hit, widths []int) []int {
	top, best, at := index.NewTopK(calibrationK), []index.Hit(nil), 0
	out := make([]int, len(widths))
	for i, width := range widths {
		for ; at < min(width, len(hits)); at++ {
			slot := hits[at].Slot
			if d, known := cal.decoded[q][slot]; known {
				top.Push(index.Hit{Slot: slot, Distance: d})
			}
		}
		best = top.AppendTo(best[:0])
		out[i] = len(found(cal.truthInput[q], best))
		for _, h := range best { // AppendTo has emptied it
			top.Push(h)
		}
	}
	return out
}
