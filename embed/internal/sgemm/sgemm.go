// Package sgemm multiplies float32 matrices fast. Implementation is gonum's BLAS
// with its Sgemm replaced, where the processor has AVX2 and FMA, by a packed,
// register-blocked product (Goto and van de Geijn, "Anatomy of
// High-Performance Matrix Multiplication", 2008). Everywhere else, and under
// the build tag purego, it is gonum's own.
package sgemm

import (
	"runtime"
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// Implementation is a blas.Float32Level3. The zero value is ready for use.
type Implementation struct {
	gonum.Implementation
}

// Block sizes: a panel of B (blockK×panelB) stays in the second-level cache,
// one of A (tileM×blockK) in the first.
const (
	tileM, tileN = 6, 16
	blockK       = 256
	blockM       = 20 * tileM
	blockN       = 64 * tileN
	// smallM is the number of rows up to which packing costs more than it saves.
	smallM = 3
)

// Sgemm computes c = alpha·op(a)·op(b) + beta·c on row-major matrices, as
// blas.Float32Level3 says. Every element of c is summed in an order that
// depends on k alone, so the number of processors changes no result.
func (impl Implementation) Sgemm(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	if !accelerated || m == 0 || n == 0 || k == 0 || alpha == 0 || !wellFormed(tA, tB, m, n, k, a, lda, b, ldb, c, ldc) {
		// gonum's own also says what is wrong with an argument.
		impl.Implementation.Sgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
		return
	}
	if m <= smallM && tA == blas.NoTrans {
		impl.rowByRow(tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
		return
	}
	scale(c, m, n, ldc, beta)
	packed(operand{a, lda, tA != blas.NoTrans}, operand{b, ldb, tB != blas.NoTrans}, m, n, k, alpha, c, ldc)
}

// rowByRow is one matrix-vector product per row.
func (impl Implementation) rowByRow(tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	for i := range m {
		x, y := a[i*lda:i*lda+k], c[i*ldc:i*ldc+n]
		if tB == blas.NoTrans {
			impl.Sgemv(blas.Trans, k, n, alpha, b, ldb, x, 1, beta, y, 1)
		} else {
			impl.Sgemv(blas.NoTrans, n, k, alpha, b, ldb, x, 1, beta, y, 1)
		}
	}
}

// operand is a row-major matrix, perhaps read transposed.
type operand struct {
	data  []float32
	ld    int
	trans bool
}

func wellFormed(tA, tB blas.Transpose, m, n, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int) bool {
	if m < 0 || n < 0 || k < 0 {
		return false
	}
	aRows, aCols, bRows, bCols := m, k, k, n
	if tA != blas.NoTrans {
		aRows, aCols = k, m
	}
	if tB != blas.NoTrans {
		bRows, bCols = n, k
	}
	return lda >= aCols && ldb >= bCols && ldc >= n &&
		len(a) >= (aRows-1)*lda+aCols && len(b) >= (bRows-1)*ldb+bCols && len(c) >= (m-1)*ldc+n
}

func scale(c []float32, m, n, ldc int, beta float32) {
	if beta == 1 {
		return
	}
	for i := range m {
		row := c[i*ldc : i*ldc+n]
		if beta == 0 {
			clear(row)
			continue
		}
		for j := range row {
			row[j] *= beta
		}
	}
}

// panels is the packing space of one product.
type panels struct{ a, b []float32 }

var (
	panelsB = sync.Pool{New: func() any { return &panels{b: make([]float32, blockK*blockN)} }}
	panelsA = sync.Pool{New: func() any { return &panels{a: make([]float32, blockK*blockM)} }}
)

// packed adds alpha·op(a)·op(b) to c, block by block.
func packed(a, b operand, m, n, k int, alpha float32, c []float32, ldc int) {
	shared := panelsB.Get().(*panels)
	defer panelsB.Put(shared)
	workers := runtime.GOMAXPROCS(0)
	if m*n*k < 1<<18 {
		workers = 1 // a goroutine would cost more than it brings
	}
	for jc := 0; jc < n; jc += blockN {
		nc := min(blockN, n-jc)
		for pc := 0; pc < k; pc += blockK {
			kc := min(blockK, k-pc)
			tiles := (nc + tileN - 1) / tileN
			share(workers, tiles, 4, func(lo, hi int) {
				for t := lo; t < hi; t++ {
					packB(shared.b[t*kc*tileN:], b, pc, jc+t*tileN, kc, min(tileN, nc-t*tileN))
				}
			})
			share(workers, (m+tileM-1)/tileM, 1, func(lo, hi int) {
				own := panelsA.Get().(*panels)
				defer panelsA.Put(own)
				for ic := lo * tileM; ic < min(m, hi*tileM); ic += blockM {
					mc := min(blockM, min(m, hi*tileM)-ic)
					packA(own.a, a, ic, pc, mc, kc, alpha)
					block(own.a, shared.b, mc, nc, kc, c[ic*ldc+jc:], ldc)
				}
			})
		}
	}
}

// share cuts [0,n) over workers, in pieces of at least grain.
func share(workers, n, grain int, f func(lo, hi int)) {
	pieces := min(workers, n/grain)
	if pieces <= 1 {
		f(0, n)
		return
	}
	var wg sync.WaitGroup
	for p := 1; p < pieces; p++ {
		wg.Go(func() { f(p*n/pieces, (p+1)*n/pieces) })
	}
	f(0, n/pieces)
	wg.Wait()
}

// block multiplies an mc×kc panel of A by a kc×nc panel of B into c.
func block(a, b []float32, mc, nc, kc int, c []float32, ldc int) {
	var edge [tileM * tileN]float32
	for j := 0; j < nc; j += tileN {
		bTile := b[j*kc:]
		for i := 0; i < mc; i += tileM {
			rows, cols := min(tileM, mc-i), min(tileN, nc-j)
			if rows == tileM && cols == tileN {
				kernel(kc, &a[i*kc], &bTile[0], &c[i*ldc+j], ldc)
				continue
			}
			clear(edge[:])
			kernel(kc, &a[i*kc], &bTile[0], &edge[0], tileN)
			for r := range rows {
				dst := c[(i+r)*ldc+j : (i+r)*ldc+j+cols]
				for s := range dst {
					dst[s] += edge[r*tileN+s]
				}
			}
		}
	}
}

// packA lays out alpha·op(a)[i0:i0+mc, p0:p0+kc] as tiles of tileM rows, each
// tile by column; rows beyond mc are zero.
func packA(dst []float32, a operand, i0, p0, mc, kc int, alpha float32) {
	for i := 0; i < mc; i += tileM {
		tile := dst[i*kc : i*kc+kc*tileM]
		rows := min(tileM, mc-i)
		if rows < tileM {
			clear(tile)
		}
		if a.trans {
			for p := range kc {
				src := a.data[(p0+p)*a.ld+i0+i:]
				for r := range rows {
					tile[p*tileM+r] = alpha * src[r]
				}
			}
			continue
		}
		for r := range rows {
			src := a.data[(i0+i+r)*a.ld+p0:]
			for p, v := range src[:kc] {
				tile[p*tileM+r] = alpha * v
			}
		}
	}
}

// packB lays out op(b)[p0:p0+kc, j0:j0+cols] by row, padded to tileN columns.
func packB(dst []float32, b operand, p0, j0, kc, cols int) {
	tile := dst[:kc*tileN]
	if cols < tileN {
		clear(tile)
	}
	if !b.trans {
		for p := range kc {
			copy(tile[p*tileN:p*tileN+cols], b.data[(p0+p)*b.ld+j0:])
		}
		return
	}
	for s := range cols {
		src := b.data[(j0+s)*b.ld+p0:]
		for p, v := range src[:kc] {
			tile[p*tileN+s] = v
		}
	}
}
