package embed

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/blas/blas32"
)

const (
	// usualDeviations is how far a standardised value grows as it is; beyond, it grows as
	// a logarithm, so that one wild feature does not hide all others.
	usualDeviations = 3
	// middleDeviations is how many standard deviations lie between the 5 % and 95 %
	// quantiles of a normal distribution.
	middleDeviations = 3.29
)

// robustScale standardises features by what nine tenths of the rows have, whatever the
// others do.
type robustScale struct {
	center []float32
	// inverse is one by the deviation; 0 for a feature that was the same in all rows.
	inverse []float32
}

// fitRobustScale takes a feature's median, and the range of its middle nine tenths as its
// deviation; where that is nothing, as of a level that few rows have, the standard
// deviation.
func fitRobustScale(rows blas32.General) *robustScale {
	s := &robustScale{center: make([]float32, rows.Cols), inverse: make([]float32, rows.Cols)}
	column := make([]float32, rows.Rows)
	for j := range rows.Cols {
		var sum, square float64
		for i := range column {
			column[i] = rows.Data[i*rows.Stride+j]
			sum += float64(column[i])
		}
		mean := sum / float64(len(column))
		for _, v := range column {
			square += (float64(v) - mean) * (float64(v) - mean)
		}
		slices.Sort(column)
		last := len(column) - 1
		s.center[j] = column[last/2]
		deviation := (float64(column[last*95/100]) - float64(column[last*5/100])) / middleDeviations
		if deviation == 0 {
			deviation = math.Sqrt(square / float64(len(column)))
		}
		if inverse := float32(1 / deviation); deviation > 0 && inverse-inverse == 0 {
			s.inverse[j] = inverse
		}
	}
	return s
}

// apply writes a row's standardised values to dst. A feature that never varied lies
// usualDeviations off as soon as it does.
func (s *robustScale) apply(dst, row []float32) {
	for j, x := range row {
		z := (x - s.center[j]) * s.inverse[j]
		if s.inverse[j] == 0 && x != s.center[j] {
			z = usualDeviations
		}
		if a := math.Abs(float64(z)); a > usualDeviations {
			z = float32(math.Copysign(usualDeviations+math.Log1p(min(a, math.MaxFloat32)-usualDeviations), float64(z)))
		}
		dst[j] = z
	}
}

func (s *robustScale) applyAll(rows blas32.General, workers int) blas32.General {
	out := NewMatrix(rows.Rows, rows.Cols)
	parallel(workers, rows.Rows, 64, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			s.apply(Row(out, i), Row(rows, i))
		}
	})
	return out
}
