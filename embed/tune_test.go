package embed

import (
	"errors"
	"testing"
)

// TestTrainGoesOnFromAModel: new rows like the old ones are learned better from
// what is known already than from PCA in as few epochs.
func TestTrainGoesOnFromAModel(t *testing.T) {
	layout := NumericLayout(8)
	all := manifold(newRand(3), 6000, 8)
	first := mustTrain(t, layout, rowsOf(all, 0, 3000), Config{Encoder: Deep, Dim: 2, Epochs: 30})
	more := rowsOf(all, 3000, 6000)
	anew := mustTrain(t, layout, more, Config{Encoder: Deep, Dim: 2, Epochs: 3})
	tuned := mustTrain(t, layout, more, Config{From: first.Model, Epochs: 3})
	if tuned.Learned.MSE >= anew.Learned.MSE {
		t.Errorf("error %v going on, %v anew", tuned.Learned.MSE, anew.Learned.MSE)
	}
	if m := tuned.Model; m.Encoder() != Deep || m.Dim() != 2 {
		t.Errorf("%s of %d: %s", m.Encoder(), m.Dim(), m.Settings().Reason)
	}
	checkNeverLoses(t, tuned)
	before, err := first.Model.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	mustTrain(t, layout, more, Config{From: first.Model, Epochs: 1})
	if after, err := first.Model.MarshalBinary(); err != nil || string(after) != string(before) {
		t.Errorf("the model that training went on from has changed: %v", err)
	}
}

func TestTrainRefusesToGoOn(t *testing.T) {
	rows := manifold(newRand(3), 300, 8)
	layout := NumericLayout(8)
	deep := mustTrain(t, layout, manifold(newRand(3), 1200, 8), Config{Encoder: Deep, Dim: 2, Epochs: 10}).Model
	linear := mustTrain(t, layout, rows, Config{Encoder: PCA, Dim: 2}).Model
	for name, c := range map[string]struct {
		layout Layout
		cfg    Config
	}{
		"PCA":             {layout, Config{From: linear}},
		"another size":    {layout, Config{From: deep, Dim: 3}},
		"another encoder": {layout, Config{From: deep, Encoder: Linear}},
		"another layout":  {Layout{{Kind: Numeric, Width: 4}, {Kind: Binary, Width: 4}}, Config{From: deep}},
	} {
		if _, err := Train(t.Context(), c.layout, rows, c.cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
