package store

import (
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// TestDriftStartsAnew gathers errors under a coarse model and goes back to a fine
// one, by which they would be a drift.
func TestDriftStartsAnew(t *testing.T) {
	cfg := Config{Source: source.Vector{}, Encoder: "pca", AutoFit: AutoFit{MinPoints: 1_000_000}}
	c := create(t, tempDB(t, &Options{Workers: 2}), cfg)
	points := numbered(curved(51, 800, 16))
	mustUpsert(t, c, points[:400]...)
	for _, dim := range []int{1, 15} {
		if _, err := c.Fit(ctx, &FitOptions{Dim: dim}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Activate(ctx, 1); err != nil {
		t.Fatal(err)
	}
	for _, p := range points[400 : 400+driftMinimum+10] { // one point a batch: each is measured
		mustUpsert(t, c, p)
	}
	if err := c.Activate(ctx, 2); err != nil {
		t.Fatal(err)
	}
	mustUpsert(t, c, points[799])
	if s, err := c.WaitFit(ctx); err != nil || s.Generation != 2 {
		t.Errorf("%+v, %v: a fit began by itself", s, err)
	}
	if n := c.active.Load().number; n != 2 {
		t.Errorf("generation %d is active, want 2", n)
	}
}
