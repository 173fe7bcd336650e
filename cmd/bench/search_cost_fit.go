package main

import "github.com/latentdb/latentdb/store"

// costTerms are the constants of store/cost.go that are fitted, by termsOf.
var costTerms = [...]string{"searchCost", "weightCost", "scannedCost", "scannedByteCost", "insertedCost", "blockedCost", "blockedByteCost",
	"sketchedCost", "sketchedByteCost", "gatheredCost", "orderedCost", "rescoredCost", "rescoredByteCost"}

func termsOf(w store.SearchWork) [len(costTerms)]float64 {
	return [...]float64{1, w.Weights, w.Scanned, w.ScannedBytes, w.Inserted, w.Blocked, w.BlockedBytes,
		w.SketchedFar, w.SketchedBytes, w.GatheredFar, w.Ordered, w.RescoredFar, w.RescoredBytes}
}

// costConstants are what each term costs, in microseconds.
type costConstants [len(costTerms)]float64

func (c *costConstants) of(terms [len(costTerms)]float64) (sum float64) {
	for i, t := range terms {
		sum += c[i] * t
	}
	return sum
}

// fitCosts are the constants, none below 0, with the least squares of relative error:
// one of them after another is set to its best, until none moves.
func fitCosts(settings []*costed) (out costConstants) {
	// Of terms in shares of the time, the sum of which is to be 1.
	var products [len(costTerms)][len(costTerms)]float64
	var sums [len(costTerms)]float64
	for _, s := range settings {
		for i, a := range s.terms {
			sums[i] += a / s.took[0]
			for j, b := range s.terms {
				products[i][j] += a / s.took[0] * b / s.took[0]
			}
		}
	}
	const rounds = 100_000
	for range rounds {
		for i := range out {
			if products[i][i] == 0 {
				continue
			}
			slope := sums[i]
			for j, p := range products[i] {
				slope -= p * out[j]
			}
			out[i] = max(0, out[i]+slope/products[i][i])
		}
	}
	return out
}
