package embed

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"github.com/latentdb/latentdb/embed/internal/vec"
)

func dense(m blas32.General) *mat.Dense {
	out := mat.NewDense(m.Rows, m.Cols, nil)
	for i := range m.Rows {
		out.SetRow(i, widen(Row(m, i)))
	}
	return out
}

// TestPrincipalComponentsAgreeWithGonum covers the full eigendecomposition, the
// subspace iteration on a covariance, and that without one.
func TestPrincipalComponentsAgreeWithGonum(t *testing.T) {
	const k = 5
	for _, c := range []struct{ n, d int }{{200, 20}, {60, 256}, {150, 300}, {40, 2100}} {
		t.Run(fmt.Sprintf("%d×%d", c.n, c.d), func(t *testing.T) {
			rows := lowRank(newRand(uint64(c.d)), c.n, c.d, 6)
			m := mustPCA(t, NumericLayout(c.d), rows, k)
			values, vectors, err := principal(context.Background(), m, rows, k)
			if err != nil {
				t.Fatal(err)
			}
			var pc stat.PC
			if !pc.PrincipalComponents(dense(rows), nil) {
				t.Fatal("gonum finds no components")
			}
			var want mat.Dense
			pc.VectorsTo(&want)
			variances := pc.VarsTo(nil)
			toVariance := float64(m.scale) * float64(m.scale) * float64(c.n) / float64(c.n-1)
			for j := range k {
				if got := values[j] * toVariance; math.Abs(got-variances[j]) > 1e-4*variances[j] {
					t.Errorf("variance %d is %v, gonum says %v", j, got, variances[j])
				}
				if cos := math.Abs(mat.Dot(vectors.ColView(j), want.ColView(j))); cos < 1-1e-4 {
					t.Errorf("component %d is off gonum's: cosine %v", j, cos)
				}
			}
			checkOrthonormal(t, vectors)
		})
	}
}

func checkOrthonormal(t *testing.T, vectors *mat.Dense) {
	t.Helper()
	var gram mat.Dense
	gram.Mul(vectors.T(), vectors)
	k, _ := gram.Dims()
	for i := range k {
		for j := range k {
			want := 0.0
			if i == j {
				want = 1
			}
			if math.Abs(gram.At(i, j)-want) > 1e-6 {
				t.Errorf("components %d and %d have product %v", i, j, gram.At(i, j))
			}
		}
	}
}

func TestPCAWithAllComponentsKeepsRows(t *testing.T) {
	rows := lowRank(newRand(1), 50, 7, 7)
	m := mustPCA(t, NumericLayout(7), rows, 7)
	back := mustDecode(t, m, mustEncode(t, m, rows))
	for i, x := range rows.Data {
		if !agree(float64(back.Data[i]), float64(x), 1e-5) {
			t.Fatalf("value %d came back as %v, was %v", i, back.Data[i], x)
		}
	}
}

// TestComponentsBeyondTheRankAreZero: such components would be rounding.
func TestComponentsBeyondTheRankAreZero(t *testing.T) {
	rng := newRand(2)
	constant := noise(rng, 100, 6)
	for i := range constant.Rows {
		Row(constant, i)[2], Row(constant, i)[4] = 7, -1e4
	}
	flat := NewMatrix(400, 300) // rank 2
	for i := range flat.Rows {
		a, b := float32(rng.NormFloat64()), float32(rng.NormFloat64())
		for j := range flat.Cols {
			Row(flat, i)[j] = a*float32(j%7) + b*float32(j%5)
		}
	}
	for _, c := range []struct {
		name      string
		rows      blas32.General
		dim, rank int
	}{
		{"three rows", noise(rng, 3, 10), 8, 2},
		{"constant columns", constant, 6, 4},
		{"more values than features", noise(rng, 30, 4), 9, 4},
		{"two directions in 300 features", flat, 8, 2},
	} {
		m := mustPCA(t, NumericLayout(c.rows.Cols), c.rows, c.dim)
		for k := range c.dim {
			if size := vec.Squares(Row(m.dec.w, k)); (size > 0.5) != (k < c.rank) {
				t.Errorf("%s: component %d has squared length %v, the rank is %d", c.name, k, size, c.rank)
			}
		}
	}
}

func TestPCARefuses(t *testing.T) {
	same := NewMatrix(5, 3)
	for i := range same.Data {
		same.Data[i] = 0.1
	}
	wide := MatrixOf([]float32{math.MaxFloat32, 0, -math.MaxFloat32, 1, -math.MaxFloat32, 2}, 2)
	for name, rows := range map[string]blas32.General{"identical": same, "beyond float32": wide} {
		_, err := fitPCA(context.Background(), NumericLayout(rows.Cols), rows, 2)
		if !errors.Is(err, ErrData) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := fitPCA(ctx, NumericLayout(300), noise(newRand(1), 20, 300), 2); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestPCAOfExtremeUnits: the answer does not depend on the unit of the rows.
func TestPCAOfExtremeUnits(t *testing.T) {
	rows := lowRank(newRand(3), 60, 8, 3)
	want := mustEncode(t, mustPCA(t, NumericLayout(8), rows, 3), rows)
	for _, unit := range []float32{0x1p-40, 0x1p60, 0x1p110} {
		scaled := NewMatrix(rows.Rows, rows.Cols)
		for i, x := range rows.Data {
			scaled.Data[i] = x * unit
		}
		got := mustEncode(t, mustPCA(t, NumericLayout(8), scaled, 3), scaled)
		for i := range want.Data {
			if !agree(float64(got.Data[i]), float64(want.Data[i]), 1e-4) {
				t.Fatalf("unit %v: latent value %d is %v, want %v", unit, i, got.Data[i], want.Data[i])
			}
		}
	}
}
