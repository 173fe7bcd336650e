package store

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
)

// topicTexts are texts of a few words, each about one of eight topics.
func topicTexts(seed uint64, n int) []string {
	rng := rand.New(rand.NewPCG(seed, 8))
	out := make([]string, n)
	for i := range out {
		topic := rng.IntN(8)
		var words []string
		for range 8 + rng.IntN(8) {
			if rng.IntN(3) == 0 {
				words = append(words, fmt.Sprintf("common%d", rng.IntN(50)))
			} else {
				words = append(words, fmt.Sprintf("%c%cword%d", 'a'+topic, 'q'-topic, rng.IntN(40)))
			}
		}
		out[i] = strings.Join(words, " ")
	}
	return out
}

func textPoints(texts []string) []Point {
	points := make([]Point, len(texts))
	for i, text := range texts {
		points[i] = Point{ID: NumID(uint64(i)), Record: text, Payload: Payload{"even": i%2 == 0}}
	}
	return points
}

func textCollection(t testing.TB, texts []string) *Collection {
	c := create(t, tempDB(t, quiet()), Config{Source: source.Text{}, Dim: 16})
	mustUpsert(t, c, textPoints(texts)...)
	return c
}

// Before a fit texts are found by their terms alone, and the answer says so.
func TestTextsAreFoundByTermsBeforeAFit(t *testing.T) {
	c := textCollection(t, []string{"the cat sat on the mat", "a dog barked", "stocks fell sharply", "Katzen schlafen"})
	got := mustSearch(t, c, Query{Record: "The CATS sat", Limit: 4})
	if len(got.Hits) != 4 || got.Hits[0].ID != NumID(0) {
		t.Fatalf("hits %v, want all four, the cat first", got.Hits)
	}
	if got.Info.Space != SpaceLexical || got.Info.Engine != engineLexical || !got.Info.Exact {
		t.Errorf("explained as %+v", got.Info)
	}
	if s := got.Hits[0].Score; s <= .2 || s >= 1 || got.Hits[3].Score < 0 {
		t.Errorf("scores %v, want cosines", got.Hits)
	}
	mustUpsert(t, c, Point{ID: NumID(0), Record: "nothing of it"})
	if _, err := c.Delete(t.Context(), NumID(1)); err != nil {
		t.Fatal(err)
	}
	got = mustSearch(t, c, Query{Record: "a dog barked at the cat", Limit: 4})
	for _, h := range got.Hits {
		if h.ID == NumID(1) || h.Score > .5 {
			t.Errorf("found what is gone: %v", got.Hits)
		}
	}
}

func TestSpacesOfTermsAreRefusedWhereThereAreNone(t *testing.T) {
	c, vectors, _ := sharedVectors(t)
	for _, space := range []Space{SpaceLexical, SpaceHybrid} {
		if _, err := c.Search(t.Context(), Query{Vector: vectors[0], Space: space}); err == nil || !strings.Contains(err.Error(), "space") {
			t.Errorf("%s space of vectors: %v", space, err)
		}
	}
	_, err := tempDB(t, quiet()).CreateCollection(t.Context(), "t", Config{Source: source.Text{}, DropOriginals: true})
	if err == nil || !strings.Contains(err.Error(), "keep_originals") {
		t.Errorf("texts that are given up: %v", err)
	}
}

