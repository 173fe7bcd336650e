//go:build !amd64 || purego

package packed

func addAccelerated(map[string]func(dst, query []float32, rows []*byte, form Form, dot bool)) {}
