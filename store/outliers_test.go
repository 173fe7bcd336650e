package store

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// TestOutliers plants points unlike the others, in two ways, and a filter.
func TestOutliers(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	vectors := curved(41, 400, 8)
	points := numbered(vectors)
	rng := rand.New(rand.NewPCG(4, 1))
	for i := range 4 {
		far := slices.Clone(vectors[i])
		for j := range far {
			far[j] = float32(4 * rng.NormFloat64())
		}
		points = append(points, Point{ID: StringID(string(rune('a' + i))), Vector: far, Payload: Payload{"planted": true}})
	}
	mustUpsert(t, c, points...)
	mustFit(t, c)
	out, err := c.Outliers(ctx, OutlierQuery{Limit: 6})
	if err != nil || len(out.Outliers) != 6 {
		t.Fatalf("%+v, %v", out, err)
	}
	for i, o := range out.Outliers {
		if i < 4 && (o.ID.kind != idString || o.Score < out.SuggestedCut || o.Payload["planted"] != true) {
			t.Errorf("outlier %d is %s at %v, the cut is at %v", i, o.ID, o.Score, out.SuggestedCut)
		}
		if o.Score < 0 || o.Score > 1 || !(o.PValue > 0 && o.PValue <= 1) || i > 0 && o.Score > out.Outliers[i-1].Score {
			t.Errorf("outlier %d: score %v, p %v", i, o.Score, o.PValue)
		}
		var share float64
		for j, p := range o.Parts {
			share += p.Share
			if j > 0 && p.Share > o.Parts[j-1].Share {
				t.Errorf("parts of %s do not fall: %v", o.ID, o.Parts)
			}
		}
		if math.Abs(share-1) > 1e-6 {
			t.Errorf("parts of %s are %v of the whole", o.ID, share)
		}
	}
	plain, err := c.Outliers(ctx, OutlierQuery{Filter: &Filter{MustNot: []Condition{{Key: "planted", Match: &Match{Value: true}}}}})
	if err != nil || len(plain.Outliers) != DefaultLimit || plain.Outliers[0].ID.kind != idNum {
		t.Errorf("%+v, %v", plain, err)
	}
	fresh := curved(41, 405, 8)[404]
	far := make([]float32, 8)
	far[0], far[1] = -40, 40
	scores, err := c.ScoreRecords(ctx, fresh, far)
	if err != nil || len(scores.Scores) != 2 {
		t.Fatalf("%+v, %v", scores, err)
	}
	if s := scores.Scores; s[0].Outlier || !s[1].Outlier || s[1].Score <= s[0].Score || len(s[0].Nearest) == 0 || len(s[1].Parts) == 0 {
		t.Errorf("fresh %+v, far %+v", s[0], s[1])
	}
	// What was counted once is counted again once a point changed.
	if _, err := c.Delete(ctx, StringID("a"), StringID("b"), StringID("c"), StringID("d")); err != nil {
		t.Fatal(err)
	}
	if out, err = c.Outliers(ctx, OutlierQuery{Limit: 1}); err != nil || out.Outliers[0].ID.kind != idNum {
		t.Errorf("%+v, %v", out, err)
	}
}

// TestOutliersNameWhatTheLatentKeeps: a value that no record has may be given
// back well, for a component of its own leads to it; it must be named all the same.
func TestOutliersNameWhatTheLatentKeeps(t *testing.T) {
	c := create(t, tempDB(t, quiet()), Config{Source: source.Table{}, Dim: 3})
	rng := rand.New(rand.NewPCG(6, 1))
	record := func(age float64) map[string]any {
		return map[string]any{"age": age, "fare": 30 + 10*rng.NormFloat64(), "class": 1 + rng.IntN(3), "port": string(rune('a' + rng.IntN(3)))}
	}
	var points []Point
	for i := range 400 {
		points = append(points, Point{ID: NumID(uint64(i)), Record: record(30 + 8*rng.NormFloat64())})
	}
	mustUpsert(t, c, points...)
	mustFit(t, c)
	scores, err := c.ScoreRecords(ctx, record(800))
	if err != nil || scores.Scores[0].Parts[0].Name != "age" {
		t.Errorf("%+v, %v: want parts that begin with the age", scores, err)
	}
}

// TestOutliersPassOverWhatAlwaysDiffers: a column of texts, no two of which are alike, is
// many features that differ, and must not be named before the number that is odd.
func TestOutliersPassOverWhatAlwaysDiffers(t *testing.T) {
	c := create(t, tempDB(t, quiet()), Config{Source: source.Table{Columns: []source.Column{
		{Name: "age", Type: source.NumericColumn}, {Name: "note", Type: source.TextColumn}}}, Dim: 8})
	rng := rand.New(rand.NewPCG(7, 1))
	var points []Point
	for i, note := range topicTexts(7, 400) {
		points = append(points, Point{ID: NumID(uint64(i)), Record: map[string]any{"age": 30 + 8*rng.NormFloat64(), "note": note}})
	}
	mustUpsert(t, c, points...)
	mustFit(t, c)
	for _, note := range topicTexts(8, 20) {
		scores, err := c.ScoreRecords(ctx, map[string]any{"age": 200., "note": note})
		if err != nil {
			t.Fatal(err)
		}
		if first := scores.Scores[0].Parts[0]; first.Name != "age" {
			t.Errorf("%q is named first, with %.2f of %+v", first.Name, first.Share, scores.Scores[0].Parts)
		}
	}
}

// Ranks grow with the value, wherever it lies, and stay within 0 and 1.
func TestRankGrows(t *testing.T) {
	sorted := []float64{1, 1, 2, 5, 5, 5, 9}
	last := -1.
	for v := -20.; v < 40; v += .125 {
		at := rankIn(sorted, v)
		if at <= last || at < 0 || at > 1 {
			t.Fatalf("%v ranks %v, what is less %v", v, at, last)
		}
		last = at
	}
	if at := rankIn(sorted, 5); at != 4.5/7 {
		t.Errorf("the middle of equal values ranks %v", at)
	}
}

// A table of few values has many copies, and no distance but 0 and 1: what is far from all
// of them is strange.
func TestStrangeAmongCopies(t *testing.T) {
	c := create(t, tempDB(t, quiet()), Config{Source: source.Table{}})
	points := make([]Point, 120)
	for i := range points {
		points[i] = Point{ID: NumID(uint64(i)), Record: map[string]any{"a": i % 7, "b": i % 5}}
	}
	mustUpsert(t, c, points...)
	got, err := c.ScoreRecords(ctx, map[string]any{"a": 3, "b": 2}, map[string]any{"a": 1e30, "b": 2})
	if err != nil {
		t.Fatal(err)
	}
	if usual, far := got.Scores[0], got.Scores[1]; usual.Outlier || !far.Outlier || far.Score <= got.SuggestedCut {
		t.Errorf("cut %v: usual %+v, far %+v", got.SuggestedCut, usual, far)
	}
}
