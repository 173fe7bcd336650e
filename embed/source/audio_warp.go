package source

import "math"

// Warper is a Fitted whose rows run in time.
type Warper interface {
	// Warp is the distance of two feature rows when either may run faster or slower
	// than the other: 0 for equal rows, never more than their Euclidean distance, and
	// the same both ways round.
	Warp(a, b []float32) float32
}

// diagonal is how much more a step in both rows counts than one in either (2 would be
// symmetric in the path's length; less lets paths turn less).
const diagonal = 1.5

// Warp is the root of the least sum of squared distances of frames along a path through
// both rows (Sakoe and Chiba, IEEE Trans. ASSP 26, 1978) that never is farther than an
// eighth of the frames from even time. A step in one row counts two thirds. It is NaN for
// rows of other lengths than Width. Cost: about 4 µs for 32 frames of 20.
func (f *fittedAudio) Warp(a, b []float32) float32 {
	if len(a) != f.Width() || len(b) != f.Width() {
		return float32(math.NaN())
	}
	n, k := f.front.frames, f.front.coefficients
	band := max(1, n/8)
	// sums[j] is the least sum to where i frames of a and j of b are done with.
	sums, next := make([]float32, n+1), make([]float32, n+1)
	far := float32(math.Inf(1))
	for j := range sums {
		sums[j] = far
	}
	sums[0] = 0
	for i := range n {
		low, high := max(0, i-band), min(n, i+band+1)
		for j := range next {
			next[j] = far
		}
		for j := low; j < high; j++ {
			d := squaredDistance(a[i*k:(i+1)*k], b[j*k:(j+1)*k])
			next[j+1] = min(sums[j]+d, min(sums[j+1], next[j])+d/diagonal)
		}
		sums, next = next, sums
	}
	return float32(math.Sqrt(float64(sums[n])))
}

func squaredDistance(a, b []float32) float32 {
	var even, odd float32
	b = b[:len(a)]
	i := 0
	for ; i+1 < len(a); i += 2 {
		d, e := a[i]-b[i], a[i+1]-b[i+1]
		even += d * d
		odd += e * e
	}
	if i < len(a) {
		d := a[i] - b[i]
		even += d * d
	}
	return even + odd
}
