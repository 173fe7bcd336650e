package embed

import (
	"fmt"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/mat"
)

// contributionNearest is how many references tell in which features a wide row differs.
const contributionNearest = 10

// Explainer tells how much each feature of a row makes it strange. It is immutable and safe
// for concurrent use.
type Explainer struct {
	detector *Detector
	// runs are the features that are taken as one, from each to the next; nil of rows of
	// more than 128 features.
	runs []int
	// surprises takes a standardised row less the mean to what its runs surprise by: the
	// square of a run is the sum of its features' squares.
	surprises blas32.General
}

// Explainer makes one for rows of a layout. Cost: about the cube of their width, once.
func (d *Detector) Explainer(layout Layout) (*Explainer, error) {
	if layout.Width() != len(d.scale.center) {
		return nil, fmt.Errorf("%w: the layout has %d values, want %d", ErrData, layout.Width(), len(d.scale.center))
	}
	e := &Explainer{detector: d}
	if d.gaussian.pca == nil {
		e.runs = runsOf(layout)
		e.surprises = d.gaussian.surprises(e.runs)
	}
	return e, nil
}

// runsOf are where the features begin that tell each other, those of one-hot runs, and where
// all end.
func runsOf(layout Layout) []int {
	runs, at := []int{0}, 0
	for _, block := range layout {
		step := 1
		if block.Kind == OneHot {
			step = block.Width
		}
		for end := at + block.Width; at < end; runs = append(runs, at) {
			at += step
		}
	}
	return runs
}

// Contributions are, of each feature of a row, the square of how many standard deviations it
// lies from what the other features let expect, by the robust Gaussian: a one-hot run is
// taken as one, and shares its square. Of more than 128 features they are the mean square of
// how far the feature is from that of the nearest of the crowd.
func (e *Explainer) Contributions(row []float32) ([]float64, error) {
	d := e.detector
	if len(row) != len(d.scale.center) {
		return nil, fmt.Errorf("%w: the row has %d values, want %d", ErrData, len(row), len(d.scale.center))
	}
	z := NewMatrix(1, len(row))
	d.scale.apply(z.Data, row)
	if e.runs == nil {
		return d.crowd.gaps(z), nil
	}
	for j, m := range d.gaussian.mean {
		z.Data[j] -= m
	}
	surprise, out := NewMatrix(1, len(row)), make([]float64, len(row))
	gemm(blas.NoTrans, blas.NoTrans, 1, z, e.surprises, 0, surprise)
	for i, from := range e.runs[:len(e.runs)-1] {
		to := e.runs[i+1]
		var square float64
		for _, v := range surprise.Data[from:to] {
			square += float64(v) * float64(v)
		}
		for j := from; j < to; j++ {
			out[j] = square / float64(to-from)
		}
	}
	return out, nil
}

// surprises are the matrix of an Explainer. With A the axes, which whiten, P = A A' the
// inverse covariance and d a row less the mean, a run surprises by (P d)' (P of the run)⁻¹
// (P d), over the run: the square of what A' d has in the space that the rows of A span which
// are the run's.
func (g *robustGaussian) surprises(runs []int) blas32.General {
	n := g.axes.Rows
	spans := NewMatrix(n, n) // an orthonormal basis of each run's
	for i, from := range runs[:len(runs)-1] {
		of := mat.NewDense(n, runs[i+1]-from, nil)
		for j := from; j < runs[i+1]; j++ {
			for k, x := range Row(g.axes, j) {
				of.Set(k, j-from, float64(x))
			}
		}
		basis := orthonormal(of)
		for j := from; j < runs[i+1]; j++ {
			for k := range n {
				spans.Data[j*n+k] = float32(basis.At(k, j-from))
			}
		}
	}
	out := NewMatrix(n, n)
	gemm(blas.NoTrans, blas.Trans, 1, g.axes, spans, 0, out)
	return out
}

// gaps are the mean squares by which a row's features differ from the nearest references.
func (r reference) gaps(row blas32.General) []float64 {
	var near smallest
	r.eachDistances(row, 1, func(_ int, squares []float32) {
		for i, s := range squares {
			near.offer(contributionNearest, candidate{s, uint32(i)})
		}
	})
	out, n := make([]float64, row.Cols), float64(len(near))
	for _, at := range near.ascending() {
		for j, v := range Row(r.rows, int(at)) {
			gap := float64(row.Data[j]) - float64(v)
			out[j] += gap * gap / n
		}
	}
	return out
}
