package embed

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas/blas32"
	"pgregory.net/rapid"
)

// pairLayout is a numeric view of 9 features beside one of every kind of block.
var pairLayout = slices.Concat(Layout{{Numeric, 9}, {Presence, 1}}, mixedLayout, Layout{{Presence, 1}})

// pairRows are n rows of pairLayout whose views tell of the same hidden values.
func pairRows(rng *rand.Rand, n int) blas32.General {
	right := mixed(rng, n)
	m := NewMatrix(n, pairLayout.Width())
	mix := noise(newRand(77), right.Cols, 9)
	for i := range n {
		row, r := Row(m, i), Row(right, i)
		for j := range 9 {
			row[j] = 0.1 * float32(rng.NormFloat64())
			for k, v := range r {
				row[j] += v * Row(mix, k)[j]
			}
		}
		row[9] = present
		copy(row[10:], r)
		row[len(row)-1] = present
	}
	return m
}

// twoViews are rows of two numeric views of the same hidden values, with noise of their own.
func twoViews(rng *rand.Rand, n, left, right, hidden int) (Layout, blas32.General) {
	truth, a, b := noise(rng, n, hidden), noise(newRand(5), hidden, left), noise(newRand(6), hidden, right)
	m := NewMatrix(n, left+right+2)
	for i := range n {
		row := Row(m, i)
		for _, v := range []struct {
			to  []float32
			mix blas32.General
		}{{row[:left], a}, {row[left+1 : left+1+right], b}} {
			for j := range v.to {
				v.to[j] = 0.3 * float32(rng.NormFloat64())
				for k, h := range Row(truth, i) {
					v.to[j] += h * Row(v.mix, k)[j]
				}
			}
		}
		row[left], row[left+1+right] = present, present
	}
	return Layout{{Numeric, left}, {Presence, 1}, {Numeric, right}, {Presence, 1}}, m
}

// alone are rows without one of their views, whose features hold what should not matter.
func alone(rows blas32.General, layout Layout, without int) blas32.General {
	out := NewMatrix(rows.Rows, rows.Cols)
	left := layout.Views()[0].Width()
	for i := range rows.Rows {
		row := Row(out, i)
		copy(row, Row(rows, i))
		if without == 0 {
			clear(row[:left+1])
		} else {
			clear(row[left+1:])
		}
	}
	return out
}

// linearPair is the linear start for rows.
func linearPair(t testing.TB, layout Layout, rows blas32.General, dim int) *Model {
	t.Helper()
	c, err := fitCanonical(context.Background(), layout, rows, dim)
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.model(context.Background(), dim)
	if err != nil {
		t.Fatal(err)
	}
	m.int8Step = 0.01
	return m
}

// trainedPair is a small model with weights as after training.
func trainedPair(t testing.TB, encoder Encoder, layout Layout, rows blas32.General, dim int) *Model {
	t.Helper()
	m, rng := linearPair(t, layout, rows, dim), newRand(5)
	if encoder == PCA {
		return m
	}
	m = m.withNetworks(encoder, []int{7, 5}, rng)
	for _, p := range m.params() {
		for i := range p.value {
			p.value[i] += float32(0.1 * rng.NormFloat64())
		}
	}
	m.settings = Settings{Hidden: []int{7, 5}, Seed: 5, Kept: 2, Reason: "test"}
	return m
}

