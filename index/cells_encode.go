package index

import "io"

// The body of cells:
//
//	config                          see binary.go
//	size     uint32                 rows that a cell should hold
//	trained  uint32                 rows when the cells were made, 0 for the first one
//	changed  uint32                 rows changed since
//	cells    uint32                 at least 1
//	cells × { count uint32, slots count × uint32, centre, rows count × row }
//
// A centre and a row are dim × float32, or dim × int8 where config has a step. The
// order of cells and rows is kept, so that an index that was loaded goes on
// exactly as the one that was saved.

func (p *partition) encode(w io.Writer) error {
	e := newEncoder(w)
	e.config(p.config)
	e.u32(uint32(p.size))
	e.u32(uint32(p.trained))
	e.u32(uint32(p.changed))
	e.u32(uint32(len(p.cells)))
	row, codes := make([]float32, p.rows.dim), make([]int8, p.rows.dim)
	for i := range p.cells {
		l := &p.cells[i]
		e.u32(uint32(l.len()))
		e.u32s(l.ids)
		p.home.get(row, &p.centres, i)
		p.rows.encode(e, row, codes)
		for j := range l.ids {
			p.rows.get(row, l, j)
			p.rows.encode(e, row, codes)
		}
	}
	return e.flush()
}

// encode writes a row, by way of codes.
func (y *cellLayout) encode(e *encoder, row []float32, codes []int8) {
	if !y.coded {
		encodeValues(e, row)
		return
	}
	for i, v := range row {
		codes[i] = int8(v)
	}
	encodeValues(e, codes)
}

// decode reads a row into dst.
func (y *cellLayout) decode(d *decoder, dst []float32) {
	if !y.coded {
		copy(dst, decodeRows[float32](d, uint64(len(dst))))
		return
	}
	for i, v := range decodeRows[int8](d, uint64(len(dst))) {
		dst[i] = float32(v)
	}
}

func loadCells(r io.Reader) (Index, error) {
	d := newDecoder(r)
	c := d.config()
	size, trained, changed, n := d.u32(), d.u32(), d.u32(), d.u32()
	if n == 0 || size == 0 || (trained == 0 && n > 1) {
		d.fail("%d cells of %d rows, made of %d", n, size, trained)
	}
	if d.err != nil {
		return nil, d.err
	}
	p := newPartition(c)
	p.size, p.trained, p.changed = int(size), int(trained), int(changed)
	p.cells, p.centres = nil, rowList{}
	row := make([]float32, c.Dim)
	for cell := uint32(0); cell < n && d.err == nil; cell++ {
		p.decodeCell(d, cell, row)
	}
	if err := d.end(); err != nil {
		return nil, err
	}
	return newCells(c, p), nil
}

func (p *partition) decodeCell(d *decoder, cell uint32, row []float32) {
	slots := d.u32s(uint64(d.u32()))
	p.home.decode(d, row)
	if d.err != nil {
		return
	}
	p.home.add(&p.centres, cell, row)
	p.cells = append(p.cells, rowList{})
	for _, slot := range slots {
		if p.rows.decode(d, row); d.err != nil {
			return
		}
		if _, twice := p.cellOf.get(slot); twice {
			d.fail("slot %d stands twice", slot)
			return
		}
		p.insert(cell, slot, row)
	}
}
