package index

import "math"

// The kernels below take prepared rows of equal length. Four accumulators
// break the chain of dependent additions; the constant-length sub-slices let
// the compiler drop the bounds checks inside a step. The order of additions
// depends on the length alone, so that the same two rows give the same bits
// whichever engine asks and in whichever order they stand.

// squaredL2 is the sum of (a-b)^2.
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

// dot is the inner product.
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

// negativeDot is -a·b. Where products overflow in both directions the sum is
// NaN, which no order can hold: such rows are infinitely far apart.
func negativeDot(a, b []float32) float32 {
	d := -dot(a, b)
	if d != d {
		return float32(math.Inf(1))
	}
	return d
}

// cosineUnit is 1 - a·b of rows of unit length. Rounding may take the product
// of equal rows past one; a distance is never negative.
func cosineUnit(a, b []float32) float32 {
	d := 1 - dot(a, b)
	if d < 0 {
		return 0
	}
	return d
}

// manhattan is the sum of |a-b|.
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

// kernel measures one prepared query against many prepared rows of the same
// length, which lie one after another in rows.
type kernel struct {
	pair func(a, b []float32) float32
}

func kernelOf(m Metric) kernel { return kernel{pair: m.Kernel()} }

// block puts into dst[i] the distance from query to the i-th of len(dst) rows.
func (k kernel) block(dst, query, rows []float32) {
	dim := len(query)
	for i := range dst {
		dst[i] = k.pair(query, rows[i*dim:][:dim])
	}
}

// gather puts into dst[i] the distance from query to row at[i].
func (k kernel) gather(dst, query, rows []float32, at []uint32) {
	dim := len(query)
	dst = dst[:len(at)]
	for i, r := range at {
		dst[i] = k.pair(query, rows[int(r)*dim:][:dim])
	}
}
