package source

import (
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/mat"

	"github.com/latentdb/latentdb/embed"
)

const (
	factorExtra  = 16 // directions beyond those asked for
	factorPasses = 4  // products with the matrix, the last for the eigenvalues
)

// factors gives each row of a symmetric n×n matrix k coordinates (n×k): its leading
// eigenvectors by the size of their values, each times the root of it. The eigenvectors
// are found by iterating a random subspace (Halko, Martinsson and Tropp 2011).
// Coordinates beyond the matrix's rank are zero.
func (a sparse) factors(k int) (blas32.General, error) {
	n := len(a.starts) - 1
	out := embed.NewMatrix(n, k)
	width := min(n, k+factorExtra)
	if width == 0 {
		return out, nil
	}
	q, y := embed.NewMatrix(n, width), embed.NewMatrix(n, width)
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range q.Data {
		q.Data[i] = float32(rng.NormFloat64())
	}
	for range factorPasses - 1 {
		a.times(y.Data, q.Data, width)
		if err := orthonormalise(q, y); err != nil {
			return out, err
		}
	}
	a.times(y.Data, q.Data, width)
	small := embed.NewMatrix(width, width)
	gemm(blas.Trans, blas.NoTrans, q, y, small)
	values, vectors, err := symmetricEigen(small)
	if err != nil {
		return out, err
	}
	order := make([]int, width)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(math.Abs(values[j]), math.Abs(values[i])) })
	turn := embed.NewMatrix(width, k)
	for column, i := range order[:min(k, width)] {
		root := math.Sqrt(math.Abs(values[i]))
		for row := range width {
			turn.Data[row*turn.Stride+column] = float32(vectors.At(row, i) * root)
		}
	}
	gemm(blas.NoTrans, blas.NoTrans, q, turn, out)
	return out, nil
}

// orthonormalise writes into q orthonormal columns that span those of y, which it uses
// up; columns of zeros take the place of those that depend on others. Twice over, for a
// float32 product tells near parallel columns apart only roughly.
func orthonormalise(q, y blas32.General) error {
	k := y.Cols
	gram, turn := embed.NewMatrix(k, k), embed.NewMatrix(k, k)
	for range 2 {
		gemm(blas.Trans, blas.NoTrans, y, y, gram)
		values, vectors, err := symmetricEigen(gram)
		if err != nil {
			return err
		}
		largest := values[len(values)-1]
		for column, v := range values {
			scale := 0.0
			if v > 1e-6*largest {
				scale = 1 / math.Sqrt(v)
			}
			for row := range k {
				turn.Data[row*k+column] = float32(vectors.At(row, column) * scale)
			}
		}
		gemm(blas.NoTrans, blas.NoTrans, y, turn, q)
		copy(y.Data, q.Data)
	}
	return nil
}

// firstComponent is the direction, of length one, in which rows (n×k) extend most from
// zero. Rows that are all zero have none: nil.
func firstComponent(rows blas32.General) ([]float32, error) {
	gram := embed.NewMatrix(rows.Cols, rows.Cols)
	if rows.Rows > 0 {
		gemm(blas.Trans, blas.NoTrans, rows, rows, gram)
	}
	values, vectors, err := symmetricEigen(gram)
	if err != nil || !(values[rows.Cols-1] > 0) {
		return nil, err
	}
	first := make([]float32, rows.Cols)
	for i := range first {
		first[i] = float32(vectors.At(i, rows.Cols-1))
	}
	return first, nil
}

// symmetricEigen is the eigenvalues, ascending, and vectors of the symmetric part of a.
func symmetricEigen(a blas32.General) ([]float64, *mat.Dense, error) {
	s := mat.NewSymDense(a.Rows, nil)
	for i := range a.Rows {
		for j := i; j < a.Rows; j++ {
			s.SetSym(i, j, float64(a.Data[i*a.Stride+j]+a.Data[j*a.Stride+i])/2)
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(s, true) {
		return nil, nil, errors.New("source: eigenvectors of word vectors did not converge")
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	return eigen.Values(nil), &vectors, nil
}

// gemm computes c = op(a)·op(b).
func gemm(ta, tb blas.Transpose, a, b, c blas32.General) {
	k := a.Cols
	if ta == blas.Trans {
		k = a.Rows
	}
	embed.Kernels().Sgemm(ta, tb, c.Rows, c.Cols, k, 1, a.Data, a.Stride, b.Data, b.Stride, 0, c.Data, c.Stride)
}