func TestLayoutsOfViews(t *testing.T) {
	for name, l := range map[string]Layout{
		"one view":         {{Numeric, 2}, {Presence, 1}},
		"three views":      {{Numeric, 2}, {Presence, 1}, {Numeric, 2}, {Presence, 1}, {Numeric, 2}, {Presence, 1}},
		"after the last":   {{Numeric, 2}, {Presence, 1}, {Numeric, 2}, {Presence, 1}, {Numeric, 1}},
		"an empty view":    {{Presence, 1}, {Numeric, 2}, {Presence, 1}},
		"a wide presence":  {{Numeric, 2}, {Presence, 2}, {Numeric, 2}, {Presence, 1}},
		"an unknown block": {{Numeric, 2}, {Presence + 1, 1}},
	} {
		if err := l.Validate(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := pairLayout.Validate(); err != nil {
		t.Error(err)
	}
	if views := pairLayout.Views(); len(views) != 2 || !slices.Equal(views[0], NumericLayout(9)) || !slices.Equal(views[1], mixedLayout) {
		t.Errorf("views %v", views)
	}
}

// TestLatentIsTheMeanOfTheViews: a view that is not there changes nothing by what its
// features hold, and each view's latent has length one.
func TestLatentIsTheMeanOfTheViews(t *testing.T) {
	rows := pairRows(newRand(1), encodeBatch+40)
	for _, encoder := range trainedEncoders {
		m := trainedPair(t, encoder, pairLayout, rows, 3)
		both := mustEncode(t, m, rows)
		left, right := mustEncode(t, m, alone(rows, pairLayout, 1)), mustEncode(t, m, alone(rows, pairLayout, 0))
		other := alone(rows, pairLayout, 1)
		for i := range other.Rows {
			row := Row(other, i)
			for j := 10; j < len(row)-1; j++ {
				row[j] = float32(i - j)
			}
		}
		if !slices.Equal(mustEncode(t, m, other).Data, left.Data) {
			t.Errorf("%s: what stands in place of a missing view changes the latent", encoder)
		}
		for i := range rows.Rows {
			var lengths [2]float64
			for k, z := range Row(both, i) {
				l, r := float64(Row(left, i)[k]), float64(Row(right, i)[k])
				lengths[0] += l * l
				lengths[1] += r * r
				if !agree(float64(z), (l+r)/2, 1e-5) {
					t.Fatalf("%s: row %d, value %d is %v, of the views %v and %v", encoder, i, k, z, l, r)
				}
			}
			for v, square := range lengths {
				if !agree(square, 1, 1e-4) {
					t.Fatalf("%s: row %d, view %d has a latent of length %v", encoder, i, v, math.Sqrt(square))
				}
			}
		}
	}
}

func TestOneViewDecodesToBoth(t *testing.T) {
	rows := pairRows(newRand(2), 300)
	m := linearPair(t, pairLayout, rows, 5)
	whole := mustDecode(t, m, mustEncode(t, m, rows))
	crossed := mustDecode(t, m, mustEncode(t, m, alone(rows, pairLayout, 0)))
	var off, spread, there float64
	residual := make([]float32, rows.Cols)
	for i := range rows.Rows {
		for j := range 9 {
			d := float64(Row(crossed, i)[j] - Row(rows, i)[j])
			off += d * d
			d = float64(m.views[0].mean[j] - Row(rows, i)[j])
			spread += d * d
		}
		for _, v := range m.views {
			if Row(crossed, i)[v.at] != present {
				t.Fatalf("row %d: view that ends at %d is not there", i, v.at)
			}
		}
		m.Residual(residual, Row(rows, i), Row(whole, i))
		for _, r := range residual {
			there += float64(r) * float64(r)
		}
	}
	if off > 0.35*spread {
		t.Errorf("the view that was not there decodes with %.2f of its variance left", off/spread)
	}
	if !(there > 0) {
		t.Error("no residual")
	}
	oneSided := Row(alone(rows, pairLayout, 0), 0)
	m.Residual(residual, oneSided, Row(crossed, 0))
	if !slices.Equal(residual[:10], make([]float32, 10)) || residual[len(residual)-1] != 0 || residual[10] == 0 {
		t.Errorf("residual of a row without its first view: %v", residual)
	}
}

func TestViewsRefuse(t *testing.T) {
	rows := pairRows(newRand(3), 40)
	m := trainedPair(t, Deep, pairLayout, rows, 2)
	z := NewMatrix(1, 2)
	none := make([]float32, rows.Cols)
	inf := slices.Clone(Row(rows, 0))
	inf[3] = float32(math.Inf(1))
	nan := slices.Clone(Row(rows, 0))
	nan[9], nan[len(nan)-1] = float32(math.NaN()), float32(math.NaN())
	for name, row := range map[string][]float32{"no view": none, "infinite": inf, "presence not a number": nan} {
		if err := m.Encode(z, MatrixOf(row, len(row))); !errors.Is(err, ErrData) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Train(context.Background(), pairLayout, alone(rows, pairLayout, 0), Config{}); !errors.Is(err, ErrData) {
		t.Errorf("rows without pairs: %v", err)
	}
}

// TestCanonicalFindsWhatViewsShare: two views that share a few hidden values, in noise of
// their own, find each other by the linear start alone, among all rows.
func TestCanonicalFindsWhatViewsShare(t *testing.T) {
	for _, widths := range [][2]int{{20, 12}, {40, directWidth + 40}} {
		layout, rows := twoViews(newRand(4), 200, widths[0], widths[1], 6)
		r := mustTrain(t, layout, rows, Config{Encoder: PCA, Dim: 6})
		if r.Learned.Recall10 < 0.9 || r.Learned.rank < 0.8 || r.Learned != r.PCA {
			t.Errorf("widths %v: %+v", widths, r.Learned)
		}
	}
}

// TestCanonicalAgreesWithItsDefinition: the directions solve the generalised eigenproblem,
// so within a side they are uncorrelated under the ridge, and across sides but with
// their like.
func TestCanonicalAgreesWithItsDefinition(t *testing.T) {
	layout, rows := twoViews(newRand(5), 400, 8, 6, 3)
	c, err := fitCanonical(context.Background(), layout, rows, 6)
	if err != nil {
		t.Fatal(err)
	}
	var cross [6][6]float64
	err = c.batches(context.Background(), func(l, r blas32.General) {
		for i := range l.Rows {
			for a := range 6 {
				for b := range 6 {
					var x, y float64
					for j, v := range Row(l, i) {
						x += float64(v) * c.sides[0].directions.At(j, a)
					}
					for j, v := range Row(r, i) {
						y += float64(v) * c.sides[1].directions.At(j, b)
					}
					cross[a][b] += x * y / float64(rows.Rows)
				}
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for a := range 6 {
		for b := range 6 {
			if a != b && math.Abs(cross[a][b]) > 1e-3*cross[0][0] {
				t.Errorf("directions %d and %d of the sides correlate by %v", a, b, cross[a][b])
			}
		}
		if a > 0 && cross[a][a] > cross[a-1][a-1]+1e-6 {
			t.Errorf("direction %d correlates more than the one before", a)
		}
	}
}

func TestGradientsOfThePairLoss(t *testing.T) {
	numeric, rows := twoViews(newRand(6), 32, 7, 5, 3)
	for name, c := range map[string]struct {
		layout Layout
		rows   blas32.General
	}{"numeric": {numeric, rows}, "mixed": {pairLayout, pairRows(newRand(7), 32)}} {
		for _, encoder := range []Encoder{Deep, Linear} {
			t.Run(fmt.Sprintf("%s/%s", encoder, name), func(t *testing.T) {
				m := trainedPair(t, encoder, c.layout, c.rows, 3)
				d := newPairDescent(m, recipe{batch: c.rows.Rows}, 2)
				gather(d.x, c.rows, identity(c.rows.Rows))
				d.gradients()
				for i, p := range m.params() {
					checkTensor(t, d, fmt.Sprintf("tensor %d (%d values)", i, len(p.value)), p)
				}
			})
		}
	}
}

// TestContrastIsTheNaiveOne compares the loss with its definition.
func TestContrastIsTheNaiveOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, d := rapid.IntRange(1, 12).Draw(t, "rows"), rapid.IntRange(1, 5).Draw(t, "dim")
		rng := newRand(rapid.Uint64().Draw(t, "seed"))
		a, b := noise(rng, n, d), noise(rng, n, d)
		for i := range n {
			unit(Row(a, i), Row(a, i))
			unit(Row(b, i), Row(b, i))
		}
		cosine := func(i, j int) float64 {
			var sum float64
			for k := range d {
				sum += float64(Row(a, i)[k]) * float64(Row(b, j)[k]) / contrastTemperature
			}
			return sum
		}
		want := 0.0
		for i := range n {
			var row, column float64
			for j := range n {
				row += math.Exp(cosine(i, j))
				column += math.Exp(cosine(j, i))
			}
			want += (math.Log(row) + math.Log(column) - 2*cosine(i, i)) / float64(2*n)
		}
		got := newContrast(n).backward(NewMatrix(n, d), NewMatrix(n, d), a, b, 1)
		if math.Abs(got-want) > 1e-3*max(1, math.Abs(want)) {
			t.Fatalf("loss %v, by definition %v", got, want)
		}
	})
}

func TestPairsTrainDeterministicallyAndNeverLose(t *testing.T) {
	layout, rows := twoViews(newRand(8), 1300, 16, 12, 8)
	for i := range rows.Rows { // bent, so that there is something to learn
		row := Row(rows, i)
		for j := range 16 {
			row[j] = float32(math.Sin(float64(row[j]) / 2))
		}
	}
	for i := 0; i < rows.Rows; i += 9 {
		Row(rows, i)[16] = 0 // lacks its first view: no part of training
	}
	one := mustTrain(t, layout, rows, Config{Epochs: 8})
	two := mustTrain(t, layout, rows, Config{Epochs: 8, Workers: 3})
	if !slices.Equal(mustMarshal(t, one.Model), mustMarshal(t, two.Model)) {
		t.Error("other weights with more workers")
	}
	if !one.Learned.losesNothingTo(one.PCA) {
		t.Errorf("learned %+v, the linear start %+v", one.Learned, one.PCA)
	}
	if one.Model.Encoder() != Deep {
		t.Errorf("encoder %s: %s", one.Model.Encoder(), one.Model.Settings().Reason)
	}
	for _, i := range one.Held {
		if i%9 == 0 {
			t.Fatalf("row %d lacks a view and was held out", i)
		}
	}
	tuned := mustTrain(t, layout, rows, Config{Epochs: 2, From: one.Model})
	if tuned.Model.Dim() != one.Model.Dim() || !tuned.Learned.losesNothingTo(tuned.PCA) {
		t.Errorf("tuned: %+v", tuned.Learned)
	}
}
