package source_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// likened is the features that pictures of a row are compared by.
func likened(t *testing.T, spec source.Image, row []float32) []float32 {
	t.Helper()
	l := fit(t, spec).(source.Likened)
	out := make([]float32, l.LikeWidth())
	l.Like(out, row)
	return out
}

// What pictures are compared by holds each pixel once, on a grid that need not divide
// them: means that weigh as much as their parts are large.
func TestCoarsePixels(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 7))
	for _, spec := range []source.Image{
		{Width: 28, Height: 28, Channels: 1}, {Width: 13, Height: 9, Channels: 3}, {Width: 40, Height: 17, Channels: 1},
	} {
		spec.Likeness = source.LikeShape
		row := make([]float32, spec.Width*spec.Height*spec.Channels)
		coarse := 8 * 8 * spec.Channels
		// The mean square of a constant picture's pixels is that of its coarse ones, but
		// for their weight.
		for i := range row {
			row[i] = 0.5
		}
		var square float64
		for _, v := range likened(t, spec, row)[:coarse] {
			square += float64(v) * float64(v)
		}
		if want := 0.49 * 0.25 * float64(len(row)); math.Abs(square-want) > 1e-3*want {
			t.Errorf("%+v: a grey picture has the square %v, want %v", spec, square, want)
		}
		// One pixel moves one number of its channel.
		for i := range row {
			row[i] = rng.Float32()
		}
		for _, i := range []int{0, len(row) / 2, len(row) - 1} {
			before := likened(t, spec, row)[:coarse]
			row[i] += 0.25
			moved := 0
			for j, v := range likened(t, spec, row)[:coarse] {
				if v != before[j] {
					moved++
				}
			}
			if moved != 1 {
				t.Errorf("%+v: pixel %d moves %d numbers", spec, i, moved)
			}
		}
	}
}

// Pixels alone are compared where they were asked for, and where there are no edges.
func TestLikeWidth(t *testing.T) {
	for _, c := range []struct {
		spec source.Image
		want int
	}{
		{source.Image{Width: 28, Height: 28, Channels: 1}, 64 + 7*7*8},
		{source.Image{Width: 28, Height: 28, Channels: 1, Likeness: source.LikePixels}, 0},
		{source.Image{Width: 7, Height: 30, Channels: 1}, 0},
		{source.Image{Width: 32, Height: 32, Channels: 3}, 192 + 8*8*8 + 48},
	} {
		if got := fit(t, c.spec).(source.Likened).LikeWidth(); got != c.want {
			t.Errorf("%+v: %d, want %d", c.spec, got, c.want)
		}
	}
}
