package store

import "math"

// Limits on one search.
const (
	// MaxLimit is the most hits one search returns.
	MaxLimit = 10_000
	// DefaultLimit is how many it returns when not told.
	DefaultLimit = 10
	// maxSearchWidth bounds ef and rerank.
	maxSearchWidth = 100_000
)

// Query asks for the points nearest to a record, a vector or a stored point:
// exactly one of Record, Vector and ID is set.
type Query struct {
	// Record is a new record, in the form the source takes.
	Record any
	// Vector is a new input vector, for vector collections.
	Vector []float32
	// ID names a stored point, which is left out of the answer.
	ID ID

	// Limit is how many hits are wanted, 1 to MaxLimit. Default 10.
	Limit int
	// Offset skips the nearest hits; Offset + Limit is at most MaxLimit.
	Offset int
	// Filter selects the points that may be hits.
	Filter *Filter
	// ScoreThreshold leaves out hits that score worse.
	ScoreThreshold *float64

	// Space says what distance means. Default: the collection's.
	Space Space
	// Recall is the expected share of the true nearest neighbours, from which
	// EF and Rerank are chosen by the generation's calibration. Default: the
	// collection's. Where originals are dropped and no setting promises it, it is the
	// share of what the exact scan finds by decoded rows.
	Recall float64
	// EF is the width of the graph search, and Rerank the number of latent
	// candidates re-scored in input space, where the choice by Recall is to be
	// overridden. At most 100,000.
	EF, Rerank int
	// Exact asks for the exact scan of the space.
	Exact bool
	// Warp scores the nearest candidates of the space anew by a distance that lets either
	// record run faster or slower (source.Warper), and that is the score: for records that
	// run in time, such as audio. Candidates are 50, or Rerank, and Offset + Limit at
	// least. Their records are decoded: about a third of a millisecond each for a second of sound.
	Warp bool

	// WithRecord and WithVector ask for the hits' records, and for their
	// vectors: the input vector of a vector collection, the latent of any other.
	WithRecord, WithVector bool
	// OmitPayload leaves the payload out.
	OmitPayload bool
}

// Hit is a point and its score. Score follows Qdrant's convention: for Cosine
// and Dot larger is closer, for Euclid and Manhattan it is the distance and
// smaller is closer.
type Hit struct {
	Point
	Score float64 `json:"score"`
}

// SearchInfo says how an answer was found.
type SearchInfo struct {
	// Generation is the model that answered; 0 is the exact search on feature
	// rows before any fit.
	Generation uint64 `json:"generation"`
	Space      Space  `json:"space"`
	// Engine is the index that was asked; "flat" is the exact scan.
	Engine string `json:"engine"`
	// Exact tells that the answer is the space's exact one.
	Exact bool `json:"exact"`
	// LatentShare is what of a score by terms and latents is the latents', from 0 to 1; nil
	// where the space is another.
	LatentShare *float64 `json:"latent_share,omitempty"`
	// Decoded tells that candidates were scored by the rows that their latents decode
	// to, for the records are dropped.
	Decoded bool `json:"decoded,omitempty"`
	// ExpectedRecall is what the calibration measured for EF and Rerank on
	// points that training never saw. It is of the neighbours by the records, also where
	// these are dropped since.
	ExpectedRecall float64 `json:"expected_recall"`
	// EF and Rerank are what the search came to: more than was planned, where it went on.
	EF     int `json:"ef"`
	Rerank int `json:"rerank"`
	// OutOfDistribution tells that ExpectedRecall may not hold, for the query is unlike
	// nearly all held-out points: the model fits it worse, its 10th neighbour is farther,
	// the two taken together are more, or its search went on more than once, or found much
	// anew when it was asked again. The distance is not looked at under a filter, by Dot,
	// or where a tenth of the points have gone since the fit.
	OutOfDistribution bool `json:"out_of_distribution"`
	// Warped is how many candidates were scored by warped distance; Exact and
	// ExpectedRecall are of how they were found.
	Warped int `json:"warped,omitempty"`
	// Work is what the search did, and Cost what that takes, in about microseconds, by the
	// model that choices go by; decoding the query, to tell how well it fits, is no part.
	Work SearchWork `json:"work"`
	Cost float64    `json:"cost"`
	// Filter says how the filter was answered; nil without one.
	Filter *FilterInfo `json:"filter,omitempty"`
}

// SearchResult is the hits, nearest first, and how they were found.
type SearchResult struct {
	Hits []Hit      `json:"hits"`
	Info SearchInfo `json:"search"`
}

func (q *Query) withDefaults(cfg Config) Query {
	out := *q
	setDefault(&out.Limit, DefaultLimit)
	setDefault(&out.Space, cfg.defaultSpace())
	setDefault(&out.Recall, cfg.Recall)
	return out
}

func (q *Query) validate() error {
	given := count(q.Record != nil, q.Vector != nil, !q.ID.IsZero())
	switch {
	case given != 1:
		return invalid("query", "needs exactly one of record, vector and id, has %d", given)
	case q.Limit < 1 || q.Limit > MaxLimit:
		return invalid("limit", "is %d; it must be 1 to %d", q.Limit, MaxLimit)
	case q.Offset < 0 || q.Offset > MaxLimit-q.Limit:
		return invalid("offset", "is %d; offset + limit must be %d at most", q.Offset, MaxLimit)
	case !(q.Recall > 0 && q.Recall <= 1):
		return invalid("recall", "is %v; it must be above 0 and at most 1", q.Recall)
	case q.EF < 0 || q.EF > maxSearchWidth:
		return invalid("hnsw_ef", "is %d; it must be %d at most", q.EF, maxSearchWidth)
	case q.Rerank < 0 || q.Rerank > maxSearchWidth:
		return invalid("rerank", "is %d; it must be %d at most", q.Rerank, maxSearchWidth)
	case q.ScoreThreshold != nil && math.IsNaN(*q.ScoreThreshold):
		return invalid("score_threshold", "is not a number")
	}
	return q.Space.validate()
}

// content is the new record whichever way it was given.
func (q *Query) content() any {
	if q.Vector != nil {
		return q.Vector
	}
	return q.Record
}
