package store

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// pictures draws grey squares on a gradient, encoded.
func pictures(n int) []any {
	rng := rand.New(rand.NewPCG(6, 1))
	out := make([]any, n)
	for i := range out {
		m := image.NewGray(image.Rect(0, 0, 6, 6))
		x, y, shade := rng.IntN(4), rng.IntN(4), uint8(100+rng.IntN(150))
		for p := range 36 {
			v := uint8(10 * (p % 6))
			if dx, dy := p%6-x, p/6-y; dx >= 0 && dx < 3 && dy >= 0 && dy < 3 {
				v = shade
			}
			m.SetGray(p%6, p/6, color.Gray{Y: v})
		}
		var b bytes.Buffer
		if png.Encode(&b, m) == nil {
			out[i] = b.Bytes()
		}
	}
	return out
}

// rows draws table records whose columns depend on each other; one column is constant.
func rows(n int) []any {
	rng := rand.New(rand.NewPCG(6, 2))
	out := make([]any, n)
	for i := range out {
		size := rng.NormFloat64()*3 + 20
		colour := "red"
		if size > 20 {
			colour = "blue"
		}
		out[i] = map[string]any{"size": size, "weight": 2*size + rng.NormFloat64(), "colour": colour, "heavy": size > 22, "unit": "kg", "version": 3}
	}
	return out
}

// kinds are a collection of each kind of record.
func kinds(t *testing.T, f func(t *testing.T, c *Collection, records []any)) {
	vectors := make([]any, 200)
	for i, v := range curved(61, 200, 8) {
		vectors[i] = v
	}
	for _, kind := range []struct {
		spec    source.Spec
		records []any
	}{{source.Vector{}, vectors}, {source.Table{}, rows(200)}, {source.Image{Width: 6, Height: 6}, pictures(200)}} {
		t.Run(kind.spec.Kind(), func(t *testing.T) {
			c := create(t, tempDB(t, quiet()), Config{Source: kind.spec, Dim: 4})
			var points []Point
			for i, r := range kind.records {
				points = append(points, Point{ID: NumID(uint64(i)), Record: r, Payload: Payload{"low": i < 100}})
			}
			mustUpsert(t, c, points[:7]...) // the front end of generation 0 is fitted anew as they grow
			mustUpsert(t, c, points...)
			if hits := mustSearch(t, c, Query{ID: NumID(2), Limit: 3}).Hits; len(hits) != 3 {
				t.Errorf("unfitted: %v", hits)
			}
			mustFit(t, c)
			f(t, c, kind.records)
		})
	}
}

