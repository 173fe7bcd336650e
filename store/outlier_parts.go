package store

import (
	"fmt"
	"math"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"gonum.org/v1/gonum/blas/blas32"
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
// which features lie far from what the others let expect, and each part counts as far as
// that is more than is usual of it. Of latents, what is odd about the row's residual is seen
// in the features that the model gives back badly, and what is odd about its place in those
// in which its nearest neighbours differ from it: a value that no other point has may be
// given back well. Both count as far as their measure lies above what is usual, and the
// greater of them says what was expected. Of a row that is not the record's own but decoded, only its place is told.
func (w *watch) explain(r strangeRow, near nearby) (_ []Part, err error) {
	gen := w.generation
	usual := meanRow(near.features, len(r.row))
	expected, contributions := usual, make([]float64, len(r.row))
	if gen.byRows() {
		contributions, err = w.explainer.Contributions(r.watched)
	} else if expected, err = w.blame(contributions, r, usual); expected == nil {
		expected = usual
	}
	if err != nil {
		return nil, err
	}
	if expected == nil { // no neighbour is left
		expected = r.row
	}
	found := gen.fitted.Parts(contributions, r.row, expected)
	found = w.beyondUsual(found)
	var total float64
	for _, p := range found {
		total += p.Weight
	}
	parts := []Part{}
	for _, p := range largestParts(found) {
		parts = append(parts, Part{Name: p.Name, Value: p.Value, Expected: p.Expected, Share: p.Weight / max(total, math.SmallestNonzeroFloat64)})
	}
	return parts, nil
}

// usualPart is what one part of records has in what makes each of them what it is: a text
// differs in many features from any other, and is no stranger for it.
type usualPart struct{ median, deviation float64 }

const (
	// usualRows is how many stored rows tell what is usual of parts.
	usualRows = 200
	// leastDeviation is the least that counts as one: that of a single feature's square.
	leastDeviation = 1
)

// learnUsualParts takes what each part has in rows that are watched as they are.
func (w *watch) learnUsualParts(rows blas32.General) error {
	if !w.generation.byRows() {
		return nil
	}
	var err error
	if w.explainer, err = w.detector.Explainer(w.generation.fitted.Layout()); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	squares := make(map[string][]float64)
	for i := range min(rows.Rows, usualRows) {
		row := embed.Row(rows, i*rows.Rows/min(rows.Rows, usualRows))
		contributions, err := w.explainer.Contributions(row)
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		for _, p := range w.generation.fitted.Parts(contributions, row, row) {
			squares[p.Name] = append(squares[p.Name], p.Weight)
		}
	}
	w.usual = make(map[string]usualPart, len(squares))
	for name, s := range squares {
		median, deviation := medianAndDeviation(s)
		w.usual[name] = usualPart{median, max(deviation, leastDeviation)}
	}
	return nil
}

// beyondUsual weighs parts by how far what they have lies above what is usual of them,
// largest first, unless none does.
func (w *watch) beyondUsual(parts []source.Part) []source.Part {
	weights, any := make([]float64, len(parts)), false
	for i, p := range parts {
		u, known := w.usual[p.Name]
		if !known {
			return parts
		}
		weights[i] = max(0, (p.Weight-u.median)/u.deviation)
		any = any || weights[i] > 0
	}
	if !any {
		return parts
	}
	for i := range parts {
		parts[i].Weight = weights[i]
	}
	return source.ByWeight(parts)
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

// meanRow is the mean of rows of a width, nil if there is none.
func meanRow(rows []float32, width int) []float32 {
	if len(rows) == 0 {
		return nil
	}
	mean := make([]float32, width)
	for i := range len(rows) / width {
		for j, x := range rows[i*width : (i+1)*width] {
			mean[j] += (x - mean[j]) / float32(i+1)
		}
	}
	return mean
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
