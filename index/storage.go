package index

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/latentdb/latentdb/index/internal/distance"
)

// value is what an engine keeps a value of a row as: itself, or its code.
type value interface{ float32 | int8 }

// number is what else lies in arrays.
type number interface{ uint8 | uint32 }

// maxCode bounds the codes of Config.Step, alike to both sides of zero.
const maxCode = 127

// storage is how an engine keeps and measures rows.
type storage[T value] struct {
	// prepare checks a row and puts it into dst as it is kept: see Metric.Prepare.
	prepare func(dst []T, row []float32) error
	// restore gives a kept row back, as much of it as dst holds.
	restore func(dst []float32, row []T)
	// measure puts into dst[i] the distance from query to row at[i] of rows, or
	// to the i-th of len(dst) rows where at is nil. Both are kept rows.
	measure func(dst []float32, query, rows []T, at []uint32)
}

// floats is the storage of rows that are kept as they are.
func floats(m Metric) storage[float32] {
	kind := m.kind()
	return storage[float32]{
		prepare: m.Prepare,
		restore: func(dst, row []float32) { copy(dst, row) },
		measure: func(dst, query, rows []float32, at []uint32) { distance.Floats(kind, dst, query, rows, at) },
	}
}

// codes is the storage of rows that are kept as multiples of step. Distances are
// sums of whole numbers times step squared: the same on every machine.
func codes(step float32) storage[int8] {
	scale := step * step
	return storage[int8]{
		prepare: func(dst []int8, row []float32) error { return encodeRow(dst, row, step) },
		restore: func(dst []float32, row []int8) {
			for i := range min(len(dst), len(row)) {
				dst[i] = float32(row[i]) * step
			}
		},
		measure: func(dst []float32, query, rows []int8, at []uint32) { distance.Int8s(scale, dst, query, rows, at) },
	}
}

// encodeRow puts the codes of row into dst.
func encodeRow(dst []int8, row []float32, step float32) error {
	if len(row) != len(dst) {
		return fmt.Errorf("%w: %d values, want %d", ErrDim, len(row), len(dst))
	}
	for i, x := range row {
		if x-x != 0 {
			return fmt.Errorf("%w: value %d is %v", ErrNotFinite, i, x)
		}
		dst[i] = int8(codeOf(x, step))
	}
	return nil
}

// codeOf is the code of a finite value.
func codeOf(x, step float32) float64 {
	return max(-maxCode, min(maxCode, math.RoundToEven(float64(x)/float64(step))))
}

// rowAt is the row numbered i.
func rowAt[T value](rows []T, dim int, i uint32) []T {
	return rows[int(i)*dim:][:dim:dim]
}

// memory is the bytes that s lies in.
func memory[T value | number](s []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(*new(T))))
}

// room is memory for n values, in huge pages where that is possible.
func room[T value | number](n int) []T {
	s := make([]T, n)
	adviseHuge(memory(s))
	return s[:0]
}

// grown is s with room for n values more. Growth is by a quarter at least.
func grown[T value | number](s []T, n int) []T {
	if cap(s)-len(s) >= n {
		return s
	}
	return append(room[T](len(s)+max(n, len(s)/4)), s...)
}
