package vec

import (
	"math"
	"math/rand/v2"
	"testing"
)

func values(rng *rand.Rand, n int, scale float64) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64() * scale)
	}
	return v
}

// lengths covers none, the tail alone, whole vectors, and both.
var lengths = []int{0, 1, 7, 8, 9, 64, 1001}

func TestGELUAgreesWithMath(t *testing.T) {
	for x := -12.0; x < 12; x += 0.001 {
		want := 0.5 * x * (1 + math.Tanh(geluA*(x+geluB*x*x*x)))
		var got [lanes]float32
		in := [lanes]float32{float32(x), float32(x), float32(x), float32(x), float32(x), float32(x), float32(x), float32(x)}
		GELU(got[:], in[:])
		if math.Abs(float64(got[3])-want) > 1e-4*(1+math.Abs(x)) {
			t.Fatalf("GELU(%v) is %v, want %v", x, got[3], want)
		}
	}
}

func TestGELUAgreesWithTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, n := range lengths {
		x := values(rng, n, 4)
		got, want := make([]float32, n), make([]float32, n)
		GELU(got, x)
		geluGo(want, x)
		near(t, "GELU", got, want, 5e-6)
		grad := values(rng, n, 1)
		twin := append([]float32(nil), grad...)
		GELUBackward(grad, x)
		geluBackwardGo(twin, x)
		near(t, "GELUBackward", grad, twin, 5e-5)
	}
}

func TestAdamAgreesWithTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	s := AdamStep{Beta1: 0.9, Beta2: 0.999, Rate: 0.01, Root: 1.3, Epsilon: 1e-8, Keep: 0.999}
	for _, n := range lengths {
		p, g, m, v := values(rng, n, 1), values(rng, n, 1), values(rng, n, 1), values(rng, n, 1)
		for i := range v {
			v[i] *= v[i]
		}
		twin := [][]float32{append([]float32(nil), p...), append([]float32(nil), m...), append([]float32(nil), v...)}
		for range 3 {
			Adam(p, g, m, v, s)
			adamGo(twin[0], g, twin[1], twin[2], s)
		}
		near(t, "parameters", p, twin[0], 2e-6)
		near(t, "first means", m, twin[1], 2e-6)
		near(t, "second means", v, twin[2], 2e-6)
	}
}

func TestRowsAgreeWithTwins(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	clone := func(x []float32) []float32 { return append([]float32(nil), x...) }
	one := func(v float32) []float32 { return []float32{v} }
	for _, n := range lengths {
		x, y, z := values(rng, n, 2), values(rng, n, 2), values(rng, n, 2)
		got, want := clone(x), clone(x)
		Blend(got, y, 0.5, -2)
		blendGo(want, y, 0.5, -2)
		near(t, "Blend", got, want, 1e-6)
		AddNorms(got, y, 1.5)
		addNormsGo(want, y, 1.5)
		near(t, "AddNorms", got, want, 1e-6)
		near(t, "Difference", one(Difference(got, x, y)), one(differenceGo(want, x, y)), 1e-5)
		near(t, "Difference", got, want, 0)
		near(t, "Squares", one(Squares(x)), one(squaresGo(x)), 1e-5)
		Add(got, y)
		addGo(want, y)
		near(t, "Add", got, want, 0)
		Scale(got, y, -3)
		scaleGo(want, y, -3)
		near(t, "Scale", got, want, 0)
		Standardise(got, x, y, 0.3)
		standardiseGo(want, x, y, 0.3)
		near(t, "Standardise", got, want, 0)
		if n > 0 {
			near(t, "Min", one(Min(z)), one(minGo(z, z[0])), 0)
		}
	}
}

func TestFinite(t *testing.T) {
	for _, n := range lengths {
		x := values(rand.New(rand.NewPCG(5, 5)), n, 1e38)
		for i := range x {
			if math.IsInf(float64(x[i]), 0) {
				x[i] = math.MaxFloat32
			}
		}
		if !Finite(x) {
			t.Fatalf("%d finite values are not", n)
		}
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			for i := range x {
				had := x[i]
				if x[i] = float32(bad); Finite(x) {
					t.Fatalf("%v at %d of %d is finite", bad, i, n)
				}
				x[i] = had
			}
		}
	}
}

func TestSoftmaxPair(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for _, n := range lengths {
		p, q := values(rng, n, 20), values(rng, n, 20)
		for j := range p {
			p[j], q[j] = p[j]*p[j], q[j]*q[j]
		}
		if n > 3 {
			p[1], q[1] = math.MaxFloat32, math.MaxFloat32 // a row's own place
			p[2], q[2] = 0, 1e30
		}
		var sums [3]float64
		for j := range p {
			x, y := -float64(p[j])/7, -float64(q[j])/7
			ep, eq := math.Exp(x), math.Exp(y)
			sums[0] += ep
			sums[1] += eq
			if ep > 0 && x > leastExponent {
				sums[2] += ep * (x - y)
			}
		}
		twinP, twinQ := append([]float32(nil), p...), append([]float32(nil), q...)
		var got, twin [3]float32
		got[0], got[1], got[2] = SoftmaxPair(p, q, 0, 0, 1.0/7)
		twin[0], twin[1], twin[2] = softmaxPairGo(twinP, twinQ, 0, 0, 1.0/7)
		near(t, "e^x", p, twinP, 2e-6)
		near(t, "e^y", q, twinQ, 2e-6)
		near(t, "sums", got[:], twin[:], 1e-5)
		near(t, "sums beside math.Exp", got[:], []float32{float32(sums[0]), float32(sums[1]), float32(sums[2])}, 2e-5)
	}
}

func TestTails(t *testing.T) {
	// Nothing beyond the given length may be touched.
	buf := make([]float32, 32)
	for i := range buf {
		buf[i] = 3
	}
	GELU(buf[:13], buf[:13])
	GELUBackward(buf[:13], buf[:13])
	Blend(buf[:13], buf[:13], 1, 1)
	AddNorms(buf[:13], buf[:13], 1)
	Difference(buf[:13], buf[:13], buf[:13])
	Add(buf[:13], buf[:13])
	Scale(buf[:13], buf[:13], 1)
	Standardise(buf[:13], buf[:13], buf[:13], 1)
	SoftmaxPair(buf[:13], buf[:13], 0, 0, 1)
	Adam(buf[:13], buf[:13], make([]float32, 13), make([]float32, 13), AdamStep{})
	for _, v := range buf[13:] {
		if v != 3 {
			t.Fatal("a value beyond the end changed")
		}
	}
}

func near(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	for i := range want {
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= tolerance*(1+math.Abs(float64(want[i])))) {
			t.Fatalf("%s: element %d of %d is %v, want %v", what, i, len(want), got[i], want[i])
		}
	}
}

func BenchmarkGELU(b *testing.B) {
	x, y := values(rand.New(rand.NewPCG(1, 1)), 4096, 1), make([]float32, 4096)
	b.Run("used", func(b *testing.B) {
		for b.Loop() {
			GELU(y, x)
		}
	})
	b.Run("go", func(b *testing.B) {
		for b.Loop() {
			geluGo(y, x)
		}
	})
}
