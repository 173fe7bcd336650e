package lexical_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/latentdb/latentdb/index"
	"github.com/latentdb/latentdb/index/lexical"
)

// naive is TF-IDF as the books have it, of documents that are all there.
func naive(docs map[uint32][]lexical.Term, query []lexical.Term) map[uint32]float64 {
	count := make(map[uint32]int)
	for _, terms := range docs {
		for _, t := range terms {
			count[t.ID]++
		}
	}
	vector := func(terms []lexical.Term) (map[uint32]float64, float64) {
		v, square := make(map[uint32]float64), 0.0
		for _, t := range terms {
			idf := math.Log(float64(1+len(docs))/float64(1+count[t.ID])) + 1
			v[t.ID] = idf * float64(t.Weight)
			square += v[t.ID] * v[t.ID]
		}
		return v, math.Sqrt(square)
	}
	q, length := vector(query)
	out := make(map[uint32]float64)
	for slot, terms := range docs {
		d, size := vector(terms)
		out[slot] = 0
		for id, w := range d {
			if length > 0 && size > 0 {
				out[slot] += w * q[id] / length / size
			}
		}
	}
	return out
}

func drawTerms(t *rapid.T, name string) []lexical.Term {
	ids := rapid.SliceOfNDistinct(rapid.Uint32Range(0, 30), 0, 8, rapid.ID[uint32]).Draw(t, name)
	terms := make([]lexical.Term, len(ids))
	for i, id := range ids {
		terms[i] = lexical.Term{ID: id * 2654435761, Weight: float32(rapid.IntRange(1, 255).Draw(t, "steps")) / 32}
	}
	return terms
}

// After any changes a compacted index scores as one does that never saw them, and as the
// definition says.
func TestScoresAreCosinesOfWhatIsThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, docs := lexical.New(), make(map[uint32][]lexical.Term)
		for range rapid.IntRange(0, 60).Draw(t, "changes") {
			slot := rapid.Uint32Range(0, 40).Draw(t, "slot")
			if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
				x.Delete(slot)
				delete(docs, slot)
			} else {
				terms := drawTerms(t, "terms")
				x.Put(lexical.Document{Slot: slot, Terms: terms})
				docs[slot] = terms
			}
		}
		x.Compact()
		query := drawTerms(t, "query")
		scores, want := x.Scores(nil, query), naive(docs, query)
		if x.Len() != len(docs) {
			t.Fatalf("%d documents, want %d", x.Len(), len(docs))
		}
		for slot, score := range scores {
			expected, there := want[uint32(slot)]
			if !there {
				expected = -1
			}
			if math.Abs(float64(score)-expected) > 1e-5 {
				t.Fatalf("slot %d scores %v, want %v", slot, score, expected)
			}
			delete(want, uint32(slot))
		}
		if len(want) > 0 {
			t.Fatalf("slots without a score: %v", want)
		}
	})
}

// Before it is compacted an index counts what was replaced, and nothing else differs: no
// slot is lost, none comes back, and a document is nearest to itself.
func TestChangesShowAtOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, docs := lexical.New(), make(map[uint32][]lexical.Term)
		for range rapid.IntRange(1, 80).Draw(t, "changes") {
			slot := rapid.Uint32Range(0, 20).Draw(t, "slot")
			if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
				x.Delete(slot)
				delete(docs, slot)
				continue
			}
			terms := append(drawTerms(t, "terms"), lexical.Term{ID: 1, Weight: 1})
			x.Put(lexical.Document{Slot: slot, Terms: terms})
			docs[slot] = terms
		}
		for slot, terms := range docs {
			scores := x.Scores(nil, terms)
			if math.Abs(float64(scores[slot])-1) > 1e-3 {
				t.Fatalf("slot %d scores %v for its own terms", slot, scores[slot])
			}
			for other, score := range scores {
				if _, there := docs[uint32(other)]; there != (score >= 0) {
					t.Fatalf("slot %d: score %v, there: %v", other, score, there)
				}
			}
		}
	})
}

func TestNearestHeedsWhatIsAllowed(t *testing.T) {
	scores := []float32{.5, -1, .9, .9, 0}
	got := lexical.Nearest(nil, scores, 3, nil)
	want := []index.Hit{{Slot: 2, Distance: 1 - scores[2]}, {Slot: 3, Distance: 1 - scores[3]}, {Slot: 0, Distance: .5}}
	if len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("nearest %v, want %v", got, want)
	}
	got = lexical.Nearest(nil, scores, 3, index.NewBitmap(0, 1, 4))
	if len(got) != 2 || got[0].Slot != 0 || got[1].Slot != 4 {
		t.Errorf("nearest of those allowed: %v", got)
	}
}

func BenchmarkScores(b *testing.B) {
	x := lexical.New()
	var docs []lexical.Document
	for slot := range uint32(20_000) {
		d := lexical.Document{Slot: slot}
		seen := make(map[uint32]bool)
		for i := range uint32(200) {
			id := ((slot*200 + i) * 2654435761 >> 8) % (1 + i*i*4) // about as skewed as words are
			if !seen[id] {
				seen[id] = true
				d.Terms = append(d.Terms, lexical.Term{ID: id, Weight: 1})
			}
		}
		docs = append(docs, d)
	}
	x.Put(docs...)
	var scores []float32
	b.ReportAllocs()
	for b.Loop() {
		scores = x.Scores(scores, docs[17].Terms)
	}
	b.ReportMetric(float64(x.Bytes())/float64(len(docs)), "B/doc")
}
