// Package sgemm multiplies float32 matrices fast. Implementation is gonum's BLAS
// with its Sgemm replaced, where the processor has AVX2 and FMA or AVX-512, by a
// register-blocked product (Goto and van de Geijn, "Anatomy of High-Performance
// Matrix Multiplication", 2008). Everywhere else, and under the build tag purego,
// it is gonum's own.
//
// Only B is packed, into panels as wide as a kernel's tile. A is read where it
// is, by its strides: at the sizes of an autoencoder's layers, packing it costs
// more than it saves.
package sgemm

import (
	"runtime"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"

	"github.com/latentdb/latentdb/embed/internal/crew"
)

// Implementation is a blas.Float32Level3. The zero value is ready for use.
type Implementation struct {
	gonum.Implementation
}

// active is the instruction set in use.
var active = best()

const (
	// A block of B is blockK×blockN and shared by all processors; one of A is
	// blockM×blockK. Each stays in a second-level cache while it is used.
	blockK, blockM, blockN = 400, 240, 1024
	// vectorM is the number of rows up to which a product is done row by row.
	vectorM = 3
	// sharedWork is the number of multiplications under which a goroutine
	// costs more than it brings.
	sharedWork = 1 << 18
	maxTile    = 8 * 32
)

// Sgemm computes c = alpha·op(a)·op(b) + beta·c on row-major matrices, as
// blas.Float32Level3 says. Every element of c is summed in an order that
// depends on k alone, so the number of processors changes no result.
func (impl Implementation) Sgemm(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	if active == none || m == 0 || n == 0 || k == 0 || alpha == 0 || !wellFormed(tA, tB, m, n, k, a, lda, b, ldb, c, ldc) {
		// gonum's own also says what is wrong with an argument.
		impl.Implementation.Sgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
		return
	}
	if m <= vectorM && tA == blas.NoTrans {
		impl.rowByRow(tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
		return
	}
	p := product{isa: active, shape: shapes[active], alpha: alpha, c: c, ldc: ldc, m: m, n: n, k: k,
		a: operand{a, lda, tA != blas.NoTrans}, b: operand{b, ldb, tB != blas.NoTrans}}
	if beta != 0 {
		scale(c, m, n, ldc, beta)
		p.add = true
	}
	p.run()
}

// rowByRow is one matrix-vector product per row.
func (impl Implementation) rowByRow(tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	for i := range m {
		x, y := a[i*lda:i*lda+k], c[i*ldc:i*ldc+n]
		if tB == blas.NoTrans {
			scale(y, 1, n, n, beta)
			gemv(active, y, b, ldb, x, alpha)
		} else {
			impl.Sgemv(blas.NoTrans, n, k, alpha, b, ldb, x, 1, beta, y, 1)
		}
	}
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

// product is c = alpha·op(a)·op(b), or that added to c.
type product struct {
	isa   isa
	shape shape
	a, b  operand
	alpha float32
	add   bool
	c     []float32
	ldc   int

	m, n, k int
}

// run gives every processor some rows of A. Each packs B for itself: to read what
// another has just written costs more than to write it again.
func (p product) run() {
	workers := runtime.GOMAXPROCS(0)
	if p.m*p.n*p.k < sharedWork {
		workers = 1
	}
	tiles := (p.m + p.shape.rows - 1) / p.shape.rows
	crew.Share(workers, tiles, 1, func(lo, hi int) {
		p.rows(lo*p.shape.rows, min(p.m, hi*p.shape.rows))
	})
}

// rows computes rows lo to hi block by block. Blocks of k are as equal as can be,
// so that none is too short to be worth its pass over c.
func (p product) rows(lo, hi int) {
	buf := packed.Get().(*[]float32)
	defer packed.Put(buf)
	add := p.add
	parts := (p.k + blockK - 1) / blockK
	for jc := 0; jc < p.n; jc += blockN {
		nc := min(blockN, p.n-jc)
		for part := range parts {
			pc, end := part*p.k/parts, (part+1)*p.k/parts
			b := p.packB(*buf, pc, end-pc, jc, nc)
			p.add = add || part > 0
			for ic := lo; ic < hi; ic += blockM {
				p.multiply(b, ic, min(hi, ic+blockM), pc, end-pc, jc, nc)
			}
		}
	}
}

// multiply takes rows lo to hi of A by the panels of columns jc to jc+nc of B.
func (p *product) multiply(b panels, lo, hi, pc, kc, jc, nc int) {
	for j := 0; j < nc; j += p.shape.cols {
		cols := min(p.shape.cols, nc-j)
		width := p.shape.panel(cols)
		panel, bs := b.at(j, width)
		for i := lo; i < hi; i += p.shape.rows {
			if i+p.shape.rows > hi || cols < width {
				p.edge(panel, bs, i, min(p.shape.rows, hi-i), pc, kc, jc+j, cols, width)
				continue
			}
			a, rs, cs := p.a.tile(i, pc)
			p.isa.run(width, kc, a, rs, cs, panel, bs, &p.c[i*p.ldc+jc+j], p.ldc, p.alpha, p.add)
		}
	}
}

// edge is a tile that c has only rows×cols of. The kernel writes all of it to a
// buffer. Where A has too few rows to read a tile's worth, they are copied.
func (p *product) edge(panel *float32, bs, i, rows, pc, kc, j, cols, width int) {
	var buf [maxTile]float32
	skip := 0
	a, rs, cs := p.a.tile(i, pc)
	switch {
	case rows == p.shape.rows:
	case p.m >= p.shape.rows: // rows before these are computed again
		skip = p.shape.rows - rows
		a, rs, cs = p.a.tile(i-skip, pc)
	default:
		var padded [8 * blockK]float32
		p.a.copyTile(padded[:], p.shape.rows, i, rows, pc, kc)
		a, rs, cs = &padded[0], 1, p.shape.rows
	}
	p.isa.run(width, kc, a, rs, cs, panel, bs, &buf[0], width, p.alpha, false)
	for r := range rows {
		dst, src := p.c[(i+r)*p.ldc+j:][:cols], buf[(skip+r)*width:][:cols]
		if !p.add {
			copy(dst, src)
			continue
		}
		for s, v := range src {
			dst[s] += v
		}
	}
}

const (
	// stripColumns is how many columns gemvStripAVX512 takes, whose sums stay in registers.
	stripColumns = 32
	// narrow is how many columns w may have to be taken in strips: rows of more lie
	// too far apart for that.
	narrow = 128
)

// gemv adds alpha·x·w to y, where w is len(x)×len(y).
func gemv(s isa, y, w []float32, ldw int, x []float32, alpha float32) {
	if s == avx512 && len(y) <= narrow && len(x) > 0 {
		for j := 0; j < len(y); j += stripColumns {
			gemvStripAVX512(len(x), &y[j], &w[j], ldw, &x[0], uint32(1<<min(stripColumns, len(y)-j)-1), alpha)
		}
		return
	}
	lanes := 8
	if s == avx512 {
		lanes = 16
	}
	whole := len(y) &^ (lanes - 1)
	p := 0
	for ; p+8 <= len(x); p += 8 {
		var scaled [8]float32
		for r := range scaled {
			scaled[r] = alpha * x[p+r]
		}
		if whole > 0 && s == avx512 {
			gemv8AVX512(whole, &y[0], &w[p*ldw], ldw, &scaled[0])
		} else if whole > 0 {
			gemv8AVX2(whole, &y[0], &w[p*ldw], ldw, &scaled[0])
		}
		for r, v := range scaled {
			axpy(y[whole:], v, w[(p+r)*ldw+whole:])
		}
	}
	for ; p < len(x); p++ {
		axpy(y, alpha*x[p], w[p*ldw:])
	}
}

func axpy(y []float32, a float32, x []float32) {
	for j := range y {
		y[j] += a * x[j]
	}
}
