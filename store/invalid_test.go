package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// refused expects ErrInvalid whose text names a field.
func refused(t *testing.T, what string, err error, field string) {
	t.Helper()
	var invalid *InvalidError
	switch {
	case !errors.Is(err, ErrInvalid) || !errors.As(err, &invalid):
		t.Errorf("%s: %v, want ErrInvalid", what, err)
	case !strings.Contains(invalid.Error(), field):
		t.Errorf("%s: %q does not name %q", what, invalid, field)
	}
}

// unchanged runs f and expects the collection to be as it was.
func unchanged(t *testing.T, c *Collection, f func()) {
	t.Helper()
	state := func() string {
		out := fmt.Sprintf("%+v %d", c.Config(), c.published.Load())
		for p, err := range c.Scroll(ctx, ScrollQuery{With: With{Payload: true, Record: true, Vector: true}}) {
			if err != nil {
				t.Fatal(err)
			}
			out += fmt.Sprintf(" %v", p)
		}
		return out
	}
	before := state()
	f()
	if after := state(); after != before {
		t.Errorf("the collection changed:\n%.300s\n%.300s", before, after)
	}
}

func TestBadPoints(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	ok := []float32{1, 2}
	bad := []struct {
		name   string
		points []Point
		field  string
	}{
		{"dimension", []Point{{ID: NumID(1), Vector: []float32{1}}}, "points[0].vector"},
		{"empty vector", []Point{{ID: NumID(1), Vector: []float32{}}}, "points[0].vector"},
		{"NaN", []Point{{ID: NumID(5), Vector: ok}, {ID: NumID(1), Vector: []float32{1, nan}}}, "points[1].vector"},
		{"Inf", []Point{{ID: NumID(1), Vector: []float32{inf, 1}}}, "points[0].vector"},
		{"no id", []Point{{Vector: ok}}, "points[0].id"},
		{"empty id", []Point{{ID: StringID(""), Vector: ok}}, "points[0].id"},
		{"long id", []Point{{ID: StringID(strings.Repeat("x", MaxIDBytes+1)), Vector: ok}}, "points[0].id"},
		{"id not UTF-8", []Point{{ID: StringID("\xff"), Vector: ok}}, "points[0].id"},
		{"both", []Point{{ID: NumID(1), Vector: ok, Record: ok}}, "points[0]"},
		{"neither", []Point{{ID: NumID(1)}}, "points[0]"},
		{"text for a vector", []Point{{ID: NumID(1), Record: "text"}}, "points[0].record"},
		{"payload", []Point{{ID: NumID(1), Vector: ok, Payload: Payload{"x": math.NaN()}}}, "points[0].payload"},
		{"payload channel", []Point{{ID: NumID(1), Vector: ok, Payload: Payload{"x": make(chan int)}}}, "points[0].payload"},
		{"payload key", []Point{{ID: NumID(1), Vector: ok, Payload: Payload{"\xff": 1, "\xfe": 2}}}, `points[0].payload: "\xfe"`},
		{"payload text", []Point{{ID: NumID(1), Vector: ok, Payload: Payload{"a": "ok", "b": map[string]any{"c": []any{1, "x\xff"}}}}}, `points[0].payload.b.c[1]: "x\xff"`},
		{"payload strings", []Point{{ID: NumID(1), Vector: ok, Payload: Payload{"a": []string{"\xff"}}}}, "points[0].payload.a[0]"},
		{"payload struct", []Point{{ID: NumID(1), Vector: ok, Payload: Payload{"a": &struct{ B string }{"\xff"}}}}, "points[0].payload.a.B"},
		{"payload of raw JSON", []Point{{ID: NumID(1), Vector: ok, Payload: Payload{"a": json.RawMessage("\"\xff\"")}}}, "points[0].payload"},
		{"deep payload", []Point{{ID: NumID(1), Vector: ok, Payload: deepPayload(100)}}, "points[0].payload"},
		{"bad one that a later one would replace", []Point{{ID: NumID(1), Vector: []float32{1}}, {ID: NumID(1), Vector: ok}}, "points[0].vector"},
		{"too many", make([]Point, MaxBatchPoints+1), "points"},
	}
	for _, stage := range []string{"empty", "unfitted", "fitted"} {
		c := create(t, tempDB(t, quiet()), Config{Source: source.Vector{Size: 2}, Dim: 1})
		if stage != "empty" {
			mustUpsert(t, c, numbered(curved(2, 30, 2))...)
		}
		if stage == "fitted" {
			mustFit(t, c)
		}
		unchanged(t, c, func() {
			for _, b := range bad {
				refused(t, stage+": "+b.name, c.Upsert(ctx, b.points...), b.field)
			}
			_, err := c.Delete(ctx, ID{})
			refused(t, stage+": delete", err, "points[0]")
			_, err = c.Write(ctx, Batch{Payloads: []PayloadChange{{Op: "replace"}}}, false)
			refused(t, stage+": operation", err, "op")
			_, err = c.Write(ctx, Batch{Payloads: []PayloadChange{{Op: PayloadSet, Payload: Payload{"x": math.Inf(1)}}}}, false)
			refused(t, stage+": payload operation", err, "payload")
			_, err = c.Write(ctx, Batch{Payloads: []PayloadChange{{Op: PayloadSet, Payload: Payload{"x": "\xff"}}}}, false)
			refused(t, stage+": payload text", err, "payload.x")
			_, err = c.Write(ctx, Batch{Payloads: []PayloadChange{{Op: PayloadSet, IDs: []ID{{}}}}}, false)
			refused(t, stage+": id of a payload operation", err, "points[0]")
		})
	}
}

