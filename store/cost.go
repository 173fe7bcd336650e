package store

import "github.com/latentdb/latentdb/index"

// What a search costs, in microseconds of one core, by what it does. The constants
// were set by hand after timings on one machine; others are faster or slower, but as
// a rule in all of it. Choices that depend on them are the same on every machine and
// in every run, which those of a stopwatch are not.
const (
	weightCost        = 0.00009  // an encoder's weight
	decodedWeightCost = 0.000025 // a decoder's, of a candidate among others
	scannedCost       = 0.0011   // a row among its neighbours in memory
	scannedByteCost   = 0.000016
	gatheredCost      = 0.02 // a row in a place of its own
	gatheredByteCost  = 0.00012
	rescoredCost      = 0.05 // a candidate's row in memory
	rescoredByteCost  = 0.00008
	storedCost        = 2 // a candidate's stored record
	storedFeatureCost = 0.004
	searchCost        = 5 // whatever is asked
)

// work is index.Work, summed or averaged.
type work struct{ scanned, sketched, gathered float64 }

func (w *work) add(done index.Work) {
	w.scanned += float64(done.Scanned)
	w.sketched += float64(done.Sketched)
	w.gathered += float64(done.Gathered)
}

func (w *work) each(n float64) work { return work{w.scanned / n, w.sketched / n, w.gathered / n} }

// cost is what a search that does some work and scores some candidates anew costs
// under a generation's model.
func (g *generation) cost(w work, rerank int) float64 {
	width := float64(g.width())
	if g.model != nil && g.model.CodeStep() == 0 {
		width *= 4
	}
	cost := searchCost + g.encoderCost() +
		w.scanned*(scannedCost+scannedByteCost*width) + w.sketched*(scannedCost+scannedByteCost*width/2) + w.gathered*(gatheredCost+gatheredByteCost*width)
	return cost + float64(rerank)*g.rescoreCost()
}

// rescoreCost is what it costs to score a candidate anew.
func (g *generation) rescoreCost() float64 {
	features := float64(g.fitted.Width())
	switch {
	case g.rows != nil:
	case g.latentOnly:
		return rescoredCost + decodedWeightCost*float64(g.model.DecoderWeights())
	default:
		return storedCost + storedFeatureCost*features
	}
	return rescoredCost + rescoredByteCost*features*float64(g.rows.Form().Bytes())
}

func (g *generation) encoderCost() float64 {
	if g.model == nil {
		return 0
	}
	return weightCost * float64(g.model.EncoderWeights())
}
