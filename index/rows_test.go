package index

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// pixels are rows of whole numbers over 255, as decoders of pictures give them.
func pixels(rng *rand.Rand, n, dim int) [][]float32 {
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = make([]float32, dim)
		for j := range rows[i] {
			rows[i][j] = float32(rng.IntN(256)) / 255
		}
	}
	return rows
}

func gaussians(rng *rand.Rand, n, dim int) [][]float32 {
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = make([]float32, dim)
		for j := range rows[i] {
			rows[i][j] = float32(rng.NormFloat64())
		}
	}
	return rows
}

func TestLosslessRowForm(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	bytes := make([]float32, 500)
	for i := range bytes {
		bytes[i] = float32(rng.IntN(256))
	}
	signed := []float32{-1, -0.5, 0, 0.5, 1, 3}
	halves := make([]float32, 600)
	for i := range halves {
		halves[i] = float32(i) + 0.5
	}
	for name, c := range map[string]struct {
		values []float32
		want   RowKind
	}{
		"bytes": {bytes, RowUint8}, "pixels": {slices.Concat(pixels(rng, 5, 100)...), RowUint8}, "signed": {signed, RowUint8},
		"one value": {[]float32{3, 3}, RowUint8}, "halves": {halves, RowFloat16},
		"gaussian": {slices.Concat(gaussians(rng, 10, 10)...), RowFloat32},
	} {
		form := LosslessRowForm(c.values)
		if form.Kind != c.want {
			t.Errorf("%s: %v, want %s", name, form, c.want)
		}
		if err := form.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		r := mustRows(t, len(c.values), L2, form)
		if !r.Put(3, c.values) {
			t.Errorf("%s: refuses what it was made for", name)
		}
		hits := []Hit{{Slot: 3}}
		if r.Rescore(hits, c.values) != 1 || hits[0].Distance != 0 {
			t.Errorf("%s: a row is %v from itself", name, hits[0].Distance)
		}
	}
}

