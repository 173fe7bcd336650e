package embed

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"gonum.org/v1/gonum/blas/blas32"
)

// graphOf is rows of two numbers beside curves of them: latents that are linear say
// all, and only a decoder that is not can use them.
func graphOf(rng *rand.Rand, n, d int) blas32.General {
	waves, m := noise(rng, d, 2), NewMatrix(n, d)
	for i := range n {
		s, t := rng.NormFloat64(), rng.NormFloat64()
		row := Row(m, i)
		row[0], row[1] = float32(3*s), float32(3*t)
		for j := 2; j < d; j++ {
			row[j] = float32(.8 * math.Cos(1.5*(s*float64(Row(waves, j)[0])+t*float64(Row(waves, j)[1]))))
		}
	}
	return m
}

// rolled is rows of a sheet rolled up: no plane tells its turns from each other.
func rolled(rng *rand.Rand, n int) blas32.General {
	m := NewMatrix(n, 3)
	for i := range n {
		turn := 1.5 * math.Pi * (1 + 2*rng.Float64())
		sin, cos := math.Sincos(turn)
		copy(Row(m, i), []float32{float32(turn * cos), float32(21 * rng.Float64()), float32(turn * sin)})
	}
	return m
}

// byWeights is a cost that goes by the encoder alone, byCandidates one that does not.
func byWeights(m *Model, candidates int) float64 { return float64(m.EncoderWeights() + candidates) }
func byCandidates(_ *Model, candidates int) float64 {
	return float64(candidates)
}

func TestAutoWeighsLinearAgainstDeep(t *testing.T) {
	plain, roll := graphOf(newRand(1), 2000, 12), rolled(newRand(1), 2000)
	for name, c := range map[string]struct {
		rows    blas32.General
		cost    func(*Model, int) float64
		encoder Encoder
		want    Encoder
		weighed int
		reason  string
	}{
		"linear keeps the gain":      {plain, byWeights, Auto, Linear, 3, "a linear encoder keeps"},
		"linear loses the gain":      {roll, byWeights, Auto, Deep, 3, ": not enough"},
		"a search is hardly cheaper": {plain, byCandidates, Auto, Deep, 2, "no linear encoder was trained"},
		"deep was asked for":         {plain, byWeights, Deep, Deep, 0, ""},
		"nothing is weighed":         {plain, nil, Auto, Deep, 0, ""},
	} {
		cfg := Config{Encoder: c.encoder, Dim: 2, Workers: 2, Epochs: 16}
		if c.cost != nil {
			cfg.Weigh = &Weighing{Recall: .95, Cost: c.cost}
		}
		r := mustTrain(t, NumericLayout(c.rows.Cols), c.rows, cfg)
		t.Logf("%s: %+v; %s", name, r.Weighed, r.Model.Settings().Reason)
		if r.Model.Encoder() != c.want || len(r.Weighed) != c.weighed || !strings.Contains(r.Model.Settings().Reason, c.reason) {
			t.Errorf("%s: %s of %+v: %s", name, r.Model.Encoder(), r.Weighed, r.Model.Settings().Reason)
		}
		checkNeverLoses(t, r)
		checkWeighed(t, r, c.cost)
	}
}

// checkWeighed holds what was weighed against the rules that choose by it.
func checkWeighed(t *testing.T, r *Result, cost func(*Model, int) float64) {
	t.Helper()
	of := make(map[Encoder]Weighed)
	for _, w := range r.Weighed {
		of[w.Encoder] = w
	}
	deep, linear, pca := of[Deep], of[Linear], of[PCA]
	if len(r.Weighed) == 0 {
		return
	}
	if deep.MSE >= pca.MSE || deep.Recall50 < pca.Recall50-.05 || deep.Candidates < TrueNeighbours {
		t.Errorf("deep %+v beside PCA %+v", deep, pca)
	}
	if at := of[r.Model.Encoder()]; at.Cost != cost(r.Model, at.Candidates) {
		t.Errorf("cost %v of %d candidates", at.Cost, at.Candidates)
	}
	serves := linear.MSE <= (deep.MSE+pca.MSE)/2 && linear.Cost <= deep.Cost*2/3
	if linear.Encoder == Linear && serves != (r.Model.Encoder() == Linear) {
		t.Errorf("%s serves of %+v", r.Model.Encoder(), r.Weighed)
	}
}

