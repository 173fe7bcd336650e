package embed

import (
	"bytes"
	"runtime"
	"testing"
)

// TestSameSeedSameWeights: neither workers nor processors change a byte.
func TestSameSeedSameWeights(t *testing.T) {
	for name, layout := range map[string]Layout{"numeric": NumericLayout(9), "mixed": mixedLayout} {
		rows := mixed(newRand(1), 700) // 70 held out, batches of 64: products large enough to be shared out
		cfg := Config{Encoder: Deep, Dim: 3, Epochs: 3, Seed: 9}
		first := mustTrain(t, layout, rows, cfg)
		want := mustMarshal(t, first.Model)

		cfg.Workers = 2
		if got := mustTrain(t, layout, rows, cfg); !bytes.Equal(mustMarshal(t, got.Model), want) || got.Learned != first.Learned || got.Int8 != first.Int8 {
			t.Errorf("%s: two workers change the result", name)
		}
		cfg.Workers = 5
		before := runtime.GOMAXPROCS(1)
		got := mustTrain(t, layout, rows, cfg)
		runtime.GOMAXPROCS(before)
		if !bytes.Equal(mustMarshal(t, got.Model), want) {
			t.Errorf("%s: five workers on one processor change the result", name)
		}
		cfg.Seed = 10
		if bytes.Equal(mustMarshal(t, mustTrain(t, layout, rows, cfg).Model), want) {
			t.Errorf("%s: another seed changes nothing", name)
		}
	}
}
