package source

import "math"

// Likened is a Fitted whose records are compared, for as long as there is no model, by
// other features than their rows'.
type Likened interface {
	// LikeWidth is how many features that takes; 0 where the row itself is compared.
	LikeWidth() int
	// Like writes what is compared of a row, which has length Width, to dst, which has
	// length LikeWidth.
	Like(dst, row []float32)
}

const (
	// coarseSide is the parts a side that a picture's pixels are averaged to where it is
	// compared without a model. Among a few hundred pictures hardly any has another with
	// the same grain: it only adds to distances what means nothing, as PCA would tell,
	// had it seen enough.
	coarseSide = 8
	// coarseWeight is what these count for, beside what they would in a lifted row.
	coarseWeight = 0.7
)

// LikeWidth is 0 where pixels were asked for, and of pictures too small to have edges.
func (f fittedImage) LikeWidth() int { return f.lift.likeWidth() }

// Like gives coarse pixels, edges and, in colour, coarse colours.
func (f fittedImage) Like(dst, row []float32) { f.lift.like(dst, row) }

// coarse is how many parts a side pixels are averaged to.
func (l lift) coarse() (nx, ny int) {
	return min(coarseSide, l.gradients.width), min(coarseSide, l.gradients.height)
}

func (l lift) likeWidth() int {
	if l.gradients.features() == 0 {
		return 0
	}
	nx, ny := l.coarse()
	return nx*ny*l.gradients.channels + l.width() - l.pixels
}

func (l lift) like(dst, row []float32) {
	at := len(dst) - (l.width() - l.pixels)
	l.fillCoarse(dst[:at], row)
	l.fillShape(dst[at:], row)
}

// fillCoarse writes the means of the parts of a picture, each times the root of the
// pixels it is of: squared distances are then those of the pictures so averaged.
func (l lift) fillCoarse(dst, row []float32) {
	g := &l.gradients
	nx, ny := l.coarse()
	clear(dst)
	for part := range nx * ny {
		x, y := part%nx, part/nx
		sums, n := dst[part*g.channels:][:g.channels], 0
		for i := y * g.height / ny; i < (y+1)*g.height/ny; i++ {
			for j := x * g.width / nx; j < (x+1)*g.width/nx; j++ {
				for c, v := range row[(i*g.width+j)*g.channels:][:g.channels] {
					sums[c] += v
				}
				n++
			}
		}
		scale(sums, float32(coarseWeight/math.Sqrt(float64(n))))
	}
}
