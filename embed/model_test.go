package embed

import (
	"errors"
	"math"
	"slices"
	"sync"
	"testing"

	"gonum.org/v1/gonum/blas/blas32"
)

// TestNetworkStartsAsPCA: before its first step a network's latents and
// decoder outputs are PCA's, to the bit.
func TestNetworkStartsAsPCA(t *testing.T) {
	rng := newRand(1)
	for name, c := range map[string]struct {
		layout Layout
		rows   blas32.General
	}{
		"numeric": {NumericLayout(12), lowRank(rng, 60, 12, 5)},
		"mixed":   {mixedLayout, mixed(rng, 60)},
	} {
		pca := mustPCA(t, c.layout, c.rows, 4)
		for _, encoder := range []Encoder{Deep, Linear} {
			m := pca.withNetworks(encoder, []int{16, 8}, rng)
			z := mustEncode(t, m, c.rows)
			if !slices.Equal(z.Data, mustEncode(t, pca, c.rows).Data) {
				t.Errorf("%s, %s: latents are not PCA's", name, encoder)
			}
			back, want := mustDecode(t, m, z), mustDecode(t, pca, z)
			for i := range want.Rows {
				c.layout.activate(Row(want, i))
			}
			if !slices.Equal(back.Data, want.Data) {
				t.Errorf("%s, %s: decoded rows are not PCA's", name, encoder)
			}
		}
	}
}

// TestEncodeByRowOrBatch: batches of other sizes take other matrix products.
func TestEncodeByRowOrBatch(t *testing.T) {
	rng := newRand(2)
	rows := lowRank(rng, encodeBatch+70, 40, 6)
	for _, encoder := range []Encoder{PCA, Linear, Deep} {
		m := trainedModel(t, encoder, NumericLayout(40), rows, 5, []int{24, 12})
		z := mustEncode(t, m, rows)
		x := mustDecode(t, m, z)
		for i := range rows.Rows {
			one := mustEncode(t, m, rowsOf(rows, i, i+1))
			for k, v := range Row(z, i) {
				if !agree(float64(one.Data[k]), float64(v), 1e-4) {
					t.Fatalf("%s: row %d, latent value %d is %v alone, %v in a batch", encoder, i, k, one.Data[k], v)
				}
			}
			back := mustDecode(t, m, rowsOf(z, i, i+1))
			for j, v := range Row(x, i) {
				if !agree(float64(back.Data[j]), float64(v), 1e-4) {
					t.Fatalf("%s: row %d, feature %d is %v alone, %v in a batch", encoder, i, j, back.Data[j], v)
				}
			}
		}
	}
}

func TestEncodeOfStridedAndNoRows(t *testing.T) {
	rows := lowRank(newRand(3), 20, 6, 3)
	m := trainedModel(t, Deep, NumericLayout(6), rows, 2, []int{8, 4})
	want := mustEncode(t, m, rows)
	padded := blas32.General{Rows: 20, Cols: 6, Stride: 9, Data: make([]float32, 19*9+6)}
	for i := range rows.Rows {
		copy(Row(padded, i), Row(rows, i))
	}
	dst := blas32.General{Rows: 20, Cols: 2, Stride: 5, Data: make([]float32, 19*5+2)}
	if err := m.Encode(dst, padded); err != nil {
		t.Fatal(err)
	}
	for i := range want.Rows {
		if !slices.Equal(Row(dst, i), Row(want, i)) {
			t.Fatalf("row %d: %v, want %v", i, Row(dst, i), Row(want, i))
		}
	}
	if err := m.Encode(NewMatrix(0, 2), NewMatrix(0, 6)); err != nil {
		t.Errorf("no rows: %v", err)
	}
}

