package embed

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/blas/blas32"
	"pgregory.net/rapid"
)

// checkNeverLoses is the promise of Train, on the measures it reports.
func checkNeverLoses(t interface{ Errorf(string, ...any) }, r *Result) {
	if !r.Learned.losesNothingTo(r.PCA) {
		t.Errorf("the %s model %+v loses to PCA %+v", r.Model.Encoder(), r.Learned, r.PCA)
	}
	if r.Model.Encoder() == PCA && r.Learned != r.PCA {
		t.Errorf("a PCA model %+v scores unlike PCA %+v", r.Learned, r.PCA)
	}
}

func TestTrainingBeatsPCAOnAManifold(t *testing.T) {
	rows := manifold(newRand(1), 1500, 30)
	for _, encoder := range []Encoder{Deep, Linear} {
		r := mustTrain(t, NumericLayout(30), rows, Config{Encoder: encoder, Dim: 4, Epochs: 12, Workers: 2})
		if r.Model.Encoder() != encoder || r.Model.Settings().Kept == 0 {
			t.Errorf("%s: kept %s, epoch %d: %s", encoder, r.Model.Encoder(), r.Model.Settings().Kept, r.Model.Settings().Reason)
		}
		if r.Learned.MSE > 0.5*r.PCA.MSE {
			t.Errorf("%s: error %v, PCA's is %v", encoder, r.Learned.MSE, r.PCA.MSE)
		}
		if lost := r.Learned.Recall10 - r.Int8.Recall10; lost > 0.05 || r.Int8.MSE > r.Learned.MSE*1.2 {
			t.Errorf("%s: int8 codes score %+v, latents %+v", encoder, r.Int8, r.Learned)
		}
		checkNeverLoses(t, r)
	}
}

// TestTrainNeverLosesToPCA covers small and awkward data of every layout.
func TestTrainNeverLosesToPCA(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(MinRows, 12), rapid.IntRange(13, 150)).Draw(t, "n")
		rng := newRand(rapid.Uint64().Draw(t, "seed"))
		d := rapid.IntRange(1, 10).Draw(t, "d")
		layout, rows := NumericLayout(d), blas32.General{}
		switch rapid.SampledFrom([]string{"noise", "low rank", "manifold", "mixed", "duplicates"}).Draw(t, "data") {
		case "noise":
			rows = noise(rng, n, d)
		case "low rank":
			rows = lowRank(rng, n, d, 1+d/3)
		case "manifold":
			rows = manifold(rng, n, d)
		case "mixed":
			layout, rows = mixedLayout, mixed(rng, n)
		case "duplicates":
			rows = noise(rng, n, d)
			for i := 3; i < n; i++ {
				copy(Row(rows, i), Row(rows, i%3))
			}
		}
		cfg := Config{
			Encoder: rapid.SampledFrom(Encoders()).Draw(t, "encoder"),
			Dim:     rapid.IntRange(0, 12).Draw(t, "dim"),
			Epochs:  rapid.IntRange(1, 3).Draw(t, "epochs"),
			Seed:    rapid.Uint64().Draw(t, "training seed"),
		}
		r, err := Train(context.Background(), layout, rows, cfg)
		if err != nil {
			t.Fatal(err)
		}
		checkNeverLoses(t, r)
		for _, v := range []float64{r.Learned.MSE, r.Int8.MSE, float64(r.Model.int8Step), float64(r.Model.sigma)} {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("a measure is %v: %+v", v, r)
			}
		}
		if cfg.Dim > 0 && r.Model.Dim() != cfg.Dim {
			t.Fatalf("latent of %d, asked for %d", r.Model.Dim(), cfg.Dim)
		}
	})
}

