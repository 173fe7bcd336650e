package embed

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/diff/fd"
)

// gradientCase is a descent over one batch, with weights away from their start
// so that gradients reach every layer.
func gradientCase(t *testing.T, encoder Encoder, layout Layout, rows blas32.General) *descent {
	m := trainedModel(t, encoder, layout, rows, 3, []int{7, 5})
	if !layout.allNumeric() {
		m.scale = 1.5 // training leaves it at 1; the chain rule must hold for any
	}
	d := newDescent(m, recipe{batch: rows.Rows}, 2)
	gather(d.x, rows, identity(rows.Rows))
	return d
}

func identity(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// slope is the derivative of the loss along a direction of one tensor.
func slope(d learner, p param, direction []float64) float64 {
	start := append([]float32(nil), p.value...)
	defer copy(p.value, start)
	return fd.Derivative(func(step float64) float64 {
		for i := range start {
			p.value[i] = start[i] + float32(step*direction[i])
		}
		return d.gradients()
	}, 0, &fd.Settings{Formula: fd.Central, Step: 2e-3})
}

func TestGradientsOfTheWholeLoss(t *testing.T) {
	rng := newRand(2)
	cases := []struct {
		name   string
		layout Layout
		rows   blas32.General
	}{
		{"numeric", NumericLayout(9), lowRank(rng, 32, 9, 4)},
		{"mixed", mixedLayout, mixed(rng, 32)},
	}
	for _, encoder := range []Encoder{Deep, Linear} {
		for _, c := range cases {
			t.Run(fmt.Sprintf("%s/%s", encoder, c.name), func(t *testing.T) {
				d := gradientCase(t, encoder, c.layout, c.rows)
				d.gradients()
				for i, p := range d.model.params() {
					checkTensor(t, d, fmt.Sprintf("tensor %d (%d values)", i, len(p.value)), p)
				}
			})
		}
	}
}

// checkTensor compares a tensor's gradient with differences of the loss: along
// itself, along random directions, and along single coordinates.
func checkTensor(t *testing.T, d learner, name string, p param) {
	rng := newRand(uint64(len(p.value)))
	grad := widen(p.grad)
	var norm float64
	for _, g := range grad {
		norm += g * g
	}
	norm = math.Sqrt(norm)
	if norm < 1e-4 {
		t.Fatalf("%s: gradient has norm %v, nothing to check", name, norm)
	}
	directions := [][]float64{make([]float64, len(grad))}
	for i, g := range grad {
		directions[0][i] = g / norm
	}
	for range 3 {
		v := make([]float64, len(grad))
		for i := range v {
			v[i] = rng.NormFloat64() / math.Sqrt(float64(len(v)))
		}
		directions = append(directions, v)
		v = make([]float64, len(grad))
		v[rng.IntN(len(v))] = 1
		directions = append(directions, v)
	}
	for k, v := range directions {
		var want float64
		for i := range v {
			want += v[i] * grad[i]
		}
		if got := slope(d, p, v); math.Abs(got-want) > 1e-2*norm+1e-4 {
			t.Errorf("%s, direction %d: the loss rises by %v, the gradient says %v (norm %v)", name, k, got, want, norm)
		}
	}
}
