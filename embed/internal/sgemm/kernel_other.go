//go:build !amd64 || purego

package sgemm

// best says that there are no kernels: gonum multiplies, and only the tests use
// the twins below.
func best() isa { return none }

func kernel8x32(k int, a *float32, rs, cs int, b *float32, bs int, c *float32, ldc int, alpha float32, add bool) {
	kernelGo(8, 32, k, a, rs, cs, b, bs, c, ldc, alpha, add)
}

func kernel8x16(k int, a *float32, rs, cs int, b *float32, bs int, c *float32, ldc int, alpha float32, add bool) {
	kernelGo(8, 16, k, a, rs, cs, b, bs, c, ldc, alpha, add)
}

func kernel6x16(k int, a *float32, rs, cs int, b *float32, bs int, c *float32, ldc int, alpha float32, add bool) {
	kernelGo(6, 16, k, a, rs, cs, b, bs, c, ldc, alpha, add)
}

func gemv8AVX512(n int, y, w *float32, ldw int, x *float32) { gemv8Go(n, y, w, ldw, x) }

func gemvStripAVX512(k int, y, w *float32, ldw int, x *float32, mask uint32, alpha float32) {
	gemvStripGo(k, y, w, ldw, x, mask, alpha)
}

func gemv8AVX2(n int, y, w *float32, ldw int, x *float32) { gemv8Go(n, y, w, ldw, x) }

func transpose8(k int, dst *float32, ldd int, src *float32, lds int) {
	transpose8Go(k, dst, ldd, src, lds)
}

func copy16(k int, dst *float32, ldd int, src *float32, lds int) { copy16Go(k, dst, ldd, src, lds) }
