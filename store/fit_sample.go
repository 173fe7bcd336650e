package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/index"
)

// fitSample is the rows that training sees, later those held out of it, and their
// slots.
type fitSample struct {
	rows  blas32.General
	slots []uint32
	// form is how values are kept in few bytes, constants are the features that have
	// one value, both of all rows.
	form      index.RowForm
	constants []index.Constant
}

// sample fits the front end and reads the rows of a uniform sample of points.
func (r *fitRun) sample(ctx context.Context, gen *generation) (*fitSample, error) {
	c := r.c
	slots, err := c.sampleSlots(ctx, maxSampleRows, r.seed())
	if err != nil {
		return nil, err
	}
	allow := index.NewBitmap(slots...)
	if r.from != nil {
		gen.fitted = r.from.fitted // the rows that its model knows
	} else if gen.fitted, err = c.Config().Source.Fit(c.records(ctx, allow)); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	width := gen.fitted.Width()
	if most := maxSampleBytes / 4 / modelLayout(gen.fitted).Width(); len(slots) > most {
		if slots, err = c.sampleSlots(ctx, most, r.seed()); err != nil {
			return nil, err
		}
		allow = index.NewBitmap(slots...)
	}
	s := &fitSample{}
	data := make([]float32, 0, width*len(slots))
	err = c.eachOriginal(ctx, gen, allow, func(chunk []storedPoint, rows []float32) error {
		data = append(data, rows...)
		for _, rec := range chunk {
			s.slots = append(s.slots, rec.slot)
		}
		return nil
	})
	s.rows = embed.MatrixOf(data, width)
	s.constants = index.ConstantFeatures(data, width)
	if s.form = index.LosslessRowForm(data); c.Config().Rows == RowsHalf && s.form.Bytes() > 2 {
		s.form = index.HalfRowForm(data)
	}
	if err == nil && s.rows.Rows < minFitPoints {
		err = fmt.Errorf("%w: %d points, a fit needs at least %d", ErrTooFew, s.rows.Rows, minFitPoints)
	}
	return s, err
}

// sampleSlots draws up to n slots that hold points, uniformly, ascending.
func (c *Collection) sampleSlots(ctx context.Context, n int, seed uint64) ([]uint32, error) {
	rng := rand.New(rand.NewPCG(seed, 0x5a3f1e))
	var out []uint32
	seen := 0
	err := c.view(func(g *ground) error {
		return g.slots.ForEach(func(k, _ []byte) error {
			if seen++; seen%scanStep == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			slot := binary.BigEndian.Uint32(k)
			if len(out) < n {
				out = append(out, slot)
			} else if i := rng.IntN(seen); i < n {
				out[i] = slot
			}
			return nil
		})
	})
	slices.Sort(out)
	if err == nil {
		err = ctx.Err()
	}
	return out, err
}

func (r *fitRun) seed() uint64 {
	if r.opts.Seed != 0 {
		return r.opts.Seed
	}
	return 1
}
