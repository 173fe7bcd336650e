package linkage

import "math"

const (
	// steps is how many levels a similarity below 1 is told in; equality is one more.
	steps  = 10
	levels = steps + 1
	// absent is the level of what is no evidence.
	absent = math.MaxUint8
	// rounds is how often the mixture is worked out anew at most.
	rounds = 60
	// smoothing is how many pairs each class is taken to have besides, spread as all are.
	smoothing = 2
	// settled is the mean change of probabilities at which it is at rest.
	settled = 1e-4
	// trust is what weights count for: comparisons of one pair are not independent, and
	// their sum says too much.
	trust = 0.7
	// mostWeight bounds what one comparison may say, in nats.
	mostWeight = 6
)

// level is the step of a similarity.
func level(similarity float64) uint8 {
	switch {
	case math.IsNaN(similarity):
		return absent
	case similarity >= 1:
		return steps
	}
	return uint8(max(0, similarity) * steps)
}

// mixture says what each level of each comparison weighs: the logarithm of how much more
// frequent it is between records of the same thing than between others. Comparisons count
// as independent given the class.
type mixture struct {
	weights [][levels]float64
	// odds is the logarithm of the odds that a candidate pair matches.
	odds float64
}

// weigh is the weight of a pair's levels.
func (m *mixture) weigh(at []uint8) float64 {
	sum := 0.0
	for i, l := range at {
		if l != absent {
			sum += m.weights[i][l]
		}
	}
	return sum
}

// logOdds is the logarithm of the odds that a pair matches.
func (m *mixture) logOdds(at []uint8) float64 { return trust*m.weigh(at) + m.odds }

func (m *mixture) probability(at []uint8) float64 { return logistic(m.logOdds(at)) }

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// learnMixture learns from the levels of pairs, width to a pair, by expectation
// maximisation that begins with the given probabilities of a match, which it changes.
// Pairs that may not match are of the other class throughout. Once it is ended, what it
// gives means nothing.
func learnMixture(pairs []uint8, width int, match []float64, may []bool, ended func() bool) *mixture {
	m := &mixture{weights: make([][levels]float64, width)}
	for range rounds {
		if ended() {
			break
		}
		m.maximise(pairs, width, match)
		moved := 0.0
		for i := range match {
			p := 0.0
			if may[i] {
				p = m.probability(pairs[i*width : (i+1)*width])
			}
			moved += math.Abs(p - match[i])
			match[i] = p
		}
		if moved <= settled*float64(len(match)) {
			break
		}
	}
	return m
}

// maximise works out the weights from the probabilities of matches.
func (m *mixture) maximise(pairs []uint8, width int, match []float64) {
	total := 0.0
	for _, p := range match {
		total += p
	}
	m.odds = math.Log((total + 1) / (float64(len(match)) - total + 1))
	for f := range width {
		var same, other [levels]float64
		for i, p := range match {
			if l := pairs[i*width+f]; l != absent {
				same[l] += p
				other[l] += 1 - p
			}
		}
		m.weights[f] = weightsOf(same, other)
	}
}

// weightsOf are the logarithms of the ratios of two histograms, made ascending: more
// alike never speaks against a match.
func weightsOf(same, other [levels]float64) (weights [levels]float64) {
	var ofSame, ofOther float64
	for l := range levels {
		ofSame += same[l]
		ofOther += other[l]
	}
	if ofSame+ofOther == 0 {
		return weights
	}
	var sizes [levels]float64
	for l := range levels {
		all := (same[l] + other[l]) / (ofSame + ofOther)
		a := (same[l] + smoothing*all + 1e-9) / (ofSame + smoothing)
		b := (other[l] + smoothing*all + 1e-9) / (ofOther + smoothing)
		weights[l] = max(-mostWeight, min(mostWeight, math.Log(a/b)))
		sizes[l] = same[l] + other[l] + 1e-6
	}
	return ascending(weights, sizes)
}

// ascending pools neighbours that are out of order (Ayer et al., 1955).
func ascending(values, sizes [levels]float64) (out [levels]float64) {
	type pool struct {
		sum, size float64
		n         int
	}
	var pools []pool
	for l := range levels {
		pools = append(pools, pool{values[l] * sizes[l], sizes[l], 1})
		for n := len(pools); n > 1 && pools[n-2].sum/pools[n-2].size > pools[n-1].sum/pools[n-1].size; n-- {
			pools[n-2] = pool{pools[n-2].sum + pools[n-1].sum, pools[n-2].size + pools[n-1].size, pools[n-2].n + pools[n-1].n}
			pools = pools[:n-1]
		}
	}
	at := 0
	for _, p := range pools {
		for range p.n {
			out[at] = p.sum / p.size
			at++
		}
	}
	return out
}
