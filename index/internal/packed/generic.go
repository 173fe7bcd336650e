package packed

import "unsafe"

// measureGeneric is measure in Go.
func measureGeneric(dst, query []float32, rows []*byte, form Form, dot bool) {
	for i, p := range rows {
		row := unsafe.Slice(p, len(query)*form.Size())
		var sum float32
		if dot {
			for j, q := range query {
				sum += q * At(row, form, j)
			}
		} else {
			for j, q := range query {
				d := q - At(row, form, j)
				sum += d * d
			}
		}
		dst[i] = sum
	}
}
