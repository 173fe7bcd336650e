// Package packed measures a float32 query against rows that are kept in fewer
// bytes: float16, or uint8 on a grid. Rows need not lie side by side.
package packed

import (
	"encoding/binary"
	"math"
)

// Form is how a value of a row is kept.
type Form uint8

// The forms. A uint8 value k of a row stands for k itself: whoever has a grid
// with another origin and step puts the query on it.
const (
	Float32 Form = iota
	Float16
	Uint8
)

// Size is the bytes of a value.
func (f Form) Size() int {
	return [...]int{Float32: 4, Float16: 2, Uint8: 1}[f]
}

// lanes is how many values a kernel takes at a time.
const lanes = 16

// ahead is how many rows beyond the last the pointers must go on: kernels fetch
// rows before they need them.
const ahead = 2

// Squares puts into dst[i] the squared Euclidean distance of query to rows[i],
// which points to the first byte of a row of as many values. It may write to the room
// behind rows.
func Squares(dst, query []float32, rows []*byte, form Form) {
	measure(dst, query, rows, form, false)
}

// Products puts into dst[i] the inner product of query and rows[i], as Squares does.
func Products(dst, query []float32, rows []*byte, form Form) {
	measure(dst, query, rows, form, true)
}

// At is value i of a row.
func At(row []byte, form Form, i int) float32 {
	switch form {
	case Float16:
		return fromHalf(binary.LittleEndian.Uint16(row[2*i:]))
	case Uint8:
		return float32(row[i])
	}
	return math.Float32frombits(binary.LittleEndian.Uint32(row[4*i:]))
}

// Unpack puts into dst the first len(dst) values of a row.
func Unpack(dst []float32, row []byte, form Form) {
	if form != Float32 {
		for i := range dst {
			dst[i] = At(row, form, i)
		}
		return
	}
	row = row[:4*len(dst)]
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(row[4*i:]))
	}
}

// Put sets value i of a row, and tells whether At will give it back unchanged.
func Put(row []byte, form Form, i int, x float32) bool {
	switch form {
	case Float16:
		binary.LittleEndian.PutUint16(row[2*i:], toHalf(x))
	case Uint8:
		row[i] = uint8(max(0, min(255, math.RoundToEven(float64(x)))))
	default:
		binary.LittleEndian.PutUint32(row[4*i:], math.Float32bits(x))
	}
	return At(row, form, i) == x
}

// MaxHalf is the largest float16.
const MaxHalf = 65504

// toHalf rounds to the nearest float16, ties to even; beyond MaxHalf to infinity.
func toHalf(x float32) uint16 {
	b := math.Float32bits(x)
	sign, b := uint16(b>>16&0x8000), b&0x7fffffff
	switch {
	case b >= 0x477ff000: // rounds to 65536 or more
		return sign | 0x7c00
	case b < 0x38800000: // below 2^-14: steps of 2^-24
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(b))*(1<<24)))
	}
	b += 0xfff + b>>13&1
	return sign | uint16((b-0x38000000)>>13)
}

func fromHalf(h uint16) float32 {
	sign, exponent, fraction := uint32(h&0x8000)<<16, uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0:
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)/(1<<24)))
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}