func deepPayload(depth int) Payload {
	p := Payload{}
	for range depth {
		p = Payload{"x": map[string]any(p)}
	}
	return p
}

// TestRefusedBatchDecidesNothing refuses the very first batch, which must not
// decide the size that later ones have.
func TestRefusedBatchDecidesNothing(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	unchanged(t, c, func() {
		refused(t, "no id", c.Upsert(ctx, Point{ID: NumID(1), Vector: make([]float32, 7)}, Point{Vector: make([]float32, 7)}), "points[1].id")
		refused(t, "mixed sizes", c.Upsert(ctx, Point{ID: NumID(1), Vector: []float32{1, 2, 3}}, Point{ID: NumID(2), Vector: []float32{1}}), "points[1]")
	})
	mustUpsert(t, c, Point{ID: NumID(1), Vector: make([]float32, 5)})
}

func TestBadTables(t *testing.T) {
	cfg := Config{Source: source.Table{Columns: []source.Column{
		{Name: "size", Type: source.NumericColumn}, {Name: "colour", Type: source.CategoricalColumn, Levels: []string{"red", "blue"}},
	}}}
	c := create(t, tempDB(t, quiet()), cfg)
	mustUpsert(t, c, Point{ID: NumID(1), Record: map[string]any{"size": 1, "colour": "red"}})
	unchanged(t, c, func() {
		for name, test := range map[string]struct {
			record any
			names  string
		}{
			"unknown column": {map[string]any{"size": 1, "weight": 2}, "weight"},
			"unknown level":  {map[string]any{"size": 1, "colour": "green"}, "green"},
			"not a number":   {map[string]any{"size": "big"}, "size"},
			"NaN":            {map[string]any{"size": math.NaN()}, "size"},
			"nested":         {map[string]any{"size": map[string]any{"x": 1}}, "size.x"},
			"not a table":    {[]byte("x"), "points[0].record"},
		} {
			refused(t, name, c.Upsert(ctx, Point{ID: NumID(2), Record: test.record}), test.names)
		}
		refused(t, "vector", c.Upsert(ctx, Point{ID: NumID(2), Vector: []float32{1, 2}}), "points[0].vector")
	})
}

func TestBadImages(t *testing.T) {
	c := create(t, tempDB(t, quiet()), Config{Source: source.Image{Width: 4, Height: 4}})
	var good bytes.Buffer
	if err := png.Encode(&good, image.NewGray(image.Rect(0, 0, 4, 4))); err != nil {
		t.Fatal(err)
	}
	for range 2 { // before the first image and after it
		unchanged(t, c, func() {
			for name, record := range map[string]any{
				"empty": []byte{}, "text": []byte("no image"), "cut short": good.Bytes()[:good.Len()/2],
				"nil pointer": (*image.Gray)(nil), "no pixels": &image.Gray{Rect: image.Rect(0, 0, 4, 4)},
				"not base64": "***", "map": map[string]any{},
			} {
				refused(t, name, c.Upsert(ctx, Point{ID: NumID(2), Record: record}), "points")
			}
		})
		mustUpsert(t, c, Point{ID: NumID(1), Record: good.Bytes()})
		_, err := c.Search(ctx, Query{Record: (*image.Gray)(nil)})
		refused(t, "nil query", err, "query")
	}
}

