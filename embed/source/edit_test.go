package source

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Edits change pictures, keep them pictures, and are the generator's alone.
func TestEdits(t *testing.T) {
	for _, spec := range []Image{
		{Width: 1, Height: 1, Channels: 1}, {Width: 28, Height: 28, Channels: 1},
		{Width: 31, Height: 9, Channels: 3, Mirrored: true}, {Width: 2, Height: 30, Channels: 3},
	} {
		f := spec.fitted(LikePixels)
		row := randomRow(4, f.Width())
		before := slices.Clone(row)
		changed := 0
		for seed := range uint64(200) {
			a, b := make([]float32, f.Width()), make([]float32, f.Width())
			e := f.copies.edits
			e.edit(a, row, rand.New(rand.NewPCG(seed, 1)))
			e.edit(b, row, rand.New(rand.NewPCG(seed, 1)))
			if !slices.Equal(a, b) {
				t.Fatalf("%+v: one seed gives two edits", spec)
			}
			if !slices.Equal(a, row) {
				changed++
			}
			for i, v := range a {
				if !(v >= 0 && v <= 1) {
					t.Fatalf("%+v: pixel %d is %g", spec, i, v)
				}
			}
		}
		if !slices.Equal(row, before) {
			t.Errorf("%+v: the row itself was edited", spec)
		}
		if len(row) > 100 && changed < 190 {
			t.Errorf("%+v: %d of 200 edits change anything", spec, changed)
		}
	}
}

// Poses are what they say: of whole pixels exactly, and of turns and scales where a
// pixel of the middle goes.
func TestPoses(t *testing.T) {
	const w, h = 9, 7
	src := make([]float32, w*h)
	at := func(x, y int) int { return y*w + x }
	src[at(5, 3)] = 1 // one right of the middle
	for name, test := range map[string]struct {
		pose pose
		x, y int
	}{
		"as it is":      {pose{}, 5, 3},
		"right":         {pose{dx: 2. / w}, 7, 3},
		"up":            {pose{dy: -3. / h}, 5, 0},
		"quarter turn":  {pose{turn: math.Pi / 2}, 4, 4},
		"half turn":     {pose{turn: math.Pi}, 3, 3},
		"twice as wide": {pose{scale: 1}, 6, 3},
	} {
		dst := make([]float32, w*h)
		test.pose.sample(dst, src, w, h, 1)
		if v := dst[at(test.x, test.y)]; math.Abs(float64(v)-1) > 1e-5 {
			t.Errorf("%s: pixel %d,%d is %g", name, test.x, test.y, v)
		}
	}
}

func TestMirror(t *testing.T) {
	e := edits{width: 3, height: 2, channels: 3}
	row := randomRow(2, 18)
	got := slices.Clone(row)
	e.mirror(got)
	for i := range row {
		x, y, c := i/3%3, i/9, i%3
		if got[i] != row[(y*3+2-x)*3+c] {
			t.Fatalf("value %d is not the mirror's", i)
		}
	}
}

// Blurring keeps what is flat and the mean of what is inside.
func TestBlur(t *testing.T) {
	e := edits{width: 30, height: 26, channels: 1}
	row := make([]float32, 780)
	row[13*30+15] = 0.9
	e.blur(row, rand.New(rand.NewPCG(1, 1)))
	var sum, top float64
	for _, v := range row {
		sum, top = sum+float64(v), max(top, float64(v))
	}
	if math.Abs(sum-0.9) > 1e-3 || top > 0.8 {
		t.Errorf("a point of 0.9 became %g in all, %g at most", sum, top)
	}
	flat := make([]float32, 780)
	for i := range flat {
		flat[i] = 0.25
	}
	e.blur(flat, rand.New(rand.NewPCG(2, 1)))
	for i, v := range flat {
		if math.Abs(float64(v)-0.25) > 1e-6 {
			t.Fatalf("pixel %d of a flat picture became %g", i, v)
		}
	}
}

// Large pictures are looked at small, with edits or without.
func TestCopyFeatures(t *testing.T) {
	f := Image{Width: 80, Height: 64, Channels: 3}.fitted(LikePixels)
	small := Image{Width: 27, Height: 22, Channels: 3}
	if got, want := f.CopyWidth(), newLift(small).width(); got != want {
		t.Fatalf("a head sees %d features, want %d", got, want)
	}
	row := make([]float32, f.Width())
	for i := range row {
		row[i] = 0.1 * float32(1+i%3) // of one colour
	}
	seen, edited := make([]float32, f.CopyWidth()), make([]float32, f.CopyWidth())
	f.CopyFeatures(seen, row)
	for i, v := range seen[:27*22*3] {
		if math.Abs(float64(v)-0.1*float64(1+i%3)) > 1e-6 {
			t.Fatalf("feature %d of one colour is %g", i, v)
		}
	}
	row = randomRow(1, f.Width())
	f.CopyFeatures(seen, row)
	f.EditedFeatures(edited, row, rand.New(rand.NewPCG(1, 2)))
	if slices.Equal(seen, edited) {
		t.Error("an edit changes no feature")
	}
}
