package sgemm

import "unsafe"

// kernelGo is what kernel computes, in Go: the reference of its tests.
func kernelGo(k int, a, b, c *float32, ldc int) {
	as, bs := unsafe.Slice(a, k*tileM), unsafe.Slice(b, k*tileN)
	cs := unsafe.Slice(c, (tileM-1)*ldc+tileN)
	for i := range tileM {
		for j := range tileN {
			var sum float32
			for p := range k {
				sum += as[p*tileM+i] * bs[p*tileN+j]
			}
			cs[i*ldc+j] += sum
		}
	}
}
