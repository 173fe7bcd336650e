package vec

import "math"

// The exponential of SoftmaxPair: a power of two times the Taylor polynomial of
// degree 6, within 2e-6 of the value.
const (
	log2e   = 1.4426950408889634
	ln2High = 0.693359375
	ln2Low  = -2.12194440e-4
	// leastExponent is where e^x is lost in a float32 sum that includes 1.
	leastExponent = -30
)

// expNear is eˣ for x ≤ 0, and 0 where x is under -30.
func expNear(x float32) float32 {
	if !(x >= leastExponent) {
		return 0
	}
	n := float32(math.RoundToEven(float64(x * log2e)))
	r := x - n*ln2High
	r -= n * ln2Low
	s := float32(1.0 / 720)
	for _, c := range [...]float32{1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1, 1} {
		s = s*r + c
	}
	return math.Float32frombits(math.Float32bits(s) + uint32(int32(n))<<23)
}

// SoftmaxPair replaces the squared distances p and q by e^x and e^y, where x is
// (nearP−p)·inv and y (nearQ−q)·inv, neither above 0, and 0 for what is under
// e^−30. It returns the sums of both, and that of e^x·(x−y).
func SoftmaxPair(p, q []float32, nearP, nearQ, inv float32) (sumP, sumQ, gap float32) {
	q = q[:len(p)]
	n := whole(len(p))
	if n > 0 {
		sumP, sumQ, gap = softmaxPairAVX2(n, &p[0], &q[0], nearP, nearQ, inv)
	}
	a, b, c := softmaxPairGo(p[n:], q[n:], nearP, nearQ, inv)
	return sumP + a, sumQ + b, gap + c
}

func softmaxPairGo(p, q []float32, nearP, nearQ, inv float32) (sumP, sumQ, gap float32) {
	for j := range p {
		x, y := (nearP-p[j])*inv, (nearQ-q[j])*inv
		p[j], q[j] = expNear(x), expNear(y)
		sumP += p[j]
		sumQ += q[j]
		if p[j] > 0 {
			gap += p[j] * (x - y)
		}
	}
	return sumP, sumQ, gap
}

// Blend replaces p by a·p + b·q.
func Blend(p, q []float32, a, b float32) {
	q = q[:len(p)]
	n := whole(len(p))
	if n > 0 {
		blendAVX2(n, &p[0], &q[0], a, b)
	}
	blendGo(p[n:], q[n:], a, b)
}

func blendGo(p, q []float32, a, b float32) {
	for j := range p {
		p[j] = a*p[j] + b*q[j]
	}
}

// Min is the least of x, which is not empty.
func Min(x []float32) float32 {
	least := x[0]
	n := whole(len(x))
	if n > 0 {
		least = minAVX2(n, &x[0])
	}
	return min(least, minGo(x[n:], least))
}

func minGo(x []float32, least float32) float32 {
	for _, v := range x {
		least = min(least, v)
	}
	return least
}

// AddNorms turns inner products d, times −2, into squared distances: own and
// norms are the squared norms of the one row and the others.
func AddNorms(d, norms []float32, own float32) {
	norms = norms[:len(d)]
	n := whole(len(d))
	if n > 0 {
		addNormsAVX2(n, &d[0], &norms[0], own)
	}
	addNormsGo(d[n:], norms[n:], own)
}

func addNormsGo(d, norms []float32, own float32) {
	for j := range d {
		d[j] = max(0, d[j]+own+norms[j])
	}
}

// Difference writes x − y to dst and returns the sum of its squares.
func Difference(dst, x, y []float32) float32 {
	x, y = x[:len(dst)], y[:len(dst)]
	n := whole(len(dst))
	var sum float32
	if n > 0 {
		sum = differenceAVX2(n, &dst[0], &x[0], &y[0])
	}
	return sum + differenceGo(dst[n:], x[n:], y[n:])
}

func differenceGo(dst, x, y []float32) (sum float32) {
	for j := range dst {
		dst[j] = x[j] - y[j]
		sum += dst[j] * dst[j]
	}
	return sum
}

// Squares is the sum of the squares of x.
func Squares(x []float32) float32 {
	n := whole(len(x))
	var sum float32
	if n > 0 {
		sum = squaresAVX2(n, &x[0])
	}
	return sum + squaresGo(x[n:])
}

func squaresGo(x []float32) (sum float32) {
	for _, v := range x {
		sum += v * v
	}
	return sum
}

// Add adds x to dst.
func Add(dst, x []float32) {
	x = x[:len(dst)]
	n := whole(len(dst))
	if n > 0 {
		addAVX2(n, &dst[0], &x[0])
	}
	addGo(dst[n:], x[n:])
}

func addGo(dst, x []float32) {
	for j, v := range x {
		dst[j] += v
	}
}

// Scale writes factor·x to dst.
func Scale(dst, x []float32, factor float32) {
	x = x[:len(dst)]
	n := whole(len(dst))
	if n > 0 {
		scaleAVX2(n, &dst[0], &x[0], factor)
	}
	scaleGo(dst[n:], x[n:], factor)
}

func scaleGo(dst, x []float32, factor float32) {
	for j, v := range x {
		dst[j] = factor * v
	}
}

// Standardise writes (x − mean)·inv to dst.
func Standardise(dst, x, mean []float32, inv float32) {
	x, mean = x[:len(dst)], mean[:len(dst)]
	n := whole(len(dst))
	if n > 0 {
		standardiseAVX2(n, &dst[0], &x[0], &mean[0], inv)
	}
	standardiseGo(dst[n:], x[n:], mean[n:], inv)
}

func standardiseGo(dst, x, mean []float32, inv float32) {
	for j, v := range x {
		dst[j] = (v - mean[j]) * inv
	}
}

// Finite tells whether every element is a number and none infinite.
func Finite(x []float32) bool {
	n := whole(len(x))
	// x−x is 0, or NaN for NaN and both infinities, and NaN stays in a sum.
	if n > 0 && spreadAVX2(n, &x[0]) != 0 {
		return false
	}
	return finiteGo(x[n:])
}

func finiteGo(x []float32) bool {
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}
