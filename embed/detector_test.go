package embed

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// crossed are rows along two lines, with some that lie off both at the end.
func crossed(seed uint64, n, odd, width int) blas32.General {
	rng := rand.New(rand.NewPCG(seed, 3))
	rows := NewMatrix(n, width)
	for i := range n {
		t := float32(rng.NormFloat64())
		for j := range width {
			v := t
			if j%2 == 0 {
				v = -2 * t
			}
			rows.Data[i*width+j] = v + .1*float32(rng.NormFloat64())
		}
		if i >= n-odd {
			rows.Data[i*width] += 3 // within the range of the feature, not of the others'
		}
	}
	return rows
}

func rankOfOdd(values []float64, odd int) float64 {
	wins, pairs := 0., 0.
	for _, o := range values[len(values)-odd:] {
		for _, u := range values[:len(values)-odd] {
			pairs++
			if o > u {
				wins++
			}
		}
	}
	return wins / pairs
}

func TestDetectorFindsRowsOffTheOthers(t *testing.T) {
	const n, odd = 1500, 30
	for _, width := range []int{4, 200} {
		rows := crossed(1, n, odd, width)
		d, err := FitDetector(t.Context(), rows, 1, 2)
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Measure(rows, 2)
		if err != nil {
			t.Fatal(err)
		}
		new, err := d.Novelty(rows, true, 2)
		if err != nil {
			t.Fatal(err)
		}
		var crowd, spread, nearest []float64
		for i, s := range got {
			crowd, spread, nearest = append(crowd, float64(s.Crowd)), append(spread, float64(s.Spread)), append(nearest, float64(new[i]))
		}
		least := .93
		if width > 100 { // one feature of many
			least = .75
		}
		for name, v := range map[string][]float64{"crowd": crowd, "spread": spread, "nearest": nearest} {
			if auc := rankOfOdd(v, odd); auc < least {
				t.Errorf("%d features: %s tells them apart by %.3f, want %v", width, name, auc, least)
			}
		}
	}
}

// What is measured is the same for any number of workers, however rows are grouped,
// and the mean of the nearest distances is what sorting gives.
func TestDetectorMeasuresAlike(t *testing.T) {
	rows := crossed(2, 700, 10, 5)
	one, err := FitDetector(t.Context(), rows, 7, 1)
	if err != nil {
		t.Fatal(err)
	}
	four, err := FitDetector(t.Context(), rows, 7, 4)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := one.Measure(rows, 1)
	b, _ := four.Measure(rows, 3)
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("row %d: %v by one worker, %v by several", i, a[i], b[i])
		}
		alone, err := one.Measure(rowsOf(rows, i, i+1), 1)
		if err != nil || math.Abs(float64(alone[0].Crowd-a[i].Crowd)) > 1e-3 || math.Abs(float64(alone[0].Spread-a[i].Spread)) > 1e-3 {
			t.Fatalf("row %d alone: %v, among others %v (%v)", i, alone[0], a[i], err)
		}
	}
}

func TestMeanOfNearestIsThatOfTheSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float32Range(0, 100), 1, 40).Draw(t, "squares")
		k := rapid.IntRange(1, 45).Draw(t, "k")
		sorted := slices.Sorted(slices.Values(values))
		var want float64
		for _, v := range sorted[:min(k, len(sorted))] {
			want += math.Sqrt(float64(v))
		}
		want /= float64(min(k, len(sorted)))
		if got := meanOfNearest(slices.Clone(values), k, false); math.Abs(float64(got)-want) > 1e-4 {
			t.Fatalf("mean of the %d nearest is %v, want %v", k, got, want)
		}
		if k+1 <= len(sorted) {
			want := 0.
			for _, v := range sorted[1 : k+1] {
				want += math.Sqrt(float64(v))
			}
			if got := meanOfNearest(values, k, true); math.Abs(float64(got)-want/float64(k)) > 1e-4 {
				t.Fatalf("without itself %v, want %v", got, want/float64(k))
			}
		}
	})
}

// Half of the rows far away in one direction do not move the scale much, and a value out
// of all measure stays one feature's.
func TestRobustScale(t *testing.T) {
	rows := NewMatrix(1000, 3)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range rows.Rows {
		rows.Data[3*i] = float32(rng.NormFloat64())
		rows.Data[3*i+1] = 5 // constant
		if i < 20 {
			rows.Data[3*i] = 1e30
			rows.Data[3*i+2] = 1 // a rare level
		}
	}
	s := fitRobustScale(rows)
	z := make([]float32, 3)
	s.apply(z, []float32{1, 5, 0})
	if math.Abs(float64(z[0])-1) > .15 || z[1] != 0 || z[2] != 0 {
		t.Errorf("a usual row is %v", z)
	}
	s.apply(z, []float32{1e30, 6, 1})
	if z[0] < 50 || z[0] > 100 || z[1] != usualDeviations || z[2] < usualDeviations {
		t.Errorf("an odd row is %v", z)
	}
	s.apply(z, []float32{math.MaxFloat32, -math.MaxFloat32, 1})
	if z[0]-z[0] != 0 || z[1]-z[1] != 0 {
		t.Errorf("the largest values give %v", z)
	}
}

