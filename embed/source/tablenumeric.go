package source

import (
	"errors"
	"math"
	"slices"
	"strconv"

	"github.com/latentdb/latentdb/embed"
)

const (
	// maxDeviations is where a numeric feature begins to grow as a logarithm, so
	// that one wild value cannot dominate training.
	maxDeviations = 10
	// maxSquashed is how far beyond that it grows.
	maxSquashed = 100
	// strongSkew is the skewness beyond which a logarithm is tried.
	strongSkew = 1
	// deviationsBetween is how many standard deviations of a normal
	// distribution lie between its 5 % and 95 % quantiles.
	deviationsBetween = 3.29
	// logRange bounds how many times smaller than the largest value the unit of
	// a logarithm may be.
	logRange = 1e12
	// rowPrecision is what float32 resolves of a feature of a few deviations.
	rowPrecision = 1e-6
	// maxDecimals is as many as are worth rounding to.
	maxDecimals = 50
)

// numericFeatures standardises one numeric column:
// z = (g(x) − Center) / Scale, g the identity or sign(x)·log(1 + |x|/Log).
type numericFeatures struct {
	Log       float64 `json:"log,omitempty"` // unit of the logarithm, 0 for none
	Center    float64 `json:"center"`        // median of g(x)
	Scale     float64 `json:"scale"`         // robust standard deviation of g(x)
	Deviation float64 `json:"deviation"`     // standard deviation of x
	Min       float64 `json:"min"`
	Max       float64 `json:"max"`
	Integer   bool    `json:"integer,omitempty"` // every value was one
	Missing   bool    `json:"missing,omitempty"` // some value was, so there is an indicator
}

func (f *numericFeatures) layout() embed.Layout {
	return withIndicator(embed.Layout{{Kind: embed.Numeric, Width: 1}}, f.Missing)
}

// withIndicator adds the feature that says whether a value is missing.
func withIndicator(layout embed.Layout, missing bool) embed.Layout {
	if missing {
		return append(layout, embed.Block{Kind: embed.Binary, Width: 1})
	}
	return layout
}

// saysMissing reads the indicator, which follows the value's one feature.
func saysMissing(src []float32) bool { return len(src) > 1 && src[1] >= 0.5 }

func (f *numericFeatures) encode(dst []float32, v any) {
	if v != nil {
		dst[0] = float32(f.forward(toFloat(v)))
	} else if f.Missing {
		dst[1] = 1
	}
}

func (f *numericFeatures) forward(x float64) float64 {
	return squash((signedLog(x, f.Log) - f.Center) / f.Scale)
}

// squash keeps a wild value from ruling the training: beyond maxDeviations it
// grows as a logarithm. It is still told apart from others, and unsquash
// undoes it.
func squash(z float64) float64 {
	if a := math.Abs(z); a > maxDeviations {
		return math.Copysign(maxDeviations+min(math.Log1p(a-maxDeviations), maxSquashed), z)
	}
	return z
}

func unsquash(z float64) float64 {
	if a := math.Abs(z); a > maxDeviations {
		return math.Copysign(maxDeviations+math.Expm1(min(a-maxDeviations, maxSquashed)), z)
	}
	return z
}

func (f *numericFeatures) decode(src []float32) any { return f.read(src, f.Min, f.Max) }
func (f *numericFeatures) show(src []float32) any {
	return f.read(src, -math.MaxFloat32, math.MaxFloat32)
}

func (f *numericFeatures) read(src []float32, low, high float64) any {
	if saysMissing(src) {
		return nil
	}
	z := float64(src[0])
	if math.IsNaN(z) {
		z = 0
	}
	x, unit := unsquash(z)*f.Scale+f.Center, f.Scale*max(1, math.Abs(unsquash(z))/maxDeviations)
	if f.Log > 0 {
		x = math.Copysign(math.Expm1(math.Abs(x))*f.Log, x)
		unit *= max(math.Abs(x), f.Log)
	}
	x = clamp(trim(x, unit*rowPrecision), low, high)
	if f.Integer {
		if r := math.Round(x); math.Abs(r) <= maxExactFloat {
			return int64(r)
		}
	}
	return x
}

// trim rounds x to the decimals that matter at a given precision, so that a
// number which passed through float32 reads as it was written: 0.1, not
// 0.0999999964.
func trim(x, precision float64) float64 {
	decimals := math.Floor(-math.Log10(precision))
	if !(decimals >= 0 && decimals <= maxDecimals) || math.IsInf(x, 0) {
		return x
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(x, 'f', int(decimals), 64), 64)
	if err != nil {
		return x
	}
	return rounded
}

func (f *numericFeatures) inputScale() float32 {
	if f.Log > 0 {
		return float32(f.Deviation)
	}
	return float32(f.Scale)
}

func (f *numericFeatures) restore() error {
	for _, v := range []float64{f.Log, f.Center, f.Scale, f.Deviation, f.Min, f.Max} {
		if err := inRange(v); err != nil {
			return err
		}
	}
	if f.Scale <= 0 || f.Log < 0 || f.Deviation < 0 || f.Min > f.Max {
		return errors.New("bad scale or range")
	}
	return nil
}

// numericCollector gathers a numeric column.
type numericCollector struct {
	values  []float64
	floats  bool
	missing bool
}

func (c *numericCollector) add(v any) {
	if v == nil {
		c.missing = true
		return
	}
	x := toFloat(v)
	if _, isInt := v.(int64); !isInt || math.Abs(x) > maxExactFloat {
		c.floats = true
	}
	c.values = append(c.values, x)
}

func (c *numericCollector) fit() features {
	f := &numericFeatures{Scale: 1, Missing: c.missing, Integer: !c.floats}
	if len(c.values) == 0 {
		return f
	}
	x := c.values
	slices.Sort(x)
	f.Min, f.Max = x[0], x[len(x)-1]
	if f.Min == f.Max {
		// A constant: its feature is 0, and another value later is as far off
		// as it differs in proportion.
		f.Center = f.Min
		if f.Center != 0 {
			f.Scale = math.Abs(f.Center)
		}
		f.Deviation = f.Scale
		return f
	}
	_, f.Deviation = meanAndDeviation(x)
	t := x
	if s := math.Abs(skewness(x)); s > strongSkew {
		unit := logUnit(x)
		logged := make([]float64, len(x))
		for i, v := range x {
			logged[i] = signedLog(v, unit)
		}
		if math.Abs(skewness(logged)) < s {
			t, f.Log = logged, unit
		}
	}
	f.Center, f.Scale = quantile(t, 0.5), robustScale(t)
	return f
}

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