func mustRows(t *testing.T, dim int, m Metric, form RowForm) *Rows {
	t.Helper()
	r, err := NewRows(dim, m, form)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRescoreAgreesWithKernel(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for _, m := range []Metric{L2, Cosine, Dot, Manhattan} {
		for _, dim := range []int{1, 16, 37, 100} {
			for kind, rows := range map[RowKind][][]float32{
				RowFloat32: gaussians(rng, 40, dim), RowFloat16: gaussians(rng, 40, dim), RowUint8: pixels(rng, 40, dim),
			} {
				form := RowForm{Kind: kind}
				if kind == RowUint8 {
					form = LosslessRowForm(slices.Concat(pixels(rng, 40, dim)...))
				} else if m == Cosine {
					for _, row := range rows {
						normalise(row)
					}
				}
				compareRescore(t, m, form, rows)
			}
		}
	}
}

func compareRescore(t *testing.T, m Metric, form RowForm, rows [][]float32) {
	t.Helper()
	dim := len(rows[0])
	r, query := mustRows(t, dim, m, form), rows[0]
	hits := []Hit{}
	for i, row := range rows[1:] {
		if !r.Put(uint32(1000*i), row) {
			t.Fatalf("%v, %v: row %d refused", m, form, i)
		}
		hits = append(hits, Hit{Slot: uint32(1000 * i)})
	}
	if got := r.Rescore(hits, query); got != len(hits) || r.Len() != len(hits) {
		t.Fatalf("%d of %d scored, %d held", got, len(hits), r.Len())
	}
	top := NewTopK(len(hits))
	allow := NewBitmap()
	for _, h := range hits[1:] {
		allow.Set(h.Slot)
	}
	if !r.Scan(top, query, allow) {
		t.Fatal("query not measured")
	}
	allowed := slices.Clone(hits[1:])
	slices.SortFunc(allowed, Hit.Compare)
	if got := top.AppendTo(nil); !slices.Equal(got, allowed) {
		t.Fatalf("%v, %v: scan finds %v, want %v", m, form, got, allowed)
	}
	tolerance := 1e-4
	if form.Kind == RowFloat16 {
		tolerance = 4e-3 // rounded to 11 bits
	}
	for i, h := range hits {
		want := float64(m.Kernel()(query, rows[1+i]))
		if m == Cosine {
			want = max(0, want)
		}
		if math.Abs(float64(h.Distance)-want) > tolerance*(math.Abs(want)+math.Sqrt(float64(dim))) {
			t.Fatalf("%v, %v, dim %d: distance %v, want %v", m, form, dim, h.Distance, want)
		}
	}
}

// TestConstantFeatures compares rows that leave constants out with whole ones.
func TestConstantFeatures(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	const dim = 40
	for kind, rows := range map[RowKind][][]float32{
		RowFloat32: gaussians(rng, 30, dim), RowFloat16: gaussians(rng, 30, dim), RowUint8: pixels(rng, 30, dim),
	} {
		form := RowForm{Kind: kind}
		if kind == RowUint8 {
			form = LosslessRowForm(slices.Concat(pixels(rng, 40, dim)...))
		}
		for _, row := range rows[1:] {
			row[0], row[7], row[8], row[dim-1] = 1, 0, 0.2, 0
		}
		constants := ConstantFeatures(slices.Concat(rows[1:]...), dim)
		if want := []Constant{{0, 1}, {7, 0}, {8, 0.2}, {dim - 1, 0}}; !slices.Equal(constants, want) {
			t.Fatalf("found %v, want %v", constants, want)
		}
		for _, m := range []Metric{L2, Cosine, Dot, Manhattan} {
			short, err := NewRows(dim, m, form, constants...)
			if err != nil {
				t.Fatal(err)
			}
			whole := mustRows(t, dim, m, form)
			if short.Width() != dim-4 || whole.Width() != dim {
				t.Fatalf("%d and %d values a row", short.Width(), whole.Width())
			}
			var a, b []Hit
			for i, row := range rows[1:] {
				short.Put(uint32(i), row)
				if !whole.Put(uint32(i), row) { // 0.2·255 is 51
					t.Fatalf("%s: row %d is not kept", kind, i)
				}
				a, b = append(a, Hit{Slot: uint32(i)}), append(b, Hit{Slot: uint32(i)})
			}
			if n := short.Rescore(a, rows[0]); n != len(a) {
				t.Fatalf("%s, %v: %d of %d scored", kind, m, n, len(a))
			}
			for _, h := range b[:whole.Rescore(b, rows[0])] {
				if got := a[h.Slot].Distance; math.Abs(float64(got-h.Distance)) > 1e-4*(1+math.Abs(float64(h.Distance))) {
					t.Fatalf("%s, %v: slot %d at %v, whole %v", kind, m, h.Slot, got, h.Distance)
				}
			}
			back := make([]float32, dim)
			if !short.Row(back, 3) || !slices.Equal(back, rows[4]) && kind != RowFloat16 {
				t.Fatalf("%s: row %v came back as %v", kind, rows[4], back)
			}
			other := slices.Clone(rows[1])
			other[7] = 1
			if short.Put(0, other) || short.Len() != len(a)-1 {
				t.Fatalf("%s: kept a row whose constant is another", kind)
			}
		}
	}
	same := []float32{1, 2, 1, 2}
	if got := ConstantFeatures(same, 2); !slices.Equal(got, []Constant{{0, 1}}) {
		t.Errorf("of rows that are all the same: %v", got)
	}
	if got := ConstantFeatures(nil, 2); got != nil {
		t.Errorf("of no rows: %v", got)
	}
	for _, bad := range [][]Constant{{{0, 1}, {1, 1}}, {{1, 1}, {0, 1}}, {{5, 1}}, {{-1, 0}}} {
		if _, err := NewRows(2, L2, RowForm{Kind: RowFloat32}, bad...); err == nil {
			t.Errorf("took constants %v of 2", bad)
		}
	}
}

func TestRowsThatAreNotHeldComeLast(t *testing.T) {
	r := mustRows(t, 2, L2, RowForm{Kind: RowUint8, Step: 1})
	for slot := range uint32(6) {
		r.Put(slot, []float32{float32(slot), 0})
	}
	r.Delete(2)
	if r.Put(4, []float32{0.5, 0}) || r.Put(9, []float32{1, 256}) || r.Put(9, []float32{1}) {
		t.Fatal("kept a row that is not on the grid")
	}
	hits := []Hit{{9, 90}, {1, 10}, {2, 20}, {3, 30}, {4, 40}, {5, 50}}
	n := r.Rescore(hits, []float32{0, 0})
	scored, rest := hits[:n], hits[n:]
	slices.SortFunc(scored, Hit.Compare)
	slices.SortFunc(rest, Hit.Compare)
	if !slices.Equal(scored, []Hit{{1, 1}, {3, 9}, {5, 25}}) || !slices.Equal(rest, []Hit{{2, 20}, {4, 40}, {9, 90}}) {
		t.Fatalf("scored %v, not known %v", scored, rest)
	}
	if n := r.Rescore(hits, []float32{1e18, 0}); n != 0 {
		t.Fatalf("measured %d rows from far off the grid", n)
	}
	if r.Len() != 4 {
		t.Fatalf("%d rows, want 4", r.Len())
	}
}

func TestRowsRefuseBadForms(t *testing.T) {
	for _, f := range []RowForm{{}, {Kind: "int4"}, {Kind: RowUint8}, {Kind: RowUint8, Step: -1}, {Kind: RowUint8, Step: 1e-40}, {Kind: RowUint8, Step: math.NaN()}, {Kind: RowUint8, Step: 1, Offset: math.Inf(1)}} {
		if _, err := NewRows(3, L2, f); err == nil {
			t.Errorf("made rows of %v", f)
		}
	}
	if _, err := NewRows(0, L2, RowForm{Kind: RowFloat32}); err == nil {
		t.Error("made rows of no values")
	}
}

func TestRowsBytes(t *testing.T) {
	for _, reserved := range []int{0, 1, 1500, 2900, 3 * 1024} {
		r := mustRows(t, 784, L2, RowForm{Kind: RowUint8, Step: 1})
		r.Reserve(reserved)
		r.Reserve(reserved / 2)
		if r.Len() != 0 {
			t.Fatalf("%d rows before any came", r.Len())
		}
		row := make([]float32, 784)
		for slot := range uint32(3000) {
			row[3] = float32(slot % 7)
			r.Put(slot, row)
		}
		if got := float64(r.Bytes()) / 3 / 1024; got < 784 || got > 786 {
			t.Fatalf("%v bytes a row of 784", got)
		}
		row[3] = 0
		hits := []Hit{{Slot: 2999}, {Slot: 1023}, {Slot: 1024}}
		r.Rescore(hits, row)
		for _, h := range hits {
			if want := float32(h.Slot % 7); h.Distance != want*want {
				t.Fatalf("%d reserved: slot %d is at %v, want %v", reserved, h.Slot, h.Distance, want*want)
			}
		}
	}
}

// TestGridRowsAreAtDistanceZeroFromThemselves has a grid whose places float32 rounds.
func TestGridRowsAreAtDistanceZeroFromThemselves(t *testing.T) {
	row := make([]float32, 64)
	for i := range row {
		row[i] = 1000 + 0.1*float32(i%40)
	}
	form := LosslessRowForm(row)
	for _, m := range []Metric{L2, Manhattan} {
		r := mustRows(t, len(row), m, form)
		hits := []Hit{{Slot: 1}}
		if !r.Put(1, row) || r.Rescore(hits, row) != 1 || hits[0].Distance != 0 {
			t.Errorf("%v, %v: a row is %v from itself", form, m, hits[0].Distance)
		}
	}
}
