package store

import (
	"math"

	"github.com/latentdb/latentdb/index"
)

// strangeRow is a row to be explained: its feature row, the row that it is watched by, and
// how strange it is.
type strangeRow struct {
	row, watched []float32
	measured     measured
	// decoded tells that the row is not the record's own.
	decoded bool
}

// explain says what of a row makes it strange. Where rows are watched, the detector tells
// in which features the row differs from those near it and from what its other features
// let expect. Of latents, what is odd about the row's residual is seen in the features that
// the model gives back badly, and what is odd about its place in those in which its nearest
// neighbours differ from it: a value that no other point has may be given back well. Both
// count as far as their measure lies above what is usual, and the greater of them says what
// was expected. Of a row that is not the record's own but decoded, only its place is told.
func (c *Collection) explain(g *ground, w *watch, r strangeRow, hits []index.Hit) ([]Part, error) {
	gen := w.generation
	usual, err := gen.meanRow(g, hits)
	if err != nil {
		return nil, err
	}
	expected, contributions := usual, make([]float64, len(r.row))
	if gen.byRows() {
		contributions, err = w.detector.Contributions(r.watched, gen.fitted.Layout())
	} else if expected, err = w.blame(contributions, r, usual); expected == nil {
		expected = usual
	}
	if err != nil {
		return nil, err
	}
	if expected == nil { // no neighbour is left
		expected = r.row
	}
	var total float64
	for _, v := range contributions {
		total += v
	}
	parts := []Part{}
	for _, p := range largestParts(gen.fitted.Parts(contributions, r.row, expected)) {
		parts = append(parts, Part{Name: p.Name, Value: p.Value, Expected: p.Expected, Share: p.Weight / max(total, math.SmallestNonzeroFloat64)})
	}
	return parts, nil
}

// blame adds to each feature what it has of a row's residual and of its distance from its
// neighbours' mean, and returns what was expected.
func (w *watch) blame(contributions []float64, r strangeRow, usual []float32) (expected []float32, err error) {
	decoded, residuals, _, err := w.generation.whiten(r.row)
	if err != nil {
		return nil, err
	}
	gaps := make([]float64, len(r.row))
	for j := range usual {
		d := float64(r.row[j]) - float64(usual[j])
		gaps[j] = d * d
	}
	byPlace, byResidual := w.oddness(r.measured)
	switch {
	case r.decoded:
		byResidual, byPlace = 0, 1
	case byResidual+byPlace == 0 || usual == nil:
		byResidual = 1
	}
	scaleTo(residuals, byResidual)
	scaleTo(gaps, byPlace)
	for j := range contributions {
		contributions[j] = residuals[j] + gaps[j]
	}
	if byPlace > byResidual && usual != nil {
		return usual, nil
	}
	return decoded, nil
}

// oddness is how far a point's place and its residual lie above what is usual.
func (w *watch) oddness(m measured) (place, residual float64) {
	scales, last := w.novelty.scales, len(w.novelty.scales)-1
	if last < 1 {
		return 0, 0
	}
	return max(0, scales[0].of(float64(m.nearest))), max(0, scales[last].of(float64(m.residual)))
}

// scaleTo makes v, where it is not all zeros, add up to a total.
func scaleTo(v []float64, total float64) {
	var sum float64
	for _, x := range v {
		sum += x
	}
	if sum == 0 {
		return
	}
	for j := range v {
		v[j] *= total / sum
	}
}

// meanRow is the mean feature row of hits' points, nil if none is there.
func (g *generation) meanRow(gr *ground, hits []index.Hit) ([]float32, error) {
	var sum []float32
	n := 0
	for _, h := range hits {
		row, err := g.featureOfSlot(gr, h.Slot)
		if err != nil {
			return nil, err
		}
		if row == nil {
			continue
		}
		if sum == nil {
			sum = make([]float32, len(row))
		}
		n++
		for j, x := range row {
			sum[j] += (x - sum[j]) / float32(n)
		}
	}
	return sum, nil
}

// whiten is what the model makes of a row, each feature's squared residual over
// what is usual for the feature, and their mean.
func (g *generation) whiten(row []float32) (decoded []float32, contributions []float64, mean float64, err error) {
	decoded, residual, err := g.residual(row)
	if err != nil {
		return nil, nil, 0, invalidCause("records", err)
	}
	contributions = squares(residual, g.flooredVariance())
	for _, v := range contributions {
		mean += v / float64(len(row))
	}
	return decoded, contributions, mean, nil
}

const (
	// residualFloor keeps features that held-out rows reconstruct perfectly from
	// drowning all others: no variance counts as less than this share of the
	// mean, nor less than a thousandth of a standard deviation squared.
	residualFloor    = 0.01
	residualVariance = 1e-6
)

// flooredVariance is the usual squared residual of each feature, never so small
// that one feature decides alone.
func (g *generation) flooredVariance() []float32 {
	var mean float32
	for _, v := range g.stats.ResidualVariance {
		mean += v / float32(len(g.stats.ResidualVariance))
	}
	out := make([]float32, len(g.stats.ResidualVariance))
	for i, v := range g.stats.ResidualVariance {
		out[i] = max(v, residualFloor*mean, residualVariance)
	}
	return out
}
