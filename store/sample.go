package store

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/index"
)

const (
	// mixtureLatents is how many latents a mixture is fitted on, at most.
	mixtureLatents = 4000
	// privacyRecords is how many training and as many held-out records samples
	// are compared with, at most.
	privacyRecords = 500
)

// mixtureCache keeps the mixture of a generation's latents as of one change.
// Samples follow the points that are there, whether or not somebody asked before
// they changed: points that were deleted are not sampled like, and a database
// that is opened again, which has no cache, draws the same.
type mixtureCache struct {
	mu         sync.Mutex
	generation *generation
	applied    uint64
	mixture    *embed.Mixture
}

// Sample draws synthetic records: latents from a mixture of Gaussians over the
// collection's latents (or over those that Filter or IDs select), decoded. Cost:
// fitting the mixture; where nothing is selected, only if something was written
// since the last call.
func (c *Collection) Sample(ctx context.Context, q SampleQuery) (*Samples, error) {
	gen, err := c.fittedGeneration(ctx)
	if err != nil {
		return nil, err
	}
	if q.N < 1 || q.N > MaxLimit {
		return nil, invalid("n", "is %d; it must be 1 to %d", q.N, MaxLimit)
	}
	mixture, err := c.mixtureFor(ctx, gen, q)
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(q.Seed, 0x5a4d))
	z, rows := embed.NewMatrix(q.N, gen.model.Dim()), embed.NewMatrix(q.N, gen.fitted.Width())
	for i := range q.N {
		mixture.Draw(embed.Row(z, i), rng)
	}
	if err := gen.decodeRows(rows, z); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	out := &Samples{Generation: gen.number}
	if out.Records, out.Vectors, err = gen.shown(rows); err != nil {
		return nil, err
	}
	out.Privacy, err = c.privacy(ctx, gen, rows)
	return out, err
}

// of is the mixture of all latents of a generation as they are now.
func (m *mixtureCache) of(ctx context.Context, c *Collection, gen *generation) (*embed.Mixture, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	// What is indexed while the mixture is fitted counts as not in it, so at
	// worst the next call fits it once more.
	applied, err := gen.drained()
	if err != nil {
		return nil, err
	}
	if m.generation == gen && m.applied == applied {
		return m.mixture, nil
	}
	fitted, err := c.fitMixture(ctx, gen, nil)
	if err == nil {
		m.generation, m.applied, m.mixture = gen, applied, fitted
	}
	return fitted, err
}

// mixtureFor fits the mixture that a query draws from.
func (c *Collection) mixtureFor(ctx context.Context, gen *generation, q SampleQuery) (*embed.Mixture, error) {
	if q.Filter.empty() && len(q.IDs) == 0 {
		return c.mixtures.of(ctx, c, gen)
	}
	allow, err := c.selection(ctx, q.Filter)
	if err != nil {
		return nil, err
	}
	if len(q.IDs) > 0 {
		var slots []uint32
		if err := c.view(func(g *ground) error {
			slots, err = g.slotsOf(q.IDs)
			return err
		}); err != nil {
			return nil, err
		}
		named := index.NewBitmap(slots...)
		if allow != nil {
			named.And(allow)
		}
		allow = named
	}
	if n := allow.Len(); n < 2 {
		return nil, invalid("like", "selects %d points, sampling needs at least 2", n)
	}
	if _, err := gen.drained(); err != nil { // what was written last counts too
		return nil, err
	}
	return c.fitMixture(ctx, gen, allow)
}

// fitMixture fits a mixture to stored latents, evenly thinned to mixtureLatents.
func (c *Collection) fitMixture(ctx context.Context, gen *generation, allow *index.Bitmap) (*embed.Mixture, error) {
	var slots []uint32
	for slot := range gen.index.Slots() {
		if allow == nil || allow.Has(slot) {
			slots = append(slots, slot)
		}
	}
	n := min(len(slots), mixtureLatents)
	z := embed.NewMatrix(n, gen.model.Dim())
	used := 0
	for i := range n {
		if gen.index.Row(embed.Row(z, used), slots[i*len(slots)/n]) {
			used++
		}
	}
	z.Rows = used
	m, err := embed.FitMixture(ctx, z, 1)
	if err != nil {
		return nil, invalidCause("like", err)
	}
	return m, nil
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
