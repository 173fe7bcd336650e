package store

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// A path begins and ends at what its ends decode to, and on the way is what the latents
// between them decode to.
func TestInterpolate(t *testing.T) {
	c, vectors, _ := sharedVectors(t)
	const steps = 5
	path, err := c.Interpolate(ctx, PathEnd{ID: NumID(3)}, PathEnd{Record: vectors[8]}, steps)
	if err != nil {
		t.Fatal(err)
	}
	_, ends, err := c.Encode(ctx, vectors[3], vectors[8])
	if err != nil {
		t.Fatal(err)
	}
	var between [][]float32
	for i := range steps {
		z := make([]float32, len(ends[0]))
		for j := range z {
			z[j] = ends[0][j] + float32(i)/(steps-1)*(ends[1][j]-ends[0][j])
		}
		between = append(between, z)
	}
	generation, want, err := c.Decode(ctx, between...)
	if err != nil {
		t.Fatal(err)
	}
	if path.Generation != generation || len(path.Vectors) != steps || path.Records != nil {
		t.Fatalf("path of generation %d with %d vectors and %d records", path.Generation, len(path.Vectors), len(path.Records))
	}
	for i, v := range path.Vectors {
		if w := want[i].([]float32); !nearVectors(v, w) {
			t.Errorf("step %d is %v, want %v", i, v, w)
		}
	}
	back, err := c.Reconstruct(ctx, NumID(3))
	if err != nil {
		t.Fatal(err)
	}
	if !nearVectors(path.Vectors[0], back[0].Vector) {
		t.Errorf("it begins at %v, which decodes to %v", path.Vectors[0], back[0].Vector)
	}
	there, err := c.Interpolate(ctx, PathEnd{Record: vectors[8]}, PathEnd{ID: NumID(3)}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if !nearVectors(there.Vectors[1], path.Vectors[0]) || !nearVectors(there.Vectors[0], path.Vectors[4]) {
		t.Error("the way back has other ends")
	}
}

func nearVectors(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return near(float64(x), float64(y)) })
}

// Records are in their own form, also where the originals are gone.
func TestInterpolateRecords(t *testing.T) {
	for _, drops := range []bool{false, true} {
		c := create(t, tempDB(t, quiet()), Config{Source: source.Table{}, Dim: 2, DropOriginals: drops})
		var points []Point
		for i := range 200 {
			points = append(points, Point{ID: NumID(uint64(i)), Record: map[string]any{"size": i % 40, "weight": 3 * (i % 40)}})
		}
		mustUpsert(t, c, points...)
		mustFit(t, c)
		path, err := c.Interpolate(ctx, PathEnd{ID: NumID(0)}, PathEnd{ID: NumID(39)}, 9)
		if err != nil {
			t.Fatal(err)
		}
		last := -1.
		for _, r := range path.Records {
			size, _ := number(r.(map[string]any)["size"])
			if size < last {
				t.Errorf("dropped %t: sizes on the way are %v", drops, path.Records)
			}
			last = size
		}
		if last < 30 {
			t.Errorf("dropped %t: it ends at %v", drops, last)
		}
	}
}

func TestInterpolateRefuses(t *testing.T) {
	c, vectors, _ := sharedVectors(t)
	a, b := PathEnd{ID: NumID(1)}, PathEnd{Record: vectors[2]}
	for want, call := range map[string]func() (*Path, error){
		"steps: is 1;":          func() (*Path, error) { return c.Interpolate(ctx, a, b, 1) },
		"steps: is 1001;":       func() (*Path, error) { return c.Interpolate(ctx, a, b, 1001) },
		"from: needs":           func() (*Path, error) { return c.Interpolate(ctx, PathEnd{}, b, 3) },
		"to: needs exactly one": func() (*Path, error) { return c.Interpolate(ctx, a, PathEnd{NumID(1), vectors[1]}, 3) },
		"to: ":                  func() (*Path, error) { return c.Interpolate(ctx, a, PathEnd{Record: []float32{1}}, 3) },
	} {
		if _, err := call(); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	if _, err := c.Interpolate(ctx, PathEnd{ID: NumID(99999)}, b, 3); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown id: %v", err)
	}
	plain := create(t, tempDB(t, quiet()), vectorConfig())
	if _, err := plain.Interpolate(ctx, a, b, 3); !errors.Is(err, ErrNotFitted) {
		t.Errorf("before a fit: %v", err)
	}
}
