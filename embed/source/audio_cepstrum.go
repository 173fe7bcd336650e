package source

import (
	"math"
	"slices"
	"sync"

	"gonum.org/v1/gonum/dsp/fourier"
)

// What was chosen on spoken digits (Jackson and others, free-spoken-digit-dataset), by
// recordings that no figure in BENCHMARKS.md is of.
const (
	frameSeconds = 0.020 // shorter than usual, so that a speaker's pitch shows less
	// frameStep is how far frames are apart at most; where a row's would be farther,
	// each is the mean of several.
	frameStep = 0.016
	// wideBands and narrowBands are how many mel bands there are at 16 and 8 kHz.
	wideBands, narrowBands = 40, 32
	lowest                 = 20. // Hz, where the bands begin
	// range of loudness in nepers of power: what is 50 dB below the loudest is as if it
	// were not there.
	loudRange = 50 * math.Ln10 / 10
	// quietest is the least power of a band; full scale is about 1.
	quietest = 1e-12
	// heardRange is the power, against the loudest 20 ms, from which on sound is heard: -40 dB.
	heardRange = 1e-4
	// lifter and loudnessWeight weigh coefficients: 1 + lifter·k, and the first.
	lifter, loudnessWeight = 0.1, 0.3
	// tilt is what stays of the recording's mean of the second coefficient, how much low
	// bands are above high ones: it is the microphone's, and the speaker's, more than the
	// word's. To take the means of others away makes neighbours worse.
	tilt = 0.5
)

// blur are the weights of a frame and those around it: what is left is told apart better
// by fewer numbers, and warped frames do not catch at single ones.
var blur = [...]float64{1. / 64, 6. / 64, 15. / 64, 20. / 64, 15. / 64, 6. / 64, 1. / 64}

// frontEnd makes rows of sounds and sounds of rows. It does not change.
type frontEnd struct {
	rate, frames, coefficients, bands int
	keepSilence                       bool

	window  []float64 // Hann's
	size    int       // of the Fourier transform
	filters []melBand
	// cosines are bands × coefficients: orthonormal, and weighed.
	cosines [][]float64
	weights []float64 // of coefficients
	pool    sync.Pool // of *frontWork
}

// melBand is a triangle over the bins of a power spectrum, from the first on.
type melBand struct {
	first   int
	weights []float64
}

// frontWork is what making a row needs.
type frontWork struct {
	fft      *fourier.FFT
	frame    []float64
	spectrum []complex128
	power    []float64
	levels   []float64 // frames × bands
	cepstrum []float64 // of one frame
}

func newFrontEnd(spec Audio) *frontEnd {
	f := &frontEnd{rate: spec.Rate, bands: narrowBands, keepSilence: spec.KeepSilence}
	f.frames, f.coefficients = spec.shape()
	if spec.Rate == wideRate {
		f.bands = wideBands
	}
	n := int(frameSeconds * float64(f.rate))
	f.window = hann(n)
	for f.size = 1; f.size < n; f.size *= 2 {
	}
	f.filters = melBands(f.bands, f.size, f.rate)
	f.weights = make([]float64, f.coefficients)
	for k := range f.weights {
		f.weights[k] = 1 + lifter*float64(k)
	}
	f.weights[0] = loudnessWeight
	f.cosines = make([][]float64, f.bands)
	for b := range f.cosines {
		f.cosines[b] = make([]float64, f.coefficients)
		for k := range f.cosines[b] {
			f.cosines[b][k] = math.Sqrt(2/float64(f.bands)) * math.Cos(math.Pi*float64(k)*(float64(b)+.5)/float64(f.bands))
		}
		f.cosines[b][0] *= math.Sqrt2 / 2
	}
	f.pool.New = func() any {
		return &frontWork{
			fft: fourier.NewFFT(f.size), frame: make([]float64, f.size),
			spectrum: make([]complex128, f.size/2+1), power: make([]float64, f.size/2+1),
			cepstrum: make([]float64, f.coefficients),
		}
	}
	return f
}

// hann is Hann's window of n values, periodic.
func hann(n int) []float64 {
	w := make([]float64, n)
	for i := range w {
		w[i] = .5 - .5*math.Cos(2*math.Pi*float64(i)/float64(n))
	}
	return w
}

// melOf and hertzOf are O'Shaughnessy's scale of pitch.
func melOf(hertz float64) float64 { return 2595 * math.Log10(1+hertz/700) }
func hertzOf(mel float64) float64 { return 700 * (math.Pow(10, mel/2595) - 1) }

// melBands are triangles of equal width in mel, up to half the rate, each reaching to the
// middles of its neighbours.
func melBands(bands, size, rate int) []melBand {
	low, high := melOf(lowest), melOf(float64(rate)/2)
	edge := func(i int) float64 { return hertzOf(low + (high-low)*float64(i)/float64(bands+1)) }
	out := make([]melBand, bands)
	for b := range out {
		from, middle, to := edge(b), edge(b+1), edge(b+2)
		for bin := 0; bin <= size/2; bin++ {
			hertz := float64(bin) * float64(rate) / float64(size)
			w := min((hertz-from)/(middle-from), (to-hertz)/(to-middle))
			if w <= 0 {
				continue
			}
			if out[b].weights == nil {
				out[b].first = bin
			}
			out[b].weights = append(out[b].weights, w)
		}
	}
	return out
}

