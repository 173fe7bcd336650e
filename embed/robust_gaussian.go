package embed

import (
	"context"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/mat"
)

const (
	// coreShare is how many of the rows the Gaussian is of: those nearest to it.
	coreShare = .8
	// coreSteps bounds the steps to find them.
	coreSteps = 10
	// coreRows is how many rows are looked at.
	coreRows = 5000
	// gaussianWidth is the most features whose covariance is taken: of more, the leading
	// principal components are, and how far the row is from those.
	gaussianWidth = 128
	// gaussianShrinkage is how much of the mean variance every direction has besides its own.
	gaussianShrinkage = .1
)

// robustGaussian is the Gaussian of most rows, without those that lie farthest from it:
// the concentration steps of Rousseeuw and Van Driessen, "A fast algorithm for the minimum
// covariance determinant estimator", 1999, with a shrunken covariance.
type robustGaussian struct {
	pca  *Model // nil where rows are taken as they are
	mean []float32
	// shrinkage is the variance that every direction has besides its own, restScale one by
	// the deviation of a direction that the components leave out.
	shrinkage float64
	restScale float32
	// axes whiten: their columns are eigenvectors by the root of their variances.
	axes blas32.General
}

func fitRobustGaussian(ctx context.Context, rows blas32.General, workers int) (*robustGaussian, error) {
	g := &robustGaussian{}
	if rows.Rows > coreRows {
		rows = strided(rows, coreRows)
	}
	if rows.Cols > gaussianWidth {
		var err error
		if rows, err = g.fitReduction(ctx, rows); err != nil {
			return nil, err
		}
	}
	core := nearestTo(medians(rows), rows)
	for range coreSteps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := g.take(rows, core); err != nil {
			return nil, err
		}
		distances := g.distances(rows, workers)
		next := leastOf(distances, len(core))
		if slices.Equal(core, next) {
			break
		}
		core = next
	}
	return g, g.take(rows, core)
}

// fitReduction finds the leading components of wide rows, and reduces the rows to them.
func (g *robustGaussian) fitReduction(ctx context.Context, rows blas32.General) (reduced blas32.General, err error) {
	if g.pca, err = fitPCA(ctx, NumericLayout(rows.Cols), rows, gaussianWidth); err != nil {
		return rows, err
	}
	g.restScale = 1
	if reduced, err = g.reduce(rows); err != nil {
		return rows, err
	}
	// Rows are standardised by one scale, so their mean variance is 1.
	g.shrinkage = gaussianShrinkage
	var rest float64
	for i := range reduced.Rows {
		r := float64(Row(reduced, i)[gaussianWidth])
		rest += r * r / float64(reduced.Rows) / float64(rows.Cols-gaussianWidth)
	}
	g.restScale = float32(1 / math.Sqrt(rest+g.shrinkage))
	for i := range reduced.Rows {
		Row(reduced, i)[gaussianWidth] *= g.restScale
	}
	return reduced, nil
}

// strided is about n of the rows, evenly.
func strided(rows blas32.General, n int) blas32.General {
	out := NewMatrix(n, rows.Cols)
	for i := range n {
		copy(Row(out, i), Row(rows, i*rows.Rows/n))
	}
	return out
}

func medians(rows blas32.General) []float32 {
	out, column := make([]float32, rows.Cols), make([]float32, rows.Rows)
	for j := range out {
		for i := range column {
			column[i] = rows.Data[i*rows.Stride+j]
		}
		slices.Sort(column)
		out[j] = column[(len(column)-1)/2]
	}
	return out
}

// nearestTo is the core of the rows around a point.
func nearestTo(center []float32, rows blas32.General) []int {
	distances := make([]float32, rows.Rows)
	for i := range distances {
		distances[i] = float32(squaredDistance(center, Row(rows, i)))
	}
	return leastOf(distances, max(2, int(coreShare*float64(rows.Rows))))
}

