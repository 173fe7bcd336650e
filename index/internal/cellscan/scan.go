// Package cellscan measures one int8 query against many int8 rows that lie in
// blocks made for it, and returns those that are near enough.
//
// A block holds Lanes rows. Its values stand in groups of four: the first four
// of each row, one row after another, then the next four of each row, and so on,
// with zeros after a row's last value. So four values of all rows are one wide
// register, and one instruction multiplies them with four of the query's. The
// distance is |a-b|² = |a|² - 2ab + |b|², in integers, without rounding.
package cellscan

// Lanes is how many rows a block holds.
const Lanes = 16

// Slack is how much longer than the number of rows the answer's slices must be.
const Slack = 16

// bias makes a query's values unsigned, as the instruction wants one side.
const bias = 128

// Groups is how many groups of four values a row of dim values has.
func Groups(dim int) int { return (dim + 3) / 4 }

// BlockSize is the number of bytes of a block of rows with dim values.
func BlockSize(dim int) int { return 4 * Lanes * Groups(dim) }

// Blocks is how many blocks n rows need.
func Blocks(n int) int { return (n + Lanes - 1) / Lanes }

// At is where value j of row i is kept, among rows of dim values.
func At(dim, i, j int) int {
	return i/Lanes*BlockSize(dim) + j/4*4*Lanes + i%Lanes*4 + j%4
}

// Weight is what Scan must know of a row beside its values, from their sum and
// the sum of their squares: |a|² + 2·bias·Σa, modulo 2³².
func Weight(sum, square int32) uint32 {
	return uint32(square) + 2*bias*uint32(sum)
}

// Query is a query as Scan reads it.
type Query struct {
	biased []byte // a whole number of groups
	base   uint32 // |b|²
}

// Set makes q the query of the given values.
func (q *Query) Set(values []int8) {
	q.biased = q.biased[:0]
	q.base = 0
	for _, b := range values {
		q.biased = append(q.biased, byte(int(b)+bias))
		q.base += uint32(int32(b) * int32(b))
	}
	for len(q.biased)%4 != 0 {
		q.biased = append(q.biased, bias)
	}
}

// Rows are rows in blocks. There may be memory for more rows than IDs.
type Rows struct {
	Codes   []int8
	Weights []uint32
	IDs     []uint32
}

// Scan measures q against the n rows from row first, which is the first of a
// block, and puts the squared distance and the ID of each that is at most bound
// away into distances and ids, which are n + Slack long. It returns how many
// there are. They stand in the order of the rows.
func Scan(distances, ids []uint32, q *Query, r Rows, first, n int, bound uint32) int {
	if n <= 0 {
		return 0
	}
	_ = r.IDs[first+n-1]
	whole := Blocks(n) * Lanes
	codes := r.Codes[first*len(q.biased):][:whole*len(q.biased)]
	weights := r.Weights[first:][:whole]
	slots := r.IDs[first:cap(r.IDs)][:whole]
	return scan(distances[:n+Slack], ids[:n+Slack], q, codes, weights, slots, n, bound)
}

// scanBlocks is Scan in steps of a block: measure puts the distances of a block
// into its first argument and returns a bit for each that is at most bound.
func scanBlocks(
	distances, ids []uint32, q *Query, codes []int8, weights, slots []uint32, n int, bound uint32,
	measure func(dst *[Lanes]uint32, q *Query, codes []int8, weights []uint32, bound uint32) uint32,
) int {
	var block [Lanes]uint32
	size := Lanes * len(q.biased)
	found := 0
	for b := 0; b*Lanes < n; b++ {
		near := measure(&block, q, codes[b*size:][:size], weights[b*Lanes:][:Lanes], bound)
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

// measureGo is the twin of the assembly.
func measureGo(dst *[Lanes]uint32, q *Query, codes []int8, weights []uint32, bound uint32) (near uint32) {
	*dst = [Lanes]uint32{}
	for at := 0; at < len(q.biased); at += 4 {
		b := q.biased[at : at+4 : at+4]
		b0, b1, b2, b3 := int32(b[0]), int32(b[1]), int32(b[2]), int32(b[3])
		group := codes[at*Lanes:][:4*Lanes]
		for i := range dst {
			a := group[4*i : 4*i+4 : 4*i+4]
			dst[i] += uint32(b0*int32(a[0]) + b1*int32(a[1]) + b2*int32(a[2]) + b3*int32(a[3]))
		}
	}
	weights = weights[:Lanes]
	for i := range dst {
		dst[i] = weights[i] + q.base - 2*dst[i]
		if dst[i] <= bound {
			near |= 1 << i
		}
	}
	return near
}
