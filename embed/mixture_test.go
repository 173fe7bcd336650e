package embed

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"github.com/latentdb/latentdb/embed/internal/vec"
)

func mustMixture(t *testing.T, latents blas32.General, seed uint64) *Mixture {
	t.Helper()
	m, err := FitMixture(context.Background(), latents, 2, seed)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func draws(m *Mixture, n int, seed uint64) blas32.General {
	rng, out := newRand(seed), NewMatrix(n, m.dim)
	for i := range n {
		m.Draw(Row(out, i), rng)
	}
	return out
}

func TestMixtureRecoversTwoComponents(t *testing.T) {
	rng := newRand(1)
	z := noise(rng, 290, 3)
	const share = 0.3
	for i := range z.Rows {
		row, shift := Row(z, i), float32(4)
		if i < int(share*290) {
			shift = -4
		}
		row[0] += shift
		row[2] = row[2]/2 - shift
	}
	m := mustMixture(t, z, 1)
	if m.Components() != 2 {
		t.Fatalf("%d components", m.Components())
	}
	low, high := 0, 1
	if m.means[low][0] > m.means[high][0] {
		low, high = high, low
	}
	if math.Abs(m.weights[low]-share) > 0.01 || !agree(m.weights[low]+m.weights[high], 1, 1e-9) {
		t.Errorf("weights %v, want %v and %v", m.weights, share, 1-share)
	}
	for c, want := range map[int][]float64{low: {-4, 0, 4}, high: {4, 0, -4}} {
		for j := range want {
			if math.Abs(m.means[c][j]-want[j]) > 0.35 {
				t.Errorf("mean %v, want %v", m.means[c], want)
			}
		}
		for j, want := range []float64{1, 1, 0.5} {
			if got := math.Sqrt(m.variance(c, j)); math.Abs(got-want) > 0.2 {
				t.Errorf("component %d: spread %d is %v, want %v", c, j, got, want)
			}
		}
	}
	negative := 0
	fresh := draws(m, 4000, 2)
	for i := range fresh.Rows {
		if Row(fresh, i)[0] < 0 {
			negative++
		}
	}
	if got := float64(negative) / 4000; math.Abs(got-share) > 0.03 {
		t.Errorf("%v of the draws come from the component of weight %v", got, share)
	}
}

func TestDrawsKeepTheWeights(t *testing.T) {
	m := &Mixture{dim: 1, weights: []float64{0.2, 0.3, 0.5}, means: [][]float64{{0}, {10}, {20}}}
	for range m.weights {
		m.factors = append(m.factors, mat.NewTriDense(1, mat.Lower, []float64{0.1}))
	}
	counts := make([]float64, 3)
	for _, x := range draws(m, 5000, 1).Data {
		counts[int(x+5)/10] += 1.0 / 5000
	}
	for c, want := range m.weights {
		if math.Abs(counts[c]-want) > 0.03 {
			t.Errorf("shares %v, want %v", counts, m.weights)
		}
	}
}

// variance is a coordinate's variance in component c, from L·Lᵀ.
func (m *Mixture) variance(c, i int) float64 {
	var covariance mat.Dense
	covariance.Mul(m.factors[c], m.factors[c].T())
	return covariance.At(i, i)
}

func TestDrawsHaveTheLatentsCovariance(t *testing.T) {
	rng := newRand(3)
	z := noise(rng, 199, 3) // one component
	for i := range z.Rows {
		row := Row(z, i)
		row[1] = 0.8*row[0] + 0.3*row[1]
		row[2] = 5 - row[0] + 2*row[2]
	}
	m := mustMixture(t, z, 1)
	if m.Components() != 1 {
		t.Fatalf("%d components", m.Components())
	}
	var want, got mat.SymDense
	stat.CovarianceMatrix(&want, dense(z), nil)
	fresh := dense(draws(m, 20000, 4))
	stat.CovarianceMatrix(&got, fresh, nil)
	for i := range 3 {
		if a, b := stat.Mean(mat.Col(nil, i, fresh), nil), stat.Mean(mat.Col(nil, i, dense(z)), nil); math.Abs(a-b) > 0.06 {
			t.Errorf("mean %d of draws is %v, of latents %v", i, a, b)
		}
		for j := range 3 {
			scale := math.Sqrt(want.At(i, i) * want.At(j, j))
			if math.Abs(got.At(i, j)-want.At(i, j)) > 0.05*scale {
				t.Errorf("covariance %d,%d of draws is %v, of latents %v", i, j, got.At(i, j), want.At(i, j))
			}
		}
	}
}

func TestMixtureIsDeterministic(t *testing.T) {
	z := lowRank(newRand(5), 420, 4, 3)
	a, b := draws(mustMixture(t, z, 7), 20, 1), draws(mustMixture(t, z, 7), 20, 1)
	if !slices.Equal(a.Data, b.Data) {
		t.Error("the same seed draws differently")
	}
	if slices.Equal(a.Data, draws(mustMixture(t, z, 7), 20, 2).Data) {
		t.Error("another generator draws the same")
	}
}

// TestMixtureOfAwkwardLatents: few, constant, duplicate, more values than rows.
func TestMixtureOfAwkwardLatents(t *testing.T) {
	rng := newRand(6)
	constant := noise(rng, 150, 3)
	same := NewMatrix(250, 2)
	for i := range same.Data {
		same.Data[i] = 3
	}
	for i := range constant.Rows {
		Row(constant, i)[1] = 9
	}
	for name, z := range map[string]blas32.General{
		"two": noise(rng, 2, 4), "constant coordinate": constant, "all the same": same,
		"more values than rows": noise(rng, 5, 20), "one value": noise(rng, 300, 1),
	} {
		m := mustMixture(t, z, 1)
		fresh := draws(m, 500, 1)
		if !vec.Finite(fresh.Data) {
			t.Errorf("%s: draws are not finite", name)
		}
		for j := range z.Cols {
			column := mat.Col(nil, j, dense(z))
			mean, spread := stat.MeanStdDev(column, nil)
			for i := range fresh.Rows {
				if x := float64(Row(fresh, i)[j]); math.Abs(x-mean) > 8*spread+0.2 {
					t.Fatalf("%s: draw %v of coordinate %d, whose mean is %v and spread %v", name, x, j, mean, spread)
				}
			}
		}
	}
}

func TestMixtureRefuses(t *testing.T) {
	nan := noise(newRand(8), 5, 2)
	nan.Data[3] = float32(math.NaN())
	short := noise(newRand(8), 5, 2)
	short.Rows = 6
	for name, z := range map[string]blas32.General{
		"one latent": NewMatrix(1, 3), "none": NewMatrix(0, 3), "no values": NewMatrix(5, 0), "NaN": nan, "cut short": short,
	} {
		if _, err := FitMixture(context.Background(), z, 2, 1); !errors.Is(err, ErrData) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := FitMixture(ctx, noise(newRand(8), 50, 2), 2, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
