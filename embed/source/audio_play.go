package source

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"math"
	"math/cmplx"
)

// Pictured is a Fitted whose decoded rows can be looked at beside what Record gives.
type Pictured interface {
	// Picture draws a decoded feature row as a PNG.
	Picture(row []float32) ([]byte, error)
}

// How a row is played.
const (
	// hops is how many frames of the transform hold a sample.
	hops = 4
	// rounds and momentum are those of the phases' search (Perraudin, Balazs and
	// Søndergaard, A fast Griffin-Lim algorithm, WASPAA 2013).
	rounds, momentum = 32, 0.99
	// playedPeak is the largest sample, for a row does not tell how loud it was.
	playedPeak = 0.5
	// cell is the side of a frame's band in a picture, in pixels.
	cell = 8
)

// Record is the row as a WAV file of one channel and 16 bits, as long as half of the
// recordings that were fitted on: a row has the spectrum's envelope alone, so a voice
// sounds hoarse. Cost: about 50 ms a second of sound.
func (f *fittedAudio) Record(row []float32) (any, error) {
	if err := checkRow(row, f.Width()); err != nil {
		return nil, err
	}
	return encodeWAV(f.front.play(row, f.state.Seconds), f.spec.Rate), nil
}

// Picture draws the spectrogram: time to the right, pitch (in mel) upwards, white what is
// loudest and black what is 50 dB below it.
func (f *fittedAudio) Picture(row []float32) ([]byte, error) {
	if err := checkRow(row, f.Width()); err != nil {
		return nil, err
	}
	levels := f.front.shades(row)
	picture := image.NewGray(image.Rect(0, 0, cell*f.front.frames, cell*f.front.bands))
	for i := range picture.Pix {
		x, y := i%picture.Stride/cell, i/picture.Stride/cell
		picture.Pix[i] = toByte(float32(1 + levels[x][f.front.bands-1-y]/loudRange))
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, picture); err != nil {
		return nil, fmt.Errorf("%w: spectrogram cannot be encoded: %w", ErrRecord, err)
	}
	return buf.Bytes(), nil
}

// shades are the levels of frames and bands against the loudest: -loudRange to 0, whatever
// numbers the row has.
func (f *frontEnd) shades(row []float32) [][]float64 {
	levels, loudest := f.spread(row), math.Inf(-1)
	for _, frame := range levels {
		for _, v := range frame {
			if v > loudest {
				loudest = v
			}
		}
	}
	for _, frame := range levels {
		for b, v := range frame {
			if v -= loudest; v > -loudRange { // which neither NaN nor the infinite is
				frame[b] = v
			} else {
				frame[b] = -loudRange
			}
		}
	}
	return levels
}

// play makes samples of a row: phases that go with its magnitudes are looked for, by
// going to and fro between spectra that have these magnitudes and spectra of sound.
func (f *frontEnd) play(row []float32, seconds float64) []float32 {
	n, hop := int(math.Round(seconds*float64(f.rate))), len(f.window)/hops
	magnitudes := f.magnitudes(f.shades(row), n/hop+hops)
	p := player{front: f, hop: hop, work: f.pool.Get().(*frontWork), samples: make([]float64, (len(magnitudes)-1)*hop+len(f.window))}
	defer f.pool.Put(p.work)
	spectra, before := p.start(magnitudes), make([][]complex128, len(magnitudes))
	for range rounds {
		p.add(spectra)
		for i, spectrum := range spectra {
			p.spectrum(i)
			for j, c := range p.work.spectrum {
				next := c
				if before[i] != nil {
					next += momentum * (c - before[i][j])
				}
				spectrum[j] = withMagnitude(next, magnitudes[i][j])
			}
			before[i] = append(before[i][:0], p.work.spectrum...)
		}
	}
	p.add(spectra)
	return normalised(p.samples[len(f.window)/2:][:n])
}

// magnitudes are the square roots of power spectra of frames that begin a hop apart, half a
// window before the sound.
func (f *frontEnd) magnitudes(levels [][]float64, frames int) [][]float64 {
	out := make([][]float64, frames)
	for i := range out {
		out[i] = make([]float64, f.size/2+1)
		at := (float64(i)+.5)/float64(frames-hops+1)*float64(f.frames) - .5
		at = min(max(at, 0), float64(f.frames-1))
		from, to := levels[int(at)], levels[min(int(at)+1, f.frames-1)]
		share, all := at-math.Floor(at), make([]float64, f.size/2+1)
		for b, filter := range f.filters {
			sum := 0.
			for _, w := range filter.weights {
				sum += w
			}
			power := math.Exp((1-share)*from[b]+share*to[b]) / sum // of each bin, were they alike
			for j, w := range filter.weights {
				out[i][filter.first+j] += w * power
				all[filter.first+j] += w
			}
		}
		for j, w := range all {
			if w > 0 {
				out[i][j] = math.Sqrt(out[i][j] / w)
			}
		}
	}
	return out
}

// player goes between samples and the spectra of frames a hop apart.
type player struct {
	front   *frontEnd
	hop     int
	work    *frontWork
	samples []float64
	heights []float64 // of the squared windows over each sample
}

// start gives every bin the phase of a steady tone.
func (p *player) start(magnitudes [][]float64) [][]complex128 {
	out := make([][]complex128, len(magnitudes))
	for i, frame := range magnitudes {
		out[i] = make([]complex128, len(frame))
		for j, m := range frame {
			turns := float64(i*p.hop*j%p.front.size) / float64(p.front.size)
			out[i][j] = cmplx.Rect(m, 2*math.Pi*turns)
		}
	}
	p.heights = make([]float64, len(p.samples))
	for i := range magnitudes {
		for j, w := range p.front.window {
			p.heights[i*p.hop+j] += w * w
		}
	}
	return out
}

// add makes the samples whose spectra are nearest to those given.
func (p *player) add(spectra [][]complex128) {
	clear(p.samples)
	for i, spectrum := range spectra {
		p.work.fft.Sequence(p.work.frame, spectrum)
		for j, w := range p.front.window {
			p.samples[i*p.hop+j] += w * p.work.frame[j] / float64(p.front.size)
		}
	}
	for i, h := range p.heights {
		p.samples[i] /= max(h, 1e-3) // hardly a window reaches the ends
	}
}

// spectrum fills in the work's spectrum of a frame.
func (p *player) spectrum(i int) {
	clear(p.work.frame)
	for j, w := range p.front.window {
		p.work.frame[j] = w * p.samples[i*p.hop+j]
	}
	p.work.fft.Coefficients(p.work.spectrum, p.work.frame)
}

func withMagnitude(c complex128, magnitude float64) complex128 {
	size := math.Sqrt(real(c)*real(c) + imag(c)*imag(c))
	if size == 0 {
		return complex(magnitude, 0)
	}
	return c * complex(magnitude/size, 0)
}

// normalised brings samples to playedPeak.
func normalised(samples []float64) []float32 {
	peak := 0.
	for _, v := range samples {
		peak = max(peak, math.Abs(v))
	}
	out := make([]float32, len(samples))
	for i, v := range samples {
		if peak > 0 {
			out[i] = float32(v / peak * playedPeak)
		}
	}
	return out
}
