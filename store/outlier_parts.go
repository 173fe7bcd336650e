package store

import (
	"math"

	"github.com/latentdb/latentdb/index"
)

// explain says what of a row makes it strange. What is odd about its residual is
// seen in the features that the model gives back badly, and what is odd about its
// place in those in which its nearest neighbours differ from it: a value that no
// other point has may be given back well. Both count as far as their measure
// lies above what is usual, and the greater of them says what was expected. Of a row that
// is not the record's own but decoded, only its place is told.
func (c *Collection) explain(g *ground, pop *population, row []float32, s strangeness, hits []index.Hit, original bool) ([]Part, error) {
	gen := pop.generation
	expected, contributions, _, err := gen.whiten(row)
	if err != nil {
		return nil, err
	}
	usual, err := gen.meanRow(g, hits)
	if err != nil {
		return nil, err
	}
	gaps := make([]float64, len(row))
	for j := range usual {
		d := float64(row[j]) - float64(usual[j])
		gaps[j] = d * d
	}
	byResidual, byPlace := max(0, pop.residual.of(s.residual)), max(0, pop.distance.of(s.distance))
	switch {
	case !original:
		byResidual, byPlace = 0, 1
	case byResidual+byPlace == 0 || usual == nil:
		byResidual = 1
	}
	if byPlace > byResidual && usual != nil {
		expected = usual
	}
	scaleTo(contributions, byResidual)
	scaleTo(gaps, byPlace)
	var total float64
	for j, gap := range gaps {
		contributions[j] += gap
		total += contributions[j]
	}
	parts := []Part{}
	for _, p := range largestParts(gen.fitted.Parts(contributions, row, expected)) {
		parts = append(parts, Part{Name: p.Name, Value: p.Value, Expected: p.Expected, Share: p.Weight / max(total, math.SmallestNonzeroFloat64)})
	}
	return parts, nil
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
