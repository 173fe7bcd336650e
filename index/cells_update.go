package index

import "slices"

const (
	// A cell is split when it holds more than splitFactor times the rows it
	// should, and given to its neighbours under 1/joinShare of them.
	splitFactor = 2
	joinShare   = 8
	// The cells are made anew when 1/retrainShare as many rows have changed as there
	// were when they were made.
	retrainShare = 2
	// So they are when 1/shrinkShare of the rows are gone: what those took is in pieces
	// too small to be given back.
	shrinkShare = 4
)

func (x *cells) Upsert(slot uint32, row []float32) error {
	x.writer.Lock()
	defer x.writer.Unlock()
	if err := x.config.prepare(x.row, row); err != nil {
		return err
	}
	x.query.set(&x.part.rows, x.row)
	x.put(slot, x.row, x.part.nearest(x.query))
	x.retrainIfDue()
	return nil
}

func (x *cells) Delete(slot uint32) bool {
	x.writer.Lock()
	defer x.writer.Unlock()
	cell, held := x.part.cellOf.get(slot)
	if !held {
		return false
	}
	x.mu.Lock()
	x.part.remove(cell, slot, x.scratch)
	x.mu.Unlock()
	x.part.changed++
	x.joinIfDue(cell)
	x.retrainIfDue()
	return true
}

// put puts a prepared row under a slot into a cell, and splits and joins cells
// where that makes it due.
func (x *cells) put(slot uint32, row []float32, cell uint32) {
	p := x.part
	p.changed++
	old, held := p.cellOf.get(slot)
	x.mu.Lock()
	if held && old == cell {
		l := &p.cells[cell]
		p.rows.put(l, l.find(slot), row)
		x.mu.Unlock()
		return
	}
	if held {
		p.remove(old, slot, x.scratch)
	}
	p.insert(cell, slot, row)
	x.mu.Unlock()
	if p.tooLarge(cell) {
		x.split(cell)
	}
	if held {
		x.joinIfDue(old)
	}
}

func (p *partition) tooLarge(cell uint32) bool {
	return p.trained > 0 && p.cells[cell].len() > splitFactor*p.size
}

// split replaces a cell by two of its halves.
func (x *cells) split(cell uint32) {
	p := x.part
	h := p.halve(&p.cells[cell])
	x.mu.Lock()
	p.applySplit(cell, h)
	x.mu.Unlock()
}

func (p *partition) applySplit(cell uint32, h halves) {
	other := uint32(len(p.cells))
	p.cells[cell] = h.lists[0]
	p.cells = append(p.cells, h.lists[1])
	p.home.put(&p.centres, int(cell), h.centres[0])
	p.home.add(&p.centres, other, h.centres[1])
	p.setCoarse(cell, h.centres[0])
	p.setCoarse(other, h.centres[1])
	for _, slot := range p.cells[other].ids {
		p.cellOf.set(slot, other)
	}
}

// joinIfDue gives the rows of a cell that has become too small to the cells
// whose centres are nearest but for its own.
func (x *cells) joinIfDue(cell uint32) {
	p := x.part
	l := &p.cells[cell]
	if len(p.cells) == 1 || l.len()*joinShare >= p.size {
		return
	}
	rows := make([]float32, l.len()*p.rows.dim)
	to := make([]uint32, l.len())
	for i := range to {
		row := rowAt(rows, p.rows.dim, uint32(i))
		p.rows.get(row, l, i)
		x.query.set(&p.rows, row)
		x.near.reset(2)
		p.home.scan(&x.near, x.query, &p.centres, nil)
		to[i] = x.near.sorted()[0].id()
		if to[i] == cell {
			to[i] = x.near.keys[1].id()
		}
	}
	x.mu.Lock()
	for i, slot := range slices.Clone(l.ids) {
		p.insert(to[i], slot, rowAt(rows, p.rows.dim, uint32(i)))
	}
	p.cells[cell] = rowList{}
	p.dropCell(cell, x.scratch)
	x.mu.Unlock()
	x.joins++
}

// halves are what a cell is split into.
type halves struct {
	lists   [2]rowList
	centres [2][]float32
}

// halvings is the most rounds of 2-means when a cell is split.
const halvings = 8

// halve splits a list into two by 2-means, begun at the row farthest from the
// mean and the row farthest from that one. Rows that nothing tells apart are
// split in the middle.
func (p *partition) halve(l *rowList) halves {
	dim, n := p.rows.dim, l.len()
	rows := make([]float32, n*dim)
	mean := newMeans(2, dim)
	for i := range n {
		row := rowAt(rows, dim, uint32(i))
		p.rows.get(row, l, i)
		mean.add(0, row)
	}
	first, second := make([]float32, dim), make([]float32, dim)
	toFirst, toSecond := make([]float32, n), make([]float32, n)
	mean.into(second, 0)
	p.home.measure(toSecond, second, rows)
	copy(first, rowAt(rows, dim, farthest(toSecond)))
	p.home.measure(toFirst, first, rows)
	copy(second, rowAt(rows, dim, farthest(toFirst)))
	half := make([]int, n) // row -> 0 or 1
	for range halvings {
		p.home.measure(toFirst, first, rows)
		p.home.measure(toSecond, second, rows)
		mean.reset()
		changed := false
		for i := range half {
			to := 0
			if toSecond[i] < toFirst[i] {
				to = 1
			}
			changed = changed || to != half[i]
			half[i] = to
			mean.add(to, rowAt(rows, dim, uint32(i)))
		}
		if !changed || min(mean.counts[0], mean.counts[1]) == 0 {
			break
		}
		mean.into(first, 0)
		mean.into(second, 1)
	}
	p.round(first)
	p.round(second)
	h := halves{centres: [2][]float32{first, second}}
	for i, c := range h.centres {
		h.lists[i] = p.rows.emptyList(c)
	}
	for i := range half {
		if min(mean.counts[0], mean.counts[1]) == 0 {
			half[i] = 2 * i / n
		}
		p.rows.add(&h.lists[half[i]], l.ids[i], rowAt(rows, dim, uint32(i)))
	}
	return h
}

// farthest is the first of those that are farthest away.
func farthest(distances []float32) uint32 {
	at := 0
	for i, d := range distances {
		if d > distances[at] {
			at = i
		}
	}
	return uint32(at)
}
