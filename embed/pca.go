package embed

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

const (
	// denseEigen is the width up to which all eigenvectors are computed.
	denseEigen = 256
	// covarianceWidth is the width up to which a D×D covariance is formed.
	covarianceWidth = 2048
	// subspaceIterations bounds the subspace iteration for wider rows.
	subspaceIterations = 60
	// subspaceExtra is how many directions beyond d it carries, for convergence.
	subspaceExtra = 16
	// rankTolerance is the share of the largest variance under which a
	// direction's is rounding: float32 products leave about 1e-7 of it.
	rankTolerance = 1e-6
)

// fitPCA makes the PCA model of rows (n×D): mean, one global scale (for rows
// that are all numeric; mixed rows come standardised), the leading d principal
// components, and the scale σ of a latent coordinate. Components beyond the
// rows' rank are zero.
func fitPCA(ctx context.Context, layout Layout, rows blas32.General, dim int) (*Model, error) {
	m, err := centred(layout, rows, dim)
	if err != nil {
		return nil, err
	}
	features := rows.Cols
	values, vectors, err := principal(ctx, m, rows, min(dim, features))
	if err != nil {
		return nil, err
	}
	var kept float64
	for k, value := range values {
		kept += value
		for j := range features {
			v := float32(vectors.At(j, k))
			m.enc.w.Data[j*dim+k] = v
			m.dec.w.Data[k*features+j] = v
		}
	}
	m.sigma = float32(math.Sqrt(max(kept/float64(dim), 1e-12)))
	return m, nil
}

// centred is a model of rows that has their mean and scale, and no component yet.
func centred(layout Layout, rows blas32.General, dim int) (*Model, error) {
	n, features := rows.Rows, rows.Cols
	m := &Model{
		layout: layout, encoder: PCA, dim: dim, scale: 1, sigma: 1,
		mean: make([]float32, features), enc: newLinear(features, dim, false), dec: newLinear(dim, features, false),
	}
	sum := make([]float64, features)
	for i := range n {
		for j, x := range Row(rows, i) {
			sum[j] += float64(x)
		}
	}
	for j := range sum {
		m.mean[j] = float32(sum[j] / float64(n))
	}
	variance := meanVariance(rows, m.mean)
	if !(variance > 1e-30) {
		return nil, fmt.Errorf("%w: all %d training rows are identical", ErrData, n)
	}
	if math.IsInf(variance, 1) {
		return nil, fmt.Errorf("%w: the rows' spread is beyond float32", ErrData)
	}
	if layout.allNumeric() {
		m.scale = float32(math.Sqrt(variance))
	}
	return m, nil
}

// meanVariance is the variance of a feature, averaged over features.
func meanVariance(rows blas32.General, mean []float32) float64 {
	var total float64
	for i := range rows.Rows {
		for j, x := range Row(rows, i) {
			d := float64(x - mean[j])
			total += d * d
		}
	}
	return total / float64(rows.Rows) / float64(rows.Cols)
}

// principal returns the k largest eigenvalues of the covariance of the
// standardised rows and their vectors (D×k), each with its largest entry
// positive. ctx is asked between iterations.
func principal(ctx context.Context, m *Model, rows blas32.General, k int) (values []float64, vectors *mat.Dense, err error) {
	if values, vectors, err = decompose(ctx, m, rows, k); err != nil {
		return nil, nil, err
	}
	dropRankless(values, vectors)
	fixSigns(vectors)
	return values, vectors, nil
}

// decompose chooses how to find the eigenpairs by the rows' width.
func decompose(ctx context.Context, m *Model, rows blas32.General, k int) ([]float64, *mat.Dense, error) {
	features := rows.Cols
	if features > covarianceWidth {
		apply := func(q *mat.Dense) (*mat.Dense, error) { return applyCovariance(ctx, m, rows, q) }
		return subspaceIteration(ctx, apply, features, k, subspaceIterations)
	}
	c, err := covariance(ctx, m, rows)
	if err != nil {
		return nil, nil, err
	}
	if features <= denseEigen {
		return denseEigenvectors(c, k)
	}
	apply := func(q *mat.Dense) (*mat.Dense, error) {
		var out mat.Dense
		out.Mul(c, q)
		return &out, nil
	}
	return subspaceIteration(ctx, apply, features, k, subspaceIterations)
}

// standardisedBatches yields the rows in standardised batches, in order.
func standardisedBatches(ctx context.Context, m *Model, rows blas32.General, f func(u blas32.General)) error {
	buf := NewMatrix(min(1024, rows.Rows), rows.Cols)
	for lo := 0; lo < rows.Rows; lo += buf.Rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		hi := min(lo+buf.Rows, rows.Rows)
		u := rowsOf(buf, 0, hi-lo)
		m.standardise(u, rowsOf(rows, lo, hi))
		f(u)
	}
	return nil
}

