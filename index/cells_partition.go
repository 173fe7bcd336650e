package index

import "unsafe"

// partition is rows in cells, without locks. Each row lies in the cell whose
// centre was the nearest when it came or when the cells were made.
type partition struct {
	config Config
	// rows is how the rows of cells are kept and measured; rank measures centres
	// to find the cells of a query, home those to find the cell of a row. The
	// three keep rows alike.
	rows, rank, home cellLayout

	cells   []rowList // under slots
	centres rowList   // centre i is that of cell i, under the id i
	cellOf  slotTable // slot -> cell
	// coarse has the centres as rows, under the numbers of their cells; nil where the
	// cells are few.
	coarse *partition
	// arena is the bytes that lists were packed into.
	arena int64

	size    int // rows that a cell should hold
	trained int // how many rows there were when the cells were made; 0 for the one first cell
	changed int // how many rows came, went or were replaced since
}

// firstCells is the number of rows from which on there is more than one cell.
const firstCells = 256

func newPartition(c Config) *partition {
	rank := c.Metric
	if rank == Cosine {
		rank = L2 // centres are not of length one
	}
	p := &partition{
		config: c,
		rows:   newCellLayout(c, c.Metric),
		rank:   newCellLayout(c, rank),
		home:   newCellLayout(c, L2),
		size:   firstCells,
		cells:  make([]rowList, 1),
	}
	p.home.add(&p.centres, 0, make([]float32, c.Dim))
	return p
}

func (p *partition) bytes() int64 {
	size := p.arena + p.cellOf.bytes() + p.centres.bytes()
	if p.coarse != nil {
		size += p.coarse.bytes()
	}
	for i := range p.cells[:cap(p.cells)] {
		size += cellBytes
		if i < len(p.cells) {
			size += p.cells[i].bytes()
		}
	}
	return size
}

// cellBytes is the size of a rowList.
const cellBytes = int64(unsafe.Sizeof(rowList{}))

// nearest is the cell whose centre is nearest to the query.
func (p *partition) nearest(q *cellQuery) uint32 {
	return p.home.nearest(q, &p.centres)
}

// insert puts a row into a cell.
func (p *partition) insert(cell, slot uint32, row []float32) {
	p.rows.add(&p.cells[cell], slot, row)
	p.cellOf.set(slot, cell)
}

// remove takes a slot that is held away.
func (p *partition) remove(cell, slot uint32, scratch []float32) {
	l := &p.cells[cell]
	p.rows.remove(l, l.find(slot), scratch)
	p.cellOf.remove(slot)
}

// dropCell takes an empty cell away: the last one gets its number.
func (p *partition) dropCell(cell uint32, scratch []float32) {
	last := uint32(len(p.cells) - 1)
	if cell != last {
		p.cells[cell] = p.cells[last]
		for _, slot := range p.cells[cell].ids {
			p.cellOf.set(slot, cell)
		}
	}
	p.cells[last] = rowList{}
	p.cells = p.cells[:last]
	p.dropCoarse(cell, last)
	p.home.remove(&p.centres, int(cell), scratch)
	if cell != last {
		p.centres.ids[cell] = cell
	}
}
