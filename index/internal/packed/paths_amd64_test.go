//go:build amd64 && !purego

package packed

// addAccelerated adds the kernels that a better processor hides.
func addAccelerated(paths map[string]func(dst, query []float32, rows []*byte, form Form, dot bool)) {
	if kernels == nil {
		return
	}
	paths["avx2"] = func(dst, query []float32, rows []*byte, form Form, dot bool) {
		defer func(before *[2][3]kernelFunc, masks bool) { kernels, masked = before, masks }(kernels, masked)
		kernels, masked = avx2, false
		measure(dst, query, rows, form, dot)
	}
}
