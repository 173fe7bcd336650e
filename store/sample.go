package store

import (
	"context"
	"math"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
)

// privacyRecords is how many training and as many held-out records samples are compared
// with, at most.
const privacyRecords = 1000

// Sample draws synthetic records like those of the collection, or like those that Filter
// or IDs select, of which there must be minSampled. Rows of a table are drawn column by
// column (embed.Chain); vectors from a mixture of Gaussians over latents, decoded, and
// with what decoding lost of a vector nearby; all other records from the mixture alone.
// Records that the fit held out are not learned from, so that Privacy is fair. Cost:
// learning from up to samplerRows records, which takes seconds where they are wide;
// where nothing is selected, only if something was written since the last call.
func (c *Collection) Sample(ctx context.Context, q SampleQuery) (*Samples, error) {
	gen, err := c.fittedGeneration(ctx)
	if err != nil {
		return nil, err
	}
	if q.N < 1 || q.N > MaxLimit {
		return nil, invalid("n", "is %d; it must be 1 to %d", q.N, MaxLimit)
	}
	s, err := c.samplerFor(ctx, gen, q)
	if err != nil {
		return nil, err
	}
	out, rows, err := s.sample(ctx, gen, q.N, c.opts.Workers, q.Seed)
	if err != nil {
		return nil, err
	}
	out.Privacy, err = c.privacy(ctx, gen, rows)
	return out, err
}

// privacy compares samples with records that training saw and records it did not.
func (c *Collection) privacy(ctx context.Context, gen *generation, samples blas32.General) (Privacy, error) {
	var p Privacy
	train, err := c.rowsOfFit(gen, gen.stats.Train)
	if err != nil {
		return p, err
	}
	held, err := c.rowsOfFit(gen, gen.stats.HeldOut)
	if err != nil {
		return p, err
	}
	p.Compared = min(len(train), len(held))
	if p.Compared == 0 {
		return p, ctx.Err() // all of them were replaced or deleted since
	}
	toTrain, toHeld := make([]float64, samples.Rows), make([]float64, samples.Rows)
	inParallel(c.opts.Workers, samples.Rows, func(i int) {
		toTrain[i] = closest(embed.Row(samples, i), train[:p.Compared])
		toHeld[i] = closest(embed.Row(samples, i), held[:p.Compared])
	})
	n, scale, closer := float64(samples.Rows), float64(gen.model.Scale()), 0
	for i := range toTrain {
		p.ClosestTrain += toTrain[i] / scale / n
		p.ClosestHeldOut += toHeld[i] / scale / n
		if toTrain[i] < toHeld[i] {
			closer++
		}
	}
	p.ShareCloserToTrain = float64(closer) / n
	return p, ctx.Err()
}

func closest(row []float32, among [][]float32) float64 {
	best := float32(math.MaxFloat32)
	for _, other := range among {
		best = min(best, Euclid.Distance(row, other))
	}
	return distanceOf(Euclid, best)
}

// rowsOfFit reads the feature rows of slots that still hold the point they held
// when the generation was fitted, up to privacyRecords of them.
func (c *Collection) rowsOfFit(gen *generation, slots []uint32) ([][]float32, error) {
	var out [][]float32
	err := c.view(func(g *ground) error {
		for _, slot := range slots {
			p, ok, err := g.point(slot)
			if err != nil {
				return err
			}
			if !ok || p.seq > gen.stats.Seq {
				continue
			}
			row, err := gen.featureRows([]storedPoint{p}, 1)
			if err != nil {
				return err
			}
			if out = append(out, row); len(out) == privacyRecords {
				break
			}
		}
		return nil
	})
	return out, err
}
