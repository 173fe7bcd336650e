package embed

import (
	"math"

	"github.com/latentdb/latentdb/embed/internal/vec"
)

// Binary and one-hot features leave the decoder as linear estimates of 0 or 1,
// which at the PCA start are rough probabilities. These factors turn them into
// logits: steep enough that an estimate of 1 reads as near certain.
const (
	binarySteepness = 8
	oneHotSteepness = 6
)

// activate turns linear estimates into what the features stand for, in place:
// a sigmoid for binary features, a softmax for one-hot runs.
func (l Layout) activate(row []float32) {
	at := 0
	for _, b := range l {
		run := row[at : at+b.Width]
		switch b.Kind {
		case Binary:
			for i, x := range run {
				run[i] = sigmoid(binarySteepness * (x - 0.5))
			}
		case OneHot:
			for i := range run {
				run[i] *= oneHotSteepness
			}
			softmax(run)
		}
		at += b.Width
	}
}

func exp32(x float32) float32 { return float32(math.Exp(float64(x))) }

func sigmoid(x float32) float32 { return 1 / (1 + exp32(-x)) }

func softmax(v []float32) {
	top := v[0]
	for _, x := range v {
		top = max(top, x)
	}
	var sum float32
	for i, x := range v {
		v[i] = exp32(x - top)
		sum += v[i]
	}
	for i := range v {
		v[i] /= sum
	}
}

// allNumeric tells whether squared error is the whole loss.
func (l Layout) allNumeric() bool {
	for _, b := range l {
		if b.Kind != Numeric {
			return false
		}
	}
	return true
}

// startsNumeric tells whether the first n features are numeric.
func (l Layout) startsNumeric(n int) bool {
	for _, b := range l {
		if n <= 0 {
			break
		}
		if b.Kind != Numeric {
			return false
		}
		n -= b.Width
	}
	return true
}

// loss returns the reconstruction loss of one row, summed over its features:
// half the squared error of numeric features, cross-entropy of the others. It
// writes the loss's gradient with respect to the estimates to grad. All three
// slices are of length D; estimates are linear, before activate.
func (l Layout) loss(grad, estimate, target []float32) float64 {
	var total float64
	at := 0
	for _, b := range l {
		g, x, t := grad[at:at+b.Width], estimate[at:at+b.Width], target[at:at+b.Width]
		switch b.Kind {
		case Numeric:
			total += float64(vec.Difference(g, x, t)) / 2
		case Binary:
			for i := range x {
				logit := float64(binarySteepness * (x[i] - 0.5))
				total += softplus(logit) - float64(t[i])*logit
				g[i] = binarySteepness * (sigmoid(float32(logit)) - t[i])
			}
		case OneHot:
			total += crossEntropy(g, x, t)
		}
		at += b.Width
	}
	return total
}

// crossEntropy is the one-hot part of loss. A run whose target is all zeros (a
// level that no feature stands for) adds nothing.
func crossEntropy(g, x, t []float32) float64 {
	var mass float32
	for _, v := range t {
		mass += v
	}
	for i := range x {
		g[i] = oneHotSteepness * x[i]
	}
	softmax(g)
	var total float64
	for i := range g {
		if t[i] > 0 {
			total -= float64(t[i]) * math.Log(max(float64(g[i]), 1e-30))
		}
		g[i] = oneHotSteepness * (mass*g[i] - t[i])
	}
	return total
}

func softplus(x float64) float64 {
	return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))
}
