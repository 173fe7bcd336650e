package store

import (
	"bytes"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

const strokeSide = 16

// stroke is a picture of a bright bar: its kind is the bar's direction, and where it
// lies, how bright it and its ground are is chance.
func stroke(rng *rand.Rand, kind int) []byte {
	angle := float64(kind)*math.Pi/4 + 0.2*rng.Float64()
	dx, dy := math.Cos(angle), math.Sin(angle)
	cx, cy := 5+6*rng.Float64(), 5+6*rng.Float64()
	ground, light := 100*rng.Float64(), 60+90*rng.Float64()
	m := image.NewGray(image.Rect(0, 0, strokeSide, strokeSide))
	for i := range m.Pix {
		x, y := float64(i%strokeSide)-cx, float64(i/strokeSide)-cy
		across, along := math.Abs(x*dy-y*dx), math.Abs(x*dx+y*dy)
		m.Pix[i] = byte(ground + light*min(1, max(0, 2-across))*min(1, max(0, 7-along)))
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, m); err != nil {
		panic(err)
	}
	return buf.Bytes()
}

// strokes makes a fitted collection of n strokes, their kinds in turn.
func strokes(t *testing.T, n int, cfg Config) *Collection {
	t.Helper()
	coll := create(t, tempDB(t, quiet()), cfg)
	rng := rand.New(rand.NewPCG(9, 9))
	points := make([]Point, n)
	for i := range points {
		points[i] = Point{ID: NumID(uint64(i)), Record: stroke(rng, i%4)}
	}
	mustUpsert(t, coll, points...)
	if _, err := coll.Fit(ctx, &FitOptions{Dim: 16, Epochs: 3}); err != nil {
		t.Fatal(err)
	}
	return coll
}

// sameKind is the share of a point's nearest 10 that are of its kind.
func sameKind(t *testing.T, coll *Collection, asked int) float64 {
	t.Helper()
	right := 0
	for i := range asked {
		hits, err := coll.Search(ctx, Query{ID: NumID(uint64(i)), Limit: 10, Space: SpaceLatent})
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range hits {
			if id, _ := h.ID.Value().(uint64); int(id)%4 == i%4 {
				right++
			}
		}
	}
	return float64(right) / float64(10*asked)
}

// A model that sees shapes brings shapes together, and all that is said of records is
// still of their pixels.
func TestLikeness(t *testing.T) {
	share := make(map[source.Likeness]float64)
	for _, likeness := range []source.Likeness{source.LikePixels, source.LikeShape} {
		coll := strokes(t, 300, Config{Source: source.Image{Width: strokeSide, Height: strokeSide, Likeness: likeness}})
		share[likeness] = sameKind(t, coll, 100)
		report, err := coll.Quality()
		if err != nil {
			t.Fatal(err)
		}
		if report.Features != strokeSide*strokeSide {
			t.Errorf("%s: %d features", likeness, report.Features)
		}
		if m := report.MSEInput; !(m.Model > 0) || m.Model > 0.05 || !(m.PCA > 0) {
			t.Errorf("%s: errors of pixels are %+v", likeness, m)
		}
		back, err := coll.Reconstruct(ctx, NumID(7))
		if err != nil {
			t.Fatal(err)
		}
		if m, err := png.Decode(bytes.NewReader(back[0].Record.([]byte))); err != nil || m.Bounds().Dx() != strokeSide {
			t.Errorf("%s: reconstructed %v, %v", likeness, m.Bounds(), err)
		}
		if _, err := coll.Sample(ctx, SampleQuery{N: 2, Seed: 1}); err != nil {
			t.Error(err)
		}
		if _, err := coll.Outliers(ctx, OutlierQuery{Limit: 3}); err != nil {
			t.Error(err)
		}
		if _, latents, err := coll.Encode(ctx, stroke(rand.New(rand.NewPCG(1, 2)), 1)); err != nil || len(latents[0]) != 16 {
			t.Errorf("%s: encoded to %v, %v", likeness, latents, err)
		}
	}
	if share[source.LikeShape] < share[source.LikePixels]+0.1 {
		t.Errorf("same kind among the nearest: %.2f by shape, %.2f by pixels", share[source.LikeShape], share[source.LikePixels])
	}
}

// Where originals are dropped, lifted latents stand for pixels too.
func TestLikenessWithoutOriginals(t *testing.T) {
	cfg := Config{Source: source.Image{Width: strokeSide, Height: strokeSide, Likeness: source.LikeShape}, DropOriginals: true}
	coll := strokes(t, 120, cfg)
	hits, err := coll.Search(ctx, Query{ID: NumID(3), Limit: 5, Space: SpaceInput})
	if err != nil || len(hits) != 5 {
		t.Fatalf("%v, %v", hits, err)
	}
	points, err := coll.Get(ctx, With{Record: true}, NumID(3))
	if err != nil {
		t.Fatal(err)
	}
	if m, err := png.Decode(bytes.NewReader(points[0].Record.([]byte))); err != nil || m.Bounds().Dy() != strokeSide {
		t.Errorf("decoded to %v, %v", m, err)
	}
}

// Before a fit pictures are near by coarse pixels and edges, and in input space by their
// pixels, as an exact scan of either finds.
func TestPicturesBeforeAFit(t *testing.T) {
	coll := create(t, tempDB(t, quiet()), Config{Source: source.Image{Width: strokeSide, Height: strokeSide}})
	rng := rand.New(rand.NewPCG(9, 9))
	const n = 120
	points := make([]Point, n)
	for i := range points {
		points[i] = Point{ID: NumID(uint64(i)), Record: stroke(rng, i%4)}
	}
	mustUpsert(t, coll, points...)
	gen := coll.active.Load()
	pixels, seen := make([][]float32, n), make([][]float32, n)
	for i, p := range points {
		row, err := gen.featureRow(p.Record.([]byte))
		if err != nil {
			t.Fatal(err)
		}
		pixels[i] = row
		seen[i] = make([]float32, gen.width())
		gen.fitted.(source.Likened).Like(seen[i], row)
	}
	for space, rows := range map[Space][][]float32{SpaceLatent: seen, SpaceInput: pixels} {
		nearest, least := -1, math.Inf(1)
		for i := 1; i < n; i++ {
			if d := trueScore(Euclid, rows[0], rows[i]); d < least {
				nearest, least = i, d
			}
		}
		for _, q := range []Query{{ID: NumID(0), Limit: 1, Space: space}, {Record: points[0].Record, Offset: 1, Limit: 1, Space: space}} {
			got := mustSearch(t, coll, q)
			if got.Hits[0].ID != NumID(uint64(nearest)) || !near(got.Hits[0].Score, least) || !got.Info.Exact || got.Info.Space != space {
				t.Errorf("%s: %v, want %d at %v; %+v", space, got.Hits, nearest, least, got.Info)
			}
		}
	}
	if share := sameKind(t, coll, 40); share < .7 {
		t.Errorf("%v of the nearest are of the same kind", share)
	}
}
