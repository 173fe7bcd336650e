package embed

import (
	"context"
	"errors"
	"testing"

	"gonum.org/v1/gonum/blas/blas32"
)

// newTrainer is a trainer of numeric rows up to its PCA, with latents of two.
func newTrainer(t *testing.T, rows blas32.General) (*trainer, *Model) {
	t.Helper()
	layout := NumericLayout(rows.Cols)
	cfg, err := Config{}.resolve(layout, rows)
	if err != nil {
		t.Fatal(err)
	}
	tr := &trainer{cfg: cfg, layout: layout, rng: newRand(6)}
	tr.split(rows)
	return tr, mustPCA(t, layout, tr.train, 2)
}

// TestNoNetworkHelpsWithNoise: on isotropic noise there is nothing to learn.
func TestNoNetworkHelpsWithNoise(t *testing.T) {
	r := mustTrain(t, NumericLayout(12), noise(newRand(2), 1200, 12), Config{Encoder: Deep, Dim: 4, Epochs: 4, Workers: 2})
	checkNeverLoses(t, r)
}

// TestDivergedTrainingFallsBackToPCA: at an absurd learning rate weights overflow.
func TestDivergedTrainingFallsBackToPCA(t *testing.T) {
	tr, pca := newTrainer(t, manifold(newRand(6), 200, 5))
	r := newRecipe(tr.train.Rows, 5, 4)
	r.rate = 1e38
	m, why, err := tr.descend(context.Background(), pca, pca.withNetworks(Deep, r.hidden, tr.rng), r)
	if err != nil || m != pca {
		t.Fatalf("kept another model than PCA: %s, %v", why, err)
	}
}

// TestFinalScoreMayOverruleTheEpochs: a network that loses on the final measure
// is not returned.
func TestFinalScoreMayOverruleTheEpochs(t *testing.T) {
	tr, pca := newTrainer(t, lowRank(newRand(7), 300, 6, 3))
	worse := pca.withNetworks(Deep, []int{8, 4}, tr.rng)
	for i := range worse.enc.w.Data {
		worse.enc.w.Data[i] += float32(tr.rng.NormFloat64())
	}
	r, err := tr.finish(context.Background(), pca, trained{worse, "chosen"})
	if err != nil || r.Model != pca || r.Learned != r.PCA || r.Model.Settings().Reason == "chosen" {
		t.Fatalf("a worse network is returned: %+v, %v", r, err)
	}
}

// TestKeptEpochIsTheBestThatLosesNothing replays the choice from the reports.
func TestKeptEpochIsTheBestThatLosesNothing(t *testing.T) {
	rng := newRand(8)
	for name, rows := range map[string]blas32.General{
		"noise": noise(rng, 400, 8), "manifold": manifold(rng, 400, 8), "low rank": lowRank(rng, 400, 8, 4),
	} {
		tr, pca := newTrainer(t, rows)
		var reports []Progress
		tr.cfg.Progress = func(p Progress) {
			if p.Scored {
				reports = append(reports, p)
			}
		}
		r := newRecipe(tr.train.Rows, 8, 8)
		m, why, err := tr.descend(context.Background(), pca, pca.withNetworks(Deep, r.hidden, tr.rng), r)
		if err != nil {
			t.Fatal(err)
		}
		least := 0
		for i, p := range reports {
			if p.Recall50 >= reports[0].Recall50 && p.MSE <= reports[least].MSE {
				least = i
			}
		}
		kept := m.settings.Kept
		if reports[kept].MSE > reports[least].MSE || reports[kept].Recall50 < reports[0].Recall50-0.05 || (m == pca) != (kept == 0) {
			t.Errorf("%s: kept epoch %d, not %d: %s", name, kept, least, why)
		}
	}
}

func TestEpochStopsBetweenSteps(t *testing.T) {
	tr, pca := newTrainer(t, noise(newRand(9), 100, 3))
	r := newRecipe(tr.train.Rows, 3, 1)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	d := newDescent(pca.withNetworks(Deep, r.hidden, tr.rng), r, 1)
	if _, err := tr.epoch(ctx, d, 1, r); !errors.Is(err, context.Canceled) || d.optimiser.step != 0 {
		t.Fatalf("after %d steps: %v", d.optimiser.step, err)
	}
}
