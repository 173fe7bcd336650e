package store

import (
	"math"
	"testing"

	"github.com/latentdb/latentdb/index"
)

// TestRowsHalf compares rows of two bytes a value with whole ones.
func TestRowsHalf(t *testing.T) {
	for kind, vectors := range inForms(800, 12) {
		var whole [][]Hit
		var bytes float64
		for _, place := range []string{RowsMemory, RowsHalf} {
			c := create(t, tempDB(t, quiet()), rowsConfig(place, Euclid))
			mustUpsert(t, c, numbered(vectors[:700])...)
			report := mustFit(t, c)
			same := 0
			for q, v := range vectors[700:] {
				hits, err := c.Search(ctx, Query{Vector: v, Rerank: 50, OmitPayload: true})
				if err != nil || len(hits) != 10 {
					t.Fatal(hits, err)
				}
				if place == RowsMemory {
					whole = append(whole, hits)
					continue
				}
				for i, h := range hits {
					if h.ID == whole[q][i].ID {
						same++
					}
					if want := whole[q][i].Score; math.Abs(h.Score-want) > 2e-3*(1+want) {
						t.Errorf("%s: hit %d scores %v, by whole rows %v", kind, i, h.Score, want)
					}
				}
			}
			switch {
			case place == RowsMemory:
				bytes = report.BytesPerPoint.RAM
			case same < 990:
				t.Errorf("%s: %d of 1,000 hits are those of whole rows", kind, same)
			case kind == index.RowFloat32 && report.BytesPerPoint.RAM > bytes-20:
				t.Errorf("%s: %v bytes a point, whole %v", kind, report.BytesPerPoint.RAM, bytes)
			}
		}
	}
}

// TestRowsHalfOfAnyRange keeps vectors far from zero, or very small, in two bytes a
// value; the exact scan is exact all the same.
func TestRowsHalfOfAnyRange(t *testing.T) {
	for name, change := range map[string]func(x float32) float32{
		"small": func(x float32) float32 { return x * 1e-9 }, "far": func(x float32) float32 { return 1000 + x },
	} {
		vectors := curved(33, 700, 12)
		for _, v := range vectors {
			for j := range v {
				v[j] = change(v[j])
			}
		}
		c := create(t, tempDB(t, quiet()), rowsConfig(RowsHalf, Euclid))
		mustUpsert(t, c, numbered(vectors[:600])...)
		mustFit(t, c)
		found := 0
		for _, v := range vectors[600:] {
			want, err := c.Search(ctx, Query{Vector: v, Exact: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range want {
				if score := trueScore(Euclid, v, vectors[h.ID.num]); math.Abs(h.Score-score) > 1e-5*score {
					t.Fatalf("%s: the exact scan scores %v, not %v", name, h.Score, score)
				}
			}
			hits, err := c.Search(ctx, Query{Vector: v, Rerank: 60, OmitPayload: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range hits {
				for _, w := range want {
					if h.ID == w.ID {
						found++
					}
				}
			}
		}
		if found < 950 {
			t.Errorf("%s: %d of 1,000 true neighbours", name, found)
		}
	}
}

// TestExactScanBesideOffGridRows has one row that cannot be kept like the others,
// which the exact scan must find without reading all records.
func TestExactScanBesideOffGridRows(t *testing.T) {
	vectors := curved(34, 400, 6)
	for _, v := range vectors {
		v[0] = 3
	}
	c := create(t, tempDB(t, quiet()), rowsConfig(RowsMemory, Euclid))
	mustUpsert(t, c, numbered(vectors)...)
	mustFit(t, c)
	odd := []float32{4, 9, 9, 9, 9, 9}
	mustUpsert(t, c, Point{ID: NumID(7), Vector: odd})
	for _, filter := range []*Filter{nil, {Must: []Condition{{HasID: []ID{NumID(7), NumID(8)}}}}} {
		q := Query{Vector: odd, Exact: true, Filter: filter, Limit: 2}
		hits, err := c.Search(ctx, q)
		if err != nil || len(hits) != 2 || hits[0].ID != NumID(7) || hits[0].Score != 0 {
			t.Fatalf("%v, %v", hits, err)
		}
		s := &search{memory: new(searchMemory), c: c, q: q.withDefaults(c.Config()), gen: c.active.Load(), shown: c.showing.Load(), row: odd}
		if done, err := s.scanKept(index.NewTopK(2)); !done || err != nil {
			t.Fatalf("not by the rows that are kept: %v", err)
		}
	}
	if _, err := c.Delete(ctx, NumID(7)); err != nil {
		t.Fatal(err)
	}
	if _, off := c.active.Load().offGrid.hits(nil); off != 0 {
		t.Fatalf("%d slots noted of points that are gone", off)
	}
}

// TestRowsAfterTheFit leaves rows that would take much memory for after a fit.
func TestRowsAfterTheFit(t *testing.T) {
	vectors := curved(35, 600, 8)
	fitted := func() (*Collection, float64) {
		c := create(t, tempDB(t, quiet()), rowsConfig(RowsMemory, Euclid))
		mustUpsert(t, c, numbered(vectors[:500])...)
		return c, mustFit(t, c).BytesPerPoint.RAM
	}
	_, want := fitted()
	defer func(before float64) { maxFitRows = before }(maxFitRows)
	maxFitRows = 1000
	c, got := fitted()
	if math.Abs(got-want) > 1 { // what the pages' own fields take
		t.Errorf("reports %v bytes a point, where rows came during the fit %v", got, want)
	}
	mustUpsert(t, c, Point{ID: NumID(3), Vector: vectors[550]})
	filled(t, c)
	if n := keptRows(c); n != 500 {
		t.Fatalf("%d of 500 rows are kept", n)
	}
	hits, err := c.Search(ctx, Query{Vector: vectors[550], Limit: 1, OmitPayload: true})
	if err != nil || hits[0].ID != NumID(3) || hits[0].Score != 0 {
		t.Fatal(hits, err)
	}
}
