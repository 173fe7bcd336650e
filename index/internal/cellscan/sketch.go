package cellscan

import (
	"encoding/binary"
	"math"
)

// A sketch is a row in four bits a value, to estimate distances by: half of the
// memory that the codes take, which is what a scan of many rows waits for. It tells
// how the row differs from a centre, that of its cell: value j of the difference is
// taken as (c - 7.5)·Step[j] for the c from 0 to 15 that comes nearest. The query
// stays as it is but for a rounding to int8, so it is the rows' error alone that
// counts (asymmetric distances to residuals: Jégou et al., 2011). With r for the
// difference as it was taken, |q-c-r|² = |q-c|² - 2qr + |r|² + 2cr, of which the
// first term is of the cell, the last two of the row, and the product is in integers.
//
// A block of sketches holds Lanes rows in groups of eight values: a byte has one of
// the first four in its low half, the one four further in its high half. Behind the
// groups stands |r|² + 2cr of each row as a little-endian float32, so that a scan reads
// one stream.

// sketchMiddle is the middle of a sketch's codes, sketchMost the greatest.
const (
	sketchMiddle = 7.5
	sketchMost   = 15
)

// Sketcher says how differences are put into four bits.
type Sketcher struct {
	Step []float32 // of each value; 0 where none differs
}

// SketchSize is the number of bytes of a block of sketches of rows with dim values.
func SketchSize(dim int) int { return 4 * Lanes * ((dim+7)/8 + 1) }

// Put writes the sketch of row i to blocks. What it measures is squared distances
// times scale.
func (s *Sketcher) Put(blocks []byte, i int, row, centre []float32, scale float32) {
	at := i/Lanes*SketchSize(len(s.Step)) + i%Lanes*4
	var norm float32
	for j, step := range s.Step {
		c := sketchCode(row[j]-centre[j], step)
		r := (float32(c) - sketchMiddle) * step
		norm += float32(r * (r + float32(2*centre[j])))
		b := &blocks[at+j/8*4*Lanes+j%4]
		if j&4 == 0 {
			*b = *b&0xf0 | c
		} else {
			*b = *b&0x0f | c<<4
		}
	}
	binary.LittleEndian.PutUint32(blocks[at+(len(s.Step)+7)/8*4*Lanes:], math.Float32bits(norm*scale))
}

func sketchCode(difference, step float32) byte {
	if step == 0 {
		return 0
	}
	c := math.RoundToEven(float64(difference/step + sketchMiddle))
	return byte(min(max(c, 0), sketchMost))
}

// SketchQuery is a query as ScanSketches reads it.
type SketchQuery struct {
	rounded []int8 // by groups of eight, as blocks have them
	// An estimate is base + factor·product beside what is of the cell and the row.
	base, factor float32
}

// Set makes q the query of the given values, for sketches that were put with the
// same scale.
func (q *SketchQuery) Set(s *Sketcher, values []float32, scale float32) {
	dim := len(s.Step)
	most := float32(0)
	for j, v := range values[:dim] {
		if m := abs(v * s.Step[j]); m > most {
			most = m
		}
	}
	unit := most / math.MaxInt8
	if unit == 0 {
		unit = 1
	}
	q.rounded = append(q.rounded[:0], make([]int8, (dim+7)/8*8)...)
	sum := 0
	for j, v := range values[:dim] {
		c := int8(math.RoundToEven(float64(v * s.Step[j] / unit)))
		q.rounded[j] = c
		sum += int(c)
	}
	q.base = 2 * sketchMiddle * unit * scale * float32(sum)
	q.factor = -2 * unit * scale
}

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// Sketches are sketches in blocks. There may be memory for more than IDs.
type Sketches struct {
	Blocks []byte
	IDs    []uint32
}

// ScanSketches is Scan of sketches: it estimates the squared distance between q and
// the n rows from row first, of a cell whose centre is apart from q.
func ScanSketches(distances []float32, ids []uint32, q *SketchQuery, r Sketches, first, n int, apart, bound float32) int {
	if n <= 0 {
		return 0
	}
	_ = r.IDs[first+n-1]
	size := q.blockSize()
	blocks := r.Blocks[first/Lanes*size:][:Blocks(n)*size]
	slots := r.IDs[first:cap(r.IDs)][:Blocks(n)*Lanes]
	return scanSketches(distances[:n+Slack], ids[:n+Slack], q, blocks, slots, n, q.base+apart, bound)
}

func (q *SketchQuery) blockSize() int { return Lanes * (len(q.rounded)/2 + 4) }

// estimator puts the estimates of a block into dst and returns a bit for each that is
// at most bound.
type estimator func(dst *[Lanes]float32, q *SketchQuery, block []byte, base, bound float32) uint32

// sketchBlocks is ScanSketches in steps of a block, as scanBlocks is Scan.
func sketchBlocks(distances []float32, ids []uint32, q *SketchQuery, blocks []byte, slots []uint32, n int, base, bound float32, estimate estimator) int {
	var block [Lanes]float32
	size := q.blockSize()
	found := 0
	for b := 0; b*Lanes < n; b++ {
		near := estimate(&block, q, blocks[b*size:][:size], base, bound)
		if left := n - b*Lanes; left < Lanes {
			near &= 1<<left - 1
		}
		for i := range Lanes {
			if near>>i&1 != 0 {
				distances[found], ids[found] = block[i], slots[b*Lanes+i]
				found++
			}
		}
	}
	return found
}

// estimateGo is the twin of the assembly.
func estimateGo(dst *[Lanes]float32, q *SketchQuery, block []byte, base, bound float32) (near uint32) {
	var products [Lanes]int32
	for at := 0; at < len(q.rounded); at += 8 {
		b := q.rounded[at : at+8 : at+8]
		group := block[at/2*Lanes:][:4*Lanes]
		for i := range products {
			for j, c := range group[4*i : 4*i+4] {
				products[i] += int32(b[j])*int32(c&0xf) + int32(b[j+4])*int32(c>>4)
			}
		}
	}
	norms := block[len(q.rounded)/2*Lanes:]
	for i, p := range products {
		norm := math.Float32frombits(binary.LittleEndian.Uint32(norms[4*i:]))
		dst[i] = (norm + base) + float32(float32(p)*q.factor)
		if dst[i] <= bound {
			near |= 1 << i
		}
	}
	return near
}
