package source

import (
	"errors"
	"math"
	"slices"
	"sort"
)

const (
	// maxKnots and minKnots bound the values of a column whose ranks a fit keeps, and
	// allKnots those of a table, as far as minKnots allows.
	maxKnots, minKnots, allKnots = 256, 16, 1 << 18
	// repeats is how often the values of a column are there, in the mean, for them to
	// be all that it has.
	repeats = 4
	// trusted is how many deviations out the ranks count.
	trusted = 3
)

// ranks are where values of a column stand among those of the fit: all its different
// values if they are few, else evenly spaced quantiles.
type ranks struct {
	Values []float64 `json:"values"` // ascending
	Below  []int     `json:"below"`  // how many values of the fit are smaller
	Equal  []int     `json:"equal"`  // how many are the same
	Count  int       `json:"count"`  // of the fit's values
	// Only tells that other values are unlikely.
	Only bool `json:"only,omitempty"`

	// Of Values: the standardised, their normal scores, and the features.
	standard, scores, features []float64
}

// newRanks takes the ranks of sorted values, of knots of them at most.
func newRanks(x []float64, knots int) *ranks {
	r := &ranks{Count: len(x)}
	for i := 0; i < len(x) && len(r.Values) <= knots; {
		i += r.take(x, i)
	}
	if len(r.Values) <= knots {
		r.Only = repeats*len(r.Values) <= len(x)
		return r
	}
	*r = ranks{Count: len(x)}
	for k := range knots {
		if at := k * (len(x) - 1) / (knots - 1); k == 0 || x[at] > r.Values[len(r.Values)-1] {
			r.take(x, at)
		}
	}
	return r
}

// take adds the value at a place and returns how many of it there are.
func (r *ranks) take(x []float64, at int) int {
	v := x[at]
	below, _ := slices.BinarySearch(x, v)
	upTo := sort.Search(len(x), func(i int) bool { return x[i] > v })
	r.Values, r.Below, r.Equal = append(r.Values, v), append(r.Below, below), append(r.Equal, upTo-below)
	return upTo - below
}

// place works out the features of the values.
func (r *ranks) place(f *numericFeatures) {
	n := len(r.Values)
	r.standard, r.scores, r.features = make([]float64, n), make([]float64, n), make([]float64, n)
	for i, x := range r.Values {
		share := (float64(r.Below[i]) + float64(r.Equal[i])/2) / float64(r.Count)
		r.standard[i], r.scores[i] = f.standard(x), math.Sqrt2*math.Erfinv(2*share-1)
		r.features[i] = blend(r.standard[i], r.scores[i])
	}
}

// blend is the mean of a standardised value and its normal score. Ranks would hide what
// is far out, so beyond trusted deviations it grows as the standardised value does.
func blend(z, score float64) float64 {
	return (z + score + math.Copysign(max(0, math.Abs(z)-trusted), z)) / 2
}

// feature is blend for x, whose standardised value is z: its score is linear between the
// values. Beyond all of them it grows as z does.
func (r *ranks) feature(x, z float64) float64 {
	i, found := slices.BinarySearch(r.Values, x)
	switch {
	case found:
		return r.features[i]
	case i == 0 || i == len(r.Values):
		return z - r.shift(min(i, len(r.Values)-1))
	}
	low, high := r.Values[i-1], r.Values[i]
	return blend(z, r.scores[i-1]+(x-low)/(high-low)*(r.scores[i]-r.scores[i-1]))
}

// shift is how far a value's standardised form lies above its feature.
func (r *ranks) shift(i int) float64 { return r.standard[i] - r.features[i] }

// around gives the values that have a feature between theirs; beyond all, low and
// high are the same, and shift is theirs.
func (r *ranks) around(feature float64) (low, high, shift float64) {
	i, _ := slices.BinarySearch(r.features, feature)
	switch last := len(r.Values) - 1; {
	case i > last:
		return r.Values[last], r.Values[last], r.shift(last)
	case i == 0 && feature < r.features[0]:
		return r.Values[0], r.Values[0], r.shift(0)
	}
	i = max(i, 1)
	return r.Values[i-1], r.Values[i], 0
}

// nearest is the value whose feature is the closest, if it is one of few or there are
// many of it.
func (r *ranks) nearest(feature float64) (x float64, ok bool) {
	i, _ := slices.BinarySearch(r.features, feature)
	if i == len(r.features) || i > 0 && feature-r.features[i-1] < r.features[i]-feature {
		i--
	}
	return r.Values[i], r.Only || r.heavy(i)
}

// heavy tells whether there are more of a value than lie between two quantiles.
func (r *ranks) heavy(i int) bool { return r.Equal[i] > 2*(r.Count/len(r.Values)+1) }

// middle is where the middle nine tenths of the values begin and end.
func (r *ranks) middle() (low, high float64) {
	at := func(q float64) float64 {
		i := sort.Search(len(r.Values), func(i int) bool { return float64(r.Below[i]+r.Equal[i]) >= q*float64(r.Count) })
		return r.Values[min(i, len(r.Values)-1)]
	}
	if low, high = at(.05), at(.95); low == high {
		return r.Values[0], r.Values[len(r.Values)-1]
	}
	return low, high
}

// restore completes what was read, and tells what is wrong with it.
func (r *ranks) restore(f *numericFeatures) error {
	n := len(r.Values)
	if n < 2 || n > maxKnots || len(r.Below) != n || len(r.Equal) != n {
		return errors.New("bad number of ranks")
	}
	end := 0
	for i, v := range r.Values {
		if inRange(v) != nil || i > 0 && v <= r.Values[i-1] || r.Below[i] < end || r.Equal[i] < 1 || r.Equal[i] > r.Count-r.Below[i] {
			return errors.New("ranks that do not ascend")
		}
		end = r.Below[i] + r.Equal[i]
	}
	r.place(f)
	if !slices.IsSorted(r.features) {
		return errors.New("features that do not ascend")
	}
	return nil
}
