package index

import (
	"math"
	"slices"

	"github.com/latentdb/latentdb/index/internal/cellscan"
	"github.com/latentdb/latentdb/index/internal/distance"
)

// rowList is rows under ids (slots, or the numbers of cells) as a layout keeps
// them: int8 codes in blocks with a weight for each row and, where the layout has a
// sketcher, sketches in blocks; or float32 values one row after
// another. The zero value is empty.
type rowList struct {
	ids      []uint32
	codes    []int8
	weights  []uint32
	sketches []byte
	centre   []float32 // what sketches are counted from; must be set before there are any
	values   []float32
	// packed tells that ids and sketches lie in the partition's arena, joined that codes
	// and weights do too.
	packed, joined bool
}

func (l *rowList) len() int { return len(l.ids) }

func (l *rowList) bytes() int64 {
	own := 4 * int64(cap(l.centre)+cap(l.values))
	if !l.joined {
		own += 4*int64(cap(l.weights)) + int64(cap(l.codes))
	}
	if !l.packed {
		own += 4*int64(cap(l.ids)) + int64(cap(l.sketches))
	}
	return own
}

// cellLayout says how rows are kept and measured. A row outside of a list is
// float32s: prepared values, or codes as whole numbers.
type cellLayout struct {
	dim   int
	coded bool
	// scale turns the squared distance between codes into that of rows.
	scale float32
	// sketcher is nil where no distances are estimated.
	sketcher *cellscan.Sketcher
	// measure puts into dst[i] the distance from query to the i-th of len(dst) rows
	// of values.
	measure func(dst, query, rows []float32)
}

func newCellLayout(c Config, m Metric) cellLayout {
	kind := m.kind()
	return cellLayout{dim: c.Dim, coded: c.Step > 0, scale: c.Step * c.Step, measure: func(dst, query, rows []float32) {
		distance.Floats(kind, dst, query, rows, nil)
	}}
}

// emptyList is one for the rows around a centre, which it copies where it is needed.
func (y *cellLayout) emptyList(centre []float32) rowList {
	if y.sketcher == nil {
		return rowList{}
	}
	return rowList{centre: slices.Clone(centre)}
}

// reserve makes room for n rows in all, no more and no less than their blocks.
func (y *cellLayout) reserve(l *rowList, n int) {
	n = cellscan.Blocks(n) * cellscan.Lanes
	if cap(l.ids) != n {
		l.packed, l.joined = false, false
	}
	l.ids = resized(l.ids, n)
	if !y.coded {
		l.values = resized(l.values, n*y.dim)
		return
	}
	l.weights = resized(l.weights, n)
	l.weights = l.weights[:n]
	l.codes = resized(l.codes, n*4*cellscan.Groups(y.dim))
	l.codes = l.codes[:cap(l.codes)]
	if y.sketcher == nil {
		return
	}
	l.sketches = resized(l.sketches, cellscan.Blocks(n)*cellscan.SketchSize(y.dim))
	l.sketches = l.sketches[:cap(l.sketches)]
}

// resized is s, cut to n values at most, with room for n.
func resized[T any](s []T, n int) []T {
	if cap(s) == n {
		return s
	}
	return append(make([]T, 0, n), s[:min(len(s), n)]...)
}

// add appends a row.
func (y *cellLayout) add(l *rowList, id uint32, row []float32) {
	n := l.len()
	if n == cap(l.ids) {
		y.reserve(l, n+1)
	}
	l.ids = append(l.ids, id)
	if !y.coded {
		l.values = l.values[:(n+1)*y.dim]
	}
	y.put(l, n, row)
}

// put writes row i.
func (y *cellLayout) put(l *rowList, i int, row []float32) {
	if !y.coded {
		copy(l.values[i*y.dim:], row)
		return
	}
	var sum, square int32
	at := cellscan.At(y.dim, i, 0)
	for j, x := range row {
		code := int32(x)
		l.codes[at+j&3] = int8(code)
		if j&3 == 3 {
			at += 4 * cellscan.Lanes
		}
		sum += code
		square += code * code
	}
	l.weights[i] = cellscan.Weight(sum, square)
	if y.sketcher != nil {
		y.sketcher.Put(l.sketches, i, row, l.centre, y.scale)
	}
}

// get copies row i into dst; a shorter dst gets its beginning.
func (y *cellLayout) get(dst []float32, l *rowList, i int) {
	if !y.coded {
		copy(dst, l.values[i*y.dim:][:y.dim])
		return
	}
	at := cellscan.At(y.dim, i, 0)
	for j := range dst[:min(len(dst), y.dim)] {
		dst[j] = float32(l.codes[at+j&3])
		if j&3 == 3 {
			at += 4 * cellscan.Lanes
		}
	}
}

// remove takes row i out: the last one moves into its place. Room for more than
// a block too many is given back.
func (y *cellLayout) remove(l *rowList, i int, scratch []float32) {
	last := l.len() - 1
	if i != last {
		y.get(scratch, l, last)
		y.put(l, i, scratch)
		l.ids[i] = l.ids[last]
	}
	l.ids = l.ids[:last]
	if !y.coded {
		l.values = l.values[:last*y.dim]
	}
	if cap(l.ids) >= last+2*cellscan.Lanes {
		y.reserve(l, last)
	}
}

