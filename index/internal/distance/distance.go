// Package distance measures a row against many rows. A row is dim values of
// one type: float32, or codes of a byte. Rows lie one after another.
//
// Every kernel has three forms in one: a pair is one row; a block is rows in
// order; a gather is rows by their numbers, fetched ahead of their use. All
// forms give the same bits for the same two rows, in whichever order the two
// stand, so that every way to the same answer ranks alike. Sums of codes are
// exact on every machine; those of float32 depend on the processor's width, for
// the order of additions does.
package distance

import (
	"math"
	"unsafe"
)

// Kind is a distance between float32 rows.
type Kind uint8

const (
	// SquaredL2 is the sum of (a-b)^2.
	SquaredL2 Kind = iota
	// Cosine is 1 - a·b of rows of unit length, at least 0.
	Cosine
	// NegativeDot is -a·b; where products overflow in both directions, +Inf.
	NegativeDot
	// Manhattan is the sum of |a-b|.
	Manhattan
)

// Floats puts into dst[i] the distance from query to row at[i] of rows, or to
// the i-th row where at is nil. It is never NaN for finite values. What at
// holds must be numbers of whole rows: they are not checked.
func Floats(k Kind, dst, query, rows []float32, at []uint32) {
	n, first := size(len(dst), len(query), len(rows), at)
	if n == 0 || len(query) == 0 {
		clear(dst[:n])
		return
	}
	if level == none {
		floatsGo(k, dst[:n], query, rows, at)
		return
	}
	d, q, r, dim := &dst[0], &query[0], &rows[0], len(query)
	switch {
	case level == avx512 && k == SquaredL2:
		squaredL2AVX512(d, q, r, first, n, dim)
	case level == avx512 && k == Cosine:
		cosineAVX512(d, q, r, first, n, dim)
	case level == avx512 && k == NegativeDot:
		negativeDotAVX512(d, q, r, first, n, dim)
	case level == avx512:
		manhattanAVX512(d, q, r, first, n, dim)
	case k == SquaredL2:
		squaredL2AVX2(d, q, r, first, n, dim)
	case k == Cosine:
		cosineAVX2(d, q, r, first, n, dim)
	case k == NegativeDot:
		negativeDotAVX2(d, q, r, first, n, dim)
	default:
		manhattanAVX2(d, q, r, first, n, dim)
	}
}

// Pair is the distance between two rows, as Floats gives it.
func Pair(k Kind, a, b []float32) float32 {
	var d [1]float32
	Floats(k, d[:], a, b, nil)
	return d[0]
}

// Int8s is Floats for codes: the squared L2 distance times scale, rounded once
// from the exact sum and once from the product. Rows are of at most 65,536
// codes, so the sum is below 2^32.
func Int8s(scale float32, dst []float32, query, rows []int8, at []uint32) {
	n, first := size(len(dst), len(query), len(rows), at)
	switch {
	case n == 0 || len(query) == 0:
		clear(dst[:n])
	case level == avx512 && vnni:
		int8sAVX512(&dst[0], &query[0], &rows[0], first, n, len(query), scale)
	case level >= avx2 && len(query) >= leastCodes:
		int8sAVX2(&dst[0], &query[0], &rows[0], first, n, len(query), scale)
	default:
		codesGo(scale, dst[:n], query, rows, at)
	}
}

// Uint8s is Int8s for codes from 0 to 255.
func Uint8s(scale float32, dst []float32, query, rows []uint8, at []uint32) {
	n, first := size(len(dst), len(query), len(rows), at)
	switch {
	case n == 0 || len(query) == 0:
		clear(dst[:n])
	case level == avx512 && vnni:
		uint8sAVX512(&dst[0], &query[0], &rows[0], first, n, len(query), scale)
	case level >= avx2 && len(query) >= leastCodes:
		uint8sAVX2(&dst[0], &query[0], &rows[0], first, n, len(query), scale)
	default:
		codesGo(scale, dst[:n], query, rows, at)
	}
}