func TestHeldOutRowsAreAFairSample(t *testing.T) {
	rows := NewMatrix(200, 1)
	for i := range rows.Data {
		rows.Data[i] = float32(i)
	}
	tr := &trainer{rng: newRand(3)}
	tr.split(rows)
	if len(tr.heldAt) != 20 || tr.held.Rows != 20 || tr.train.Rows != 180 {
		t.Fatalf("held out %v", tr.heldAt)
	}
	if slices.IsSorted(tr.held.Data) {
		t.Error("held-out rows come in the order of the data: their first are no fair sample")
	}
	for _, i := range tr.heldAt {
		if !slices.Contains(tr.held.Data, float32(i)) || slices.Contains(tr.train.Data, float32(i)) {
			t.Errorf("row %d is not held out, or trained on", i)
		}
	}
	all := slices.Sorted(slices.Values(slices.Concat(tr.held.Data, tr.train.Data)))
	if !slices.Equal(all, rows.Data) {
		t.Error("rows were lost")
	}
}

func TestProgressIsReported(t *testing.T) {
	var seen []Progress
	cfg := Config{Encoder: Deep, Dim: 2, Epochs: 3, Progress: func(p Progress) { seen = append(seen, p) }}
	r := mustTrain(t, NumericLayout(6), manifold(newRand(4), 300, 6), cfg)
	if len(seen) != 7 {
		t.Fatalf("%d reports of 3 epochs, each before and after its score, and PCA", len(seen))
	}
	for i := 1; i < len(seen); i += 2 {
		if p := seen[i]; p.Scored || p.Epoch != (i+1)/2 || p.Loss <= 0 {
			t.Errorf("report %d: %+v", i, p)
		}
	}
	seen = slices.DeleteFunc(seen, func(p Progress) bool { return !p.Scored })
	for i, p := range seen {
		if p.Epoch != i || p.Epochs != 3 || p.MSE <= 0 || p.Recall50 <= 0 || (p.Loss > 0) != (i > 0) {
			t.Errorf("report %d: %+v", i, p)
		}
	}
	// What is reported was measured on rows that chose nothing.
	if kept := r.Model.Settings().Kept; agree(seen[kept].MSE, r.Learned.MSE, 1e-6) || agree(seen[0].MSE, r.PCA.MSE, 1e-6) {
		t.Errorf("epoch %d scored %v and PCA %v on the very rows of the final score", kept, seen[kept].MSE, seen[0].MSE)
	}
}

// TestTrainingEndsWhereNothingIsGained: noise is learned by heart from the first
// epoch on.
func TestTrainingEndsWhereNothingIsGained(t *testing.T) {
	var last Progress
	cfg := Config{Encoder: Deep, Dim: 2, Epochs: 60, Progress: func(p Progress) { last = p }}
	r := mustTrain(t, NumericLayout(12), noise(newRand(4), 300, 12), cfg)
	if last.Epoch >= 60 || last.Epoch < 8 {
		t.Errorf("ended after epoch %d of 60: %s", last.Epoch, r.Model.Settings().Reason)
	}
}

