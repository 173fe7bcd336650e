package embed

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/floats"

	"github.com/latentdb/latentdb/embed/internal/vec"
)

// loss64 is the naive twin of Layout.loss.
func loss64(l Layout, estimate, target []float64) float64 {
	var total float64
	at := 0
	for _, b := range l {
		x, t := estimate[at:at+b.Width], target[at:at+b.Width]
		switch b.Kind {
		case Numeric:
			for i := range x {
				total += (x[i] - t[i]) * (x[i] - t[i]) / 2
			}
		case Binary:
			for i := range x {
				p := 1 / (1 + math.Exp(-binarySteepness*(x[i]-0.5)))
				total -= t[i]*math.Log(p) + (1-t[i])*math.Log(1-p)
			}
		case OneHot:
			logits := make([]float64, len(x))
			floats.ScaleTo(logits, oneHotSteepness, x)
			for i := range x {
				total -= t[i] * (logits[i] - floats.LogSumExp(logits))
			}
		}
		at += b.Width
	}
	return total
}

func widen(v []float32) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

func TestLossAgreesWithTwin(t *testing.T) {
	rng := newRand(1)
	targets := mixed(rng, 40)
	for i := range targets.Rows {
		target, estimate := Row(targets, i), make([]float32, targets.Cols)
		for j := range estimate {
			estimate[j] = target[j] + 0.7*float32(rng.NormFloat64())
		}
		grad := make([]float32, len(target))
		got := mixedLayout.loss(grad, estimate, target)
		if want := loss64(mixedLayout, widen(estimate), widen(target)); !agree(got, want, 1e-5) {
			t.Fatalf("row %d: loss is %v, want %v", i, got, want)
		}
		want := fd.Gradient(nil, func(x []float64) float64 { return loss64(mixedLayout, x, widen(target)) },
			widen(estimate), &fd.Settings{Formula: fd.Central})
		for j := range want {
			if !agree(float64(grad[j]), want[j], 1e-4) {
				t.Fatalf("row %d: gradient of feature %d is %v, want %v", i, j, grad[j], want[j])
			}
		}
	}
}

func TestLossOfFarEstimatesIsFinite(t *testing.T) {
	layout := Layout{{Binary, 2}, {OneHot, 3}}
	grad := make([]float32, 5)
	for _, size := range []float32{1e3, 1e30} {
		got := layout.loss(grad, []float32{size, -size, size, 0, -size}, []float32{0, 1, 0, 0, 1})
		if math.IsNaN(got) || math.IsInf(got, 0) || !vec.Finite(grad) {
			t.Fatalf("estimates of ±%v: loss %v, gradient %v", size, got, grad)
		}
	}
}

func TestMissingOneHotTargetAddsNothing(t *testing.T) {
	grad := []float32{9, 9, 9}
	if got := (Layout{{OneHot, 3}}).loss(grad, []float32{0.9, -1, 2}, make([]float32, 3)); got != 0 {
		t.Fatalf("loss is %v", got)
	}
	for j, g := range grad {
		if g != 0 {
			t.Fatalf("gradient of feature %d is %v", j, g)
		}
	}
}

func TestActivateGivesProbabilities(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 50 {
		row := Row(noise(rng, 1, mixedLayout.Width()), 0)
		before := append([]float32(nil), row...)
		mixedLayout.activate(row)
		if row[0] != before[0] || row[1] != before[1] || row[8] != before[8] {
			t.Fatal("a numeric feature changed")
		}
		if sum := row[2] + row[3] + row[4]; !agree(float64(sum), 1, 1e-6) {
			t.Fatalf("one-hot probabilities sum to %v", sum)
		}
		for _, j := range []int{5, 6} {
			want := 1 / (1 + math.Exp(-binarySteepness*(float64(before[j])-0.5)))
			if !agree(float64(row[j]), want, 1e-5) {
				t.Fatalf("binary feature %d is %v, want %v", j, row[j], want)
			}
		}
		if row[7] != 1 {
			t.Fatalf("the only level of a run has probability %v", row[7])
		}
	}
}
