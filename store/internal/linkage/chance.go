package linkage

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

const (
	// mostShuffled is how many records are dealt out at most to learn what chance brings
	// about.
	mostShuffled = 50_000
	// deals is how often few records are, so that what one deal has not is rare.
	deals, fewShuffled = 5, 10_000
)

// chance tells which share of the pairs of a probability would be there if no record
// spoke of the same thing as another. The two classes of a mixture are those that differ
// most: in a table whose fields name nothing they are agreement and none, and all that
// agrees looks like a match. How much would agree anyway is seen in records of no truth:
// each field's values dealt out anew (a permutation test; the share among pairs of a
// probability is their local false discovery rate, Efron, "Large-scale simultaneous
// hypothesis testing", 2004).
//
// The zero value leaves every probability as it is.
type chance []chanceStep

// chanceStep is the share from a probability on, up to that of the step before.
type chanceStep struct{ from, share float64 }

// left is what is left of a probability.
func (c chance) left(probability float64) float64 {
	at, _ := slices.BinarySearchFunc(c, probability, func(s chanceStep, p float64) int { return cmp.Compare(p, s.from) })
	if len(c) == 0 {
		return probability
	}
	return probability * (1 - c[min(at, len(c)-1)].share)
}

// learnChance finds how many pairs of records of no truth are as probable as those that
// were found. One field cannot be dealt out beside others.
func (r *Records) learnChance(l *Links, found []Match) chance {
	if len(l.scale.spreads) < 2 {
		return nil
	}
	kept := r.once(found)
	if len(kept) < 2 {
		return nil
	}
	rng := rand.New(rand.NewPCG(7, 11))
	n := max(1, min(deals, fewShuffled/len(kept)))
	var byChance []float64
	for range n {
		if r.isEnded() {
			return nil
		}
		byChance = append(byChance, r.dealt(kept, rng).probabilities(l)...)
	}
	probabilities := make([]float64, len(found))
	for i, m := range found {
		probabilities[i] = m.Probability
	}
	ratio := float64(len(r.records)) / float64(min(len(kept), mostShuffled))
	scale := ratio * ratio / float64(n) // pairs grow with the square
	return stepsOf(probabilities, byChance, scale)
}

// probabilities are those of candidates, by weights that were learned elsewhere.
func (r *Records) probabilities(l *Links) []float64 {
	pairs := r.Candidates(nil, nil)
	own := &Links{scale: r.scale, alone: l.alone, weights: l.weights}
	c := r.compareAll(own, pairs)
	margins := own.stand(len(r.records), pairs, c)
	out := make([]float64, len(pairs))
	for i := range pairs {
		out[i] = own.probability(c.of(i), margins[i])
	}
	return out
}

// once are the records without one of each pair that matches: its values come twice for
// another reason than chance.
func (r *Records) once(found []Match) (kept []int) {
	twice := make([]bool, len(r.records))
	for _, m := range found {
		if m.Probability > 0.5 {
			twice[m.B] = true
		}
	}
	for i, t := range twice {
		if !t {
			kept = append(kept, i)
		}
	}
	return kept
}

// dealt are records whose values come from different ones of those kept, in each field as
// often as they are there.
func (r *Records) dealt(kept []int, rng *rand.Rand) *Records {
	n, fields := min(len(kept), mostShuffled), len(r.scale.spreads)
	from := make([][]int, fields)
	for f := range from {
		from[f] = slices.Clone(kept)
		rng.Shuffle(len(kept), func(i, j int) { from[f][i], from[f][j] = from[f][j], from[f][i] })
	}
	return Prepare(r.workers, n, fields, r.ended, func(i int) []Value {
		values := make([]Value, fields)
		for f := range values {
			v := &r.records[from[f][i]].fields[f]
			values[f] = Value{Kind: v.kind, Text: v.text, Number: v.number}
		}
		return values
	})
}

// stepsOf are the shares of pairs by chance, each of which stands for scale of them, among
// those found: never smaller where pairs are less probable, which pools neighbours that
// are out of order (Ayer et al., 1955).
func stepsOf(found, byChance []float64, scale float64) chance {
	for _, values := range [][]float64{found, byChance} { // descending
		slices.Sort(values)
		slices.Reverse(values)
	}
	type pool struct{ from, chance, found float64 }
	share := func(p pool) float64 { return p.chance / p.found }
	var pools []pool
	for at, i := 0, 0; i < len(found); {
		next := pool{from: found[i]}
		for ; i < len(found) && found[i] == next.from; i++ {
			next.found++
		}
		for ; at < len(byChance) && byChance[at] >= next.from; at++ {
			next.chance += scale
		}
		for n := len(pools); n > 0 && share(pools[n-1]) > share(next); n-- {
			next.chance, next.found = next.chance+pools[n-1].chance, next.found+pools[n-1].found
			pools = pools[:n-1]
		}
		pools = append(pools, next)
	}
	out := make(chance, len(pools))
	for i, p := range pools {
		out[i] = chanceStep{p.from, min(1, share(p))}
	}
	return out
}
