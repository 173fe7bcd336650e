package store

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// ranked is the naive exact answer: ids by falling nearness to a query.
type ranked struct {
	id    ID
	score float64
}

func rankAll(m Metric, query []float32, points []Point, allow func(Point) bool) []ranked {
	var out []ranked
	for _, p := range points {
		if allow == nil || allow(p) {
			out = append(out, ranked{p.ID, trueScore(m, query, p.Vector)})
		}
	}
	slices.SortStableFunc(out, func(a, b ranked) int {
		switch {
		case closer(m, a.score, b.score):
			return -1
		case closer(m, b.score, a.score):
			return 1
		}
		return a.id.Compare(b.id)
	})
	return out
}

// recallOf is the share of the true k nearest among hits; a tie with the k-th
// counts as true.
func recallOf(m Metric, hits []Hit, truth []ranked, k int, score func(Hit) float64) float64 {
	worst := truth[k-1].score
	n := 0
	for _, h := range hits {
		if s := score(h); !closer(m, worst, s) || near(worst, s) {
			n++
		}
	}
	return float64(min(n, k)) / float64(k)
}

// TestRecallTargets asks fresh queries, which no fit saw, for a recall, and
// measures it against the test's own exact scan.
func TestRecallTargets(t *testing.T) {
	c, vectors, _ := sharedVectors(t)
	points := numbered(vectors)
	// curved draws one row after another, so these follow the shared ones.
	queries := curved(1, len(vectors)+200, sharedWidth)[len(vectors):]
	latents := storedLatents(t, c)
	for _, target := range []float64{0.8, 0.9, 0.99} {
		var input, latent float64
		for _, q := range queries {
			res := mustSearch(t, c, Query{Vector: q, Recall: target})
			if res.Info.ExpectedRecall < target {
				t.Fatalf("asked %v, expected %v", target, res.Info.ExpectedRecall)
			}
			input += recallOf(Euclid, res.Hits, rankAll(Euclid, q, points, nil), 10, func(h Hit) float64 { return h.Score })
			_, z, err := c.Encode(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			hits := mustSearch(t, c, Query{Vector: q, Recall: target, Space: SpaceLatent}).Hits
			latent += latentRecall(z[0], hits, latents, c.active.Load().model.CodeStep())
		}
		input, latent = input/float64(len(queries)), latent/float64(len(queries))
		t.Logf("asked %.2f: measured %.4f in input space, %.4f in latent space", target, input, latent)
		if input < target-0.02 || latent < target-0.02 {
			t.Errorf("asked %v: measured %.4f in input space, %.4f in latent space", target, input, latent)
		}
	}
}

// storedLatents encodes every point anew.
func storedLatents(t *testing.T, c *Collection) map[ID][]float32 {
	t.Helper()
	var ids []ID
	var records []any
	for p, err := range c.Scroll(ctx, ScrollQuery{With: With{Vector: true}}) {
		if err != nil {
			t.Fatal(err)
		}
		ids, records = append(ids, p.ID), append(records, p.Vector)
	}
	_, z, err := c.Encode(ctx, records...)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[ID][]float32)
	for i, id := range ids {
		out[id] = z[i]
	}
	return out
}

// latentRecall is recall at 10 between float latents, granting what rounding
// query and point to int8 may move a distance by.
func latentRecall(query []float32, hits []Hit, latents map[ID][]float32, step float32) float64 {
	var all []float64
	for _, z := range latents {
		all = append(all, trueScore(Euclid, query, z))
	}
	slices.Sort(all)
	slack := float64(step) * math.Sqrt(float64(len(query)))
	n := 0
	for _, h := range hits {
		if trueScore(Euclid, query, latents[h.ID]) <= all[9]+slack {
			n++
		}
	}
	return float64(n) / 10
}

