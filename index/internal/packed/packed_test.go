package packed

import (
	"math"
	"math/rand/v2"
	"testing"
)

// paths are the kernels that run here, by name.
func paths() map[string]func(dst, query []float32, rows []*byte, form Form, dot bool) {
	out := map[string]func(dst, query []float32, rows []*byte, form Form, dot bool){"chosen": measure, "go": measureGeneric}
	addAccelerated(out)
	return out
}

func TestDistancesAgreeWithTwin(t *testing.T) {
	for name, path := range paths() {
		for _, form := range []Form{Float32, Float16, Uint8} {
			for _, dim := range []int{1, 7, 15, 16, 17, 48, 63, 64, 65, 100, 130, 784} {
				for _, count := range []int{1, 2, 3, 64, 65, 131} {
					comparePath(t, name, path, form, dim, count)
				}
			}
		}
	}
}

func comparePath(t *testing.T, name string, path func(dst, query []float32, rows []*byte, form Form, dot bool), form Form, dim, count int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(uint64(dim), uint64(count)))
	query := make([]float32, dim)
	for i := range dim {
		query[i] = rng.Float32() * 200
	}
	rows := make([]*byte, count)
	squares, products := make([]float64, count), make([]float64, count)
	for i := range rows {
		// One byte more than a row, and not aligned.
		row := make([]byte, 1+dim*form.Size())[1:]
		rows[i] = &row[0]
		for j := range dim {
			Put(row, form, j, rng.Float32()*255)
			v, q := float64(At(row, form, j)), float64(query[j])
			squares[i] += (q - v) * (q - v)
			products[i] += q * v
		}
	}
	for dot, want := range map[bool][]float64{false: squares, true: products} {
		got := make([]float32, count+1)
		got[count] = -7
		path(got, query, rows, form, dot)
		for i, w := range want {
			if math.Abs(float64(got[i])-w) > 1e-5*w+1e-6 {
				t.Fatalf("%s, form %d, dim %d, row %d of %d, dot %v: %v, want %v", name, form, dim, i, count, dot, got[i], w)
			}
		}
		if got[count] != -7 {
			t.Fatalf("%s writes past the last row", name)
		}
	}
}

func TestNoRows(t *testing.T) {
	Squares(nil, make([]float32, 17), nil, Uint8)
	Products(nil, nil, nil, Float16)
}

func TestHalfRoundTrip(t *testing.T) {
	for h := range uint32(1 << 16) {
		if h>>10&0x1f == 0x1f && h&0x3ff != 0 {
			continue // not a number
		}
		if back := toHalf(fromHalf(uint16(h))); back != uint16(h) {
			t.Fatalf("half %#x is %v, which is half %#x", h, fromHalf(uint16(h)), back)
		}
	}
}

func TestHalfIsTheNearest(t *testing.T) {
	for h := range uint32(0x7bff) {
		low, high := fromHalf(uint16(h)), fromHalf(uint16(h+1))
		middle := (low + high) / 2
		even := uint16(h + h&1)
		if got := toHalf(middle); got != even {
			t.Fatalf("%v, between %#x and %#x, goes to %#x, want the even %#x", middle, h, h+1, got, even)
		}
		if got := toHalf(math.Nextafter32(middle, 0)); got != uint16(h) {
			t.Fatalf("just under %v: %#x, want %#x", middle, got, h)
		}
		if got := toHalf(-math.Nextafter32(middle, high)); got != uint16(h+1)|0x8000 {
			t.Fatalf("just over %v: %#x, want %#x", middle, got, h+1)
		}
	}
}

func TestPutTellsWhatIsLost(t *testing.T) {
	row := make([]byte, 8)
	for _, c := range []struct {
		form Form
		x    float32
		kept bool
	}{
		{Uint8, 0, true}, {Uint8, 255, true}, {Uint8, 256, false}, {Uint8, -1, false}, {Uint8, 1.5, false},
		{Float16, 1.5, true}, {Float16, 0.1, false}, {Float16, MaxHalf, true}, {Float16, 1e6, false},
		{Float32, 0.1, true},
	} {
		if got := Put(row, c.form, 0, c.x); got != c.kept {
			t.Errorf("form %d keeps %v: %v, want %v", c.form, c.x, got, c.kept)
		}
	}
}

func BenchmarkSquares784Uint8(b *testing.B)   { benchmark(b, Uint8, 784) }
func BenchmarkSquares100Float16(b *testing.B) { benchmark(b, Float16, 100) }
func BenchmarkSquares512Float32(b *testing.B) { benchmark(b, Float32, 512) }

// benchmark scores 100 rows of 60,000, at random.
func benchmark(b *testing.B, form Form, dim int) {
	rng := rand.New(rand.NewPCG(1, 2))
	stride := dim * form.Size()
	data := make([]byte, 60_000*stride)
	query, rows, dst := make([]float32, dim), make([]*byte, 100), make([]float32, 100)
	for b.Loop() {
		for i := range rows {
			rows[i] = &data[rng.IntN(60_000)*stride]
		}
		Squares(dst, query, rows, form)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/row")
}

func TestUnpackIsAt(t *testing.T) {
	for _, form := range []Form{Float32, Float16, Uint8} {
		row, got := make([]byte, 21*form.Size()), make([]float32, 21)
		for i := range got {
			Put(row, form, i, float32(7*i%11))
		}
		Unpack(got, row, form)
		for i, v := range got {
			if want := At(row, form, i); v != want || want == 0 && 7*i%11 != 0 {
				t.Errorf("form %d, value %d: %v, want %v", form, i, v, want)
			}
		}
	}
}