// covariance is the D×D covariance of the standardised rows. Batches are
// multiplied in float32 and summed in float64.
func covariance(ctx context.Context, m *Model, rows blas32.General) (*mat.SymDense, error) {
	p := newProduct(rows.Cols, rows.Cols)
	err := standardisedBatches(ctx, m, rows, func(u blas32.General) { p.add(u, u) })
	return mat.NewSymDense(rows.Cols, p.mean(rows.Rows).RawMatrix().Data), err
}

// applyCovariance is covariance·q without forming the covariance.
func applyCovariance(ctx context.Context, m *Model, rows blas32.General, q *mat.Dense) (*mat.Dense, error) {
	features, k := q.Dims()
	q32 := toMatrix(q)
	out := mat.NewDense(features, k, nil)
	projected, part := NewMatrix(min(1024, rows.Rows), k), NewMatrix(features, k)
	err := standardisedBatches(ctx, m, rows, func(u blas32.General) {
		y := rowsOf(projected, 0, u.Rows)
		gemm(blas.NoTrans, blas.NoTrans, 1, u, q32, 0, y)
		gemm(blas.Trans, blas.NoTrans, 1, u, y, 0, part)
		for i := range features {
			for j := range k {
				out.Set(i, j, out.At(i, j)+float64(part.Data[i*k+j])/float64(rows.Rows))
			}
		}
	})
	return out, err
}

// denseEigenvectors takes the k largest of a full eigendecomposition.
func denseEigenvectors(c *mat.SymDense, k int) ([]float64, *mat.Dense, error) {
	var eig mat.EigenSym
	if !eig.Factorize(c, true) {
		return nil, nil, fmt.Errorf("%w: principal components did not converge", ErrData)
	}
	all := eig.Values(nil) // ascending
	var vecs mat.Dense
	eig.VectorsTo(&vecs)
	n := len(all)
	values, out := make([]float64, k), mat.NewDense(n, k, nil)
	for j := range k {
		values[j] = max(0, all[n-1-j])
		out.SetCol(j, mat.Col(nil, n-1-j, &vecs))
	}
	return values, out, nil
}

// subspaceIteration finds the k leading eigenpairs of a symmetric operator by
// orthogonal iteration with Rayleigh–Ritz steps (Halko, Martinsson and Tropp,
// 2011), until the leading values stand still, a number of times at most.
func subspaceIteration(ctx context.Context, apply func(*mat.Dense) (*mat.Dense, error), n, k, most int) ([]float64, *mat.Dense, error) {
	width := min(n, k+subspaceExtra)
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	q := mat.NewDense(n, width, nil)
	for i := range n {
		for j := range width {
			q.Set(i, j, rng.NormFloat64())
		}
	}
	q = orthonormal(q)
	values, previous := make([]float64, k), math.Inf(1)
	for range most {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		y, err := apply(q)
		if err != nil {
			return nil, nil, err
		}
		var small mat.Dense
		small.Mul(q.T(), y)
		ritz := mat.NewSymDense(width, nil)
		for i := range width {
			for j := i; j < width; j++ {
				ritz.SetSym(i, j, (small.At(i, j)+small.At(j, i))/2)
			}
		}
		top, vecs, err := denseEigenvectors(ritz, width)
		if err != nil {
			return nil, nil, err
		}
		copy(values, top)
		var rotated mat.Dense
		rotated.Mul(y, vecs)
		q = orthonormal(&rotated)
		var sum float64
		for _, v := range values {
			sum += v
		}
		if math.Abs(sum-previous) <= 1e-7*sum {
			break
		}
		previous = sum
	}
	return values, mat.DenseCopyOf(q.Slice(0, n, 0, k)), nil
}

// dropRankless zeroes directions that carry no variance: their vectors are
// arbitrary, and would add noise to latents.
func dropRankless(values []float64, vectors *mat.Dense) {
	rows, _ := vectors.Dims()
	for j, v := range values {
		if v <= rankTolerance*values[0] {
			values[j] = 0
			vectors.SetCol(j, make([]float64, rows))
		}
	}
}

// orthonormal makes the columns of a orthonormal by Gram–Schmidt, twice over for
// accuracy. A column that depends on those before it becomes zero.
func orthonormal(a *mat.Dense) *mat.Dense {
	n, k := a.Dims()
	t := mat.DenseCopyOf(a.T()) // columns as rows, to work on contiguous memory
	for j := range k {
		v := t.RawRowView(j)
		before := floats.Norm(v, 2)
		for range 2 {
			for p := range j {
				w := t.RawRowView(p)
				floats.AddScaled(v, -floats.Dot(v, w), w)
			}
		}
		if norm := floats.Norm(v, 2); norm > 1e-10*before {
			floats.Scale(1/norm, v)
		} else {
			clear(v)
		}
	}
	out := mat.NewDense(n, k, nil)
	out.Copy(t.T())
	return out
}

func fixSigns(v *mat.Dense) {
	n, k := v.Dims()
	for j := range k {
		largest := 0.0
		for i := range n {
			if x := v.At(i, j); math.Abs(x) > math.Abs(largest) {
				largest = x
			}
		}
		if largest < 0 {
			for i := range n {
				v.Set(i, j, -v.At(i, j))
			}
		}
	}
}
