package index

import "context"

// Where there are many cells, to rank all of them costs more than to scan the nearest.
// So their centres lie in cells themselves: those of p.coarse, whose slots are the
// numbers of cells. What is coarse may miss a near cell, never a row: a search that
// has too few rows goes on to all cells.

const (
	// coarseFrom is the number of cells from which on there are coarse ones.
	coarseFrom = 2048
	// A search looks at centresPerCell centres for each cell it wants, leastCentres at
	// least.
	centresPerCell = 32
	leastCentres   = 1024
)

// makeCoarse puts the centres into coarse cells where there are many. It fails only
// with the context's error.
func (p *partition) makeCoarse(ctx context.Context, workers int) error {
	p.coarse = nil
	if len(p.cells) < coarseFrom || p.config.Metric == Dot || p.config.Metric == Manhattan {
		return nil
	}
	c := p.config
	c.Metric = L2
	n := p.centres.len()
	b := &remake{next: newPartition(c), plain: true, workers: workers, lists: []*rowList{&p.centres}, starts: []int{0}, n: n, home: make([]uint32, n)}
	if err := b.make(ctx); err != nil {
		return err
	}
	p.coarse = b.next
	return nil
}

// setCoarse says where the centre of a cell is now.
func (p *partition) setCoarse(cell uint32, centre []float32) {
	c := p.coarse
	if c == nil {
		return
	}
	c.forget(cell)
	q := new(cellQuery)
	q.set(&c.home, centre)
	c.insert(c.nearest(q), cell, centre)
}

// dropCoarse takes the centre of a cell away and gives its number to that of the last.
func (p *partition) dropCoarse(cell, last uint32) {
	c := p.coarse
	if c == nil {
		return
	}
	c.forget(cell)
	if at, held := c.cellOf.get(last); held {
		row := make([]float32, c.rows.dim)
		c.rows.get(row, &c.cells[at], c.cells[at].find(last))
		c.forget(last)
		p.setCoarse(cell, row)
	}
}

// forget removes a slot, if it is held.
func (p *partition) forget(slot uint32) {
	if at, held := p.cellOf.get(slot); held {
		p.remove(at, slot, make([]float32, p.rows.dim))
	}
}

// rankCells leaves in s.order the want cells that are nearest to the query: exactly
// those where all centres are looked at.
func (p *partition) rankCells(s *cellSearch, want int, w *Work) {
	s.order.reset(want)
	c, centres := p.coarse, max(leastCentres, centresPerCell*want)
	if c == nil || centres > len(p.cells)/2 {
		w.block(len(p.cells))
		p.rank.scan(&s.order, s.query, &p.centres, nil)
		return
	}
	s.coarse.reset(wantedCells(centres, p.centres.len(), len(c.cells)))
	c.rank.scan(&s.coarse, s.query, &c.centres, nil)
	looked := 0
	for _, k := range s.coarse.sorted() {
		if looked >= centres && s.order.full() {
			break
		}
		l := &c.cells[k.id()]
		p.rank.scan(&s.order, s.query, l, nil)
		looked += l.len()
	}
	w.block(len(c.cells) + looked)
}

// wantedCells is how many cells of n rows in all are ranked to scan some rows.
func wantedCells(rows, n, cells int) int {
	mean := max(1, n/cells)
	return min(cells, rows/mean+rows/(4*mean)+spareCells)
}
