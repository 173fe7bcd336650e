package store

import (
	"slices"
	"testing"
)

func mustSample(t testing.TB, c *Collection, q SampleQuery) *Samples {
	t.Helper()
	s, err := c.Sample(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// shifted moves vectors along every axis.
func shifted(vectors [][]float32, by float32) [][]float32 {
	for _, v := range vectors {
		for j := range v {
			v[j] += by
		}
	}
	return vectors
}

// TestSamplesFollowThePoints replaces all points between draws, and opens the
// database again: samples depend on the points that are there and nothing else.
func TestSamplesFollowThePoints(t *testing.T) {
	db := openDB(t, t.TempDir(), quiet())
	c := create(t, db, vectorConfig())
	mustUpsert(t, c, numbered(curved(31, 400, 8))...)
	mustFit(t, c)
	q := SampleQuery{N: 4, Seed: 3}
	before := mustSample(t, c, q).Vectors
	mustUpsert(t, c, numbered(shifted(curved(32, 400, 8), 3))...)
	after := mustSample(t, c, q).Vectors
	c = collection(t, reopen(t, db, quiet()), "test")
	reopened := mustSample(t, c, q).Vectors
	for i := range q.N {
		if slices.Equal(before[i], after[i]) {
			t.Errorf("sample %d is of points that were replaced", i)
		}
		if !slices.Equal(after[i], reopened[i]) {
			t.Errorf("sample %d changed on opening: %v, %v", i, after[i], reopened[i])
		}
	}
}
