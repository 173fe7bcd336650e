package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
)

// MaxPredictK is the most neighbours that one prediction takes.
const MaxPredictK = 100

// PredictAs says what kind of value is predicted.
type PredictAs string

const (
	// PredictClass is one of the values that neighbours have, elected by their votes:
	// strings, booleans, and whole numbers of 20 different values at most.
	PredictClass PredictAs = "class"
	// PredictNumber is the weighted mean of the neighbours' values: other numbers.
	PredictNumber PredictAs = "number"
)

// PredictQuery asks which value records would have under a payload key: exactly one of
// Records, Vectors and IDs is set, with 10,000 entries at most.
type PredictQuery struct {
	// Key is the payload key, a path as in a Condition.
	Key string
	// Records are new ones, in the form the source takes.
	Records []any
	// Vectors are new input vectors, for vector collections.
	Vectors [][]float32
	// IDs name stored points, each of which leaves itself out.
	IDs []ID
	// K is how many neighbours vote, 1 to MaxPredictK. Default 0: of 1, 3, 5, 10, 20 and 50
	// the one that predicts stored points best; of classes the one whose confidence tells
	// best what is right, among those whose accuracy is within a standard error of the best.
	K int
	// As says what is predicted. Default: as the stored values are.
	As PredictAs
	// Space says what near means. Default: the collection's.
	Space Space
	// Filter selects the points that may vote.
	Filter *Filter
}

// Prediction is what the neighbours of a record say that it has under a key.
type Prediction struct {
	// Value is one of theirs, or a float64 where numbers are predicted; nil where no
	// neighbour has any.
	Value any `json:"value"`
	// Confidence is from 0 to 1. Of a class it is how often stored points, left out and
	// elected with about as large a share of the weighted votes, had that value. Of a
	// number it is which share of the variance of all values Spread leaves over:
	// 1 - (Spread/deviation)², and 0 at least.
	Confidence float64 `json:"confidence"`
	// Spread is how far from Value two of three stored points were whose neighbours agreed
	// as much, in the value's units; nil of a class.
	Spread *float64 `json:"spread,omitempty"`
	// Neighbours are those that voted, nearest first.
	Neighbours []Voter `json:"neighbours"`
	// Quality is how well stored points are predicted so. All predictions of a call share it.
	Quality *PredictQuality `json:"quality"`
}

// Voter is a stored point near to a record, with its value under the key. Score is as Hit
// has it.
type Voter struct {
	ID    ID      `json:"id"`
	Score float64 `json:"score"`
	Value any     `json:"value"`
	// distance orders voters; less is nearer.
	distance float64
}

// PredictQuality is how well the values of stored points are predicted by the others: of
// 1,000 of them at most, evenly spread over the collection.
type PredictQuality struct {
	Key string    `json:"key"`
	As  PredictAs `json:"as"`
	// K is how many neighbours vote.
	K int `json:"k"`
	// Space and Generation are of the searches.
	Space      Space  `json:"space"`
	Generation uint64 `json:"generation"`
	// Points is how many were left out and predicted. Where it is 0 nothing is known.
	Points int `json:"points"`
	// Skipped is how many others of the sample have a value of another type than most, a
	// list of several, or an object: such points do not vote.
	Skipped int `json:"skipped"`
	// Accuracy is the share of values that were predicted, MostCommon that of the most
	// frequent value, which says what knowing nothing gives. Of classes.
	Accuracy   *float64 `json:"accuracy,omitempty"`
	MostCommon *float64 `json:"most_common,omitempty"`
	// R2 is which share of the variance is predicted, at most 1 and below 0 where the mean
	// of all says more. MeanError is the mean absolute error. Of numbers.
	R2        *float64 `json:"r2,omitempty"`
	MeanError *float64 `json:"mean_error,omitempty"`
	// Tried are the numbers of neighbours that were compared: Score is accuracy or R².
	Tried []TriedK `json:"tried"`
}

// TriedK is one number of neighbours and what it comes to.
type TriedK struct {
	K     int     `json:"k"`
	Score float64 `json:"score"`
}

