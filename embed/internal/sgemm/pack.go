package sgemm

import "sync"

// operand is a row-major matrix, perhaps read transposed.
type operand struct {
	data  []float32
	ld    int
	trans bool
}

// tile is element (i,p) and the distances to the next row and column.
func (o operand) tile(i, p int) (first *float32, rs, cs int) {
	if o.trans {
		return &o.data[p*o.ld+i], 1, o.ld
	}
	return &o.data[i*o.ld+p], o.ld, 1
}

// copyTile copies rows×kc elements from (i,p) on, column by column, each column
// of height tall.
func (o operand) copyTile(dst []float32, tall, i, rows, p, kc int) {
	for r := range rows {
		for q := range kc {
			if o.trans {
				dst[q*tall+r] = o.data[(p+q)*o.ld+i+r]
			} else {
				dst[q*tall+r] = o.data[(i+r)*o.ld+p+q]
			}
		}
	}
}

// panels is a block of B that kernels can read: packed panels, one after another.
type panels struct {
	data []float32
	kc   int
}

// at is the panel of a width that begins with column j, and its row stride.
func (p panels) at(j, width int) (first *float32, stride int) {
	return &p.data[j*p.kc], width
}

// packed are buffers for one block of B.
var packed = sync.Pool{New: func() any {
	s := make([]float32, blockK*blockN)
	return &s
}}

// packB lays out rows pc to pc+kc of columns jc to jc+nc of B, panel by panel,
// each row by row, zeros beyond nc.
func (p *product) packB(buf []float32, pc, kc, jc, nc int) panels {
	for j := 0; j < nc; j += p.shape.cols {
		cols := min(p.shape.cols, nc-j)
		width := p.shape.panel(cols)
		p.b.packPanel(buf[j*kc:][:kc*width], width, pc, kc, jc+j, cols)
	}
	return panels{buf, kc}
}

// packPanel lays out columns j to j+cols of rows p to p+kc, by row.
func (o operand) packPanel(dst []float32, width, p, kc, j, cols int) {
	if cols < width {
		clear(dst)
	}
	if !o.trans {
		s := 0
		for ; s+16 <= cols; s += 16 {
			copy16(kc, &dst[s], width, &o.data[p*o.ld+j+s], o.ld)
		}
		if s < cols {
			for q := range kc {
				copy(dst[q*width+s:q*width+cols], o.data[(p+q)*o.ld+j+s:])
			}
		}
		return
	}
	s, whole := 0, kc&^7
	for ; whole > 0 && s+8 <= cols; s += 8 {
		transpose8(whole, &dst[s], width, &o.data[(j+s)*o.ld+p], o.ld)
		o.packColumns(dst, width, p, whole, kc, j, s, s+8)
	}
	o.packColumns(dst, width, p, 0, kc, j, s, cols)
}

// packColumns lays out columns j+lo to j+hi of rows p+from to p+to of a transposed
// operand.
func (o operand) packColumns(dst []float32, width, p, from, to, j, lo, hi int) {
	for s := lo; s < hi; s++ {
		src := o.data[(j+s)*o.ld+p:]
		for q := from; q < to; q++ {
			dst[q*width+s] = src[q]
		}
	}
}
