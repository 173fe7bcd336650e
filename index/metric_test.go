package index

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// The naive twins of the kernels, in float64.
var naive = map[Metric]func(a, b []float32) float64{
	L2: func(a, b []float32) (s float64) {
		for i := range a {
			s += (float64(a[i]) - float64(b[i])) * (float64(a[i]) - float64(b[i]))
		}
		return s
	},
	Cosine: func(a, b []float32) float64 { return 1 - naiveDot(a, b) },
	Dot:    func(a, b []float32) float64 { return -naiveDot(a, b) },
	Manhattan: func(a, b []float32) (s float64) {
		for i := range a {
			s += math.Abs(float64(a[i]) - float64(b[i]))
		}
		return s
	},
}

func naiveDot(a, b []float32) (s float64) {
	for i := range a {
		s += float64(a[i]) * float64(b[i])
	}
	return s
}

func randomRow(r *rand.Rand, dim int) []float32 {
	row := make([]float32, dim)
	for i := range row {
		row[i] = float32(r.NormFloat64())
	}
	return row
}

func TestKernelsAgreeWithNaiveTwins(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for m, twin := range naive {
		for dim := 1; dim < 70; dim++ {
			a, b := randomRow(r, dim), randomRow(r, dim)
			for _, row := range [][]float32{a, b} {
				if err := m.Prepare(row, row); err != nil {
					t.Fatal(err)
				}
			}
			got, want := m.Kernel()(a, b), twin(a, b)
			if math.Abs(float64(got)-want) > 1e-5*float64(dim) {
				t.Errorf("%v of %d values: %v, want %v", m, dim, got, want)
			}
			if back := m.Kernel()(b, a); back != got {
				t.Errorf("%v of %d values: %v one way, %v the other", m, dim, got, back)
			}
			if whole := m.Distance(a, b); math.Abs(float64(whole-got)) > 1e-5 {
				t.Errorf("%v of %d values: Distance %v, kernel %v", m, dim, whole, got)
			}
		}
	}
}

func TestDistance(t *testing.T) {
	a, b := []float32{3, 4}, []float32{6, 0}
	want := map[Metric]float32{L2: 25, Cosine: 0.4, Dot: -18, Manhattan: 7}
	for m, d := range want {
		if got := m.Distance(a, b); math.Abs(float64(got-d)) > 1e-6 {
			t.Errorf("%v: %v, want %v", m, got, d)
		}
		if got := m.Distance(a, b[:1]); got == got {
			t.Errorf("%v of rows of different lengths: %v, want NaN", m, got)
		}
	}
	if d := Cosine.Distance(a, []float32{0, 0}); d != 1 {
		t.Errorf("cosine distance of zeros: %v, want 1", d)
	}
}

func TestDotThatOverflowsBothWaysIsNotNaN(t *testing.T) {
	a, b := []float32{1e30, 1e30}, []float32{1e30, -1e30}
	if d := Dot.Kernel()(a, b); !math.IsInf(float64(d), 1) {
		t.Errorf("distance %v, want +Inf", d)
	}
}

func TestCosineIsNeverNegative(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	for range 500 {
		row := randomRow(r, 9)
		if err := Cosine.Prepare(row, row); err != nil {
			t.Fatal(err)
		}
		if d := Cosine.Kernel()(row, row); d < 0 || d > 1e-6 {
			t.Fatalf("a row is at distance %v of itself", d)
		}
	}
}

func TestPrepare(t *testing.T) {
	for _, scale := range []float32{1, 1e-44, 1e38} {
		row := []float32{scale, -scale, 0}
		dst := make([]float32, 3)
		if err := Cosine.Prepare(dst, row); err != nil {
			t.Fatal(err)
		}
		if length := naiveDot(dst, dst); math.Abs(length-1) > 1e-6 {
			t.Errorf("length %v at scale %v, want 1", length, scale)
		}
		if row[0] != scale {
			t.Error("Prepare changed the row")
		}
	}
	negative := []float32{float32(math.Copysign(0, -1))}
	if err := L2.Prepare(negative, negative); err != nil || math.Float32bits(negative[0]) != 0 {
		t.Errorf("-0 became %x, %v", math.Float32bits(negative[0]), err)
	}
}

func TestParseMetric(t *testing.T) {
	for m := range naive {
		if got, err := ParseMetric(m.String()); err != nil || got != m {
			t.Errorf("ParseMetric(%q) = %v, %v", m, got, err)
		}
	}
	for _, name := range []string{"", "L2", "euclid", "Metric(9)", Metric(9).String()} {
		if _, err := ParseMetric(name); !errors.Is(err, ErrParams) {
			t.Errorf("ParseMetric(%q) = %v, want ErrParams", name, err)
		}
	}
}
