package index

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/latentdb/latentdb/index/internal/cellscan"
)

// The body of cells:
//
//	config                          see binary.go; flagged as joined where rows have sketches
//	size     uint32                 rows that a cell should hold
//	trained  uint32                 rows when the cells were made, 0 for the first one
//	changed  uint32                 rows changed since
//	cells    uint32                 at least 1
//
// and where it is not flagged
//
//	cells × { count uint32, slots count × uint32, centre, rows count × row }
//
// A centre and a row are dim × float32, or dim × int8 where config has a step. Flagged,
// the rows of all cells stand as they lie in memory, in blocks of which package
// cellscan tells, so that they are read as fast as a disk gives them:
//
//	steps    dim × float32          of sketches
//	counts   cells × uint32
//	centres  cells × dim × int8
//	slots    blocks × 16 × uint32   zeros behind a cell's last row
//	weights  blocks × 16 × uint32
//	codes    blocks × int8
//	sketches blocks
//
// The order of cells and rows is kept, so that an index that was loaded goes on exactly
// as the one that was saved, but for the coarse cells, which are made anew.

func (p *partition) encode(w io.Writer) error {
	e := newEncoder(w)
	flag := uint8(0)
	if p.rows.sketcher != nil {
		flag = joined
	}
	e.flagged(p.config, flag)
	e.u32(uint32(p.size))
	e.u32(uint32(p.trained))
	e.u32(uint32(p.changed))
	e.u32(uint32(len(p.cells)))
	if flag == joined {
		p.encodeJoined(e)
		return e.flush()
	}
	row, codes := make([]float32, p.rows.dim), make([]int8, p.rows.dim)
	for i := range p.cells {
		l := &p.cells[i]
		e.u32(uint32(l.len()))
		e.u32s(l.ids)
		p.home.get(row, &p.centres, i)
		p.rows.encode(e, row, codes)
		if !p.rows.coded {
			encodeValues(e, l.values)
			continue
		}
		for j := range l.ids {
			p.rows.get(row, l, j)
			p.rows.encode(e, row, codes)
		}
	}
	return e.flush()
}

