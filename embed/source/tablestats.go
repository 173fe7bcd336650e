package source

import (
	"math"
	"slices"
)

// robustScale is the standard deviation of sorted, non-constant values, from
// their middle 90 % where that has any spread. Where it has none, the rare other
// values would be beyond maxDeviations by the plain deviation, so the scale is
// at least what keeps them apart.
func robustScale(t []float64) float64 {
	if s := (quantile(t, 0.95) - quantile(t, 0.05)) / deviationsBetween; s > 0 {
		return s
	}
	spread := t[len(t)-1] - t[0]
	_, s := meanAndDeviation(t)
	if s = max(s, spread/maxDeviations); s > 0 {
		return s
	}
	return spread // too small to divide
}

// logUnit is a low quantile of the magnitudes that are not 0. Below its unit the
// signed logarithm is nearly linear, so a column with both signs has a larger
// one, which keeps the values around 0 together.
func logUnit(x []float64) float64 {
	low := 0.05
	if x[0] < 0 && x[len(x)-1] > 0 {
		low = 0.25
	}
	magnitudes := make([]float64, 0, len(x))
	for _, v := range x {
		if v != 0 {
			magnitudes = append(magnitudes, math.Abs(v))
		}
	}
	slices.Sort(magnitudes)
	return max(quantile(magnitudes, low), magnitudes[len(magnitudes)-1]/logRange)
}

// signedLog is sign(x)·log(1 + |x|/unit), or x if unit is 0.
func signedLog(x, unit float64) float64 {
	if unit == 0 {
		return x
	}
	return math.Copysign(math.Log1p(math.Abs(x)/unit), x)
}

// quantile of sorted values, interpolated.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

func meanAndDeviation(x []float64) (mean, deviation float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		deviation += (v - mean) * (v - mean) / float64(len(x))
	}
	return mean, math.Sqrt(deviation)
}

// skewness is the third standardised moment, 0 where there is no deviation.
func skewness(x []float64) float64 {
	mean, deviation := meanAndDeviation(x)
	if deviation == 0 {
		return 0
	}
	var sum float64
	for _, v := range x {
		z := (v - mean) / deviation
		sum += z * z * z
	}
	return sum / float64(len(x))
}

func clamp(x, low, high float64) float64 { return min(max(x, low), high) }