func TestTrainIsCancelled(t *testing.T) {
	rows := manifold(newRand(5), 400, 8)
	for _, encoder := range []Encoder{PCA, Deep} {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := Train(ctx, NumericLayout(8), rows, Config{Encoder: encoder}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s, before: %v", encoder, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	last := 0
	cfg := Config{Encoder: Deep, Dim: 2, Epochs: 50, Progress: func(p Progress) {
		if last = p.Epoch; last == 2 {
			cancel()
		}
	}}
	if _, err := Train(ctx, NumericLayout(8), rows, cfg); !errors.Is(err, context.Canceled) || last != 2 {
		t.Errorf("after epoch %d: %v", last, err)
	}
}

func TestAutoChoices(t *testing.T) {
	rng := newRand(7)
	few := mustTrain(t, NumericLayout(6), lowRank(rng, 200, 6, 3), Config{})
	if few.Model.Encoder() != PCA || few.Model.Dim() != 6 {
		t.Errorf("200 rows of 6 features: %s of %d; %s; %s", few.Model.Encoder(), few.Model.Dim(), few.Model.Settings().Reason, few.DimReason)
	}
	easy := mustTrain(t, NumericLayout(40), lowRank(rng, 300, 40, 6), Config{})
	if easy.Model.Dim() != 8 {
		t.Errorf("rank 6 in 40 features: %d values; %s", easy.Model.Dim(), easy.DimReason)
	}
	hard := mustTrain(t, NumericLayout(40), noise(rng, 2000, 40), Config{Encoder: PCA, Recall: 1})
	if hard.Model.Dim() != 32 {
		t.Errorf("noise in 40 features: %d values; %s", hard.Model.Dim(), hard.DimReason)
	}
	near := mustTrain(t, NumericLayout(40), lowRank(newRand(8), 300, 40, 12), Config{Exacting: true})
	far := mustTrain(t, NumericLayout(40), lowRank(newRand(8), 300, 40, 12), Config{})
	if near.Model.Dim() != 16 || far.Model.Dim() != 8 {
		t.Errorf("rank 12 in 40 features: %d values by the first 10, %d by the first 50; %s; %s", near.Model.Dim(), far.Model.Dim(), near.DimReason, far.DimReason)
	}
	narrow := mustTrain(t, NumericLayout(15), noise(newRand(9), 300, 15), Config{Exacting: true})
	if narrow.Model.Dim() != 15 {
		t.Errorf("noise in 15 features: %d values; %s", narrow.Model.Dim(), narrow.DimReason)
	}
	many := mustTrain(t, NumericLayout(8), manifold(rng, 1200, 8), Config{Dim: 2, Epochs: 10})
	if many.Model.Encoder() != Deep {
		t.Errorf("1200 rows on a manifold: %s; %s", many.Model.Encoder(), many.Model.Settings().Reason)
	}
}

func TestTrainRefuses(t *testing.T) {
	good := noise(newRand(8), 10, 3)
	nan := noise(newRand(8), 10, 3)
	Row(nan, 7)[1] = float32(math.NaN())
	infinite := noise(newRand(8), 10, 3)
	Row(infinite, 0)[0] = float32(math.Inf(1))
	short := good
	short.Rows = 11
	for _, c := range []struct {
		says   string
		layout Layout
		rows   blas32.General
		cfg    Config
		want   error
	}{
		{"no features", nil, good, Config{}, ErrConfig},
		{"3 features, the layout 4", NumericLayout(4), good, Config{}, ErrConfig},
		{"2 rows", NumericLayout(3), rowsOf(good, 0, 2), Config{}, ErrData},
		{"row 7 is not finite", NumericLayout(3), nan, Config{}, ErrData},
		{"row 0 is not finite", NumericLayout(3), infinite, Config{}, ErrData},
		{"not all there", NumericLayout(3), short, Config{}, ErrData},
		{"identical", NumericLayout(3), NewMatrix(10, 3), Config{}, ErrData},
		{"encoder", NumericLayout(3), good, Config{Encoder: "wide"}, ErrConfig},
		{"latent size -1", NumericLayout(3), good, Config{Dim: -1}, ErrConfig},
		{"latent size 65537", NumericLayout(3), good, Config{Dim: maxWidth + 1}, ErrConfig},
		{"-1 epochs", NumericLayout(3), good, Config{Epochs: -1}, ErrConfig},
		{"recall 1.5", NumericLayout(3), good, Config{Recall: 1.5}, ErrConfig},
		{"recall NaN", NumericLayout(3), good, Config{Recall: math.NaN()}, ErrConfig},
		{"input scale has 1 values", NumericLayout(3), good, Config{InputScale: []float32{1}}, ErrConfig},
		{"input scale is not finite", NumericLayout(3), good, Config{InputScale: []float32{1, 1, float32(math.NaN())}}, ErrConfig},
	} {
		_, err := Train(context.Background(), c.layout, c.rows, c.cfg)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.says, err)
		}
	}
}
