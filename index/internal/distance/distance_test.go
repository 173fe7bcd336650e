package distance

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

var kinds = map[Kind]string{SquaredL2: "l2", Cosine: "cosine", NegativeDot: "dot", Manhattan: "manhattan"}

// naiveFloats is the twin in float64, and how large its terms are in all.
func naiveFloats(k Kind, a, b []float32) (d, size float64) {
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		term := x * y
		switch k {
		case SquaredL2:
			term = (x - y) * (x - y)
		case Manhattan:
			term = math.Abs(x - y)
		}
		d += term
		size += math.Abs(term)
	}
	switch k {
	case Cosine:
		return max(0, 1-d), size + 1
	case NegativeDot:
		return -d, size
	}
	return d, size
}

func naiveCodes[T int8 | uint8](a, b []T) (s int64) {
	for i := range a {
		d := int64(a[i]) - int64(b[i])
		s += d * d
	}
	return s
}

func normals(r *rand.Rand, n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = float32(r.NormFloat64())
	}
	return s
}

func randomCodes[T int8 | uint8](r *rand.Rand, n int) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = T(r.Uint32())
	}
	return s
}

// forms measures rows in every form there is, expects the same bits of all, and
// returns them. Both ways round must agree too.
func forms[T any](t *testing.T, measure func(dst []float32, query, rows []T, at []uint32), query, rows []T) []float32 {
	t.Helper()
	dim := len(query)
	n := len(rows) / dim
	block := make([]float32, n)
	measure(block, query, rows, nil)
	at := make([]uint32, n)
	for i := range at {
		at[i] = uint32(n - 1 - i)
	}
	gathered := make([]float32, n+1)
	gathered[n] = 77
	measure(gathered, query, rows, at)
	if gathered[n] != 77 {
		t.Fatalf("%d rows of %d values: a distance too many", n, dim)
	}
	for i := range n {
		var pair, back [1]float32
		row := rows[i*dim:][:dim]
		measure(pair[:], query, row, nil)
		measure(back[:], row, query, nil)
		want := math.Float32bits(block[i])
		for form, d := range map[string]float32{"gather": gathered[n-1-i], "pair": pair[0], "pair turned": back[0]} {
			if math.Float32bits(d) != want {
				t.Fatalf("row %d of %d with %d values: %s gave %v, block %v", i, n, dim, form, d, block[i])
			}
		}
	}
	return block
}

func TestFloats(t *testing.T) {
	everyLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 1))
		for k, name := range kinds {
			for dim := 1; dim <= 300; dim++ {
				n, skip := r.IntN(22)+1, r.IntN(16)
				query, rows := normals(r, dim+skip)[skip:], normals(r, n*dim+skip)[skip:]
				got := forms(t, func(dst, query, rows []float32, at []uint32) { Floats(k, dst, query, rows, at) }, query, rows)
				for i, d := range got {
					want, size := naiveFloats(k, query, rows[i*dim:][:dim])
					if math.Abs(float64(d)-want) > 1e-6*size {
						t.Errorf("%s of %d values: %v, want %v", name, dim, d, want)
					}
				}
			}
		}
	})
}

// TestFloatExtremes measures rows whose sums overflow, vanish or cancel.
func TestFloatExtremes(t *testing.T) {
	everyLevel(t, func(t *testing.T) {
		const big, small = math.MaxFloat32, math.SmallestNonzeroFloat32
		for dim := 1; dim <= 70; dim++ {
			rows := make([]float32, 0, 5*dim)
			for i, x := range []float32{big, -big, small, 0, 1} {
				for j := range dim {
					rows = append(rows, x)
					if i == 1 && j%2 == 1 {
						rows[len(rows)-1] = big
					}
				}
			}
			for k, name := range kinds {
				for q := range 5 {
					if k == Cosine && q < 2 {
						continue // not of unit length
					}
					query := rows[q*dim:][:dim]
					measured := rows
					if k == Cosine {
						measured = rows[2*dim:]
					}
					for i, d := range forms(t, func(dst, query, rows []float32, at []uint32) { Floats(k, dst, query, rows, at) }, query, measured) {
						if d != d || k != NegativeDot && d < 0 {
							t.Errorf("%s of %d values, rows %d and %d: %v", name, dim, q, i, d)
						}
					}
				}
			}
		}
	})
}

