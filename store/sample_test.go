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

// TestPrivacyIsOfTheFit replaces training and held-out records by others, in
// place and in their slots: no figure is of records that the fit never saw.
func TestPrivacyIsOfTheFit(t *testing.T) {
	db := openDB(t, t.TempDir(), quiet())
	c := create(t, db, vectorConfig())
	vectors := curved(33, 400, 8)
	mustUpsert(t, c, numbered(vectors)...)
	mustFit(t, c)
	q := SampleQuery{N: 49, Seed: 3} // 49 times 1/49 is not 1 in float64
	whole := mustSample(t, c, q).Privacy
	if whole.Compared == 0 || !(whole.ClosestTrain > 0) || !(whole.ClosestHeldOut > 0) {
		t.Fatalf("%+v", whole)
	}
	far := numbered(shifted(curved(34, 400, 8), 100))
	mustUpsert(t, c, far[:200]...) // in place
	half := mustSample(t, c, q).Privacy
	if half.Compared == 0 || half.Compared >= whole.Compared || half.ClosestTrain > 20 || half.ClosestHeldOut > 20 {
		t.Errorf("half of them left: %+v, of all %+v", half, whole)
	}
	for i := range far {
		if _, err := c.Delete(ctx, NumID(uint64(i))); err != nil {
			t.Fatal(err)
		}
		mustUpsert(t, c, Point{ID: NumID(uint64(1000 + i)), Vector: far[i].Vector}) // in its slot
	}
	for _, when := range []string{"written", "reopened"} {
		if p := mustSample(t, c, q).Privacy; p != (Privacy{}) {
			t.Errorf("none left, %s: %+v", when, p)
		}
		db = reopen(t, db, quiet())
		c = collection(t, db, "test")
	}
}

// TestShareIsExact has samples all closer to training records: held-out ones lie
// far off, in slots that the figures are told are the fit's.
func TestShareIsExact(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	mustUpsert(t, c, numbered(curved(35, 400, 8))...)
	mustFit(t, c)
	gen := c.active.Load()
	far := shifted(curved(36, len(gen.stats.HeldOut), 8), 100)
	for i, slot := range gen.stats.HeldOut {
		mustUpsert(t, c, Point{ID: NumID(uint64(slot)), Vector: far[i]}) // ids and slots count alike
	}
	gen.stats.Seq = c.published.Load()
	near := &Filter{Must: []Condition{{Key: "even", Match: &Match{Value: true}}}}
	for n := 1; n < 60; n++ {
		if p := mustSample(t, c, SampleQuery{N: n, Filter: near}).Privacy; p.ShareCloserToTrain != 1 {
			t.Fatalf("%d samples: %+v", n, p)
		}
	}
}
