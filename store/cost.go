package store

import "github.com/latentdb/latentdb/index"

// What a search costs, in microseconds of one core, by what it does. The constants
// are fitted to the clock by `go run ./cmd/bench search --only 11`, which prints them and
// checks them on other collections. Other machines are faster or slower, but as a rule in
// all of it. Choices that depend on them are the same on every machine and in every run,
// which those of a stopwatch are not.
const (
	searchCost        = 5 // whatever is asked
	featureCost       = 0
	weightCost        = 0.00009
	scannedCost       = 0.0011
	scannedByteCost   = 0.000016
	sketchedCost      = 0.0011
	sketchedByteCost  = 0.000016
	gatheredCost      = 0.02
	gatheredByteCost  = 0.00012
	rescoredCost      = 0.05
	rescoredByteCost  = 0.00008
	storedCost        = 2 // not fitted: by the kind of record
	storedFeatureCost = 0.004
)

// SearchWork is what a search did, in the terms that its cost is reckoned by: counts,
// or their means over searches.
type SearchWork struct {
	// Features is the width of the query's row, Weights how many weights it was
	// encoded by.
	Features float64 `json:"features"`
	Weights  float64 `json:"weights"`
	// Scanned is how many of the index's rows were measured that lie one after
	// another, Sketched how many were estimated by half a byte a value, and Gathered
	// how many were fetched from a place of their own, each with its bytes in all.
	Scanned       float64 `json:"scanned"`
	ScannedBytes  float64 `json:"scanned_bytes"`
	Sketched      float64 `json:"sketched"`
	SketchedBytes float64 `json:"sketched_bytes"`
	Gathered      float64 `json:"gathered"`
	GatheredBytes float64 `json:"gathered_bytes"`
	// Rescored is how many candidates were scored by feature rows that are kept, and
	// Stored by their records, of StoredFeatures features in all.
	Rescored       float64 `json:"rescored"`
	RescoredBytes  float64 `json:"rescored_bytes"`
	Stored         float64 `json:"stored"`
	StoredFeatures float64 `json:"stored_features"`
}

func (w *SearchWork) cost() float64 {
	return searchCost + featureCost*w.Features + weightCost*w.Weights +
		scannedCost*w.Scanned + scannedByteCost*w.ScannedBytes +
		sketchedCost*w.Sketched + sketchedByteCost*w.SketchedBytes +
		gatheredCost*w.Gathered + gatheredByteCost*w.GatheredBytes +
		rescoredCost*w.Rescored + rescoredByteCost*w.RescoredBytes +
		storedCost*w.Stored + storedFeatureCost*w.StoredFeatures
}

// work is what so many searches did, as the index counted it, that scored so many
// candidates each by rows and by records; their mean.
func (g *generation) work(done index.Work, searches, rescored, stored float64) SearchWork {
	features, width := float64(g.fitted.Width()), float64(g.width())
	w := SearchWork{
		Features: features, Rescored: rescored, Stored: stored, StoredFeatures: stored * features,
		Scanned: float64(done.Scanned) / searches, Sketched: float64(done.Sketched) / searches, Gathered: float64(done.Gathered) / searches,
	}
	w.SketchedBytes = w.Sketched * width / 2
	if g.model == nil || g.model.CodeStep() == 0 {
		width *= 4
	}
	w.ScannedBytes, w.GatheredBytes = w.Scanned*width, w.Gathered*width
	if g.model != nil {
		w.Weights = float64(g.model.EncoderWeights())
	}
	if g.rows != nil {
		w.RescoredBytes = rescored * features * float64(g.rows.Form().Bytes())
	}
	return w
}

// cost is what a search costs that does a share of some work, and scores some
// candidates anew.
func (g *generation) cost(done index.Work, searches float64, rerank int) float64 {
	rescored, stored := float64(rerank), 0.0
	if g.rows == nil {
		rescored, stored = 0, rescored
	}
	w := g.work(done, searches, rescored, stored)
	return w.cost()
}

// rescoreCost is what it costs to score a candidate anew.
func (g *generation) rescoreCost() float64 {
	return g.cost(index.Work{}, 1, 1) - g.cost(index.Work{}, 1, 0)
}
