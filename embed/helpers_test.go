package embed

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas/blas32"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 42)) }

// noise is rows of independent standard normals.
func noise(rng *rand.Rand, n, d int) blas32.General {
	m := NewMatrix(n, d)
	for i := range m.Data {
		m.Data[i] = float32(rng.NormFloat64())
	}
	return m
}

// lowRank is rows in a space of the given rank, its directions falling in size,
// plus a little noise and a mean away from the origin.
func lowRank(rng *rand.Rand, n, d, rank int) blas32.General {
	basis, hidden, m := noise(rng, rank, d), noise(rng, n, rank), noise(rng, n, d)
	for i := range n {
		row := Row(m, i)
		for j := range row {
			row[j] = 3 + 0.05*row[j]
			for k := range rank {
				row[j] += Row(hidden, i)[k] * Row(basis, k)[j] / float32(1+k)
			}
		}
	}
	return m
}

// manifold is a sheet of two parameters, curved in d dimensions: no plane of a
// few dimensions holds it.
func manifold(rng *rand.Rand, n, d int) blas32.General {
	waves := noise(rng, d, 3)
	m := NewMatrix(n, d)
	for i := range n {
		s, t := rng.Float64()*4-2, rng.Float64()*4-2
		for j := range d {
			w := Row(waves, j)
			m.Data[i*d+j] = float32(math.Sin(float64(w[0])*s + float64(w[1])*t + 3*float64(w[2])))
		}
	}
	return m
}

// mixedLayout has every kind of block, of widths one and more.
var mixedLayout = Layout{{Numeric, 2}, {OneHot, 3}, {Binary, 2}, {OneHot, 1}, {Numeric, 1}}

// mixed is rows of mixedLayout whose parts depend on each other; every tenth
// has a one-hot run of zeros, a level that no feature stands for.
func mixed(rng *rand.Rand, n int) blas32.General {
	m := NewMatrix(n, mixedLayout.Width())
	for i := range n {
		row, level := Row(m, i), rng.IntN(3)
		row[0] = float32(rng.NormFloat64())
		row[1] = float32(level-1) + 0.2*float32(rng.NormFloat64())
		if i%10 != 0 {
			row[2+level] = 1
		}
		if row[0] > 0 {
			row[5] = 1
		}
		row[6] = float32(rng.IntN(2))
		row[7] = float32(rng.IntN(2))
		row[8] = row[0] * row[1]
	}
	return m
}

func mustTrain(t testing.TB, layout Layout, rows blas32.General, cfg Config) *Result {
	t.Helper()
	r, err := Train(context.Background(), layout, rows, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustPCA(t testing.TB, layout Layout, rows blas32.General, dim int) *Model {
	t.Helper()
	m, err := fitPCA(context.Background(), layout, rows, dim)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// trainedModel is a small model of an encoder with weights as after training:
// nothing in it is zero.
func trainedModel(t testing.TB, encoder Encoder, layout Layout, rows blas32.General, dim int, hidden []int) *Model {
	t.Helper()
	m, rng := mustPCA(t, layout, rows, dim), newRand(5)
	m.int8Step = 0.02
	if encoder == PCA {
		return m
	}
	m = m.withNetworks(encoder, hidden, rng)
	for _, p := range m.params() {
		for i := range p.value {
			p.value[i] += float32(0.1 * rng.NormFloat64())
		}
	}
	m.settings = Settings{Hidden: hidden, Batch: 8, Epochs: 3, LearningRate: 2e-3, Seed: 5, Kept: 2, Reason: "test"}
	return m
}

func mustEncode(t testing.TB, m *Model, rows blas32.General) blas32.General {
	t.Helper()
	z := NewMatrix(rows.Rows, m.Dim())
	if err := m.Encode(z, rows); err != nil {
		t.Fatal(err)
	}
	return z
}

func mustDecode(t testing.TB, m *Model, latents blas32.General) blas32.General {
	t.Helper()
	x := NewMatrix(latents.Rows, m.Features())
	if err := m.Decode(x, latents); err != nil {
		t.Fatal(err)
	}
	return x
}

func mustMarshal(t testing.TB, m *Model) []byte {
	t.Helper()
	b, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// agree tells whether two numbers agree to a tolerance relative to their size,
// absolute below one.
func agree(a, b, tolerance float64) bool {
	return math.Abs(a-b) <= tolerance*max(1, math.Abs(a), math.Abs(b))
}