// Fetch has the blocks numbered by at, of size values each, brought near to the
// processor while it does something else. What at holds must be numbers of
// whole blocks.
func Fetch[T any](blocks []T, size int, at []uint32) {
	if level != none && len(at) > 0 {
		width := int(unsafe.Sizeof(*new(T)))
		fetch((*byte)(unsafe.Pointer(unsafe.SliceData(blocks))), size*width, &at[0], len(at))
	}
}

// leastCodes is the shortest row of codes for the AVX2 kernels, which read the
// last 16 codes of a row whatever its length.
const leastCodes = 16

// size is how many rows there are to measure, and where their numbers are: nil
// for rows in order, of which it checks that they are there.
func size(dst, dim, rows int, at []uint32) (n int, first *uint32) {
	if at == nil {
		if dst*dim > rows {
			panic("distance: fewer rows than distances")
		}
		return dst, nil
	}
	if len(at) > dst {
		panic("distance: more rows than distances")
	}
	if len(at) == 0 {
		return 0, nil
	}
	return len(at), &at[0]
}

// An isa is a set of instructions. Each includes the ones before it.
type isa uint8

const (
	none isa = iota
	avx2
	avx512
)

// rowOf is the i-th row to measure.
func rowOf[T any](rows []T, dim, i int, at []uint32) []T {
	if at != nil {
		i = int(at[i])
	}
	return rows[i*dim:][:dim]
}

// floatsGo is the twin of the float32 kernels.
func floatsGo(k Kind, dst, query, rows []float32, at []uint32) {
	for i := range dst {
		row := rowOf(rows, len(query), i, at)
		switch k {
		case SquaredL2:
			dst[i] = squaredL2(query, row)
		case Cosine:
			dst[i] = max(0, 1-dot(query, row))
		case NegativeDot:
			dst[i] = negativeDot(query, row)
		default:
			dst[i] = manhattan(query, row)
		}
	}
}

// The loops below keep four sums, to break the chain of dependent additions; the
// constant-length sub-slices let the compiler drop the bounds checks in a step.

func squaredL2(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	i := 0
	for ; i <= len(a)-4; i += 4 {
		x, y := a[i:i+4:i+4], b[i:i+4:i+4]
		d0, d1, d2, d3 := x[0]-y[0], x[1]-y[1], x[2]-y[2], x[3]-y[3]
		s0 += d0 * d0
		s1 += d1 * d1
		s2 += d2 * d2
		s3 += d3 * d3
	}
	for ; i < len(a); i++ {
		d := a[i] - b[i]
		s0 += d * d
	}
	return (s0 + s1) + (s2 + s3)
}

func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	i := 0
	for ; i <= len(a)-4; i += 4 {
		x, y := a[i:i+4:i+4], b[i:i+4:i+4]
		s0 += x[0] * y[0]
		s1 += x[1] * y[1]
		s2 += x[2] * y[2]
		s3 += x[3] * y[3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}

func negativeDot(a, b []float32) float32 {
	d := -dot(a, b)
	if d != d {
		return float32(math.Inf(1))
	}
	return d
}

func manhattan(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	i := 0
	for ; i <= len(a)-4; i += 4 {
		x, y := a[i:i+4:i+4], b[i:i+4:i+4]
		s0 += abs(x[0] - y[0])
		s1 += abs(x[1] - y[1])
		s2 += abs(x[2] - y[2])
		s3 += abs(x[3] - y[3])
	}
	for ; i < len(a); i++ {
		s0 += abs(a[i] - b[i])
	}
	return (s0 + s1) + (s2 + s3)
}

// abs clears the sign bit, without the branch of a comparison.
func abs(x float32) float32 {
	return math.Float32frombits(math.Float32bits(x) &^ (1 << 31))
}

// codesGo is the twin of the kernels for codes.
func codesGo[T int8 | uint8](scale float32, dst []float32, query, rows []T, at []uint32) {
	for i := range dst {
		row := rowOf(rows, len(query), i, at)
		var sum uint32
		for j, x := range query {
			d := int32(x) - int32(row[j])
			sum += uint32(d * d)
		}
		dst[i] = float32(sum) * scale
	}
}
