//go:build amd64 && !purego

package sgemm

import "golang.org/x/sys/cpu"

// best is the widest instruction set that the processor has kernels for.
func best() isa {
	switch x := cpu.X86; {
	case x.HasAVX512F && x.HasAVX2 && x.HasFMA:
		return avx512
	case x.HasAVX2 && x.HasFMA:
		return avx2
	}
	return none
}

// The kernels multiply a tile of A (rows×k, element (i,p) at a[i·rs+p·cs]) by a
// panel of B (k rows bs apart) into a tile of c (rows ldc apart): alpha times
// the product is added to it, or replaces it. k is at least 1.

//go:noescape
func kernel8x32(k int, a *float32, rs, cs int, b *float32, bs int, c *float32, ldc int, alpha float32, add bool)

//go:noescape
func kernel8x16(k int, a *float32, rs, cs int, b *float32, bs int, c *float32, ldc int, alpha float32, add bool)

//go:noescape
func kernel6x16(k int, a *float32, rs, cs int, b *float32, bs int, c *float32, ldc int, alpha float32, add bool)

// gemv8AVX512 adds eight rows of w, ldw apart, times eight values of x to y. n,
// their length, is a positive multiple of 16; of 8 in gemv8AVX2.
//
//go:noescape
func gemv8AVX512(n int, y, w *float32, ldw int, x *float32)

//go:noescape
func gemv8AVX2(n int, y, w *float32, ldw int, x *float32)

// gemvStripAVX512 adds alpha times the product of x, of k values, and k rows of w to
// those of 32 columns of y that mask names.
//
//go:noescape
func gemvStripAVX512(k int, y, w *float32, ldw int, x *float32, mask uint32, alpha float32)

// transpose8 writes eight rows of src, lds apart, as columns of dst, whose k rows
// are ldd apart. k is a positive multiple of 8.
//
//go:noescape
func transpose8(k int, dst *float32, ldd int, src *float32, lds int)

// copy16 copies k rows of 16. k is at least 1.
//
//go:noescape
func copy16(k int, dst *float32, ldd int, src *float32, lds int)
