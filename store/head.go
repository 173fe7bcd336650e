package store

import (
	"context"
	"fmt"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/index"
)

const (
	// headPoints is how many points there are at least before a head for duplicates is
	// trained: fewer do not teach what is no copy.
	headPoints = 500
	// headStepsPerEpoch bounds the head's steps where a fit is told its epochs.
	headStepsPerEpoch = 50
	// scannedCopies is how many points a self-search scans; among more it goes by cells.
	scannedCopies = 20_000
)

// copyViews are feature rows and their edited copies, as a head sees them.
type copyViews struct {
	rows   blas32.General
	copies source.Copies
}

func (v copyViews) Rows() int  { return v.rows.Rows }
func (v copyViews) Width() int { return v.copies.CopyWidth() }

func (v copyViews) Plain(dst []float32, i int) { v.copies.CopyFeatures(dst, embed.Row(v.rows, i)) }

func (v copyViews) Edited(dst []float32, i int, rng *rand.Rand) {
	v.copies.EditedFeatures(dst, embed.Row(v.rows, i), rng)
}

// trainHead trains the generation's head for duplicates, where its records have edits, are
// enough, and stay.
func (r *fitRun) trainHead(ctx context.Context, gen *generation, sample *fitSample) (err error) {
	copies, ok := gen.fitted.(source.Copies)
	if !ok || sample.rows.Rows < headPoints || r.c.Config().DropOriginals {
		return nil
	}
	r.update(func(s *FitStatus) { s.Stage, s.ETASeconds = "head", 0 })
	cfg := embed.HeadConfig{Seed: r.seed(), Workers: r.c.opts.Workers}
	if r.opts.Epochs > 0 {
		cfg.Steps = min(embed.HeadSteps, headStepsPerEpoch*r.opts.Epochs)
	}
	if gen.head, err = embed.TrainHead(ctx, copyViews{sample.rows, copies}, cfg); err != nil {
		return fmt.Errorf("store: the head for duplicates: %w", err)
	}
	return nil
}

// copyRows are what the head gives for points.
func (g *generation) copyRows(chunk []storedPoint, workers int) ([]float32, error) {
	rows, err := g.originals(chunk, workers)
	if err != nil {
		return nil, err
	}
	copies, ok := g.fitted.(source.Copies)
	if !ok || copies.CopyWidth() != g.head.Features() {
		return nil, fmt.Errorf("%w: the head of generation %d is not of its front end", ErrCorrupt, g.number)
	}
	width := g.fitted.Width()
	seen, out := embed.NewMatrix(len(chunk), g.head.Features()), embed.NewMatrix(len(chunk), g.head.Dim())
	inParallel(workers, len(chunk), func(i int) { copies.CopyFeatures(embed.Row(seen, i), rows[i*width:(i+1)*width]) })
	return out.Data, g.head.Encode(out, seen)
}

// copySearch makes an index of what the head gives for points. It is made for the call:
// decoding, edges and the head take some 0.1 ms a point.
func (c *Collection) copySearch(ctx context.Context, gen *generation, allow *index.Bitmap) (neighbourSearch, error) {
	engine := index.Flat
	if c.points.Load() > scannedCopies {
		engine = index.Cells
	}
	copies, err := engine.New(index.Config{Dim: gen.head.Dim(), Metric: Euclid, Seed: gen.number})
	if err != nil {
		return neighbourSearch{}, err
	}
	rowsOf := func(chunk []storedPoint) ([]float32, error) { return gen.copyRows(chunk, c.opts.Workers) }
	err = c.eachPoint(ctx, allow, func(chunk []storedPoint) error {
		rows, err := rowsOf(chunk)
		if err != nil {
			return err
		}
		return upsertRows(copies, chunk, rows)
	})
	return neighbourSearch{method: MethodCopies, metric: Euclid, width: gen.head.Dim(), rows: copies, own: true, rowsOf: rowsOf,
		find: copies.Search}, err
}

func upsertRows(idx index.Index, chunk []storedPoint, rows []float32) error {
	d := idx.Dim()
	for i, p := range chunk {
		if err := idx.Upsert(p.slot, rows[i*d:(i+1)*d]); err != nil {
			return err
		}
	}
	return nil
}
