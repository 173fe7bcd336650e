package store

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/latentdb/latentdb/embed"
)

// growthFactor is how many times over the points must have grown since the
// active generation was fitted for another fit to begin by itself: what was
// learned from the first thousand should not serve a hundred thousand. The
// fits of a growing collection then cost less together than the last one does
// twice.
const growthFactor = 4

// driftMinimum is how many new points a verdict on drift needs.
const driftMinimum = 200

// driftFloor is the least held-out error that drift is measured against: below
// it a model is as good as exact, and ratios compare rounding errors.
const driftFloor = 1e-6

// driftWatch is the mean reconstruction error of points that came since the fit.
type driftWatch struct {
	mu   sync.Mutex
	sum  float64
	seen int
}

func (d *driftWatch) reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sum, d.seen = 0, 0
}

func (d *driftWatch) add(err float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sum += err
	d.seen++
}

// exceeds tells whether new points fit worse than factor times the fit's own
// held-out error.
func (d *driftWatch) exceeds(factor, heldOut float64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.seen >= driftMinimum && d.sum/float64(d.seen) > factor*max(heldOut, driftFloor)
}

// watchDrift measures how well the model fits a few of a group's new points.
func (c *Collection) watchDrift(gen *generation, group []*request) {
	if gen.model == nil || gen.latentOnly || c.opts.NoAutoFit || c.Config().AutoFit.Disabled {
		return
	}
	for _, r := range group {
		// One point in 16 is enough to notice, and cheap.
		for i := 0; i < len(r.upserts); i += 16 {
			row, err := gen.featureRow(r.upserts[i].record)
			if err != nil {
				continue
			}
			if e, err := gen.errorOf(row); err == nil {
				c.fits.drift.add(e)
			}
		}
	}
}

// maybeAutoFit begins a fit if the collection should have one: at min_points,
// when the points have grown fourfold since, or when they have drifted, unless its
// originals are dropped by then.
func (c *Collection) maybeAutoFit() {
	auto := c.Config().AutoFit
	n, gen := int(c.points.Load()), c.active.Load()
	if c.opts.NoAutoFit || auto.Disabled || gen.latentOnly {
		return
	}
	due := n >= auto.MinPoints
	if gen.model != nil {
		due = n >= auto.MinPoints && n >= growthFactor*gen.stats.Points ||
			c.fits.drift.exceeds(auto.Drift, gen.stats.HeldOutMSE)
	}
	if !due {
		return
	}
	c.fits.mu.Lock()
	// A fit that failed or was cancelled is not tried again at once, but when
	// the points have grown by half.
	again := c.fits.current == nil && n >= c.fits.triedAt+c.fits.triedAt/2
	if again {
		c.fits.triedAt = n
	}
	c.fits.mu.Unlock()
	if !again {
		return
	}
	if _, err := c.startFit(context.Background(), nil, true); err != nil &&
		!errors.Is(err, ErrFitRunning) && !errors.Is(err, ErrClosed) {
		c.log.Error("starting a fit", "error", err)
	}
}

// errorOf is the mean squared error per feature, standardised, of one row's
// reconstruction.
func (g *generation) errorOf(row []float32) (float64, error) {
	_, residual, err := g.residual(row)
	if err != nil {
		return 0, err
	}
	return meanSquare(residual), nil
}

// residual decodes a row's latent and returns the decoded row and, per
// feature, the standardised difference.
func (g *generation) residual(row []float32) (decoded, residual []float32, err error) {
	latent, err := g.encode(row)
	if err != nil {
		return nil, nil, err
	}
	if g.latentOnly {
		g.model.Round(latent) // for this is what is kept
	}
	out := embed.NewMatrix(1, g.fitted.Width())
	if err := g.decodeRows(out, embed.MatrixOf(latent, g.model.Dim())); err != nil {
		return nil, nil, fmt.Errorf("store: %w", err)
	}
	return out.Data, g.residualOf(row, out.Data), nil
}

// residualOf is the standardised difference of a row from what was decoded, per feature.
func (g *generation) residualOf(row, decoded []float32) []float32 {
	residual := make([]float32, len(row))
	g.model.Residual(residual, row, decoded)
	return residual
}

func meanSquare(v []float32) float64 {
	var s float64
	for _, x := range v {
		s += float64(x) * float64(x)
	}
	return s / float64(max(1, len(v)))
}