// TestRoundTrips encodes, decodes and reconstructs records of every kind.
func TestRoundTrips(t *testing.T) {
	kinds(t, func(t *testing.T, c *Collection, records []any) {
		generation, z, err := c.Encode(ctx, records[:20]...)
		if err != nil || generation != 1 || len(z) != 20 || len(z[0]) != 4 {
			t.Fatalf("%d, %v, %v", generation, z, err)
		}
		_, decoded, err := c.Decode(ctx, z...)
		if err != nil || len(decoded) != 20 {
			t.Fatal(err)
		}
		ids := make([]ID, 20)
		for i := range ids {
			ids[i] = NumID(uint64(i))
		}
		stored, err := c.Reconstruct(ctx, ids...)
		if err != nil {
			t.Fatal(err)
		}
		given, err := c.ReconstructRecords(ctx, records[:20]...)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range stored {
			if r.ID != ids[i] || !given[i].ID.IsZero() || !near(r.Error, given[i].Error) || r.Error < 0 || r.Error > 3 || len(r.Parts) == 0 {
				t.Errorf("record %d: %v, given %v", i, r, given[i])
			}
			back := r.Record
			if r.Vector != nil {
				back = r.Vector
			}
			if a, b := fmt.Sprintf("%.3v", back), fmt.Sprintf("%.3v", decoded[i]); a != b && c.Config().Source.Kind() != "vector" {
				t.Errorf("record %d: reconstructed %s, decoded %s", i, a, b)
			}
			if row, ok := r.Record.(map[string]any); ok && (row["unit"] != "kg" || fmt.Sprint(row["version"]) != "3") {
				t.Errorf("record %d: constant columns came back as %v", i, row)
			}
		}
		got, err := c.Get(ctx, With{Record: true, Vector: true}, NumID(3))
		if err != nil || len(got) != 1 || got[0].Vector == nil {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// TestConstantFeatures fits vectors of which some features never change.
func TestConstantFeatures(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	vectors := curved(62, 200, 8)
	for _, v := range vectors {
		v[0], v[5] = 7, -1
	}
	mustUpsert(t, c, numbered(vectors)...)
	mustFit(t, c)
	back, err := c.Reconstruct(ctx, NumID(1), NumID(2))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range back {
		if math.Abs(float64(r.Vector[0])-7) > 0.3 || math.Abs(float64(r.Vector[5])+1) > 0.3 {
			t.Errorf("constant features came back as %v and %v", r.Vector[0], r.Vector[5])
		}
	}
}

// TestSample draws records of every kind that the collection itself would take.
func TestSample(t *testing.T) {
	kinds(t, func(t *testing.T, c *Collection, records []any) {
		draw := func(q SampleQuery) *Samples {
			t.Helper()
			s, err := c.Sample(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			if s.Generation != 1 || len(s.Records)+len(s.Vectors) != q.N {
				t.Fatalf("generation %d, %d records and %d vectors", s.Generation, len(s.Records), len(s.Vectors))
			}
			return s
		}
		low := &Filter{Must: []Condition{{Key: "low", Match: &Match{Value: true}}}}
		var like []ID
		for i := range 30 {
			like = append(like, NumID(uint64(i)))
		}
		for _, q := range []SampleQuery{{N: 40, Seed: 1}, {N: 10, Filter: low}, {N: 10, IDs: like}, {N: 10, IDs: like, Filter: low}} {
			s := draw(q)
			if fmt.Sprint(s.Records, s.Vectors) != fmt.Sprint(draw(q).Records, draw(q).Vectors) {
				t.Errorf("%+v: the same seed draws other samples", q)
			}
			p := s.Privacy
			if !(p.ClosestTrain > 0) || !(p.ClosestHeldOut > 0) || p.ShareCloserToTrain < 0 || p.ShareCloserToTrain > 1 {
				t.Errorf("%+v: %+v", q, p)
			}
			all := slices.Clone(s.Records)
			for _, v := range s.Vectors {
				all = append(all, v)
			}
			for i, r := range all {
				mustUpsert(t, c, Point{ID: StringID(fmt.Sprint("sample", i)), Record: r})
			}
			if _, err := c.Write(ctx, Batch{Delete: sampleIDs(len(all))}, false); err != nil {
				t.Fatal(err)
			}
		}
		if a, b := draw(SampleQuery{N: 5, Seed: 1}), draw(SampleQuery{N: 5, Seed: 2}); fmt.Sprint(a.Records, a.Vectors) == fmt.Sprint(b.Records, b.Vectors) {
			t.Error("two seeds draw the same samples")
		}
		// Points that the index does not hold yet count as well.
		var fresh []ID
		for i, r := range records[:minSampled] {
			fresh = append(fresh, StringID(fmt.Sprint("fresh", i)))
			mustUpsert(t, c, Point{ID: fresh[i], Record: r})
		}
		draw(SampleQuery{N: 3, IDs: fresh})
		if _, err := c.Delete(ctx, fresh...); err != nil {
			t.Fatal(err)
		}
	})
}

func sampleIDs(n int) []ID {
	ids := make([]ID, n)
	for i := range ids {
		ids[i] = StringID(fmt.Sprint("sample", i))
	}
	return ids
}
