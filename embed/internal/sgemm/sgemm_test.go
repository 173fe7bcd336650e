package sgemm

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
	"pgregory.net/rapid"
)

var _ blas.Float32Level3 = Implementation{}

func random(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

// within tells whether two sums of k products of standard normals agree.
func within(a, b float32, k int) bool {
	return math.Abs(float64(a-b)) <= 1e-5*(1+math.Sqrt(float64(k))*4)
}

func TestSgemmAgreesWithGonum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.OneOf(rapid.IntRange(1, 40), rapid.IntRange(100, 300))
		m, n, k := size.Draw(t, "m"), size.Draw(t, "n"), size.Draw(t, "k")
		trans := rapid.SampledFrom([]blas.Transpose{blas.NoTrans, blas.Trans})
		tA, tB := trans.Draw(t, "tA"), trans.Draw(t, "tB")
		alpha := rapid.SampledFrom([]float32{1, -2, 0}).Draw(t, "alpha")
		beta := rapid.SampledFrom([]float32{0, 1, 0.5}).Draw(t, "beta")
		pad := rapid.IntRange(0, 3).Draw(t, "pad")
		rng := rand.New(rand.NewPCG(uint64(m*n), uint64(k)))
		lda, ldb, ldc := k+pad, n+pad, n+pad
		aRows, bRows := m, k
		if tA == blas.Trans {
			lda, aRows = m+pad, k
		}
		if tB == blas.Trans {
			ldb, bRows = k+pad, n
		}
		a, b, c := random(rng, aRows*lda), random(rng, bRows*ldb), random(rng, m*ldc)
		want := append([]float32(nil), c...)
		gonum.Implementation{}.Sgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, want, ldc)
		Implementation{}.Sgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
		for i := range c {
			if !within(c[i], want[i], k) {
				t.Fatalf("%d×%d×%d: element %d is %v, gonum says %v", m, n, k, i, c[i], want[i])
			}
		}
	})
}

func TestKernelAgreesWithTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, k := range []int{1, 2, 7, 64, 256} {
		a, b, c := random(rng, k*tileM), random(rng, k*tileN), random(rng, tileM*20)
		want := append([]float32(nil), c...)
		kernelGo(k, &a[0], &b[0], &want[0], 20)
		kernel(k, &a[0], &b[0], &c[0], 20)
		for i := range c {
			if !within(c[i], want[i], k) {
				t.Fatalf("k=%d: element %d is %v, want %v", k, i, c[i], want[i])
			}
		}
	}
}

func TestSgemmRefusesAsGonumDoes(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("a short matrix was taken")
		}
	}()
	Implementation{}.Sgemm(blas.NoTrans, blas.NoTrans, 8, 8, 8, 1, make([]float32, 10), 8, make([]float32, 64), 8, 0, make([]float32, 64), 8)
}

func BenchmarkSgemm(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	x, w, y := random(rng, 256*784), random(rng, 784*512), make([]float32, 256*512)
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			Implementation{}.Sgemm(blas.NoTrans, blas.NoTrans, 256, 512, 784, 1, x, 784, w, 512, 0, y, 512)
		}
	})
	b.Run("gonum", func(b *testing.B) {
		for b.Loop() {
			gonum.Implementation{}.Sgemm(blas.NoTrans, blas.NoTrans, 256, 512, 784, 1, x, 784, w, 512, 0, y, 512)
		}
	})
}
