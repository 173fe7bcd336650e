package sgemm

import (
	"math"
	"math/rand/v2"
	"slices"
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

// eachISA runs f under every instruction set that the processor has kernels for.
func eachISA(t *testing.T, f func(t *testing.T, s isa)) {
	had := active
	defer func() { active = had }()
	for s := none; s <= had; s++ {
		active = s
		t.Run([]string{none: "gonum", avx2: "avx2", avx512: "avx512"}[s], func(t *testing.T) { f(t, s) })
	}
}

func TestSgemmAgreesWithGonum(t *testing.T) {
	eachISA(t, func(t *testing.T, _ isa) {
		rapid.Check(t, func(t *rapid.T) {
			size := rapid.OneOf(rapid.IntRange(1, 40), rapid.IntRange(100, 300))
			m, n := size.Draw(t, "m"), size.Draw(t, "n")
			k := rapid.OneOf(size, rapid.IntRange(blockK-1, blockK+1), rapid.IntRange(2*blockK, 2*blockK+20)).Draw(t, "k")
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
			// The last rows end with their matrix, so that reading on would show.
			a, b, c := random(rng, aRows*lda-pad), random(rng, bRows*ldb-pad), random(rng, m*ldc)
			want := append([]float32(nil), c...)
			gonum.Implementation{}.Sgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, want, ldc)
			Implementation{}.Sgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
			for i := range c {
				if !within(c[i], want[i], k) {
					t.Fatalf("%d×%d×%d: element %d is %v, gonum says %v", m, n, k, i, c[i], want[i])
				}
			}
		})
	})
}

// TestSgemmIgnoresBeta0: with beta 0, what c holds must not matter, not even NaN.
func TestSgemmIgnoresBeta0(t *testing.T) {
	eachISA(t, func(t *testing.T, _ isa) {
		rng := rand.New(rand.NewPCG(1, 2))
		for _, m := range []int{1, 5, 9, 64} {
			a, b, c := random(rng, m*blockK*2), random(rng, blockK*2*33), make([]float32, m*33)
			for i := range c {
				c[i] = float32(math.NaN())
			}
			Implementation{}.Sgemm(blas.NoTrans, blas.NoTrans, m, 33, blockK*2, 1, a, blockK*2, b, 33, 0, c, 33)
			for i, v := range c {
				if math.IsNaN(float64(v)) {
					t.Fatalf("m=%d: element %d is NaN", m, i)
				}
			}
		}
	})
}

func TestKernelsAgreeWithTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	eachISA(t, func(t *testing.T, s isa) {
		if s == none {
			t.Skip("gonum multiplies")
		}
		tile := shapes[s]
		for _, k := range []int{1, 2, 7, 64, 256} {
			for _, width := range []int{tile.cols, tile.narrow} {
				for _, strides := range [][2]int{{1, tile.rows}, {k + 3, 1}} {
					for _, add := range []bool{false, true} {
						rs, cs, ldc := strides[0], strides[1], width+3
						a, b, c := random(rng, tile.rows*(k+3)), random(rng, k*(width+1)), random(rng, tile.rows*ldc)
						want := append([]float32(nil), c...)
						kernelGo(tile.rows, width, k, &a[0], rs, cs, &b[0], width+1, &want[0], ldc, -2, add)
						s.run(width, k, &a[0], rs, cs, &b[0], width+1, &c[0], ldc, -2, add)
						for i := range c {
							if !within(c[i], want[i], k) {
								t.Fatalf("k=%d width=%d rs=%d add=%v: element %d is %v, want %v", k, width, rs, add, i, c[i], want[i])
							}
						}
					}
				}
			}
		}
	})
}

// TestStripsAgreeWithTwin: a strip alters no column beyond its mask.
func TestStripsAgreeWithTwin(t *testing.T) {
	if best() < avx512 {
		t.Skip("there is no AVX-512 here")
	}
	rng := rand.New(rand.NewPCG(1, 3))
	for _, k := range []int{1, 3, 4, 5, 8, 101} {
		for _, width := range []int{1, 15, 16, 17, 31, 32} {
			w, x, y := random(rng, k*40), random(rng, k), random(rng, 40)
			want, mask := slices.Clone(y), uint32(1<<width-1)
			gemvStripAVX512(k, &y[0], &w[0], 40, &x[0], mask, .7)
			gemvStripGo(k, &want[0], &w[0], 40, &x[0], mask, .7)
			for i := range y {
				if i >= width && y[i] != want[i] || !within(y[i], want[i], k) {
					t.Errorf("%d rows, %d columns: element %d is %v, want %v", k, width, i, y[i], want[i])
				}
			}
		}
	}
}

func TestVectorAndPackingKernelsAgreeWithTwins(t *testing.T) {
	if best() == none {
		t.Skip("they are their twins")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	w, x := random(rng, 8*70), random(rng, 8)
	for name, kernel := range map[string]func(int, *float32, *float32, int, *float32){"avx512": gemv8AVX512, "avx2": gemv8AVX2} {
		if name == "avx512" && best() < avx512 {
			continue
		}
		y := random(rng, 70)
		want := append([]float32(nil), y...)
		kernel(64, &y[0], &w[0], 70, &x[0])
		gemv8Go(64, &want[0], &w[0], 70, &x[0])
		for i := range y {
			if !within(y[i], want[i], 8) {
				t.Errorf("gemv8 %s: element %d is %v, want %v", name, i, y[i], want[i])
			}
		}
	}
	for name, kernels := range map[string][2]func(int, *float32, int, *float32, int){
		"transpose8": {transpose8, transpose8Go}, "copy16": {copy16, copy16Go},
	} {
		src, got, want := random(rng, 24*30), make([]float32, 24*20), make([]float32, 24*20)
		kernels[0](24, &got[0], 20, &src[0], 30)
		kernels[1](24, &want[0], 20, &src[0], 30)
		if !slices.Equal(got, want) {
			t.Errorf("%s differs from its twin", name)
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