func TestBadQueries(t *testing.T) {
	c, vectors, _ := sharedVectors(t)
	v := vectors[0]
	nan := math.NaN()
	for name, test := range map[string]struct {
		q     Query
		field string
	}{
		"nothing":          {Query{}, "query"},
		"two":              {Query{Vector: v, ID: NumID(1)}, "query"},
		"dimension":        {Query{Vector: v[:3]}, "query"},
		"NaN":              {Query{Vector: append([]float32{float32(nan)}, v[1:]...)}, "query"},
		"wrong record":     {Query{Record: "text"}, "query"},
		"limit":            {Query{Vector: v, Limit: MaxLimit + 1}, "limit"},
		"negative limit":   {Query{Vector: v, Limit: -1}, "limit"},
		"offset":           {Query{Vector: v, Offset: MaxLimit}, "offset"},
		"huge offset":      {Query{Vector: v, Offset: math.MaxInt}, "offset"},
		"negative offset":  {Query{Vector: v, Offset: -1}, "offset"},
		"recall":           {Query{Vector: v, Recall: 1.01}, "recall"},
		"negative recall":  {Query{Vector: v, Recall: -1}, "recall"},
		"NaN recall":       {Query{Vector: v, Recall: nan}, "recall"},
		"ef":               {Query{Vector: v, EF: maxSearchWidth + 1}, "hnsw_ef"},
		"negative ef":      {Query{Vector: v, EF: -1}, "hnsw_ef"},
		"rerank":           {Query{Vector: v, Rerank: maxSearchWidth + 1}, "rerank"},
		"negative rerank":  {Query{Vector: v, Rerank: -5}, "rerank"},
		"space":            {Query{Vector: v, Space: "outer"}, "space"},
		"score threshold":  {Query{Vector: v, ScoreThreshold: &nan}, "score_threshold"},
		"threshold and ef": {Query{Vector: v, EF: 5, ScoreThreshold: &nan}, "score_threshold"},
	} {
		_, err := c.Search(ctx, test.q)
		refused(t, name, err, test.field)
	}
	if _, err := c.Search(ctx, Query{ID: StringID("nobody")}); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown id: %v", err)
	}
}

func TestBadCalls(t *testing.T) {
	c, vectors, _ := sharedVectors(t)
	minus := -1.0
	errs := map[string]error{}
	_, errs["n"] = c.Sample(ctx, SampleQuery{})
	_, errs["limit"] = c.Outliers(ctx, OutlierQuery{Limit: MaxLimit + 1})
	_, errs["threshold"] = c.Duplicates(ctx, DuplicateQuery{Threshold: &minus})
	_, errs["keep"] = c.Duplicates(ctx, DuplicateQuery{Keep: "best"})
	_, _, errs["records[1]"] = c.Encode(ctx, vectors[0], vectors[0][:2])
	_, _, errs["latents[0]"] = c.Decode(ctx, []float32{1})
	_, errs["records[0]"] = c.ReconstructRecords(ctx, "text")
	_, errs["records"] = c.ScoreRecords(ctx, make([]any, MaxCallRecords+1)...)
	_, errs["ids"] = c.Reconstruct(ctx, make([]ID, MaxCallRecords+1)...)
	_, errs["like"] = c.Sample(ctx, SampleQuery{N: 1, IDs: []ID{NumID(1)}})
	_, errs["dim"] = c.Fit(ctx, &FitOptions{Dim: MaxDim + 1})
	_, errs["epochs"] = c.Fit(ctx, &FitOptions{Epochs: -1})
	_, errs["encoder"] = c.Fit(ctx, &FitOptions{Encoder: "wide"})
	for field, err := range errs {
		refused(t, field, err, field)
	}
	if _, err := c.Reconstruct(ctx, NumID(1_000_000)); !errors.Is(err, ErrNotFound) {
		t.Errorf("reconstruct an unknown id: %v", err)
	}
}

