package source

import "math/rand/v2"

// Copies is a Fitted that knows how its records are edited: what a head for duplicates
// is taught (embed.TrainHead).
type Copies interface {
	// CopyWidth is how many features a head sees of a row.
	CopyWidth() int
	// CopyFeatures writes what a head sees of a row to dst.
	CopyFeatures(dst, row []float32)
	// EditedFeatures writes what a head sees of an edited copy of a row, which is edited
	// as a generator says.
	EditedFeatures(dst, row []float32, rng *rand.Rand)
}

// thumbnails is how copies of pictures are seen: averaged down to gradientSide pixels a
// side at most, edited, and then as pixels, edges and coarse colours.
type thumbnails struct {
	large gradients // its planes
	small lift
	edits edits
}

func newThumbnails(spec Image) thumbnails {
	t := thumbnails{large: reduced(spec)}
	small := Image{Width: t.large.w, Height: t.large.h, Channels: spec.Channels}
	t.small = newLift(small)
	t.edits = edits{small.Width, small.Height, small.Channels, spec.Mirrored}
	return t
}

// row is a row's picture, averaged down: the row itself where it is small.
func (t thumbnails) row(row []float32) []float32 {
	if t.large.reduce == 1 {
		return row
	}
	n := t.large.w * t.large.h
	out, plane := make([]float32, n*t.large.channels), make([]float32, n)
	for c := range t.large.channels {
		t.large.plane(plane, row, c)
		for i, v := range plane {
			out[i*t.large.channels+c] = v
		}
	}
	return out
}

func (f fittedImage) CopyWidth() int { return f.copies.small.width() }

func (f fittedImage) CopyFeatures(dst, row []float32) { f.copies.small.fill(dst, f.copies.row(row)) }

// EditedFeatures shifts, turns, scales, lights, blurs, covers and so on; see edits.
func (f fittedImage) EditedFeatures(dst, row []float32, rng *rand.Rand) {
	edited := make([]float32, f.copies.small.pixels)
	f.copies.edits.edit(edited, f.copies.row(row), rng)
	f.copies.small.fill(dst, edited)
}
