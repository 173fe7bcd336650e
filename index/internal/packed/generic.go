package packed

import "unsafe"

// measureGeneric is measure in Go.
func measureGeneric(dst, query []float32, rows []*byte, form Form, dot bool) {
	clear(dst[:len(rows)])
	addFrom(0, dst, query, rows, form, dot)
}

// addFrom adds to distances what values from a place on add.
func addFrom(from int, dst, query []float32, rows []*byte, form Form, dot bool) {
	for i, p := range rows {
		row := unsafe.Slice(p, len(query)*form.Size())
		var sum float32
		for j := from; j < len(query); j++ {
			v := At(row, form, j)
			if dot {
				sum += query[j] * v
			} else {
				sum += (query[j] - v) * (query[j] - v)
			}
		}
		dst[i] += sum
	}
}