// row writes the feature row of a sound.
func (f *frontEnd) row(dst []float32, sound *Sound) {
	work := f.pool.Get().(*frontWork)
	defer f.pool.Put(work)
	f.levels(work, f.heard(sound))
	mean := 0.
	for _, v := range work.levels {
		mean += v
	}
	mean /= float64(len(work.levels))
	second := 0. // the mean of the second coefficient
	for at := range f.frames {
		clear(work.cepstrum)
		for b := range f.bands {
			v := f.blurred(work.levels, at, b) - mean
			for k, c := range f.cosines[b] {
				work.cepstrum[k] += v * c
			}
		}
		second += work.cepstrum[1] / float64(f.frames)
		for k, v := range work.cepstrum {
			dst[at*f.coefficients+k] = float32(v * f.weights[k])
		}
	}
	for at := range f.frames {
		dst[at*f.coefficients+1] -= float32((1 - tilt) * second * f.weights[1])
	}
}

// blurred is the level of a band around a frame; the first and the last go on for ever.
func (f *frontEnd) blurred(levels []float64, at, band int) (sum float64) {
	for i, w := range blur {
		frame := min(max(at+i-len(blur)/2, 0), f.frames-1)
		sum += w * levels[frame*f.bands+band]
	}
	return sum
}

// heard is a sound at the front end's rate from the first 20 ms that are not silent to
// the last.
func (f *frontEnd) heard(sound *Sound) []float32 {
	samples := resample(sound.Samples, sound.Rate, f.rate)
	if f.keepSilence {
		return samples
	}
	step := f.rate / 100
	energies := make([]float64, (len(samples)+step-1)/step) // of 10 ms each
	for i := range energies {
		for _, v := range samples[i*step : min((i+1)*step, len(samples))] {
			energies[i] += float64(v) * float64(v)
		}
	}
	loudest, pairs := 0., max(1, len(energies)-1)
	pair := func(i int) float64 { return energies[i] + energies[min(i+1, len(energies)-1)] }
	for i := range pairs {
		loudest = max(loudest, pair(i))
	}
	first, last := 0, pairs-1
	for first < last && pair(first) < heardRange*loudest {
		first++
	}
	for last > first && pair(last) < heardRange*loudest {
		last--
	}
	return samples[first*step : min((last+2)*step, len(samples))]
}

// levels fills in the logarithm of the power in each band of each frame. Frames are
// spread evenly over samples; where that is thin, each is the mean of several.
func (f *frontEnd) levels(work *frontWork, samples []float32) {
	seconds := float64(len(samples)) / float64(f.rate)
	each := max(1, int(math.Ceil(seconds/frameStep/float64(f.frames))))
	n := each * f.frames
	work.levels = slices.Grow(work.levels[:0], n*f.bands)[:n*f.bands]
	loudest := math.Inf(-1)
	for i := range n {
		middle := (float64(i) + .5) * float64(len(samples)) / float64(n)
		f.powers(work, samples, int(middle)-len(f.window)/2)
		for b, filter := range f.filters {
			sum := 0.
			for j, w := range filter.weights {
				sum += w * work.power[filter.first+j]
			}
			level := math.Log(max(sum, quietest))
			work.levels[i*f.bands+b] = level
			loudest = max(loudest, level)
		}
	}
	for at := range f.frames {
		for b := range f.bands {
			sum := 0.
			for i := at * each; i < (at+1)*each; i++ {
				sum += max(work.levels[i*f.bands+b], loudest-loudRange)
			}
			work.levels[at*f.bands+b] = sum / float64(each) // no frame after it reads that place
		}
	}
	work.levels = work.levels[:f.frames*f.bands]
}

// powers fills in the power spectrum of the window that begins at a sample; there is
// silence before the first and after the last.
func (f *frontEnd) powers(work *frontWork, samples []float32, from int) {
	clear(work.frame)
	for i, w := range f.window {
		if at := from + i; at >= 0 && at < len(samples) {
			work.frame[i] = w * float64(samples[at])
		}
	}
	work.fft.Coefficients(work.spectrum, work.frame)
	scale := 4 / float64(len(f.window)) // of a Hann window's sum, so that a full sine has 1
	for i, c := range work.spectrum {
		re, im := real(c)*scale, imag(c)*scale
		work.power[i] = re*re + im*im
	}
}

// spread turns a row back into the levels of its frames and bands, against the mean.
func (f *frontEnd) spread(row []float32) [][]float64 {
	second := 0. // what is left of the mean of the second coefficient
	for at := range f.frames {
		second += float64(row[at*f.coefficients+1]) / float64(f.frames)
	}
	out, cepstrum := make([][]float64, f.frames), make([]float64, f.coefficients)
	for at := range out {
		for k := range cepstrum {
			cepstrum[k] = float64(row[at*f.coefficients+k])
		}
		cepstrum[1] += (1/tilt - 1) * second
		out[at] = make([]float64, f.bands)
		for b := range out[at] {
			for k, c := range f.cosines[b] {
				out[at][b] += c * cepstrum[k] / f.weights[k]
			}
		}
	}
	return out
}
