package source

import (
	"math"

	"github.com/latentdb/latentdb/embed"
)

// Lifted is a Fitted whose model sees more of a record than its feature row: the
// row and, after it, features that are functions of it. What the model decodes
// begins with the row.
type Lifted interface {
	// ModelLayout is the layout of what the model sees, the row's first. It is that of
	// the row alone where nothing is added.
	ModelLayout() embed.Layout
	// Lift writes what the model sees of a row, which has length Width, to dst, which
	// has the width of ModelLayout.
	Lift(dst, row []float32)
}

// Shares of the whole variance that the parts of a lifted picture have, whatever its
// size: of pixels, edges and, in colour, coarse colours. The neighbours of latents are
// those by the sum of the parts, so it is edges that decide; pixels have enough of it
// to be decoded.
var (
	greyShares   = liftShares{pixels: 0.3, edges: 0.7}
	colourShares = liftShares{pixels: 0.15, edges: 0.65, colours: 0.2}
)

type liftShares struct{ pixels, edges, colours float64 }

// The usual variance of a feature of each part, measured on digits, clothes and
// photographs, which differ by a third from it at the most.
const (
	pixelVariance  = 0.07
	edgeVariance   = 0.05
	colourVariance = 0.02
)

// lift is how a picture's row becomes what the model sees. Weights make the parts'
// shares of the variance; pixels keep their own units, so that errors do.
type lift struct {
	pixels                 int
	gradients              gradients
	colours                colours
	edgeWeight, tintWeight float32
}

func newLift(spec Image) lift {
	l := lift{pixels: spec.Width * spec.Height * spec.Channels, gradients: newGradients(spec)}
	edges := l.gradients.features()
	if edges == 0 {
		return l
	}
	shares := greyShares
	if spec.Channels == 3 {
		shares = colourShares
		l.colours = newColours(spec)
	}
	pixel := pixelVariance * float64(l.pixels) / shares.pixels // of a share of 1
	l.edgeWeight = float32(math.Sqrt(pixel * shares.edges / (edgeVariance * float64(edges))))
	if n := l.colours.features(); n > 0 {
		l.tintWeight = float32(math.Sqrt(pixel * shares.colours / (colourVariance * float64(n))))
	}
	return l
}

// width is the width of what the model sees.
func (l lift) width() int { return l.pixels + l.gradients.features() + l.colours.features() }

func (l lift) fill(dst, row []float32) {
	l.fillShape(dst[copy(dst, row):], row)
}

// fillShape writes the edges of a row's picture and, in colour, its coarse colours.
func (l lift) fillShape(dst, row []float32) {
	edges := dst[:l.gradients.features()]
	if len(edges) == 0 {
		return
	}
	l.gradients.fill(edges, row)
	scale(edges, l.edgeWeight)
	if tints := dst[len(edges):]; len(tints) > 0 {
		l.colours.fill(tints, row)
		scale(tints, l.tintWeight)
	}
}

func scale(v []float32, factor float32) {
	for i := range v {
		v[i] *= factor
	}
}

// colourGrid is the parts a side that a picture's coarse colours are of.
const colourGrid = 4

// colours are the mean brightness, red less green, and yellow less blue of the parts
// of a picture.
type colours struct{ width, height int }

func newColours(spec Image) colours { return colours{spec.Width, spec.Height} }

// features is how many numbers a picture gives; 0 where none are wanted.
func (c colours) features() int {
	if c.width == 0 {
		return 0
	}
	return colourGrid * colourGrid * 3
}

func (c colours) fill(dst, row []float32) {
	for part := range colourGrid * colourGrid {
		x, y := part%colourGrid, part/colourGrid
		var r, g, b, n float32
		for i := y * c.height / colourGrid; i < (y+1)*c.height/colourGrid; i++ {
			for j := x * c.width / colourGrid; j < (x+1)*c.width/colourGrid; j++ {
				p := row[(i*c.width+j)*3:][:3]
				r, g, b, n = r+p[0], g+p[1], b+p[2], n+1
			}
		}
		r, g, b = r/n, g/n, b/n
		dst[3*part], dst[3*part+1], dst[3*part+2] = (r+g+b)/3, r-g, (r+g)/2-b
	}
}
