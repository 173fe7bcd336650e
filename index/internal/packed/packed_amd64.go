//go:build amd64 && !purego

package packed

import "golang.org/x/sys/cpu"

// kernelFunc measures count ≥ 1 rows of blocks times lanes values and, where kernels
// have masks, tail more. It reads, but does not follow for more than a prefetch, the
// ahead pointers after the last.
type kernelFunc func(dst, query *float32, rows **byte, count, blocks, tail int)

// kernels by whether they multiply, then by form.
var kernels = choose()

// masked tells that the kernels take the values after the last block too.
var masked = kernels != nil && kernels != avx2

func choose() *[2][3]kernelFunc {
	x := cpu.X86
	switch {
	case x.HasAVX512F && x.HasAVX512VL && x.HasAVX512BW:
		return &[2][3]kernelFunc{
			{squaresFloat32AVX512, squaresFloat16AVX512, squaresUint8AVX512},
			{productsFloat32AVX512, productsFloat16AVX512, productsUint8AVX512},
		}
	case x.HasAVX2 && x.HasFMA && hasF16C():
		return avx2
	}
	return nil
}

var avx2 = &[2][3]kernelFunc{
	{squaresFloat32AVX2, squaresFloat16AVX2, squaresUint8AVX2},
	{productsFloat32AVX2, productsFloat16AVX2, productsUint8AVX2},
}

// hasF16C asks the processor for its float16 conversions, which package cpu does
// not tell.
func hasF16C() bool

func measure(dst, query []float32, rows []*byte, form Form, dot bool) {
	blocks, tail := len(query)/lanes, len(query)%lanes
	n := len(rows)
	if kernels == nil || blocks == 0 || n == 0 {
		measureGeneric(dst, query, rows, form, dot)
		return
	}
	kind := 0
	if dot {
		kind = 1
	}
	for range ahead {
		rows = append(rows, rows[n-1])
	}
	kernels[kind][form](&dst[0:n][0], &query[0], &rows[0], n, blocks, tail)
	if tail > 0 && !masked {
		addFrom(blocks*lanes, dst, query, rows[:n], form, dot)
	}
}

//go:noescape
func squaresFloat32AVX512(dst, query *float32, rows **byte, count, blocks, tail int)

//go:noescape
func squaresFloat16AVX512(dst, query *float32, rows **byte, count, blocks, tail int)

//go:noescape
func squaresUint8AVX512(dst, query *float32, rows **byte, count, blocks, tail int)

//go:noescape
func productsFloat32AVX512(dst, query *float32, rows **byte, count, blocks, tail int)

//go:noescape
func productsFloat16AVX512(dst, query *float32, rows **byte, count, blocks, tail int)

//go:noescape
func productsUint8AVX512(dst, query *float32, rows **byte, count, blocks, tail int)

//go:noescape
func squaresFloat32AVX2(dst, query *float32, rows **byte, count, blocks, tail int)

//go:noescape
func squaresFloat16AVX2(dst, query *float32, rows **byte, count, blocks, tail int)

//go:noescape
func squaresUint8AVX2(dst, query *float32, rows **byte, count, blocks, tail int)

//go:noescape
func productsFloat32AVX2(dst, query *float32, rows **byte, count, blocks, tail int)

//go:noescape
func productsFloat16AVX2(dst, query *float32, rows **byte, count, blocks, tail int)

//go:noescape
func productsUint8AVX2(dst, query *float32, rows **byte, count, blocks, tail int)
