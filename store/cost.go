package store

import (
	"math"

	"github.com/latentdb/latentdb/index"
)

// What a search costs, in microseconds of one core, by what it does. The constants
// are fitted to the clock by `go run ./cmd/bench search --only 11`, which prints them and
// checks them on other collections. Other machines are faster or slower, but as a rule in
// all of it. Choices that depend on them are the same on every machine and in every run,
// which those of a stopwatch are not.
const (
	searchCost       = 7.87 // whatever is asked
	weightCost       = 5.52e-05
	scannedCost      = 0.00204
	scannedByteCost  = 2.38e-05
	insertedCost     = 0.0408
	blockedCost      = 0.000439
	blockedByteCost  = 1.94e-05
	sketchedCost     = 0.000417
	sketchedByteCost = 1.81e-05
	gatheredCost     = 0.00815
	orderedCost      = 0.000803
	rescoredCost     = 0.0195
	rescoredByteCost = 1.46e-05
	// Not fitted: set by hand after timings of records of some kinds, and of latents that
	// are decoded together.
	storedCost        = 2
	storedFeatureCost = 0.004
	decodedCost       = 0.05
	decodedWeightCost = 0.000025
)

// SearchWork is what a search did, in the terms that its cost is reckoned by: counts,
// or their means over searches. What is said to be far is a count times how far in
// memory a row is to be fetched from: the binary logarithm of two and the megabytes of
// all of them, for the smaller caches hold none of many.
type SearchWork struct {
	// Weights is how many weights the query was encoded by.
	Weights float64 `json:"weights"`
	// Scanned is how many of the index's rows were measured that lie one after another,
	// with their bytes in all, and Inserted about how many of them were among the best
	// so far.
	Scanned      float64 `json:"scanned"`
	ScannedBytes float64 `json:"scanned_bytes"`
	Inserted     float64 `json:"inserted"`
	// Blocked is how many were measured that lie in blocks, of which one instruction
	// measures several, and Sketched how many of such were estimated by half a byte a
	// value.
	Blocked       float64 `json:"blocked"`
	BlockedBytes  float64 `json:"blocked_bytes"`
	Sketched      float64 `json:"sketched"`
	SketchedFar   float64 `json:"sketched_far"`
	SketchedBytes float64 `json:"sketched_bytes"`
	// Gathered is how many were fetched from a place of their own. Ordered is that
	// times the root of ef: the more of the best are kept in order, the longer it takes
	// to put one among them.
	Gathered    float64 `json:"gathered"`
	GatheredFar float64 `json:"gathered_far"`
	Ordered     float64 `json:"ordered"`
	// Rescored is how many candidates were scored by feature rows that are kept, and
	// Stored by their records, of StoredFeatures features in all, and Decoded by what
	// their latents decode to, by as many weights in all.
	Rescored       float64 `json:"rescored"`
	RescoredFar    float64 `json:"rescored_far"`
	RescoredBytes  float64 `json:"rescored_bytes"`
	Stored         float64 `json:"stored"`
	StoredFeatures float64 `json:"stored_features"`
	Decoded        float64 `json:"decoded"`
	DecodedWeights float64 `json:"decoded_weights"`
}

func (w *SearchWork) cost() float64 {
	return searchCost + weightCost*w.Weights +
		scannedCost*w.Scanned + scannedByteCost*w.ScannedBytes + insertedCost*w.Inserted +
		blockedCost*w.Blocked + blockedByteCost*w.BlockedBytes +
		sketchedCost*w.SketchedFar + sketchedByteCost*w.SketchedBytes +
		gatheredCost*w.GatheredFar + orderedCost*w.Ordered +
		rescoredCost*w.RescoredFar + rescoredByteCost*w.RescoredBytes +
		storedCost*w.Stored + storedFeatureCost*w.StoredFeatures +
		decodedCost*w.Decoded + decodedWeightCost*w.DecodedWeights
}

// far is how far the rows of a table are.
func far(rows, bytes float64) float64 { return math.Log2(2 + rows*bytes/1e6) }

// searched is what a search did in an index, by counts that are its own.
type searched struct {
	scanned, blocked, sketched, gathered float64
	ef, kept                             float64
	points, width, codeBytes             float64
}

func (s *searched) work() SearchWork {
	bytes := s.width * s.codeBytes
	away := far(s.points, bytes)
	w := SearchWork{
		Scanned: s.scanned, ScannedBytes: s.scanned * bytes, Blocked: s.blocked, BlockedBytes: s.blocked * bytes,
		Sketched: s.sketched, SketchedFar: s.sketched * away, SketchedBytes: s.sketched * s.width / 2,
		Gathered: s.gathered, GatheredFar: s.gathered * away, Ordered: s.gathered * math.Sqrt(max(s.ef, s.kept)),
	}
	if k := min(s.kept, s.scanned); k > 0 {
		w.Inserted = k * (1 + math.Log(s.scanned/k)) // in rows of no order
	}
	return w
}

// work is the mean of what so many searches did in the index, as that counted it, with
// some ef and so many of the best kept.
func (g *generation) work(done index.Work, searches float64, ef, kept int) SearchWork {
	s := searched{float64(done.Scanned) / searches, float64(done.Blocked) / searches, float64(done.Sketched) / searches, float64(done.Gathered) / searches,
		float64(ef), float64(kept), float64(g.index.Len()), float64(g.width()), 1}
	if g.model == nil || g.model.CodeStep() == 0 {
		s.codeBytes = 4
	}
	w := s.work()
	if g.model != nil {
		w.Weights = float64(g.model.EncoderWeights())
	}
	return w
}

// score adds that candidates were scored anew, by rows that are kept, by records and by
// what latents decode to.
func (g *generation) score(w *SearchWork, byRow, byRecord, byDecoding float64) {
	features := float64(g.fitted.Width())
	w.Stored, w.StoredFeatures = byRecord, byRecord*features
	if w.Decoded = byDecoding; byDecoding > 0 {
		w.DecodedWeights = byDecoding * float64(g.model.DecoderWeights())
	}
	if g.rows != nil {
		w.rescore(byRow, float64(g.index.Len()), features*float64(g.rows.Form().Bytes()))
	}
}

// rescore adds that candidates were scored by rows of a table.
func (w *SearchWork) rescore(candidates, rows, bytes float64) {
	w.Rescored, w.RescoredFar, w.RescoredBytes = candidates, candidates*far(rows, bytes), candidates*bytes
}

// cost is what one of so many searches costs, and to score some candidates anew.
func (g *generation) cost(done index.Work, searches float64, ef, rerank int) float64 {
	w := g.work(done, searches, ef, max(rerank, calibrationK))
	switch candidates := float64(rerank); {
	case g.rows != nil:
		g.score(&w, candidates, 0, 0)
	case g.latentOnly:
		g.score(&w, 0, 0, candidates)
	default:
		g.score(&w, 0, candidates, 0)
	}
	return w.cost()
}

// rescoreCost is what it costs to score a candidate anew.
func (g *generation) rescoreCost() float64 {
	return g.cost(index.Work{}, 1, 1, 1) - g.cost(index.Work{}, 1, 1, 0)
}

// sketchCost is what it costs to estimate the distance of a row.
func (g *generation) sketchCost() float64 {
	return g.cost(index.Work{Sketched: 1}, 1, 0, 0) - g.cost(index.Work{}, 1, 0, 0)
}
