package source

import "math"

const (
	// orientations is how many directions of edges a cell tells apart, over half a
	// turn: an edge from dark to light and one from light to dark count as the same.
	orientations = 8
	// gradientSide is the most pixels a side that gradients are taken of. What is
	// larger is averaged down: the shape of a thing does not need its grain.
	gradientSide = 32
	// leastGradientSide is the least: below, there is no shape to speak of.
	leastGradientSide = 8
	// gradientNoise is the strength of a cell's edges, in grey levels from 0 to 1
	// summed over its pixels, under which they count for less.
	gradientNoise = 0.02
)

// gradients makes histograms of the directions of edges in the cells of a picture
// (Dalal and Triggs, 2005): each pixel's gradient, the largest of its channels',
// goes to the two nearest directions and the four nearest cells; a cell is then
// compared with the strength of the edges around it, so that light and contrast
// count for little, and the root is taken, so that one strong edge does not
// outweigh several weak ones (Arandjelović and Zisserman, 2012).
type gradients struct {
	width, height, channels int // of a row
	reduce                  int // pixels a side that become one
	w, h                    int // after that
	cell                    int // pixels a side of a cell
	nx, ny                  int // cells
}

// reduced is the size that pictures are averaged down to.
func reduced(spec Image) gradients {
	g := gradients{width: spec.Width, height: spec.Height, channels: spec.Channels}
	g.reduce = (max(g.width, g.height) + gradientSide - 1) / gradientSide
	g.w, g.h = (g.width+g.reduce-1)/g.reduce, (g.height+g.reduce-1)/g.reduce
	return g
}

// newGradients chooses cells of 4 pixels, or of 2 in small pictures.
func newGradients(spec Image) gradients {
	g := reduced(spec)
	if min(g.w, g.h) < leastGradientSide {
		return gradients{}
	}
	g.cell = 4
	if min(g.w, g.h) < 2*leastGradientSide {
		g.cell = 2
	}
	g.nx, g.ny = (g.w+g.cell-1)/g.cell, (g.h+g.cell-1)/g.cell
	return g
}

// features is how many numbers a picture gives; 0 where it is too small.
func (g gradients) features() int { return g.nx * g.ny * orientations }

// fill writes the histograms of a row's picture.
func (g gradients) fill(dst, row []float32) {
	clear(dst)
	n := g.w * g.h
	scratch := make([]float32, n*(g.channels+1))
	blurred := scratch[n:]
	for c := range g.channels {
		plane := scratch[:n]
		g.plane(plane, row, c)
		g.blur(blurred[c*n:(c+1)*n], plane)
	}
	for y := range g.h {
		up, down := max(y-1, 0)*g.w, min(y+1, g.h-1)*g.w
		for x := range g.w {
			left, right := y*g.w+max(x-1, 0), y*g.w+min(x+1, g.w-1)
			var gx, gy, square float32
			for c := range g.channels {
				p := blurred[c*n : (c+1)*n]
				dx, dy := p[right]-p[left], p[down+x]-p[up+x]
				if s := dx*dx + dy*dy; s > square {
					gx, gy, square = dx, dy, s
				}
			}
			if square > 0 {
				g.vote(dst, x, y, gx, gy, square)
			}
		}
	}
	g.normalise(dst)
}

// plane is a channel of a row, averaged down.
func (g gradients) plane(dst, row []float32, channel int) {
	for y := range g.h {
		bottom := min((y+1)*g.reduce, g.height)
		for x := range g.w {
			right := min((x+1)*g.reduce, g.width)
			var sum float32
			for i := y * g.reduce; i < bottom; i++ {
				for j := x * g.reduce; j < right; j++ {
					sum += row[(i*g.width+j)*g.channels+channel]
				}
			}
			dst[y*g.w+x] = sum / float32((bottom-y*g.reduce)*(right-x*g.reduce))
		}
	}
}

// blur smooths by a Gaussian of an eighth of a cell, which reaches one pixel. It
// destroys src.
func (g gradients) blur(dst, src []float32) {
	sigma := float64(g.cell) / 8
	side := float32(math.Exp(-1 / (2 * sigma * sigma)))
	centre := 1 / (1 + 2*side)
	side *= centre
	for y := range g.h {
		line := src[y*g.w : (y+1)*g.w]
		for x, v := range line {
			dst[y*g.w+x] = centre*v + side*(line[max(x-1, 0)]+line[min(x+1, g.w-1)])
		}
	}
	copy(src, dst)
	for y := range g.h {
		up, down := src[max(y-1, 0)*g.w:], src[min(y+1, g.h-1)*g.w:]
		for x := range g.w {
			dst[y*g.w+x] = centre*src[y*g.w+x] + side*(up[x]+down[x])
		}
	}
}

// vote adds a pixel's gradient to the histograms.
func (g gradients) vote(dst []float32, x, y int, gx, gy, square float32) {
	turn := math.Atan2(float64(gy), float64(gx)) / math.Pi // half turns, -1 to 1
	if turn < 0 {
		turn++
	}
	direction := float32(turn * orientations)
	low := min(int(direction), orientations-1)
	share := direction - float32(low)
	high := (low + 1) % orientations
	strength := float32(math.Sqrt(float64(square)))
	x0, fx := g.cellOf(x)
	y0, fy := g.cellOf(y)
	for i, wy := range [2]float32{1 - fy, fy} {
		for j, wx := range [2]float32{1 - fx, fx} {
			cx, cy := x0+j, y0+i
			if cx < 0 || cy < 0 || cx >= g.nx || cy >= g.ny {
				continue
			}
			bins := dst[(cy*g.nx+cx)*orientations:][:orientations]
			bins[low] += strength * wx * wy * (1 - share)
			bins[high] += strength * wx * wy * share
		}
	}
}

// cellOf is the cell whose centre is at or before a pixel's, and how far between
// it and the next the pixel lies.
func (g gradients) cellOf(x int) (cell int, share float32) {
	at := (float32(x)+0.5)/float32(g.cell) + 0.5 // from the centre of the cell before the first
	cell = int(at)
	return cell - 1, at - float32(cell)
}

// normalise divides each cell by the edges of the nine around it, and takes roots.
func (g gradients) normalise(dst []float32) {
	energy := make([]float32, g.nx*g.ny)
	for i := range energy {
		for _, v := range dst[i*orientations:][:orientations] {
			energy[i] += v * v
		}
	}
	for y := range g.ny {
		for x := range g.nx {
			var sum, n float32
			for i := max(y-1, 0); i <= min(y+1, g.ny-1); i++ {
				for j := max(x-1, 0); j <= min(x+1, g.nx-1); j++ {
					sum += energy[i*g.nx+j]
					n++
				}
			}
			around := float32(math.Sqrt(float64(sum/n))) + gradientNoise
			for i, v := range dst[(y*g.nx+x)*orientations:][:orientations] {
				dst[(y*g.nx+x)*orientations+i] = float32(math.Sqrt(float64(v / around)))
			}
		}
	}
}