// TestScores asks every metric, fitted and not, and compares scores and order
// with the naive scan.
func TestScores(t *testing.T) {
	for _, m := range []Metric{Euclid, Cosine, Dot, Manhattan} {
		t.Run(m.String(), func(t *testing.T) {
			c := create(t, tempDB(t, quiet()), Config{Source: source.Vector{}, Metric: m, Dim: 4})
			points := numbered(curved(21, 250, 8))
			mustUpsert(t, c, points...)
			for _, fitted := range []bool{false, true} {
				if fitted {
					mustFit(t, c)
				}
				for _, exact := range []bool{true, false} {
					query := points[17].Vector
					want := rankAll(m, query, points, nil)
					hits := mustSearch(t, c, Query{Vector: query, Exact: exact, Recall: 1, Space: SpaceInput, Limit: 20}).Hits
					for i, h := range hits {
						if own := trueScore(m, query, points[h.ID.num].Vector); !near(h.Score, own) {
							t.Errorf("fitted %t, exact %t: %s scores %v, want %v", fitted, exact, h.ID, h.Score, own)
						}
						if (exact || !fitted) && !near(h.Score, want[i].score) {
							t.Errorf("fitted %t: hit %d scores %v, want %v", fitted, i, h.Score, want[i].score)
						}
					}
					if m != Dot && !near(hits[0].Score, want[0].score) {
						t.Errorf("fitted %t, exact %t: a point is not nearest to itself: %v", fitted, exact, hits[0])
					}
				}
			}
		})
	}
}

// TestFilteredSearch asks with filters from one point in a thousand to all.
func TestFilteredSearch(t *testing.T) {
	c, vectors, _ := sharedVectors(t)
	points := numbered(vectors)
	lt := func(n float64) *Filter { return &Filter{Must: []Condition{{Key: "n", Range: &Range{LT: &n}}}} }
	for _, test := range []struct {
		filter *Filter
		allow  func(Point) bool
	}{
		{lt(0), func(Point) bool { return false }},
		{lt(2), func(p Point) bool { return p.ID.num < 2 }},
		{lt(15), func(p Point) bool { return p.ID.num < 15 }},
		{lt(200), func(p Point) bool { return p.ID.num < 200 }},
		{&Filter{Must: []Condition{{Key: "mod", Match: &Match{Any: []any{1, 4}}}}}, func(p Point) bool { return p.ID.num%10 == 1 || p.ID.num%10 == 4 }},
		{&Filter{MustNot: []Condition{{Key: "even", Match: &Match{Value: true}}}}, func(p Point) bool { return p.ID.num%2 == 1 }},
		{nil, func(Point) bool { return true }},
	} {
		for _, space := range []Space{SpaceInput, SpaceLatent} {
			want := rankAll(Euclid, vectors[8], points, test.allow)
			res := mustSearch(t, c, Query{Vector: vectors[8], Filter: test.filter, Space: space, Limit: 30})
			if len(res.Hits) != min(30, len(want)) {
				t.Errorf("%s: %d hits of %d that match", space, len(res.Hits), len(want))
			}
			for _, h := range res.Hits {
				if !test.allow(h.Point) {
					t.Errorf("%s: %s does not match", space, h.ID)
				}
			}
			exact := mustSearch(t, c, Query{Vector: vectors[8], Filter: test.filter, Space: SpaceInput, Exact: true, Limit: 30}).Hits
			for i, h := range exact {
				if h.ID != want[i].id || !near(h.Score, want[i].score) {
					t.Errorf("exact hit %d is %s at %v, want %v", i, h.ID, h.Score, want[i])
				}
			}
		}
	}
}

func TestOffsetAndThreshold(t *testing.T) {
	c, vectors, _ := sharedVectors(t)
	q := Query{Vector: vectors[3], Exact: true, Limit: 30}
	all := mustSearch(t, c, q).Hits
	q.Offset, q.Limit = 7, 10
	if part := mustSearch(t, c, q).Hits; fmt.Sprint(part) != fmt.Sprint(all[7:17]) {
		t.Errorf("offset 7: %v, want %v", part, all[7:17])
	}
	threshold := all[12].Score
	for offset, want := range map[int]int{0: 13, 10: 3, 20: 0} {
		hits := mustSearch(t, c, Query{Vector: vectors[3], Exact: true, Limit: 30, Offset: offset, ScoreThreshold: &threshold}).Hits
		if len(hits) != want {
			t.Errorf("offset %d within %v: %d hits, want %d", offset, threshold, len(hits), want)
		}
	}
	if hits := mustSearch(t, c, Query{Vector: vectors[3], Exact: true, Limit: 10, Offset: 1495}).Hits; len(hits) != 5 {
		t.Errorf("past the end: %d hits, want 5", len(hits))
	}
}