func TestEncodeAndDecodeRefuse(t *testing.T) {
	rows := lowRank(newRand(4), 20, 4, 2)
	m := trainedModel(t, Deep, NumericLayout(4), rows, 2, []int{8, 4})
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	encode := func(dst, src blas32.General) error { return m.Encode(dst, src) }
	decode := func(dst, src blas32.General) error { return m.Decode(dst, src) }
	for _, c := range []struct {
		name     string
		f        func(dst, src blas32.General) error
		dst, src blas32.General
	}{
		{"wide rows", encode, NewMatrix(1, 2), NewMatrix(1, 5)},
		{"wide latents to write", encode, NewMatrix(1, 3), NewMatrix(1, 4)},
		{"too few latents to write", encode, NewMatrix(1, 2), NewMatrix(2, 4)},
		{"rows cut short", encode, NewMatrix(2, 2), blas32.General{Rows: 2, Cols: 4, Stride: 4, Data: make([]float32, 7)}},
		{"NaN", encode, NewMatrix(1, 2), MatrixOf([]float32{1, nan, 0, 0}, 4)},
		{"infinity", encode, NewMatrix(1, 2), MatrixOf([]float32{1, 2, inf, 0}, 4)},
		{"a row beyond float32", encode, NewMatrix(1, 2), MatrixOf([]float32{3e38, 3e38, -3e38, 3e38}, 4)},
		{"wide latents", decode, NewMatrix(1, 4), NewMatrix(1, 3)},
		{"NaN latent", decode, NewMatrix(1, 4), MatrixOf([]float32{nan, 0}, 2)},
		{"a latent beyond float32", decode, NewMatrix(1, 4), MatrixOf([]float32{3e38, 3e38}, 2)},
	} {
		if err := c.f(c.dst, c.src); !errors.Is(err, ErrData) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestModelIsSafeForConcurrentUse(t *testing.T) {
	rows := mixed(newRand(5), 300)
	m := trainedModel(t, Deep, mixedLayout, rows, 3, []int{10, 6})
	want := mustEncode(t, m, rows)
	back := mustDecode(t, m, want)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			z, x := NewMatrix(300, 3), NewMatrix(300, mixedLayout.Width())
			if m.Encode(z, rows) != nil || m.Decode(x, z) != nil ||
				!slices.Equal(z.Data, want.Data) || !slices.Equal(x.Data, back.Data) {
				t.Error("an answer changes under concurrent use")
			}
		})
	}
	wg.Wait()
}

func TestInt8CodesRoundTrip(t *testing.T) {
	m := &Model{dim: 5, int8Step: 0.5}
	latent := []float32{0, 1.4, -1.3, 1e9, -1e9}
	code, back := make([]byte, m.CodeSize()), make([]float32, 5)
	m.Code(code, latent)
	if !slices.Equal(code, []byte{0, 3, 253, 127, 129}) {
		t.Fatalf("code %v", code)
	}
	m.FromCode(back, code)
	if !slices.Equal(back, []float32{0, 1.5, -1.5, 63.5, -63.5}) {
		t.Fatalf("back %v", back)
	}
	again := make([]byte, 5)
	m.Code(again, back)
	if !slices.Equal(again, code) {
		t.Fatalf("a code's latent has code %v, not %v", again, code)
	}
	if m.Round(latent); !slices.Equal(latent, back) {
		t.Fatalf("rounded to %v, not %v", latent, back)
	}
}

func TestFloatCodesAreExact(t *testing.T) {
	m := &Model{dim: 3}
	latent, back := []float32{0.1, -1e9, 3}, make([]float32, 3)
	code := make([]byte, m.CodeSize())
	m.Code(code, latent)
	m.FromCode(back, code)
	if !slices.Equal(back, latent) {
		t.Fatalf("%v came back as %v", latent, back)
	}
	if m.Round(back); !slices.Equal(back, latent) {
		t.Fatalf("rounded to %v", back)
	}
}

// TestInt8IsGivenUpWhereItCosts trains on a thousand points of a plane, and on
// the same with one far off: a byte a coordinate cannot tell neighbours apart.
func TestInt8IsGivenUpWhereItCosts(t *testing.T) {
	for _, far := range []float32{1, 300} {
		rng := newRand(5)
		rows := NewMatrix(1000, 4)
		for i := range rows.Rows {
			a, b := float32(rng.NormFloat64()), float32(rng.NormFloat64())
			copy(Row(rows, i), []float32{a, b, a + b, a - b})
		}
		for j := range Row(rows, 7) {
			Row(rows, 7)[j] *= far
		}
		r, err := Train(t.Context(), NumericLayout(4), rows, Config{Encoder: PCA, Dim: 2})
		if err != nil {
			t.Fatal(err)
		}
		if loss := r.Learned.Recall10 - r.Int8.Recall10; loss <= maxInt8Loss || r.Model.CodeSize() != 8 {
			t.Errorf("far %v: int8 costs %.3f, and a latent takes %d bytes", far, loss, r.Model.CodeSize())
		}
	}
}

func TestLayoutValidate(t *testing.T) {
	for name, l := range map[string]Layout{
		"empty": {}, "no width": {{Numeric, 0}}, "negative": {{Numeric, 3}, {Binary, -1}},
		"unknown kind": {{OneHot + 1, 2}}, "too wide": {{Numeric, maxFeatures}, {Numeric, 1}},
		"overflowing": {{Numeric, math.MaxInt}, {Numeric, math.MaxInt}, {Numeric, 5}},
	} {
		if err := l.Validate(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := mixedLayout.Validate(); err != nil || mixedLayout.Width() != 9 {
		t.Errorf("a good layout of width %d: %v", mixedLayout.Width(), err)
	}
}