// find is where an id stands; it must be there.
func (l *rowList) find(id uint32) int { return slices.Index(l.ids, id) }

// scanChunk is how many rows are measured against one bound.
const scanChunk = 128

// cellQuery is a query and the memory to measure it with.
type cellQuery struct {
	row       []float32
	codes     []int8
	coded     cellscan.Query
	sketched  cellscan.SketchQuery
	distances [scanChunk + cellscan.Slack]uint32
	estimates [scanChunk + cellscan.Slack]float32
	ids       [scanChunk + cellscan.Slack]uint32
	floats    [scanChunk]float32
}

// set makes row the query of lists of the layout. It is kept, not copied.
func (q *cellQuery) set(y *cellLayout, row []float32) {
	q.row = row
	if !y.coded {
		return
	}
	q.codes = slices.Grow(q.codes[:0], len(row))[:len(row)]
	for j, x := range row {
		q.codes[j] = int8(x)
	}
	q.coded.Set(q.codes)
}

// scan offers to near the rows of a list under ids that allow holds (all, if nil).
func (y *cellLayout) scan(near *selection, q *cellQuery, l *rowList, allow *Bitmap) {
	for first := 0; first < l.len(); first += scanChunk {
		n := min(scanChunk, l.len()-first)
		if !y.coded {
			y.scanValues(near, q, l, first, n, allow)
			continue
		}
		rows := cellscan.Rows{Codes: l.codes, Weights: l.weights, IDs: l.ids}
		found := cellscan.Scan(q.distances[:], q.ids[:], &q.coded, rows, first, n, y.sumBound(near.bound))
		for i, d := range q.distances[:found] {
			if id := q.ids[i]; allow == nil || allow.Has(id) {
				near.offer(makeKey(float32(d)*y.scale, id))
			}
		}
	}
}

// scanSketches is scan by estimates of the distances, of a list whose centre is apart
// from the query.
func (y *cellLayout) scanSketches(near *selection, q *cellQuery, l *rowList, apart float32, allow *Bitmap) {
	rows := cellscan.Sketches{Blocks: l.sketches, IDs: l.ids}
	for first := 0; first < l.len(); first += scanChunk {
		n := min(scanChunk, l.len()-first)
		found := cellscan.ScanSketches(q.estimates[:], q.ids[:], &q.sketched, rows, first, n, apart, near.distanceBound())
		for i, d := range q.estimates[:found] {
			if id := q.ids[i]; allow == nil || allow.Has(id) {
				near.offer(makeKey(d, id))
			}
		}
	}
}

func (y *cellLayout) scanValues(near *selection, q *cellQuery, l *rowList, first, n int, allow *Bitmap) {
	block := q.floats[:n]
	y.measure(block, q.row, l.values[first*y.dim:])
	for i, d := range block {
		if k := makeKey(d, l.ids[first+i]); k < near.bound && (allow == nil || allow.Has(k.id())) {
			near.offer(k)
		}
	}
}

// nearest is the id of the row nearest to the query; of equally near ones the
// first. The list must not be empty.
func (y *cellLayout) nearest(q *cellQuery, l *rowList) uint32 {
	if !y.coded {
		return y.nearestValues(q, l)
	}
	rows := cellscan.Rows{Codes: l.codes, Weights: l.weights, IDs: l.ids}
	best, id := uint32(math.MaxUint32), l.ids[0]
	// One block sets a bound that few of the others are under.
	for first, n := 0, cellscan.Lanes; first < l.len(); first, n = first+n, scanChunk {
		found := cellscan.Scan(q.distances[:], q.ids[:], &q.coded, rows, first, min(n, l.len()-first), best)
		for i, d := range q.distances[:found] {
			if d < best {
				best, id = d, q.ids[i]
			}
		}
	}
	return id
}

func (y *cellLayout) nearestValues(q *cellQuery, l *rowList) uint32 {
	best, at := float32(math.Inf(1)), 0
	for first := 0; first < l.len(); first += scanChunk {
		block := q.floats[:min(scanChunk, l.len()-first)]
		y.measure(block, q.row, l.values[first*y.dim:])
		for i, d := range block {
			if d < best {
				best, at = d, first+i
			}
		}
	}
	return l.ids[at]
}

// sumBound is a sum of squared differences of codes that no row with a key below
// bound exceeds.
func (y *cellLayout) sumBound(bound key) uint32 {
	const most = math.MaxUint32
	if bound == maxKey {
		return most
	}
	sum := float64(bound.distance())/float64(y.scale)*(1+1e-6) + 1
	return uint32(min(sum, most))
}

// distance is that from the query to row i of a list.
func (y *cellLayout) distance(q *cellQuery, l *rowList, i int) float32 {
	if !y.coded {
		y.measure(q.floats[:1], q.row, l.values[i*y.dim:][:y.dim])
		return q.floats[0]
	}
	var sum uint32
	at := cellscan.At(y.dim, i, 0)
	for j, b := range q.codes {
		d := int32(l.codes[at+j&3]) - int32(b)
		sum += uint32(d * d)
		if j&3 == 3 {
			at += 4 * cellscan.Lanes
		}
	}
	return float32(sum) * y.scale
}
