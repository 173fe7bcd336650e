package index

import (
	"io"
	"iter"
	"sync"
)

// Cells is the engine of k-means cells, named "cells": rows lie in cells of near
// ones (120 of 60,000 rows, 250 of 1,000,000), and a search scans the cells whose
// centres are nearest to the query, some rowsPerEF rows for each of Params.EF. So
// both recall and cost grow with EF; where EF asks for as many rows as there are,
// the answer is exact.
//
// It is made for int8 rows (Config.Step > 0), of which it measures 32 at once,
// and holds about 1.5*Dim + 20 bytes per slot for them; for float32 rows 4.3*Dim + 10.
// Half a byte a value of that are sketches, which Params.Rough goes by.
// When rows change, a cell that has grown too large is split, and one that has
// become too small is given to its neighbours. When half as many rows have
// changed as there were, or a quarter are gone, all cells are made anew, in the
// writer's time (some 3 to 6 µs a row of 32 codes): readers go on with the old ones.
//
// The same operations with the same seed give the same cells and answers.
var Cells = Engine{Name: "cells", New: newCellsIndex, Load: loadCells}

type cells struct {
	config Config
	locks
	// part is replaced as a whole when it is made anew. The writer may read it
	// under locks.writer alone.
	part *partition

	// The writer's memory.
	row, scratch []float32
	query        *cellQuery
	near         selection
	joins        int // how often cells got other numbers

	pool sync.Pool // of *cellSearch
}

// cellSearch is the memory of one search.
type cellSearch struct {
	query  *cellQuery
	row    []float32
	hits   selection // slots
	coarse selection // coarse cells
	order  selection // cells
	// scanned are the cells that a search by steps has done with, found what it gives
	// away.
	scanned []key
	found   []Hit
	// estimate tells that rows are measured by their sketches.
	estimate bool
}

func newCellsIndex(c Config) (Index, error) {
	c, err := c.Resolve()
	if err != nil {
		return nil, err
	}
	return newCells(c, newPartition(c)), nil
}

func newCells(c Config, p *partition) *cells {
	x := &cells{config: c, part: p, row: make([]float32, c.Dim), scratch: make([]float32, c.Dim), query: new(cellQuery)}
	x.pool.New = func() any { return &cellSearch{query: new(cellQuery), row: make([]float32, c.Dim)} }
	return x
}

func (x *cells) Engine() string { return Cells.Name }
func (x *cells) Dim() int       { return x.config.Dim }
func (x *cells) Metric() Metric { return x.config.Metric }

func (x *cells) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.part.cellOf.n
}

func (x *cells) Row(dst []float32, slot uint32) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	p := x.part
	at, held := p.cellOf.get(slot)
	if held {
		l := &p.cells[at]
		p.rows.get(dst, l, l.find(slot))
		x.config.fromCodes(dst[:min(len(dst), x.config.Dim)])
	}
	return held
}

// Groups implements Grouped: groups are cells.
func (x *cells) Groups(dst, slots []uint32) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	x.part.cellOf.getAll(dst, slots)
}

func (x *cells) Slots() iter.Seq[uint32] {
	return x.eachSlot(func() *slotTable { return &x.part.cellOf })
}

func (x *cells) Search(dst []Hit, query []float32, p Params) ([]Hit, error) {
	p, err := p.Resolve()
	if err != nil {
		return dst, err
	}
	s := x.pool.Get().(*cellSearch)
	defer x.pool.Put(s)
	if err := x.config.prepare(s.row, query); err != nil {
		return dst, err
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	s.query.set(&x.part.rows, s.row)
	x.part.search(s, p)
	if p.Rough {
		return s.hits.appendUnsorted(dst), nil
	}
	return s.hits.appendHits(dst), nil
}

func (x *cells) Bytes() int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.part.bytes()
}

func (x *cells) Encode(w io.Writer) error {
	x.writer.Lock()
	defer x.writer.Unlock()
	return x.part.encode(w)
}

// prepare checks a row as Metric.Prepare does and puts it into dst as a layout
// takes it: where the configuration has a step, as codes.
func (c *Config) prepare(dst, row []float32) error {
	if err := c.Metric.Prepare(dst, row); err != nil || c.Step == 0 {
		return err
	}
	for i, x := range dst {
		dst[i] = float32(codeOf(x, c.Step)) + 0 // the sum turns -0 into 0
	}
	return nil
}

// fromCodes undoes prepare, but for the rounding.
func (c *Config) fromCodes(row []float32) {
	if c.Step == 0 {
		return
	}
	for i := range row {
		row[i] *= c.Step
	}
}