// Predict tells which value records would have under a payload key, by the nearest points
// that have one. A neighbour's vote weighs as much as it is nearer than the first that has
// none: distance to the (K+1)-th less its own, a triangular kernel whose width follows how
// densely points lie (Stone 1977). Points vote whose key leads to one string, one boolean
// or one number; of several types, those of the most frequent. Works before any fit too.
// ErrInvalid where no point has a value, ErrNotFound for an id that is not stored.
//
// Cost: a search for each record. The first call for a key, and the next after a fit or
// once as many changes came as a tenth of the points, predicts stored points first, which
// takes 2,000 searches at most; so does each call with a filter by ids.
func (c *Collection) Predict(ctx context.Context, q PredictQuery) ([]Prediction, error) {
	queries, names, err := q.searches()
	if err != nil {
		return nil, err
	}
	p, err := c.predictor(ctx, q)
	if err != nil {
		return nil, err
	}
	out := make([]Prediction, len(queries))
	err = c.eachQuery(ctx, queries, func(ctx context.Context, i int) error {
		near, err := c.nearestVoters(ctx, p.electorate, queries[i], p.quality.K+1)
		if err == nil {
			out[i] = p.predict(near)
		}
		return renamed(err, names(i))
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// PredictQuality tells how well stored points are predicted as q says, of whose Records,
// Vectors and IDs none is looked at. The cost is that of the first Predict.
func (c *Collection) PredictQuality(ctx context.Context, q PredictQuery) (*PredictQuality, error) {
	p, err := c.predictor(ctx, q)
	if err != nil {
		return nil, err
	}
	return &p.quality, nil
}

// searches are a query's records as searches, and the fields that errors name them by.
func (q *PredictQuery) searches() (queries []Query, name func(i int) string, err error) {
	if n := count(q.Records != nil, q.Vectors != nil, q.IDs != nil); n != 1 {
		return nil, nil, invalid("records", "needs exactly one of records, vectors and ids, has %d", n)
	}
	field := "records"
	for i, r := range q.Records {
		if r == nil {
			return nil, nil, invalid(fmt.Sprintf("records[%d]", i), "is missing")
		}
		queries = append(queries, Query{Record: r})
	}
	if q.Vectors != nil {
		field = "vectors"
	}
	for _, v := range q.Vectors {
		queries = append(queries, Query{Vector: slices.Concat([]float32{}, v)}) // an empty one is no missing one
	}
	if q.IDs != nil {
		field = "ids"
		if err := validateIDs(field, q.IDs); err != nil {
			return nil, nil, err
		}
	}
	for _, id := range q.IDs {
		queries = append(queries, Query{ID: id})
	}
	if len(queries) > MaxCallRecords {
		return nil, nil, invalid(field, "%d entries, more than %d", len(queries), MaxCallRecords)
	}
	return queries, func(i int) string { return fmt.Sprintf("%s[%d]", field, i) }, nil
}

// renamed names the record in an error that a search of it gave.
func renamed(err error, field string) error {
	var invalid *InvalidError
	switch {
	case errors.As(err, &invalid) && invalid.Field == "query":
		return &InvalidError{Field: field, Reason: invalid.Reason, Err: invalid.Err}
	case errors.Is(err, ErrNotFound):
		return fmt.Errorf("%w (%s)", err, field)
	}
	return err
}

// validate checks all of a query but its records.
func (q *PredictQuery) validate() error {
	switch {
	case q.Key == "":
		return invalid("key", "is missing: it names what is predicted")
	case q.K < 0 || q.K > MaxPredictK:
		return invalid("k", "is %d; it must be 1 to %d", q.K, MaxPredictK)
	case q.As != "" && q.As != PredictClass && q.As != PredictNumber:
		return invalid("as", "%q is neither %q nor %q", string(q.As), PredictClass, PredictNumber)
	}
	return q.Space.validate()
}

// eachQuery calls f for every query, on as many cores as Options.Workers.
func (c *Collection) eachQuery(ctx context.Context, queries []Query, f func(ctx context.Context, i int) error) error {
	group, each := errgroup.WithContext(ctx)
	group.SetLimit(c.opts.Workers)
	for from := 0; from < len(queries); from += batchPiece {
		group.Go(func() error {
			for i := from; i < min(from+batchPiece, len(queries)); i++ {
				if err := f(each, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return errors.Join(group.Wait(), ctx.Err())
}
