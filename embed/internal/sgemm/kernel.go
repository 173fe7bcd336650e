package sgemm

import "unsafe"

// isa is an instruction set that there are kernels for.
type isa int

const (
	none isa = iota
	avx2
	avx512
)

// shape is the tile of an instruction set's kernels: rows×cols, and the columns
// of a kernel for a narrow last panel, where there is one.
type shape struct{ rows, cols, narrow int }

var shapes = [...]shape{avx2: {6, 16, 16}, avx512: {8, 32, 16}}

// panel is the width of the panel that takes cols columns.
func (s shape) panel(cols int) int {
	if cols <= s.narrow {
		return s.narrow
	}
	return s.cols
}

// run multiplies one tile by one panel of the given width with the instruction
// set's kernel. It is a switch and no table of functions, for what is passed to
// an unknown function would be moved to the heap.
func (s isa) run(width, k int, a *float32, rs, cs int, b *float32, bs int, c *float32, ldc int, alpha float32, add bool) {
	switch {
	case s == avx2:
		kernel6x16(k, a, rs, cs, b, bs, c, ldc, alpha, add)
	case width == 16:
		kernel8x16(k, a, rs, cs, b, bs, c, ldc, alpha, add)
	default:
		kernel8x32(k, a, rs, cs, b, bs, c, ldc, alpha, add)
	}
}

// at is element i of the array that begins at p.
func at(p *float32, i int) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(p), 4*i))
}

// kernelGo is what the kernels compute, in Go: the reference of their tests.
func kernelGo(rows, cols, k int, a *float32, rs, cs int, b *float32, bs int, c *float32, ldc int, alpha float32, add bool) {
	for i := range rows {
		for j := range cols {
			var sum float32
			for p := range k {
				sum += *at(a, i*rs+p*cs) * *at(b, p*bs+j)
			}
			if sum *= alpha; add {
				sum += *at(c, i*ldc+j)
			}
			*at(c, i*ldc+j) = sum
		}
	}
}

func gemv8Go(n int, y, w *float32, ldw int, x *float32) {
	for p := range 8 {
		for j := range n {
			*at(y, j) += *at(x, p) * *at(w, p*ldw+j)
		}
	}
}

func gemvStripGo(k int, y, w *float32, ldw int, x *float32, mask uint32, alpha float32) {
	for j := range stripColumns {
		if mask>>j&1 == 0 {
			continue
		}
		var sum float32
		for p := range k {
			sum += *at(x, p) * *at(w, p*ldw+j)
		}
		*at(y, j) += alpha * sum
	}
}

func transpose8Go(k int, dst *float32, ldd int, src *float32, lds int) {
	for p := range k {
		for s := range 8 {
			*at(dst, p*ldd+s) = *at(src, s*lds+p)
		}
	}
}

func copy16Go(k int, dst *float32, ldd int, src *float32, lds int) {
	for p := range k {
		for s := range 16 {
			*at(dst, p*ldd+s) = *at(src, p*lds+s)
		}
	}
}