func TestCodes(t *testing.T) {
	everyLevel(t, func(t *testing.T) {
		testCodes(t, Int8s, -128, 127)
		testCodes(t, Uint8s, 0, 255)
	})
}

func testCodes[T int8 | uint8](t *testing.T, measure func(scale float32, dst []float32, query, rows []T, at []uint32), least, greatest T) {
	r := rand.New(rand.NewPCG(2, 1))
	const scale = 0.37
	check := func(query, rows []T) {
		t.Helper()
		dim := len(query)
		got := forms(t, func(dst []float32, query, rows []T, at []uint32) { measure(scale, dst, query, rows, at) }, query, rows)
		for i, d := range got {
			if want := float32(naiveCodes(query, rows[i*dim:][:dim])) * scale; d != want {
				t.Fatalf("%T of %d values: %v, want %v", least, dim, d, want)
			}
		}
	}
	for dim := 1; dim <= 300; dim++ {
		n, skip := r.IntN(22)+1, r.IntN(16)
		check(randomCodes[T](r, dim+skip)[skip:], randomCodes[T](r, n*dim+skip)[skip:])
	}
	for _, dim := range []int{1, 31, 255, 1 << 16} { // the last comes near 2^32
		query, rows := make([]T, dim), make([]T, 5*dim)
		for i := range query {
			query[i] = least
		}
		for i := range rows {
			rows[i] = greatest
		}
		check(query, rows)
	}
}

func TestNoRows(t *testing.T) {
	everyLevel(t, func(t *testing.T) {
		Floats(SquaredL2, nil, []float32{1}, nil, nil)
		Floats(SquaredL2, make([]float32, 3), []float32{1}, nil, []uint32{})
		Int8s(1, nil, []int8{1}, nil, nil)
		Uint8s(1, nil, []uint8{1}, nil, nil)
	})
}

func TestTooFewRows(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic where a row is missing")
		}
	}()
	Floats(SquaredL2, make([]float32, 3), []float32{1, 2}, make([]float32, 5), nil)
}

var dims = []int{32, 64, 100, 128, 784}

func BenchmarkGather24(b *testing.B) {
	const n, out = 4096, 24
	r := rand.New(rand.NewPCG(3, 1))
	at := make([][out]uint32, 512)
	for i := range at {
		for j := range at[i] {
			at[i][j] = r.Uint32N(n)
		}
	}
	dst := make([]float32, out)
	for _, dim := range dims {
		floats, int8s := normals(r, n*dim), randomCodes[int8](r, n*dim)
		b.Run(fmt.Sprintf("float32/%d", dim), func(b *testing.B) {
			for i := range b.N {
				Floats(SquaredL2, dst, floats[:dim], floats, at[i%len(at)][:])
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*out), "ns/row")
		})
		b.Run(fmt.Sprintf("int8/%d", dim), func(b *testing.B) {
			for i := range b.N {
				Int8s(1, dst, int8s[:dim], int8s, at[i%len(at)][:])
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*out), "ns/row")
		})
	}
}

func BenchmarkPair(b *testing.B) {
	r := rand.New(rand.NewPCG(4, 1))
	var dst [1]float32
	for _, dim := range dims {
		floats, int8s := normals(r, 2*dim), randomCodes[int8](r, 2*dim)
		b.Run(fmt.Sprintf("float32/%d", dim), func(b *testing.B) {
			for range b.N {
				Floats(SquaredL2, dst[:], floats[:dim], floats[dim:], nil)
			}
		})
		b.Run(fmt.Sprintf("int8/%d", dim), func(b *testing.B) {
			for range b.N {
				Int8s(1, dst[:], int8s[:dim], int8s[dim:], nil)
			}
		})
	}
}