func TestBadConfigs(t *testing.T) {
	db := tempDB(t, quiet())
	vector := source.Vector{Size: 4}
	for field, cfg := range map[string]Config{
		"source": {}, "distance": {Source: vector, Metric: 99}, "dim": {Source: vector, Dim: -1}, "encoder": {Source: vector, Encoder: "wide"},
		"engine": {Source: vector, Engine: "faiss"}, "recall": {Source: vector, Recall: 2}, "min_points": {Source: vector, AutoFit: AutoFit{MinPoints: 1}},
		"drift": {Source: vector, AutoFit: AutoFit{Drift: math.Inf(1)}}, "m": {Source: vector, M: 1}, "ef_construct": {Source: vector, EfConstruct: 3},
		"Euclid": {Source: source.Table{}, Metric: Cosine}, "65536": {Source: source.Vector{Size: 1 << 20}},
	} {
		_, err := db.CreateCollection(ctx, "test", cfg)
		refused(t, field, err, field)
	}
	for name, spec := range map[string]source.Spec{"pointer": (*source.Vector)(nil), "stranger": struct{ source.Vector }{vector}} {
		_, err := db.CreateCollection(ctx, name, Config{Source: spec})
		refused(t, name, err, "source")
	}
	for _, name := range []string{"", ".", "..", "a/b", `a\b`, "a\x00", "\xff", strings.Repeat("n", MaxNameBytes+1)} {
		_, err := db.CreateCollection(ctx, name, Config{Source: vector})
		refused(t, fmt.Sprintf("name %q", name), err, "collection")
	}
	if n := db.Collections(); len(n) != 0 {
		t.Errorf("collections %v", n)
	}
	if _, err := db.CreateCollection(ctx, "M alone", Config{Source: vector, M: 256}); err != nil {
		t.Error(err)
	}
	pointer, err := db.CreateCollection(ctx, "pointer", Config{Source: &vector, Metric: Cosine})
	if err != nil || pointer.Config().Source != (source.Vector{Size: 4, Unit: true}) || vector.Unit {
		t.Errorf("a pointer to a spec: %v, %+v", err, vector)
	}
	if _, err := db.CreateCollection(ctx, "M alone", Config{Source: vector}); !errors.Is(err, ErrExists) {
		t.Error(err)
	}
	if err := db.DropCollection(ctx, "nobody"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

func TestTooLittleToLearnFrom(t *testing.T) {
	same := make([][]float32, 50)
	for i := range same {
		same[i] = []float32{1, 2, 3}
	}
	for name, vectors := range map[string][][]float32{"none": nil, "one": same[:1], "two": curved(1, 2, 3), "identical": same} {
		c := create(t, tempDB(t, quiet()), vectorConfig())
		if len(vectors) > 0 {
			mustUpsert(t, c, numbered(vectors)...)
		}
		_, err := c.Fit(ctx, nil)
		if !errors.Is(err, ErrTooFew) {
			t.Errorf("%s: %v, want ErrTooFew", name, err)
		} else if name == "identical" && !strings.Contains(err.Error(), "identical") {
			t.Errorf("%s: %q does not say so", name, err)
		}
		if _, err := c.Quality(); !errors.Is(err, ErrNotFitted) {
			t.Errorf("%s: %v, want ErrNotFitted", name, err)
		}
	}
}

// TestExtremeVectors stores the longest and the shortest vectors there may be:
// every score is a number. Longer ones are refused.
func TestExtremeVectors(t *testing.T) {
	for _, m := range []Metric{Euclid, Cosine, Dot, Manhattan} {
		c := create(t, tempDB(t, quiet()), Config{Source: source.Vector{}, Metric: m, Dim: 1})
		mustUpsert(t, c,
			Point{ID: NumID(1), Vector: []float32{7e17, -7e17}},
			Point{ID: NumID(2), Vector: []float32{0, 0}},
			Point{ID: NumID(3), Vector: []float32{math.SmallestNonzeroFloat32, 0}},
			Point{ID: NumID(4), Vector: []float32{1, -1}},
			Point{ID: NumID(5), Vector: []float32{1e18, 0}})
		unchanged(t, c, func() {
			refused(t, m.String(), c.Upsert(ctx, Point{ID: NumID(1), Vector: []float32{1e18, 1e18}}), "1e+18")
			_, err := c.Search(ctx, Query{Vector: []float32{3e38, 0}})
			refused(t, m.String(), err, "1e+18")
		})
		for range 2 {
			for _, space := range []Space{SpaceInput, SpaceLatent} {
				for _, v := range [][]float32{{-1e18, 0}, {7e17, 7e17}, {0, 0}, {1, 1}} {
					hits := mustSearch(t, c, Query{Vector: v, Space: space}).Hits
					if len(hits) != 5 {
						t.Errorf("%s: %d hits of %v", m, len(hits), v)
					}
					for _, h := range hits {
						if math.IsInf(h.Score, 0) || math.IsNaN(h.Score) {
							t.Errorf("%s: id %s scores %v for %v", m, h.ID, h.Score, v)
						}
					}
				}
			}
			mustFit(t, c)
		}
	}
}
