// Package vec holds the loops of training over rows and elements: GELU, Adam,
// softmax, sums and differences. On amd64
// with AVX2 and FMA they are assembly; the Go functions beside them are their
// reference, and all there is elsewhere and under the build tag purego.
package vec

import "math"

// lanes is how many elements the assembly takes at once; Go does the rest.
const lanes = 8

// whole is how many of n elements the assembly takes.
func whole(n int) int {
	if !accelerated {
		return 0
	}
	return n &^ (lanes - 1)
}

// GELU is x·(1+tanh(a(x+bx³)))/2 with a = √(2/π) and b = 0.044715: the Gaussian
// error linear unit in its tanh form (Hendrycks and Gimpel, 2016).
const (
	geluA = 0.7978845608028654
	geluB = 0.044715
)

// GELU writes the unit of every x to dst, which is as long.
func GELU(dst, x []float32) {
	dst = dst[:len(x)]
	n := whole(len(x))
	if n > 0 {
		geluAVX2(n, &dst[0], &x[0])
	}
	geluGo(dst[n:], x[n:])
}

func geluGo(dst, x []float32) {
	for i, v := range x {
		dst[i] = 0.5 * v * (1 + Tanh(geluA*(v+geluB*v*v*v)))
	}
}

// GELUBackward multiplies each gradient by the unit's derivative at x.
func GELUBackward(grad, x []float32) {
	grad = grad[:len(x)]
	n := whole(len(x))
	if n > 0 {
		geluBackwardAVX2(n, &grad[0], &x[0])
	}
	geluBackwardGo(grad[n:], x[n:])
}

func geluBackwardGo(grad, x []float32) {
	for i, v := range x {
		t := Tanh(geluA * (v + geluB*v*v*v))
		grad[i] *= 0.5*(1+t) + 0.5*v*(1-t*t)*(geluA*(1+3*geluB*v*v))
	}
}

// tanhLimit is where Tanh's fraction reaches 1.
const tanhLimit = 4.97

// Tanh is tanh by the fourth convergent of its continued fraction: within 1e-4,
// and within 2e-5 where |x| < 4.
func Tanh(x float32) float32 {
	x = max(-tanhLimit, min(tanhLimit, x))
	x2 := x * x
	p := x * (135135 + x2*(17325+x2*(378+x2)))
	q := 135135 + x2*(62370+x2*(3150+x2*28))
	return p / q
}

// AdamStep is the numbers of one step of Adam with decoupled weight decay.
type AdamStep struct {
	// Beta1 and Beta2 are the decays of the running means.
	Beta1, Beta2 float32
	// Rate is the learning rate over the first mean's bias.
	Rate float32
	// Root is the root of the inverse of the second mean's bias.
	Root float32
	// Epsilon keeps the quotient finite; Keep is 1 less the weight decay.
	Epsilon, Keep float32
}

// Adam takes one step for parameters p with gradients g and running means m (of
// g) and v (of g²), all of one length.
func Adam(p, g, m, v []float32, s AdamStep) {
	g, m, v = g[:len(p)], m[:len(p)], v[:len(p)]
	n := whole(len(p))
	if n > 0 {
		adamAVX2(n, &p[0], &g[0], &m[0], &v[0], &s)
	}
	adamGo(p[n:], g[n:], m[n:], v[n:], s)
}

func adamGo(p, g, m, v []float32, s AdamStep) {
	for i, x := range g {
		m[i] += (1 - s.Beta1) * (x - m[i])
		v[i] += (1 - s.Beta2) * (x*x - v[i])
		root := float32(math.Sqrt(float64(v[i])))
		p[i] = p[i]*s.Keep - s.Rate*m[i]/(root*s.Root+s.Epsilon)
	}
}