// TestWhatServedBeforeIsFavoured: at a cost between the bounds either stays.
func TestWhatServedBeforeIsFavoured(t *testing.T) {
	rows := graphOf(newRand(1), 1500, 12)
	between := func(m *Model, _ int) float64 {
		if m.Encoder() == Deep {
			return 3
		}
		return 2
	}
	for before, want := range map[Encoder]Encoder{Linear: Linear, Deep: Deep} {
		cfg := Config{Dim: 3, Epochs: 20, Weigh: &Weighing{Recall: .95, Cost: between, Before: before}}
		if r := mustTrain(t, NumericLayout(12), rows, cfg); r.Model.Encoder() != want {
			t.Errorf("after %s serves %s: %s", before, r.Model.Encoder(), r.Model.Settings().Reason)
		}
	}
}

// TestLinearThatLosesGivesWayToDeep: on rows that chose nothing.
func TestLinearThatLosesGivesWayToDeep(t *testing.T) {
	tr, pca := newTrainer(t, graphOf(newRand(1), 1500, 8))
	r := newRecipe(tr.train.Rows, 8, 20)
	deep, why, err := tr.descend(t.Context(), pca, pca.withNetworks(Deep, r.hidden, tr.rng), r)
	if err != nil || deep == pca {
		t.Fatal(why, err)
	}
	worse := pca.withNetworks(Linear, []int{8, 4}, tr.rng)
	for i := range worse.enc.w.Data {
		worse.enc.w.Data[i] = float32(tr.rng.NormFloat64())
	}
	got, err := tr.finish(t.Context(), pca, trained{worse, "chosen"}, trained{deep, "second"})
	if err != nil || got.Model != deep || got.Model.Settings().Reason != "second" {
		t.Fatalf("%s serves: %v", got.Model.Encoder(), err)
	}
}

// TestWeighingIsTheSameOnAnyNumberOfCores, and its epochs go on where the others ended.
func TestWeighingIsTheSameOnAnyNumberOfCores(t *testing.T) {
	rows := graphOf(newRand(3), 2000, 12)
	var want []byte
	var first []Weighed
	for _, workers := range []int{1, 2, 5} {
		var seen []int
		cfg := Config{Dim: 3, Epochs: 12, Workers: workers, Weigh: &Weighing{Recall: .95, Cost: byWeights}, Progress: func(p Progress) {
			if p.Epoch > p.Epochs {
				t.Errorf("epoch %d of %d", p.Epoch, p.Epochs)
			}
			if p.Scored {
				seen = append(seen, p.Epoch)
			}
		}}
		before := runtime.GOMAXPROCS(min(workers, 2))
		r := mustTrain(t, NumericLayout(12), rows, cfg)
		runtime.GOMAXPROCS(before)
		got := mustMarshal(t, r.Model)
		if want == nil {
			want, first = got, r.Weighed
		}
		if r.Model.Encoder() != Linear || !bytes.Equal(got, want) || len(first) != 3 || r.Weighed[0] != first[0] || r.Weighed[1] != first[1] {
			t.Errorf("%d workers: %+v, not %+v; or other weights", workers, r.Weighed, first)
		}
		for i, e := range seen {
			if e != i || len(seen) != 1+12+3 {
				t.Fatalf("epochs scored: %v", seen)
			}
		}
	}
}

// TestCancelWhileLinearIsTrained: at once, as in any epoch.
func TestCancelWhileLinearIsTrained(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	last := 0
	_, err := Train(ctx, NumericLayout(12), graphOf(newRand(3), 2000, 12), Config{Dim: 3, Epochs: 4,
		Weigh: &Weighing{Recall: .95, Cost: byWeights}, Progress: func(p Progress) {
			if last = p.Epoch; p.Epoch == 5 {
				cancel()
			}
		}})
	if !errors.Is(err, context.Canceled) || last != 5 {
		t.Errorf("ended in epoch %d: %v", last, err)
	}
}

// TestDepthIsWhatRecallTakes: by a naive count.
func TestDepthIsWhatRecallTakes(t *testing.T) {
	tr, pca := newTrainer(t, lowRank(newRand(7), 800, 6, 4))
	exam, err := tr.quickExaminer(t.Context(), pca)
	if err != nil {
		t.Fatal(err)
	}
	score, err := exam.score(t.Context(), pca, false)
	if err != nil || score.Recall10 >= score.Recall50 {
		t.Fatal(score, err)
	}
	for share, want := range map[float64]int{score.Recall10: 10, score.Recall50: 50, 1: mostCandidates} {
		got, err := exam.depth(t.Context(), pca, share)
		if err != nil || got > want || share < 1 && got < want-3 {
			t.Errorf("a recall of %v takes %d candidates, not %d: %v", share, got, want, err)
		}
	}
	if _, err := Train(t.Context(), NumericLayout(2), noise(newRand(1), 50, 2), Config{Weigh: &Weighing{Recall: 2}}); !errors.Is(err, ErrConfig) {
		t.Errorf("a weighing without cost: %v", err)
	}
}
