package source

import (
	"math"
	"math/rand/v2"
	"testing"
)

func randomRow(seed uint64, n int) []float32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	row := make([]float32, n)
	for i := range row {
		row[i] = rng.Float32()
	}
	return row
}

// naiveGradients is gradients.fill by the definition: every cell asks every pixel.
func naiveGradients(g gradients, row []float32) []float32 {
	at := func(x, y, c int) float64 { // averaged down, edges repeated
		x, y = max(0, min(g.w-1, x)), max(0, min(g.h-1, y))
		var sum, n float64
		for i := y * g.reduce; i < min((y+1)*g.reduce, g.height); i++ {
			for j := x * g.reduce; j < min((x+1)*g.reduce, g.width); j++ {
				sum, n = sum+float64(row[(i*g.width+j)*g.channels+c]), n+1
			}
		}
		return sum / n
	}
	side := math.Exp(-1 / (2 * math.Pow(float64(g.cell)/8, 2)))
	tap := [3]float64{side / (1 + 2*side), 1 / (1 + 2*side), side / (1 + 2*side)}
	blurred := func(x, y, c int) (sum float64) {
		x, y = max(0, min(g.w-1, x)), max(0, min(g.h-1, y))
		for i := range 3 {
			for j := range 3 {
				sum += tap[i] * tap[j] * at(x+j-1, y+i-1, c)
			}
		}
		return sum
	}
	cells := make([]float64, g.features())
	for i := range cells {
		bin, cx, cy := i%orientations, i/orientations%g.nx, i/orientations/g.nx
		for y := range g.h {
			for x := range g.w {
				var gx, gy float64
				for c := range g.channels {
					dx, dy := blurred(x+1, y, c)-blurred(x-1, y, c), blurred(x, y+1, c)-blurred(x, y-1, c)
					if math.Hypot(dx, dy) > math.Hypot(gx, gy) {
						gx, gy = dx, dy
					}
				}
				turn := math.Mod(math.Atan2(gy, gx)/math.Pi+1, 1) * orientations
				apart := math.Abs(turn - float64(bin))
				apart = min(apart, orientations-apart)
				away := func(pixel, cell int) float64 {
					return max(0, 1-math.Abs((float64(pixel)+.5)/float64(g.cell)-.5-float64(cell)))
				}
				cells[i] += math.Hypot(gx, gy) * max(0, 1-apart) * away(x, cx) * away(y, cy)
			}
		}
	}
	out := make([]float32, len(cells))
	for i, v := range cells {
		cx, cy := i/orientations%g.nx, i/orientations/g.nx
		var sum, n float64
		for y := max(cy-1, 0); y <= min(cy+1, g.ny-1); y++ {
			for x := max(cx-1, 0); x <= min(cx+1, g.nx-1); x++ {
				n++
				for _, e := range cells[(y*g.nx+x)*orientations:][:orientations] {
					sum += e * e
				}
			}
		}
		out[i] = float32(math.Sqrt(v / (math.Sqrt(sum/n) + gradientNoise)))
	}
	return out
}

func TestGradientsMatchTheirDefinition(t *testing.T) {
	for _, spec := range []Image{
		{Width: 8, Height: 8, Channels: 1}, {Width: 19, Height: 17, Channels: 3},
		{Width: 28, Height: 28, Channels: 1}, {Width: 70, Height: 33, Channels: 1},
	} {
		g := newGradients(spec)
		row := randomRow(uint64(spec.Width), spec.Width*spec.Height*spec.Channels)
		got, want := make([]float32, g.features()), naiveGradients(g, row)
		got[0] = 7 // what was there before is gone
		g.fill(got, row)
		for i := range want {
			if math.Abs(float64(got[i]-want[i])) > 1e-3 {
				t.Fatalf("%+v: feature %d is %g, want %g", spec, i, got[i], want[i])
			}
		}
	}
}

// A slope along x has edges in direction 0, one along y in the middle one; a flat
// picture and one that is too small have none.
func TestGradientsKnowDirections(t *testing.T) {
	spec := Image{Width: 16, Height: 16, Channels: 1}
	g := newGradients(spec)
	sums := func(f func(x, y int) float32) (out [orientations]float32) {
		row := make([]float32, 256)
		for i := range row {
			row[i] = f(i%16, i/16)
		}
		dst := make([]float32, g.features())
		g.fill(dst, row)
		for i, v := range dst {
			out[i%orientations] += v
		}
		return out
	}
	for name, test := range map[string]struct {
		f    func(x, y int) float32
		want int
	}{
		"along x":  {func(x, _ int) float32 { return float32(x) / 16 }, 0},
		"along y":  {func(_, y int) float32 { return 1 - float32(y)/16 }, orientations / 2},
		"diagonal": {func(x, y int) float32 { return float32(x+y) / 32 }, orientations / 4},
	} {
		got := sums(test.f)
		for i, v := range got {
			if (i == test.want) != (v > 5) {
				t.Errorf("%s: direction %d has %g", name, i, v)
			}
		}
	}
	if got := sums(func(int, int) float32 { return 0.5 }); got != [orientations]float32{} {
		t.Errorf("a flat picture has edges: %v", got)
	}
	if n := newGradients(Image{Width: 40, Height: 7, Channels: 1}).features(); n != 0 {
		t.Errorf("a picture of 7 rows has %d features", n)
	}
}

// Light and contrast change pixels much and what is after them little.
func TestLiftForgetsLight(t *testing.T) {
	for _, channels := range []int{1, 3} {
		l := newLift(Image{Width: 20, Height: 24, Channels: channels})
		row, dim := randomRow(5, 480*channels), make([]float32, 480*channels)
		for i, v := range row {
			dim[i] = 0.3*v + 0.4
		}
		a, b := make([]float32, l.width()), make([]float32, l.width())
		l.fill(a, row)
		l.fill(b, dim)
		for i := range row {
			if a[i] != row[i] || b[i] != dim[i] {
				t.Fatal("a lifted row does not begin with the row")
			}
		}
		moved, length := 0., 0.
		edges := l.gradients.features()
		for i := len(row); i < len(row)+edges; i++ {
			d := float64(a[i] - b[i])
			moved, length = moved+d*d, length+float64(a[i])*float64(a[i])
		}
		if moved > 0.01*length {
			t.Errorf("%d channels: edges moved by %.3f of their length", channels, math.Sqrt(moved/length))
		}
	}
}

// The parts have the shares they are to have, on pictures of usual variance.
func TestLiftShares(t *testing.T) {
	for _, spec := range []Image{{Width: 28, Height: 28, Channels: 1}, {Width: 32, Height: 32, Channels: 3}} {
		l := newLift(spec)
		pixel := pixelVariance * float64(l.pixels)
		edges := edgeVariance * float64(l.gradients.features()) * math.Pow(float64(l.edgeWeight), 2)
		tints := colourVariance * float64(l.colours.features()) * math.Pow(float64(l.tintWeight), 2)
		want := greyShares
		if spec.Channels == 3 {
			want = colourShares
		}
		total := pixel + edges + tints
		for i, share := range []float64{pixel, edges, tints} {
			if w := []float64{want.pixels, want.edges, want.colours}[i]; math.Abs(share/total-w) > 1e-4 {
				t.Errorf("%+v: part %d has a share of %.3f, want %.3f", spec, i, share/total, w)
			}
		}
	}
}
