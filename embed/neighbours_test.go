package embed

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/diff/fd"

	"github.com/latentdb/latentdb/embed/internal/vec"
)

// neighbourLoss64 is the naive twin of neighbourLoss.backward, for latents z of
// d values each.
func neighbourLoss64(z []float64, d int, u blas32.General) float64 {
	b := u.Rows
	var total float64
	for i := range b {
		var near, far []float64 // squared distances of the others: rows, latents
		for j := range b {
			if j == i {
				continue
			}
			near = append(near, squaredDistance(Row(u, i), Row(u, j)))
			var s float64
			for c := range d {
				s += (z[i*d+c] - z[j*d+c]) * (z[i*d+c] - z[j*d+c])
			}
			far = append(far, s)
		}
		sorted := slices.Sorted(slices.Values(near))
		tau := (sorted[min(tauNeighbour, len(sorted))-1] - sorted[0]) / 3
		p, q := softmax64(near, tau), softmax64(far, tau)
		for j := range p {
			if p[j] > 0 {
				total += p[j] * math.Log(p[j]/q[j])
			}
		}
	}
	return total / float64(b)
}

func softmax64(distances []float64, tau float64) []float64 {
	out, low := make([]float64, len(distances)), slices.Min(distances)
	var sum float64
	for j, d := range distances {
		out[j] = math.Exp((low - d) / tau)
		sum += out[j]
	}
	for j := range out {
		out[j] /= sum
	}
	return out
}

func TestNeighbourLossAgreesWithTwin(t *testing.T) {
	rng := newRand(4)
	for _, b := range []int{3, 8, 40} {
		u, z := noise(rng, b, 6), noise(rng, b, 2)
		const weight = 0.5
		dz := NewMatrix(b, 2)
		for i := range dz.Data {
			dz.Data[i] = 1 // it is added to, not replaced
		}
		got := newNeighbourLoss(40).backward(dz, z, u, weight, 2)
		twin := func(z []float64) float64 { return neighbourLoss64(z, 2, u) }
		if want := twin(widen(z.Data)); !agree(got, want, 1e-3) {
			t.Fatalf("batch %d: loss is %v, want %v", b, got, want)
		}
		want := fd.Gradient(nil, twin, widen(z.Data), &fd.Settings{Formula: fd.Central})
		var size float64
		for _, g := range want {
			size = max(size, math.Abs(g))
		}
		for i := range want {
			if g := float64(dz.Data[i]-1) / weight; math.Abs(g-want[i]) > 2e-3*size {
				t.Fatalf("batch %d: gradient %d is %v, want %v", b, i, g, want[i])
			}
		}
	}
}

func TestNeighbourLossOfEqualSpacesIsZero(t *testing.T) {
	u, dz := noise(newRand(5), 30, 4), NewMatrix(30, 4)
	if got := newNeighbourLoss(30).backward(dz, u, u, 1, 2); math.Abs(got) > 1e-5 {
		t.Fatalf("loss of latents that are the rows is %v", got)
	}
	for _, g := range dz.Data {
		if math.Abs(float64(g)) > 1e-5 {
			t.Fatalf("its gradient holds %v", g)
		}
	}
}

func TestNeighbourLossOfDuplicatesIsFinite(t *testing.T) {
	rng := newRand(6)
	pairs, corners := NewMatrix(24, 3), NewMatrix(24, 24)
	for i := range 24 {
		copy(Row(pairs, i), []float32{float32(i % 2), 5, -3})
		Row(corners, i)[i] = 1
	}
	for rows, u := range map[string]blas32.General{"equal": NewMatrix(24, 3), "two kinds": pairs, "equidistant": corners} {
		for latents, z := range map[string]blas32.General{"equal": NewMatrix(24, 2), "apart": noise(rng, 24, 2)} {
			dz := NewMatrix(24, 2)
			got := newNeighbourLoss(24).backward(dz, z, u, 1, 2)
			if math.IsNaN(got) || math.IsInf(got, 0) || !vec.Finite(dz.Data) {
				t.Errorf("%s rows, %s latents: loss %v, gradient %v", rows, latents, got, dz.Data)
			}
		}
	}
}
