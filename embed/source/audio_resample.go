package source

import "math"

// Resampling is by a windowed sinc (Smith, Digital Audio Resampling, CCRMA): zeros
// crossings on either side under a Kaiser window, at the lower of the two rates, so that
// nothing folds back. Attenuation beyond the band is 80 dB.
const (
	sincZeros = 16
	sincSteps = 512 // a crossing
	sincBeta  = 8
	// sincBand is the share of the lower rate's band that passes whole.
	sincBand = 0.92
	// maxPhases is the most sets of weights that are kept for use again.
	maxPhases = 1024
)

// sincTable is half of the filter, from its middle, and one value more.
var sincTable = func() []float32 {
	table := make([]float32, sincZeros*sincSteps+2)
	for i := range table {
		x := float64(i) / sincSteps
		if x < sincZeros {
			v := x / sincZeros
			table[i] = float32(sinc(sincBand*x) * bessel(sincBeta*math.Sqrt(1-v*v)) / bessel(sincBeta))
		}
	}
	return table
}()

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// bessel is the modified Bessel function of order 0, by its series.
func bessel(x float64) float64 {
	sum, term := 1., 1.
	for k := 1.; term > 1e-12*sum; k++ {
		term *= (x / 2 / k) * (x / 2 / k)
		sum += term
	}
	return sum
}

// resample brings samples from one rate to another; the same rate gives the same slice.
// Cost: 32 products a sample of the higher rate.
func resample(samples []float32, from, to int) []float32 {
	if from == to {
		return samples
	}
	g := gcd(from, to)
	up, down := to/g, from/g
	// The filter reaches over more samples where it has to hold back what to cannot hold.
	stretch := max(1, float64(from)/float64(to))
	reach := int(math.Ceil(sincZeros * stretch))
	out := make([]float32, (int64(len(samples))*int64(up)+int64(down)-1)/int64(down))
	var phases [][]float32
	if up <= maxPhases {
		phases = make([][]float32, up)
	}
	scratch := make([]float32, 2*reach)
	at, phase := 0, 0 // the moment of a sample: at + phase/up samples of the old rate
	for i := range out {
		weights := scratch
		if phases == nil {
			fillSinc(weights, float64(phase)/float64(up), stretch)
		} else if weights = phases[phase]; weights == nil {
			weights = make([]float32, 2*reach)
			fillSinc(weights, float64(phase)/float64(up), stretch)
			phases[phase] = weights
		}
		out[i] = weighed(weights, samples, at-reach+1)
		phase += down
		at, phase = at+phase/up, phase%up
	}
	return out
}

// fillSinc fills in the weights of 2·reach samples for a moment that lies a share of a
// sample after the middle one; they add up to 1.
func fillSinc(weights []float32, share, stretch float64) {
	middle := len(weights)/2 - 1
	var sum float64
	for j := range weights {
		x := math.Abs(float64(j-middle)-share) / stretch * sincSteps
		i := int(x)
		if i >= len(sincTable)-1 {
			weights[j] = 0
			continue
		}
		w := sincTable[i] + float32(x-float64(i))*(sincTable[i+1]-sincTable[i])
		weights[j] = w
		sum += float64(w)
	}
	for j := range weights {
		weights[j] = float32(float64(weights[j]) / sum)
	}
}

// weighed is the sum of samples from one on, by their weights; there is silence before
// and after them.
func weighed(weights, samples []float32, first int) float32 {
	if first < 0 {
		weights = weights[min(-first, len(weights)):]
		first = 0
	}
	samples = samples[min(first, len(samples)):]
	n := min(len(weights), len(samples))
	weights, samples = weights[:n], samples[:n]
	var a, b, c, d float32
	for len(weights) >= 4 && len(samples) >= 4 {
		a += weights[0] * samples[0]
		b += weights[1] * samples[1]
		c += weights[2] * samples[2]
		d += weights[3] * samples[3]
		weights, samples = weights[4:], samples[4:]
	}
	for i, w := range weights {
		a += w * samples[i]
	}
	return a + b + c + d
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