// Hybrid scores are the share of the cosine between latents and the rest of that between
// terms, of all points, whatever found them.
func TestHybridScoresAreBothCosines(t *testing.T) {
	texts := topicTexts(1, 1500)
	c := textCollection(t, texts)
	report := mustFit(t, c)
	if report.Hybrid == nil || len(report.Hybrid.Found) == 0 {
		t.Fatalf("hybrid report %+v", report.Hybrid)
	}
	if r := report.Hybrid; r.LatentShare > 0 && (r.RecallAt10 < .9 || r.RecallAt10 > 1) {
		t.Errorf("hybrid report %+v", r)
	}
	c.active.Load().report.Hybrid.LatentShare = .4
	asked := topicTexts(2, 30)
	records := make([]any, len(texts))
	for i, text := range texts {
		records[i] = text
	}
	_, latents, err := c.Encode(t.Context(), records...)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, text := range asked {
		byTerms := mustSearch(t, c, Query{Record: text, Space: SpaceLexical, Limit: len(texts)})
		want := make(map[ID]float64)
		_, own, err := c.Encode(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range byTerms.Hits {
			want[h.ID] = .4*cosine(own[0], latents[h.ID.num]) + .6*h.Score
		}
		exact := mustSearch(t, c, Query{Record: text, Limit: 10, Exact: true})
		tenth := exact.Hits[9].Score
		better := 0
		for _, score := range want {
			if score > tenth+.01 { // latents are stored as codes
				better++
			}
		}
		if better > 9 {
			t.Errorf("%d points score above the tenth hit's %v", better, tenth)
		}
		usual := mustSearch(t, c, Query{Record: text, Limit: 10})
		if usual.Info.Space != SpaceHybrid || *usual.Info.LatentShare != .4 {
			t.Errorf("explained as %+v", usual.Info)
		}
		for i, h := range usual.Hits {
			if math.Abs(h.Score-want[h.ID]) > .01 {
				t.Errorf("%s scores %v, want %v", h.ID, h.Score, want[h.ID])
			}
			if h.Score >= exact.Hits[9].Score {
				found++
			}
			if i > 0 && h.Score > usual.Hits[i-1].Score {
				t.Errorf("hits are not in order: %v", usual.Hits)
			}
		}
	}
	if share := float64(found) / float64(10*len(asked)); share < .98 {
		t.Errorf("found %v of the nearest by the exact scan", share)
	}
}

func cosine(a, b []float32) float64 {
	var product, x, y float64
	for i := range a {
		product, x, y = product+float64(a[i])*float64(b[i]), x+float64(a[i])*float64(a[i]), y+float64(b[i])*float64(b[i])
	}
	return product / math.Sqrt(x*y)
}

// Filters, offsets and thresholds hold in the spaces of terms as in the others.
func TestHybridSearchHeedsTheQuery(t *testing.T) {
	texts := topicTexts(3, 1200)
	c := textCollection(t, texts)
	mustFit(t, c)
	even := &Filter{Must: []Condition{{Key: "even", Match: &Match{Value: true}}}}
	for _, space := range []Space{SpaceLexical, SpaceHybrid} {
		got := mustSearch(t, c, Query{ID: NumID(4), Space: space, Limit: 20, Filter: even})
		if len(got.Hits) != 20 {
			t.Fatalf("%s: %d hits", space, len(got.Hits))
		}
		for _, h := range got.Hits {
			if h.ID.num%2 != 0 || h.ID == NumID(4) {
				t.Errorf("%s: hit %s under the filter", space, h.ID)
			}
		}
		rest := mustSearch(t, c, Query{ID: NumID(4), Space: space, Limit: 15, Offset: 5, Filter: even})
		if rest.Hits[0].ID != got.Hits[5].ID {
			t.Errorf("%s: offset 5 begins with %s, want %s", space, rest.Hits[0].ID, got.Hits[5].ID)
		}
		limit := got.Hits[9].Score
		above := mustSearch(t, c, Query{ID: NumID(4), Space: space, Limit: 20, Filter: even, ScoreThreshold: &limit})
		if len(above.Hits) != 10 {
			t.Errorf("%s: %d hits score %v or more, want 10", space, len(above.Hits), limit)
		}
	}
}

// A database that is opened again scores as before.
func TestTermsAreThereAgainAfterAnOpen(t *testing.T) {
	db := openDB(t, t.TempDir(), quiet())
	c := create(t, db, Config{Source: source.Text{}, Dim: 8})
	texts := topicTexts(4, 1100)
	mustUpsert(t, c, textPoints(texts)...)
	mustFit(t, c)
	query := Query{Record: texts[3] + " and more", Limit: 10}
	before := mustSearch(t, c, query)
	db = reopen(t, db, quiet())
	after := mustSearch(t, collection(t, db, c.Name()), query)
	for i, h := range before.Hits {
		if after.Hits[i].ID != h.ID || math.Abs(after.Hits[i].Score-h.Score) > 1e-5 {
			t.Fatalf("hit %d was %v, is %v", i, h, after.Hits[i])
		}
	}
}

// Fewer than a thousand texts are searched by their terms also after a fit.
func TestFewTextsStayLexical(t *testing.T) {
	c := textCollection(t, topicTexts(5, 300))
	report := mustFit(t, c)
	if report.Hybrid.LatentShare != 0 || !strings.Contains(report.Hybrid.Reason, "300 points") {
		t.Errorf("hybrid report %+v", report.Hybrid)
	}
	if report.Encoder != string(embed.PCA) {
		t.Errorf("encoder %s", report.Encoder)
	}
	if got := mustSearch(t, c, Query{Record: "common1", Limit: 3}); got.Info.Space != SpaceLexical {
		t.Errorf("explained as %+v", got.Info)
	}
}

func TestFoundHalvesCountsRanks(t *testing.T) {
	cosines := [][]float32{{.9, .1}, {.8, .2}}
	scores := [][]float32{{0, .5}, {.1, .3}}
	if got := foundHalves(cosines, scores, 1); got != .75 {
		t.Errorf("by latents %v, want .75", got)
	}
	if got := foundHalves(cosines, scores, 0); got != .75 {
		t.Errorf("by terms %v, want .75", got)
	}
	if got := foundHalves(cosines, scores, .4); got != .75 {
		t.Errorf("by both %v, want .75", got)
	}
}
