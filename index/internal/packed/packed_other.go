//go:build !amd64 || purego

package packed

func measure(dst, query []float32, rows []*byte, form Form, dot bool) {
	measureGeneric(dst, query, rows, form, dot)
}
