package source

import (
	"math"
	"math/rand/v2"
)

// How far edits go, as shares of a picture's side or of the range of its values.
const (
	editShift   = 0.12
	editTurn    = 15 * math.Pi / 180
	editScale   = 0.18
	editLight   = 0.3
	editGain    = 0.5
	editNoise   = 0.1
	editBlur    = 1.2 // pixels of 28 a side
	editPatch   = 0.35
	editLevels  = 4
	editChance  = 0.3
	flipChance  = 0.3
	blurredSide = 28
)

// edits is how pictures are edited.
type edits struct {
	width, height, channels int
	flip                    bool
}

// edit writes an edited copy of a row: each kind of edit by chance, one at the least. A
// head learns to see through what it was shown, and little else.
func (e edits) edit(dst, row []float32, rng *rand.Rand) {
	copy(dst, row)
	for done := false; !done; {
		if rng.Float64() < 2*editChance {
			e.move(dst, rng)
			done = true
		}
		for _, f := range [...]func([]float32, *rand.Rand){e.light, e.gain, e.blur, e.noise, e.patch, e.posterise} {
			if rng.Float64() < editChance/2 {
				f(dst, rng)
				done = true
			}
		}
		if e.flip && rng.Float64() < flipChance {
			e.mirror(dst)
			done = true
		}
	}
}

// signed is a number from -most to most.
func signed(rng *rand.Rand, most float64) float64 { return (2*rng.Float64() - 1) * most }

// move shifts, turns and scales, each or all.
func (e edits) move(dst []float32, rng *rand.Rand) {
	var p pose
	which := rng.IntN(8)
	if which == 0 || which >= 4 {
		p.dx, p.dy = signed(rng, editShift), signed(rng, editShift)
	}
	if which == 1 || which >= 5 {
		p.turn = signed(rng, editTurn)
	}
	if which == 2 || which == 3 || which >= 6 {
		p.scale = signed(rng, editScale)
	}
	src := append([]float32(nil), dst...)
	p.sample(dst, src, e.width, e.height, e.channels)
}

func (e edits) light(dst []float32, rng *rand.Rand) {
	by := float32(signed(rng, editLight))
	e.each(dst, func(v float32) float32 { return v + by })
}

func (e edits) gain(dst []float32, rng *rand.Rand) {
	var mean float32
	for _, v := range dst {
		mean += v / float32(len(dst))
	}
	if rng.IntN(2) == 0 {
		mean = 0
	}
	by := float32(math.Exp(signed(rng, editGain)))
	e.each(dst, func(v float32) float32 { return mean + by*(v-mean) })
}

func (e edits) noise(dst []float32, rng *rand.Rand) {
	size := float32(editNoise * rng.Float64())
	e.each(dst, func(v float32) float32 { return v + size*float32(rng.NormFloat64()) })
}

// posterise leaves a few levels.
func (e edits) posterise(dst []float32, rng *rand.Rand) {
	levels := float64(editLevels - 1 + rng.IntN(2*editLevels))
	e.each(dst, func(v float32) float32 { return float32(math.Round(float64(v)*levels) / levels) })
}

// each changes every value and keeps it from 0 to 1.
func (e edits) each(dst []float32, f func(float32) float32) {
	for i, v := range dst {
		dst[i] = max(0, min(1, f(v)))
	}
}

// blur smooths by a Gaussian.
func (e edits) blur(dst []float32, rng *rand.Rand) {
	sigma := (0.4 + (editBlur-0.4)*rng.Float64()) * float64(max(e.width, e.height)) / blurredSide
	reach := int(math.Ceil(2.5 * sigma))
	taps := make([]float32, 2*reach+1)
	var sum float32
	for i := range taps {
		taps[i] = float32(math.Exp(-float64((i-reach)*(i-reach)) / (2 * sigma * sigma)))
		sum += taps[i]
	}
	scale(taps, 1/sum)
	src := append([]float32(nil), dst...)
	pass := func(dst, src []float32, length, stride, lines, lineStride int) {
		for l := range lines {
			for c := range e.channels {
				line := l*lineStride + c
				for x := range length {
					var v float32
					for i, tap := range taps {
						v += tap * src[line+max(0, min(length-1, x+i-reach))*stride]
					}
					dst[line+x*stride] = v
				}
			}
		}
	}
	pass(dst, src, e.width, e.channels, e.height, e.width*e.channels)
	copy(src, dst)
	pass(dst, src, e.height, e.width*e.channels, e.width, e.channels)
}

// patch covers a part with one value.
func (e edits) patch(dst []float32, rng *rand.Rand) {
	w, h := e.part(e.width, rng), e.part(e.height, rng)
	left, top, value := rng.IntN(e.width-w+1), rng.IntN(e.height-h+1), rng.Float32()
	if rng.IntN(2) == 0 {
		value = 0
	}
	for y := top; y < top+h; y++ {
		for i := (y*e.width + left) * e.channels; i < (y*e.width+left+w)*e.channels; i++ {
			dst[i] = value
		}
	}
}

// part is a length of up to editPatch of a side.
func (e edits) part(side int, rng *rand.Rand) int {
	return max(1, int(float64(side)*editPatch*(0.4+0.6*rng.Float64())))
}

// mirror turns left to right.
func (e edits) mirror(dst []float32) {
	for y := range e.height {
		line := dst[y*e.width*e.channels:][:e.width*e.channels]
		for x := range e.width / 2 {
			for c := range e.channels {
				i, j := x*e.channels+c, (e.width-1-x)*e.channels+c
				line[i], line[j] = line[j], line[i]
			}
		}
	}
}

// pose is where a picture is looked at: shifted by shares of its sides, then turned by
// an angle and scaled about its middle; a scale of 0.1 makes it a tenth larger.
type pose struct{ dx, dy, turn, scale float64 }

// sample writes a row in a pose, between four pixels each; what lies outside is as the
// nearest pixel of the edge.
func (p pose) sample(dst, src []float32, width, height, channels int) {
	sin, cos := math.Sincos(p.turn)
	by := 1 / (1 + p.scale)
	sin, cos = sin*by, cos*by
	mx, my := float64(width-1)/2, float64(height-1)/2
	for y := range height {
		for x := range width {
			fx, fy := float64(x)-mx-p.dx*float64(width), float64(y)-my-p.dy*float64(height)
			sx, x0, x1 := between(mx+cos*fx+sin*fy, width)
			sy, y0, y1 := between(my-sin*fx+cos*fy, height)
			for c := range channels {
				at := func(x, y int) float32 { return src[(y*width+x)*channels+c] }
				top := at(x0, y0) + sx*(at(x1, y0)-at(x0, y0))
				bottom := at(x0, y1) + sx*(at(x1, y1)-at(x0, y1))
				dst[(y*width+x)*channels+c] = top + sy*(bottom-top)
			}
		}
	}
}

// between is the two pixels that a place lies between, and its share of the way.
func between(v float64, n int) (share float32, low, high int) {
	v = max(0, min(float64(n-1), v))
	low = int(v)
	return float32(v - float64(low)), low, min(low+1, n-1)
}
