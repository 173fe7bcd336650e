package main

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestCostsAreFoundAgain: from times that they make, and none below 0 where one was.
func TestCostsAreFoundAgain(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	want := costConstants{5, 0, .003, .00002, .05, .001, .00002, .0007, .00002, .02, .001, .05, .0001}
	settings := make([]*costed, 0, 300)
	for range 300 {
		s := &costed{}
		for i := range s.terms {
			s.terms[i] = math.Exp(2*rng.NormFloat64()) / max(want[i], .001)
		}
		s.terms[0] = 1
		s.took = []float64{want.of(s.terms) - 1e-6*s.terms[1]}
		settings = append(settings, s)
	}
	got := fitCosts(settings)
	for i, c := range got {
		if c < 0 || math.Abs(c-want[i]) > .02*want[i]+1e-5 {
			t.Errorf("%s is %v, not %v", costTerms[i], c, want[i])
		}
	}
	for _, s := range settings {
		s.expected = 3 * s.took[0]
	}
	if e := costError(settings[:100], settings[100:], func(s *costed) float64 { return s.expected }); e > 1e-9 {
		t.Errorf("error of a model that is off by a factor: %v", e)
	}
	if e := costError(settings[:100], settings[100:], func(*costed) float64 { return 1 }); e < .3 {
		t.Errorf("error of a constant: %v", e)
	}
}
