package embed

import (
	"math"

	"github.com/latentdb/latentdb/embed/internal/vec"
)

// adam is Adam with decoupled weight decay (Kingma and Ba 2015; Loshchilov and
// Hutter 2019).
type adam struct {
	params []param
	m, v   [][]float32
	step   int
	decay  float64
}

const (
	adamBeta1 = 0.9
	adamBeta2 = 0.999
	adamEps   = 1e-8
)

func newAdam(params []param, decay float64) *adam {
	a := &adam{params: params, decay: decay}
	for _, p := range params {
		a.m = append(a.m, make([]float32, len(p.value)))
		a.v = append(a.v, make([]float32, len(p.value)))
	}
	return a
}

// update takes one step at a learning rate, from the gradients the parameters hold.
func (a *adam) update(rate float64, workers int) {
	a.step++
	c1 := 1 - math.Pow(adamBeta1, float64(a.step))
	c2 := 1 - math.Pow(adamBeta2, float64(a.step))
	step := vec.AdamStep{
		Beta1: adamBeta1, Beta2: adamBeta2, Epsilon: adamEps,
		Rate: float32(rate / c1), Root: float32(1 / math.Sqrt(c2)),
	}
	for i, p := range a.params {
		step.Keep = 1
		if p.decay {
			step.Keep = float32(1 - rate*a.decay)
		}
		m, v := a.m[i], a.v[i]
		parallelElements(workers, len(p.value), func(lo, hi int) {
			vec.Adam(p.value[lo:hi], p.grad[lo:hi], m[lo:hi], v[lo:hi], step)
		})
	}
}

// oneCycle is the learning rate of step t of n: a cosine rise to the peak over
// the first 30 %, then a cosine fall to a thousandth of it (Smith 2018).
func oneCycle(peak float64, t, n int) float64 {
	const warm = 0.3
	rise := warm * float64(n)
	x := float64(t)
	if x < rise {
		return peak * (0.04 + 0.96*(1-math.Cos(math.Pi*x/rise))/2)
	}
	return peak * (0.001 + 0.999*(1+math.Cos(math.Pi*(x-rise)/max(1, float64(n)-rise)))/2)
}