func TestDetectorRefusesBadRows(t *testing.T) {
	if _, err := FitDetector(t.Context(), NewMatrix(2, 4), 1, 1); err == nil {
		t.Error("two rows are taken")
	}
	bad := NewMatrix(5, 2)
	bad.Data[3] = float32(math.NaN())
	if _, err := FitDetector(t.Context(), bad, 1, 1); err == nil {
		t.Error("NaN is taken")
	}
	d, err := FitDetector(t.Context(), NewMatrix(5, 2), 1, 1) // all rows the same
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Measure(NewMatrix(1, 3), 1); err == nil {
		t.Error("rows of another width are measured")
	}
	two := MatrixOf([]float32{0, 0, 9, 0}, 2)
	got, err := d.Measure(two, 1)
	if err != nil || got[1].Spread-got[1].Spread != 0 {
		t.Errorf("among equal rows: %v, %v", got, err)
	}
	novel, err := d.Novelty(two, false, 1)
	if err != nil || novel[0] != 0 || novel[1] == 0 {
		t.Errorf("beside equal rows: %v, %v", novel, err)
	}
	among, err := d.NoveltyAmong(Row(two, 1), d.trusted.rows)
	if err != nil || math.Abs(float64(among-novel[1])) > 1e-4 {
		t.Errorf("beside those that are given %v, %v; want %v", among, err, novel[1])
	}
}

// The feature that was changed explains a row best, whether its value is rare or only
// does not go with the others.
func TestContributionsNameTheFeature(t *testing.T) {
	for _, width := range []int{6, 200} {
		rows := crossed(5, 1200, 0, width)
		d, err := FitDetector(t.Context(), rows, 1, 2)
		if err != nil {
			t.Fatal(err)
		}
		e, err := d.Explainer(NumericLayout(width))
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(9, 9))
		right := 0
		const asked = 200
		for range asked {
			row := slices.Clone(Row(rows, rng.IntN(rows.Rows)))
			j := rng.IntN(len(row))
			row[j] += 3
			c, err := e.Contributions(row)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Index(c, slices.Max(c)) == j {
				right++
			}
		}
		if right < asked*95/100 {
			t.Errorf("%d features: %d of %d name the one that was changed", width, right, asked)
		}
	}
}

// surpriseNaive is that of the features from one on, by the inverse of its part of the
// inverse covariance.
func surpriseNaive(t *testing.T, g *robustGaussian, row []float64, from, n int) float64 {
	t.Helper()
	width := len(row)
	axes := mat.NewDense(width, width, nil)
	for j := range width {
		for k, x := range Row(g.axes, j) {
			axes.Set(j, k, float64(x))
		}
	}
	var precision, inverse mat.Dense
	precision.Mul(axes, axes.T())
	var all, solved mat.VecDense
	all.MulVec(&precision, mat.NewVecDense(width, row))
	if err := inverse.Inverse(precision.Slice(from, from+n, from, from+n)); err != nil {
		t.Fatal(err)
	}
	part := all.SliceVec(from, from+n)
	solved.MulVec(&inverse, part)
	return mat.Dot(part, &solved)
}

// TestContributionsAgreeWithNaive: what a one-hot run or a number has is what the inverse
// covariance says.
func TestContributionsAgreeWithNaive(t *testing.T) {
	layout := Layout{{Kind: Numeric, Width: 3}, {Kind: OneHot, Width: 5}, {Kind: Numeric, Width: 2}, {Kind: OneHot, Width: 2}}
	rng := rand.New(rand.NewPCG(4, 1))
	rows := NewMatrix(600, layout.Width())
	for i := range rows.Rows {
		row := Row(rows, i)
		for j := range 3 {
			row[j] = float32(rng.NormFloat64())
		}
		row[3+rng.IntN(5)], row[10+rng.IntN(2)] = 1, 1
		row[8], row[9] = row[0]+float32(.1*rng.NormFloat64()), row[3]
	}
	d, err := FitDetector(t.Context(), rows, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	e, err := d.Explainer(layout)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		got, err := e.Contributions(Row(rows, i))
		if err != nil {
			t.Fatal(err)
		}
		z, row := make([]float32, rows.Cols), make([]float64, rows.Cols)
		d.scale.apply(z, Row(rows, i))
		for j, x := range z {
			row[j] = float64(x - d.gaussian.mean[j])
		}
		for _, run := range [][2]int{{0, 1}, {1, 1}, {2, 1}, {3, 5}, {8, 1}, {9, 1}, {10, 2}} {
			want := surpriseNaive(t, d.gaussian, row, run[0], run[1]) / float64(run[1])
			for j := run[0]; j < run[0]+run[1]; j++ {
				if math.Abs(got[j]-want) > 1e-3*max(.01, want) {
					t.Errorf("row %d, feature %d: %v, want %v", i, j, got[j], want)
				}
			}
		}
	}
	if _, err := d.Explainer(layout[:2]); !errors.Is(err, ErrData) {
		t.Errorf("a layout of fewer features: %v", err)
	}
	if _, err := e.Contributions(make([]float32, 3)); !errors.Is(err, ErrData) {
		t.Errorf("a short row: %v", err)
	}
}
