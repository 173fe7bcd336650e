package source

import (
	"bytes"
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
	// fewDecimals is as many as a column's values are written with on purpose.
	fewDecimals = 6
)

// numericFeatures makes one feature of a numeric column: z = (g(x) − Center) / Scale,
// g the identity or sign(x)·log(1 + |x|/Log), or where there are ranks the mean of z
// and of the normal score of x.
type numericFeatures struct {
	Log       float64 `json:"log,omitempty"` // unit of the logarithm, 0 for none
	Center    float64 `json:"center"`        // median of g(x)
	Scale     float64 `json:"scale"`         // robust standard deviation of g(x)
	Deviation float64 `json:"deviation"`     // standard deviation of x
	Min       float64 `json:"min"`
	Max       float64 `json:"max"`
	Integer   bool    `json:"integer,omitempty"` // every value was one
	Missing   bool    `json:"missing,omitempty"` // some value was, so there is an indicator
	// Decimals is how many are enough to write every value, 0 if that is not known.
	Decimals int    `json:"decimals,omitempty"`
	Ranks    *ranks `json:"ranks,omitempty"` // nil in the first format, and of a constant
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
func saysMissing(src []float32) bool { return len(src) > 1 && says(src[1]) }

// says reads a binary feature.
func says(v float32) bool { return v >= 0.5 }

func (f *numericFeatures) encode(dst []float32, v any) {
	if v != nil {
		dst[0] = float32(f.forward(toFloat(v)))
	} else if f.Missing {
		dst[1] = 1
	}
}

// forward is the feature of x, which grows with x.
func (f *numericFeatures) forward(x float64) float64 {
	z := f.standard(x)
	if f.Ranks != nil {
		return f.Ranks.feature(x, z)
	}
	return z
}

// standard is the standardised x.
func (f *numericFeatures) standard(x float64) float64 {
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

func (f *numericFeatures) decode(src []float32) any {
	if saysMissing(src) {
		return nil
	}
	x, ok := f.nearest(feature(src))
	if !ok {
		x = f.whole(clamp(f.inverse(feature(src)), f.Min, f.Max))
	}
	return f.value(x)
}

func (f *numericFeatures) show(src []float32) any {
	if saysMissing(src) {
		return nil
	}
	return f.value(clamp(f.inverse(feature(src)), -math.MaxFloat32, math.MaxFloat32))
}

// feature is the value's feature, that of the column's centre if it is not a number.
func feature(src []float32) float64 {
	if v := float64(src[0]); !math.IsNaN(v) {
		return v
	}
	return 0
}

// nearest is the value of the fit that a feature stands for, where the column only
// has such values, or many of that one.
func (f *numericFeatures) nearest(v float64) (x float64, ok bool) {
	if f.Ranks == nil {
		return 0, false
	}
	return f.Ranks.nearest(v)
}

// whole rounds x as far as all values of the fit were.
func (f *numericFeatures) whole(x float64) float64 {
	if f.Decimals > 0 {
		return decimals(x, f.Decimals)
	}
	return x
}

// value is x as the column's values are.
func (f *numericFeatures) value(x float64) any {
	if f.Integer {
		if r := math.Round(x); math.Abs(r) <= maxExactFloat {
			return int64(r)
		}
	}
	return x
}

// inverse is the x whose feature is v, to the precision that float32 has of it.
func (f *numericFeatures) inverse(v float64) float64 {
	if f.Ranks != nil {
		low, high, shift := f.Ranks.around(v)
		if low < high {
			return f.between(v, low, high)
		}
		if math.Abs(v-f.forward(low)) <= rowPrecision*max(1, math.Abs(v)) {
			return low
		}
		v += shift
	}
	z := unsquash(v)
	x, unit := z*f.Scale+f.Center, f.Scale*max(1, math.Abs(z)/maxDeviations)
	if f.Log > 0 {
		x = math.Copysign(math.Expm1(math.Abs(x))*f.Log, x)
		unit *= max(math.Abs(x), f.Log)
	}
	return trim(x, unit*rowPrecision)
}

// between finds x by bisection from low, of a feature below v, to high, of one above.
func (f *numericFeatures) between(v, low, high float64) float64 {
	a, b := low, high
	fa, fb := f.forward(a), f.forward(b)
	precision := rowPrecision * max(1, math.Abs(v))
	switch {
	case v-fa <= precision && v-fa <= fb-v:
		return a
	case fb-v <= precision:
		return b
	}
	for range 64 {
		if middle := a + (b-a)/2; f.forward(middle) < v {
			a = middle
		} else {
			b = middle
		}
	}
	return clamp(trim(b, (high-low)/(fb-fa)*precision), low, high)
}

// trim rounds x to the decimals that matter at a given precision, so that a
// number which passed through float32 reads as it was written: 0.1, not
// 0.0999999964.
func trim(x, precision float64) float64 {
	places := math.Floor(-math.Log10(precision))
	if !(places >= 0 && places <= maxDecimals) || math.IsInf(x, 0) {
		return x
	}
	return decimals(x, int(places))
}

// decimals rounds x to some decimals, and reads as it is then written.
func decimals(x float64, places int) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(x, 'f', places, 64), 64)
	if err != nil {
		return x
	}
	return rounded
}

func (f *numericFeatures) inputScale() float32 {
	switch {
	case f.Ranks != nil:
		low, high := f.Ranks.middle()
		if rise := f.forward(high) - f.forward(low); rise > 0 {
			return float32((high - low) / rise)
		}
		return float32(f.Deviation)
	case f.Log > 0:
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
	if f.Decimals < 0 || f.Decimals > maxDecimals {
		return errors.New("bad number of decimals")
	}
	if f.Ranks == nil {
		return nil
	}
	return f.Ranks.restore(f)
}

// numericCollector gathers a numeric column.
type numericCollector struct {
	knots    int // most of the ranks
	values   []float64
	floats   bool
	decimals int // of the values so far
	missing  bool
}

func (c *numericCollector) add(v any) {
	if v == nil {
		c.missing = true
		return
	}
	x := toFloat(v)
	if _, isInt := v.(int64); !isInt || math.Abs(x) > maxExactFloat {
		c.floats = true
		c.decimals = max(c.decimals, decimalsOf(x))
	}
	c.values = append(c.values, x)
}

// decimalsOf is how many decimals x is written with.
func decimalsOf(x float64) int {
	var buf [32]byte
	text := strconv.AppendFloat(buf[:0], x, 'f', -1, 64)
	if point := bytes.IndexByte(text, '.'); point >= 0 {
		return len(text) - point - 1
	}
	return 0
}

func (c *numericCollector) fit() features {
	f := &numericFeatures{Scale: 1, Missing: c.missing, Integer: !c.floats}
	if len(c.values) == 0 {
		return f
	}
	if c.floats && c.decimals <= fewDecimals {
		f.Decimals = c.decimals
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
	f.Ranks = newRanks(x, c.knots)
	f.Ranks.place(f)
	return f
}