// leastOf are the places of the n smallest values, ascending.
func leastOf(values []float32, n int) []int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case values[a] < values[b]:
			return -1
		case values[a] > values[b]:
			return 1
		}
		return 0
	})
	order = order[:min(n, len(order))]
	slices.Sort(order)
	return order
}

// take makes the Gaussian that of some rows.
func (g *robustGaussian) take(rows blas32.General, core []int) error {
	d := rows.Cols
	sum := make([]float64, d)
	for _, i := range core {
		for j, x := range Row(rows, i) {
			sum[j] += float64(x)
		}
	}
	g.mean = make([]float32, d)
	for j := range sum {
		g.mean[j] = float32(sum[j] / float64(len(core)))
	}
	centred := NewMatrix(len(core), d)
	for at, i := range core {
		for j, x := range Row(rows, i) {
			centred.Data[at*d+j] = x - g.mean[j]
		}
	}
	product := NewMatrix(d, d)
	gemm(blas.Trans, blas.NoTrans, 1/float32(len(core)), centred, centred, 0, product)
	covariance := mat.NewSymDense(d, nil)
	var trace float64
	for i := range d {
		for j := i; j < d; j++ {
			covariance.SetSym(i, j, float64(product.Data[i*d+j]))
		}
		trace += covariance.At(i, i)
	}
	if g.pca != nil {
		g.leaveRest(covariance)
	}
	values, vectors, err := denseEigenvectors(covariance, d)
	if err != nil {
		return err
	}
	own := g.shrinkage
	if g.pca == nil {
		own = max(gaussianShrinkage*trace/float64(d), math.SmallestNonzeroFloat32)
	}
	g.axes = NewMatrix(d, d)
	for k, value := range values {
		inverse := 1 / math.Sqrt(max(0, value)+own)
		for j := range d {
			g.axes.Data[j*d+k] = float32(vectors.At(j, k) * inverse)
		}
	}
	return nil
}

// leaveRest takes how far rows are from the components out of the covariance: it is
// whitened as it is, and counts from 0.
func (g *robustGaussian) leaveRest(covariance *mat.SymDense) {
	for j := range gaussianWidth {
		covariance.SetSym(j, gaussianWidth, 0)
	}
	covariance.SetSym(gaussianWidth, gaussianWidth, max(0, 1-g.shrinkage))
	g.mean[gaussianWidth] = 0
}

// distances are the Mahalanobis distances of rows that are reduced.
func (g *robustGaussian) distances(rows blas32.General, workers int) []float32 {
	out := make([]float32, rows.Rows)
	centred, white := NewMatrix(rows.Rows, rows.Cols), NewMatrix(rows.Rows, rows.Cols)
	parallel(workers, rows.Rows, 64, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			for j, x := range Row(rows, i) {
				centred.Data[i*centred.Stride+j] = x - g.mean[j]
			}
		}
		gemm(blas.NoTrans, blas.NoTrans, 1, rowsOf(centred, lo, hi), g.axes, 0, rowsOf(white, lo, hi))
		for i := lo; i < hi; i++ {
			var square float64
			for _, x := range Row(white, i) {
				square += float64(x) * float64(x)
			}
			out[i] = float32(math.Sqrt(square))
		}
	})
	return out
}

// reduce takes wide rows to their leading components and the distance from those.
func (g *robustGaussian) reduce(rows blas32.General) (blas32.General, error) {
	if g.pca == nil {
		return rows, nil
	}
	z, back := NewMatrix(rows.Rows, gaussianWidth), NewMatrix(rows.Rows, rows.Cols)
	if err := g.pca.Encode(z, rows); err != nil {
		return z, err
	}
	if err := g.pca.Decode(back, z); err != nil {
		return z, err
	}
	out := NewMatrix(rows.Rows, gaussianWidth+1)
	for i := range rows.Rows {
		copy(Row(out, i), Row(z, i))
		out.Data[i*out.Stride+gaussianWidth] = float32(math.Sqrt(squaredDistance(Row(rows, i), Row(back, i)))) / g.pca.Scale() * g.restScale
	}
	return out, nil
}
