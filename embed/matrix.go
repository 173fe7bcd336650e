package embed

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed/internal/crew"
	"github.com/latentdb/latentdb/embed/internal/sgemm"
)

// kernels is the BLAS that all matrix products go through. It is called
// directly, never installed with blas32.Use: a library leaves its host's BLAS alone.
var kernels blas.Float32Level3 = sgemm.Implementation{}

// Kernels is the BLAS that models run on, for benchmarks and for callers with
// matrices of their own.
func Kernels() blas.Float32Level3 { return kernels }

// NewMatrix makes a zero rows×cols matrix.
func NewMatrix(rows, cols int) blas32.General {
	return blas32.General{Rows: rows, Cols: cols, Stride: max(1, cols), Data: make([]float32, rows*cols)}
}

// MatrixOf makes a matrix over data, which holds rows of length cols, at least 1.
func MatrixOf(data []float32, cols int) blas32.General {
	cols = max(1, cols)
	return blas32.General{Rows: len(data) / cols, Cols: cols, Stride: cols, Data: data}
}

// wellFormed tells whether m's data holds its rows.
func wellFormed(m blas32.General) bool {
	return m.Rows >= 0 && m.Cols >= 0 && m.Stride >= max(1, m.Cols) &&
		(m.Rows == 0 || len(m.Data) >= (m.Rows-1)*m.Stride+m.Cols)
}

// Row is row i of m, sharing its memory.
func Row(m blas32.General, i int) []float32 {
	return m.Data[i*m.Stride : i*m.Stride+m.Cols]
}

// rowsOf is rows lo to hi of m, sharing its memory.
func rowsOf(m blas32.General, lo, hi int) blas32.General {
	m.Data, m.Rows = m.Data[lo*m.Stride:], hi-lo
	return m
}

// colsOf is columns lo to hi of m, sharing its memory.
func colsOf(m blas32.General, lo, hi int) blas32.General {
	m.Data, m.Cols = m.Data[min(lo, len(m.Data)):], hi-lo
	return m
}

// gather copies the rows of src named by rows into dst.
func gather(dst, src blas32.General, rows []int) {
	for i, r := range rows {
		copy(Row(dst, i), Row(src, r))
	}
}

// gemm computes c = alpha·op(a)·op(b) + beta·c.
func gemm(ta, tb blas.Transpose, alpha float32, a, b blas32.General, beta float32, c blas32.General) {
	k := a.Cols
	if ta == blas.Trans {
		k = a.Rows
	}
	kernels.Sgemm(ta, tb, c.Rows, c.Cols, k, alpha, a.Data, a.Stride, b.Data, b.Stride, beta, c.Data, c.Stride)
}

// parallel calls f over [0,n) cut into pieces of at least grain, on up to
// workers goroutines. f must write only to its own piece, so that the number
// of workers changes no result.
func parallel(workers, n, grain int, f func(lo, hi int)) { crew.Share(workers, n, grain, f) }

// parallelElements is parallel over elements. It cuts at multiples of 64: kernels
// take elements some at a time and round the last few otherwise, and which
// those are must not depend on the number of workers.
func parallelElements(workers, n int, f func(lo, hi int)) {
	const unit = 64
	parallel(workers, (n+unit-1)/unit, 8192/unit, func(lo, hi int) { f(lo*unit, min(n, hi*unit)) })
}