func (p *partition) encodeJoined(e *encoder) {
	encodeValues(e, p.rows.sketcher.Step)
	for i := range p.cells {
		e.u32(uint32(p.cells[i].len()))
	}
	row, codes := make([]float32, p.rows.dim), make([]int8, p.rows.dim)
	for i := range p.cells {
		p.home.get(row, &p.centres, i)
		p.rows.encode(e, row, codes)
	}
	for i := range p.cells {
		var none [cellscan.Lanes]uint32
		ids := p.cells[i].ids
		e.u32s(ids)
		e.u32s(none[:cellscan.Blocks(len(ids))*cellscan.Lanes-len(ids)])
	}
	for i := range p.cells {
		l := &p.cells[i]
		e.u32s(l.weights[:cellscan.Blocks(l.len())*cellscan.Lanes])
	}
	for i := range p.cells {
		l := &p.cells[i]
		encodeValues(e, l.codes[:cellscan.Blocks(l.len())*cellscan.BlockSize(p.rows.dim)])
	}
	for i := range p.cells {
		l := &p.cells[i]
		e.write(l.sketches[:cellscan.Blocks(l.len())*cellscan.SketchSize(p.rows.dim)])
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
	if flag != 0 && c.Step == 0 {
		d.fail("sketches of rows that are no codes")
	}
	if d.err != nil {
		return nil, d.err
	}
	p := newPartition(c)
	p.size, p.trained, p.changed = int(size), int(trained), int(changed)
	p.cells, p.centres = nil, rowList{}
	if int(n) <= d.left/4 { // else there cannot be as many
		p.home.reserve(&p.centres, int(n))
		p.cells = make([]rowList, 0, n)
	}
	switch flag {
	case 0:
		p.decodeCells(d, n)
	case joined:
		p.decodeJoined(d, n)
	default:
		d.err = fmt.Errorf("%w: cells of format 3, which no version wrote", ErrFormat)
	}
	if err := d.end(); err != nil {
		return nil, err
	}
	if err := p.complete(); err != nil {
		return nil, err
	}
	return newCells(c, p), nil
}

func (p *partition) decodeCells(d *decoder, n uint32) {
	y, row := &p.rows, make([]float32, p.rows.dim)
	for cell := uint32(0); cell < n && d.err == nil; cell++ {
		slots := d.u32s(uint64(d.u32()))
		p.decodeCentre(d, cell, row)
		if d.err != nil {
			return
		}
		l := &p.cells[cell]
		if y.coded {
			for _, slot := range slots {
				if y.decode(d, row); d.err != nil {
					return
				}
				y.add(l, slot, row)
			}
			continue
		}
		whole := cellscan.Blocks(len(slots)) * cellscan.Lanes
		l.ids = append(make([]uint32, 0, whole), slots...)
		l.values = resized(decodeRows[float32](d, uint64(len(slots)*y.dim)), whole*y.dim)
	}
}

// decodeCentre appends a cell without rows.
func (p *partition) decodeCentre(d *decoder, cell uint32, row []float32) {
	if p.home.decode(d, row); d.err == nil {
		p.home.add(&p.centres, cell, row)
		p.cells = append(p.cells, p.rows.emptyList(row))
	}
}

func (p *partition) decodeJoined(d *decoder, n uint32) {
	y := &p.rows
	y.sketcher = d.sketcher(y.dim)
	counts := d.u32s(uint64(n))
	row := make([]float32, y.dim)
	blocks := uint64(0)
	for cell := uint32(0); cell < n && d.err == nil; cell++ {
		p.decodeCentre(d, cell, row)
		blocks += (uint64(counts[cell]) + cellscan.Lanes - 1) / cellscan.Lanes
	}
	all := rowList{
		ids:      d.u32s(blocks * cellscan.Lanes),
		weights:  d.u32s(blocks * cellscan.Lanes),
		codes:    decodeRows[int8](d, blocks*uint64(cellscan.BlockSize(y.dim))),
		sketches: decodeValues[uint8](d, blocks*uint64(cellscan.SketchSize(y.dim))),
	}
	if d.err != nil {
		return
	}
	collapseHuge(memory(all.ids))
	collapseHuge(all.sketches)
	p.arena = all.bytes()
	at := 0
	for i, count := range counts {
		p.cells[i].take(y, &all, at, int(count))
		at += cellscan.Blocks(int(count))
	}
}

// take makes a list of n rows of those of all, from a block on.
func (l *rowList) take(y *cellLayout, all *rowList, block, n int) {
	blocks := cellscan.Blocks(n)
	l.ids = part(all.ids, block, blocks, cellscan.Lanes)[:n]
	l.weights = part(all.weights, block, blocks, cellscan.Lanes)
	l.codes = part(all.codes, block, blocks, cellscan.BlockSize(y.dim))
	l.sketches = part(all.sketches, block, blocks, cellscan.SketchSize(y.dim))
	l.packed, l.joined = true, true
}

// part is n blocks of some size from a block on.
func part[T any](all []T, block, n, size int) []T {
	return all[block*size : (block+n)*size : (block+n)*size]
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

// complete makes what a body does not tell of the rows it tells.
func (p *partition) complete() error {
	noted := make(chan error, 1)
	cells := slices.Clone(p.cells) // their ids stay what they are where pack moves them
	go func() { noted <- p.noteHomes(cells) }()
	bare := p.rows.sketcher == nil
	if bare && p.rows.coded && p.trained > 0 { // bodies of older formats have no sketches
		p.sketchAll()
	}
	err := p.makeCoarse(context.Background(), 1)
	if bare && err == nil {
		p.pack()
	}
	return errors.Join(err, <-noted)
}

// noteHomes notes the cell of each slot in the cells.
func (p *partition) noteHomes(cells []rowList) error {
	for i := range cells {
		for _, slot := range cells[i].ids {
			if !p.cellOf.add(slot, uint32(i)) {
				return fmt.Errorf("%w: slot %d stands twice", ErrCorrupt, slot)
			}
		}
	}
	p.cellOf.settle()
	return nil
}