func TestSearchByID(t *testing.T) {
	c, vectors, _ := sharedVectors(t)
	for _, space := range []Space{SpaceInput, SpaceLatent} {
		for _, exact := range []bool{true, false} {
			byID := mustSearch(t, c, Query{ID: NumID(5), Space: space, Exact: exact, Limit: 12, Recall: 0.99}).Hits
			if len(byID) != 12 || slices.ContainsFunc(byID, func(h Hit) bool { return h.ID == NumID(5) }) {
				t.Errorf("%s, exact %t: %v", space, exact, byID)
			}
			if !exact {
				continue
			}
			byVector := mustSearch(t, c, Query{Vector: vectors[5], Space: space, Exact: exact, Limit: 13}).Hits
			byVector = slices.DeleteFunc(byVector, func(h Hit) bool { return h.ID == NumID(5) })
			if fmt.Sprint(byID) != fmt.Sprint(byVector) {
				t.Errorf("%s: by id %v, by its vector %v", space, byID, byVector)
			}
		}
	}
}

func TestSearchParts(t *testing.T) {
	c, vectors, _ := sharedVectors(t)
	plain := mustSearch(t, c, Query{Vector: vectors[2], Limit: 1}).Hits[0]
	if plain.Payload == nil || plain.Vector != nil || plain.Record != nil {
		t.Errorf("by default: %v", plain)
	}
	full := mustSearch(t, c, Query{Vector: vectors[2], Limit: 1, OmitPayload: true, WithVector: true}).Hits[0]
	if full.Payload != nil || !slices.Equal(full.Vector, vectors[2]) {
		t.Errorf("with its vector and no payload: %v", full)
	}
	far := make([]float32, sharedWidth)
	for i := range far {
		far[i] = 1000
	}
	if !mustSearch(t, c, Query{Vector: far}).Info.OutOfDistribution {
		t.Error("a vector unlike all others is not called out of distribution")
	}
	if mustSearch(t, c, Query{Vector: vectors[2]}).Info.OutOfDistribution {
		t.Error("a stored vector is called out of distribution")
	}
	told := mustSearch(t, c, Query{Vector: vectors[2], EF: 33, Rerank: 44}).Info
	if told.EF < 33 || told.Rerank != 44 || told.Exact || told.ExpectedRecall <= 0 {
		t.Errorf("as told: %+v", told)
	}
}

// TestEmptyCollections asks collections without points, and with none left.
func TestEmptyCollections(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	ask := func(when string) {
		t.Helper()
		if hits := mustSearch(t, c, Query{Vector: make([]float32, 8)}).Hits; hits == nil || len(hits) != 0 {
			t.Errorf("%s: %v", when, hits)
		}
		if d, err := c.Duplicates(ctx, DuplicateQuery{}); err != nil || len(d.Groups) != 0 {
			t.Errorf("%s: %v, %v", when, d, err)
		}
		if d, err := c.Deduplicate(ctx, DuplicateQuery{}, false); err != nil || d.Removed == nil {
			t.Errorf("%s: %v, %v", when, d, err)
		}
	}
	ask("new")
	mustUpsert(t, c, numbered(curved(2, 50, 8))...)
	mustFit(t, c)
	if res, err := c.Write(ctx, Batch{DeleteWhere: &Filter{}}, false); err != nil || res.Points != 50 {
		t.Fatalf("%+v, %v", res, err)
	}
	ask("emptied")
	if o, err := c.Outliers(ctx, OutlierQuery{}); err != nil || len(o.Outliers) != 0 {
		t.Errorf("outliers of nothing: %v, %v", o, err)
	}
	if _, err := c.ScoreRecords(ctx, make([]float32, 8)); !errors.Is(err, ErrTooFew) {
		t.Errorf("score against nothing: %v", err)
	}
	_, err := c.Sample(ctx, SampleQuery{N: 1})
	refused(t, "sample of nothing", err, "like")
}
