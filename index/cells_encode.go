package index

import (
	"bytes"
	"context"
	"io"
	"math"
	"unsafe"

	"github.com/latentdb/latentdb/index/internal/cellscan"
)

// The body of cells:
//
//	config                          see binary.go; flagged as blocked where sketches follow
//	size     uint32                 rows that a cell should hold
//	trained  uint32                 rows when the cells were made, 0 for the first one
//	changed  uint32                 rows changed since
//	cells    uint32                 at least 1
//	sketches dim × float32          where flagged: the steps
//	cells × { count uint32, slots count × uint32, centre, rows count × row }
//
// A centre and a row are dim × float32, or dim × int8 where config has a step. Where
// flagged, rows stand as they lie in memory, in blocks of which package cellscan tells,
// so that they are read as fast as a disk gives them:
//
//	rows = codes blocks × int8, weights rows of the blocks × uint32, sketches blocks
//
// The order of cells and rows is kept, so that an index that was loaded goes on exactly
// as the one that was saved, but for the coarse cells, which are made anew.

func (p *partition) encode(w io.Writer) error {
	e := newEncoder(w)
	flag := uint8(0)
	if p.rows.sketcher != nil {
		flag = blocked
	}
	e.flagged(p.config, flag)
	e.u32(uint32(p.size))
	e.u32(uint32(p.trained))
	e.u32(uint32(p.changed))
	e.u32(uint32(len(p.cells)))
	if s := p.rows.sketcher; s != nil {
		encodeValues(e, s.Step)
	}
	row, codes := make([]float32, p.rows.dim), make([]int8, p.rows.dim)
	for i := range p.cells {
		l := &p.cells[i]
		e.u32(uint32(l.len()))
		e.u32s(l.ids)
		p.home.get(row, &p.centres, i)
		p.rows.encode(e, row, codes)
		p.encodeList(e, l, row, codes)
	}
	return e.flush()
}

func (p *partition) encodeList(e *encoder, l *rowList, row []float32, codes []int8) {
	y, blocks := &p.rows, cellscan.Blocks(l.len())
	switch {
	case !y.coded:
		encodeValues(e, l.values)
	case y.sketcher == nil:
		for j := range l.ids {
			y.get(row, l, j)
			y.encode(e, row, codes)
		}
	default:
		encodeValues(e, l.codes[:blocks*cellscan.BlockSize(y.dim)])
		e.u32s(l.weights[:blocks*cellscan.Lanes])
		e.write(l.sketches[:blocks*cellscan.SketchSize(y.dim)])
	}
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
	c, flag := d.flagged()
	size, trained, changed, n := d.u32(), d.u32(), d.u32(), d.u32()
	if n == 0 || size == 0 || (trained == 0 && n > 1) {
		d.fail("%d cells of %d rows, made of %d", n, size, trained)
	}
	if flag == blocked && c.Step == 0 {
		d.fail("sketches of rows that are no codes")
	}
	if d.err != nil {
		return nil, d.err
	}
	p := newPartition(c)
	p.size, p.trained, p.changed = int(size), int(trained), int(changed)
	p.cells, p.centres = nil, rowList{}
	if flag == blocked {
		p.rows.sketcher = d.sketcher(c.Dim)
	}
	row := make([]float32, c.Dim)
	var slabs listSlabs
	for cell := uint32(0); cell < n && d.err == nil; cell++ {
		p.decodeCell(d, cell, row, &slabs)
	}
	if err := d.end(); err != nil {
		return nil, err
	}
	if p.rows.coded && p.rows.sketcher == nil && p.trained > 0 { // of a format before 3
		p.sketchAll()
	}
	if err := p.makeCoarse(context.Background(), 1); err != nil {
		return nil, err
	}
	p.pack()
	return newCells(c, p), nil
}

// sketcher reads how rows of dim values are sketched.
func (d *decoder) sketcher(dim int) *cellscan.Sketcher {
	s := &cellscan.Sketcher{Step: decodeRows[float32](d, uint64(dim))}
	for j, step := range s.Step {
		if step < 0 || step > math.MaxInt8 {
			d.fail("value %d is sketched by steps of %v", j, step)
		}
	}
	return s
}

func (p *partition) decodeCell(d *decoder, cell uint32, row []float32, slabs *listSlabs) {
	slots := d.u32s(uint64(d.u32()))
	p.home.decode(d, row)
	if d.err != nil {
		return
	}
	p.home.add(&p.centres, cell, row)
	p.cells = append(p.cells, p.rows.emptyList(row))
	for _, slot := range slots {
		if !p.cellOf.add(slot, cell) {
			d.fail("slot %d stands twice", slot)
			return
		}
	}
	p.decodeList(d, &p.cells[cell], slots, row, slabs)
}

func (p *partition) decodeList(d *decoder, l *rowList, slots []uint32, row []float32, slabs *listSlabs) {
	y, n := &p.rows, len(slots)
	if y.coded && y.sketcher == nil {
		for _, slot := range slots {
			if y.decode(d, row); d.err != nil {
				return
			}
			y.add(l, slot, row)
		}
		return
	}
	blocks := cellscan.Blocks(n)
	whole := blocks * cellscan.Lanes
	l.ids = append(make([]uint32, 0, whole), slots...)
	if !y.coded {
		l.values = resized(decodeRows[float32](d, uint64(n*y.dim)), whole*y.dim)
		return
	}
	l.codes = slabs.codes.decode(d, blocks*cellscan.BlockSize(y.dim))
	l.weights = slabs.weights.decode(d, whole)
	l.sketches = slabs.sketches.decode(d, blocks*cellscan.SketchSize(y.dim))
	if bytes.IndexByte(memory(l.codes), 0x80) >= 0 {
		d.fail("a code is -128")
	}
}

// listSlabs are memory for the lists of many cells: to take it for each costs more than
// to read them.
type listSlabs struct {
	codes    slab[int8]
	weights  slab[uint32]
	sketches slab[uint8]
}

// slabBytes is how much memory a slab takes at a time, at least.
const slabBytes = 1 << 18

// slab is memory that is handed out from its beginning to its end.
type slab[T value | number] []T

// decode reads n numbers, into the slab where the source has as many.
func (s *slab[T]) decode(d *decoder, n int) []T {
	size := int(unsafe.Sizeof(*new(T)))
	if n > d.left/size {
		return decodeValues[T](d, uint64(n))
	}
	if cap(*s)-len(*s) < n {
		*s = make([]T, 0, max(n, slabBytes/size))
	}
	from := len(*s)
	*s = (*s)[:from+n]
	out := (*s)[from : from+n : from+n]
	b := memory(out)
	d.into(b)
	if !littleEndian && size > 1 {
		turn(b, size)
	}
	return out
}
