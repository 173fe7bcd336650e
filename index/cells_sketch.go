package index

import (
	"math"

	"github.com/latentdb/latentdb/index/internal/cellscan"
	"github.com/latentdb/latentdb/index/internal/distance"
)

const (
	// sketchLevels is how many values a sketch tells apart.
	sketchLevels = 16
	// sketchSample is how many rows the steps of sketches are learned from, at most.
	sketchSample = 4096
)

// sketchSpans are what half the range of a sketch may be, in roots of the mean square
// of differences: a wide range is coarse, a narrow one cuts values off.
var sketchSpans = []float64{1.6, 2, 2.4, 2.8, 3.2, 4}

// learnSketcher sets what sketches of rows like those of the sample lose least by, of
// which row i belongs to the cell home(i).
func (p *partition) learnSketcher(sample []float32, home func(i int) uint32) {
	y := &p.rows
	if !y.coded {
		return
	}
	n := len(sample) / y.dim
	step := max(1, n/sketchSample)
	var differences []float32
	centre := make([]float32, y.dim)
	for i := 0; i < n; i += step {
		p.home.get(centre, &p.centres, int(home(i)))
		for j, x := range rowAt(sample, y.dim, uint32(i)) {
			differences = append(differences, x-centre[j])
		}
	}
	y.sketcher = &cellscan.Sketcher{Step: make([]float32, y.dim)}
	column := make([]float64, len(differences)/y.dim)
	for j := range y.dim {
		for i := range column {
			column[i] = float64(differences[i*y.dim+j])
		}
		y.sketcher.Step[j] = float32(bestSketchStep(column))
	}
}

// bestSketchStep is the step of sixteen levels around 0 with the least squared error.
func bestSketchStep(column []float64) float64 {
	square := 0.0
	for _, x := range column {
		square += x * x / float64(len(column))
	}
	best, least := 0.0, math.Inf(1)
	for _, span := range sketchSpans {
		step := 2 * span * math.Sqrt(square) / (sketchLevels - 1)
		if step == 0 {
			return 0
		}
		sum := 0.0
		for _, x := range column {
			level := min(max(math.Floor(x/step)+.5, -sketchLevels/2+.5), sketchLevels/2-.5)
			sum += (x - level*step) * (x - level*step)
		}
		if sum < least {
			best, least = step, sum
		}
	}
	return best
}

// sketchAll learns to sketch from the rows that there are, and sketches them.
func (p *partition) sketchAll() {
	n := 0
	for i := range p.cells {
		n += p.cells[i].len()
	}
	step := max(1, n/sketchSample)
	var sample []float32
	var homes []uint32
	seen := 0
	row := make([]float32, p.rows.dim)
	for i := range p.cells {
		for j := range p.cells[i].ids {
			if seen++; seen%step == 0 {
				p.rows.get(row, &p.cells[i], j)
				sample, homes = append(sample, row...), append(homes, uint32(i))
			}
		}
	}
	p.learnSketcher(sample, func(i int) uint32 { return homes[i] })
	for i := range p.cells {
		l := &p.cells[i]
		l.centre = make([]float32, p.rows.dim)
		p.home.get(l.centre, &p.centres, i)
		p.rows.reserve(l, l.len())
		for j := range l.ids {
			p.rows.get(row, l, j)
			p.rows.put(l, j, row)
		}
	}
}

const (
	// cached is how many bytes of sketches are likely to lie in a cache, from where it
	// does not pay to fetch them ahead.
	cached = 8 << 20
	// fetchMost is how many bytes of a list are fetched ahead, at most: the processor
	// goes on by itself from there.
	fetchMost = 2048
)

// fetchSketches has sketches brought near while the processor does something else.
func (l *rowList) fetchSketches() {
	first := [1]uint32{}
	distance.Fetch(l.sketches, min(len(l.sketches), fetchMost), first[:])
}

// sketched tells whether a search goes by estimates.
func (p *partition) sketched(a Params) bool { return a.Rough && p.rows.sketcher != nil }

// pack puts what rough searches read of all cells side by side, in huge pages where
// that is possible, near cells near each other. Lists that change move out of there,
// and the arena stays until the cells are made anew.
func (p *partition) pack() {
	if p.rows.sketcher == nil {
		return
	}
	bytes, slots := 0, 0
	for i := range p.cells {
		bytes += cap(p.cells[i].sketches)
		slots += cap(p.cells[i].ids)
	}
	sketches, ids := room[byte](bytes), room[uint32](slots)
	p.arena = int64(bytes) + 4*int64(slots)
	for _, cell := range p.cellOrder() {
		l := &p.cells[cell]
		from := len(sketches)
		sketches = append(sketches, l.sketches[:cap(l.sketches)]...)
		l.sketches = sketches[from:len(sketches):len(sketches)]
		from = len(ids)
		n := len(l.ids)
		ids = append(ids, l.ids[:cap(l.ids)]...)
		l.ids = ids[from : from+n : len(ids)]
		l.packed = true
	}
	collapseHuge(sketches)
	collapseHuge(memory(ids))
}

// cellOrder is all cells, those of a coarse cell together.
func (p *partition) cellOrder() []uint32 {
	order := make([]uint32, 0, len(p.cells))
	if p.coarse == nil {
		for i := range p.cells {
			order = append(order, uint32(i))
		}
		return order
	}
	for i := range p.coarse.cells {
		order = append(order, p.coarse.cells[i].ids...)
	}
	return order
}
