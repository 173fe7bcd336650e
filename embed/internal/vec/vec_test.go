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

func TestTails(t *testing.T) {
	// Nothing beyond the given length may be touched.
	buf := make([]float32, 32)
	for i := range buf {
		buf[i] = 3
	}
	GELU(buf[:13], buf[:13])
	GELUBackward(buf[:13], buf[:13])
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
