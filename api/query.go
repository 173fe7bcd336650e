package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/errgroup"

	"github.com/latentdb/latentdb/store"
)

// searchOptions are what all bodies of a search share.
type searchOptions struct {
	Limit          *int            `json:"limit"`
	Offset         int             `json:"offset"`
	Filter         *store.Filter   `json:"filter"`
	Params         searchParams    `json:"params"`
	ScoreThreshold *float64        `json:"score_threshold"`
	Using          string          `json:"using"`
	Prefetch       json.RawMessage `json:"prefetch"`
	LookupFrom     json.RawMessage `json:"lookup_from"`
	withBody
}

// searchParams are Qdrant's, and ours: recall, rerank, space, warp and explain.
type searchParams struct {
	HNSWEf  int         `json:"hnsw_ef"`
	Exact   bool        `json:"exact"`
	Recall  *float64    `json:"recall"`
	Rerank  int         `json:"rerank"`
	Space   store.Space `json:"space"`
	Warp    bool        `json:"warp"`
	Explain bool        `json:"explain"`
}

// apply puts the options into a query.
func (o searchOptions) apply(q *store.Query) (err error) {
	switch {
	case given(o.Prefetch) && string(o.Prefetch) != "[]":
		return badRequest("prefetch: is not supported")
	case given(o.LookupFrom):
		return badRequest("lookup_from: is not supported")
	case o.Using != "":
		return badRequest(`using: there is no field %q, only the default ""`, o.Using)
	case o.Params.HNSWEf < 0:
		return badRequest("params.hnsw_ef: is %d; it must be 0 or more", o.Params.HNSWEf)
	case o.Params.Rerank < 0:
		return badRequest("params.rerank: is %d; it must be 0 or more", o.Params.Rerank)
	}
	if q.Limit, err = limitOf("limit", o.Limit, store.DefaultLimit); err != nil {
		return err
	}
	if r := o.Params.Recall; r != nil {
		if !(*r > 0 && *r <= 1) {
			return badRequest("params.recall: is %v; it must be above 0 and at most 1", *r)
		}
		q.Recall = *r
	}
	q.Offset, q.Filter, q.ScoreThreshold = o.Offset, o.Filter, o.ScoreThreshold
	q.EF, q.Exact, q.Rerank, q.Space = o.Params.HNSWEf, o.Params.Exact, o.Params.Rerank, o.Params.Space
	q.Warp = o.Params.Warp
	q.WithVector, q.WithRecord, q.OmitPayload = bool(o.WithVector), o.WithRecord, !o.WithPayload.wanted
	return nil
}

// wants is how many hits are asked for, before that is checked.
func (o searchOptions) wants() int {
	if o.Limit == nil {
		return store.DefaultLimit
	}
	return max(0, min(store.MaxLimit, *o.Limit))
}

// locate puts "params" in front of the field that an error of the store names
// if it stands there in the body.
func (searchParams) locate(err error) error {
	var invalid *store.InvalidError
	if errors.As(err, &invalid) && slices.Contains([]string{"hnsw_ef", "recall", "rerank", "space", "warp"}, invalid.Field) {
		return within("params", err)
	}
	return err
}

// scoredPoint is a hit as it is sent. Clients insist on a version; points have
// none here, so that it is always 0.
type scoredPoint struct {
	pointJSON
	Version int     `json:"version"`
	Score   float64 `json:"score"`
}

// run carries out a query. The second result is nil unless it was asked for.
func (o searchOptions) run(ctx context.Context, coll *store.Collection, q store.Query) ([]scoredPoint, *store.SearchInfo, error) {
	if err := errors.Join(o.check(coll), o.apply(&q)); err != nil {
		return nil, nil, err
	}
	var hits []store.Hit
	var info *store.SearchInfo
	if o.Params.Explain {
		result, err := coll.Explain(ctx, q)
		if err != nil {
			return nil, nil, o.Params.locate(err)
		}
		hits, info = result.Hits, &result.Info
	} else {
		var err error
		if hits, err = coll.Search(ctx, q); err != nil {
			return nil, nil, o.Params.locate(err)
		}
	}
	out := make([]scoredPoint, len(hits))
	for i, h := range hits {
		out[i] = scoredPoint{pointJSON: o.render(h.Point), Score: h.Score}
	}
	return out, info, nil
}

// queryBody is the body of /points/query.
type queryBody struct {
	Query json.RawMessage `json:"query"`
	searchOptions
}

type queryResult struct {
	Points []scoredPoint     `json:"points"`
	Search *store.SearchInfo `json:"search,omitempty"`
}

func (b queryBody) run(ctx context.Context, coll *store.Collection) (*queryResult, error) {
	q, err := parseQuery(kindOf(coll), b.Query)
	if err != nil {
		return nil, err
	}
	points, info, err := b.searchOptions.run(ctx, coll, q)
	if err != nil {
		return nil, err
	}
	return &queryResult{points, info}, nil
}

// parseQuery reads the forms of a query: a vector, a point's id,
// {"nearest": either} and {"record": …}.
func parseQuery(kind string, raw json.RawMessage) (q store.Query, err error) {
	raw = bytes.TrimSpace(raw)
	if !given(raw) {
		return q, badRequest("query: is missing: give a vector, an id, {nearest} or {record}")
	}
	if raw[0] == '{' {
		var forms map[string]json.RawMessage
		if err := parseField("query", raw, &forms); err != nil {
			return q, err
		}
		for name := range forms {
			switch name {
			case "nearest", "record", "":
			case "indices", "values":
				return q, badRequest("query: sparse vectors are not supported")
			default:
				return q, badRequest("query.%s: is not supported: give a vector, an id, {nearest} or {record}", name)
			}
		}
		switch {
		case len(forms) != 1:
			return q, badRequest("query: must have exactly one of nearest and record")
		case given(forms["nearest"]):
			return parseNearest(kind, "query.nearest", forms["nearest"])
		case given(forms["record"]):
			q.Record, err = parseRecord(kind, "query.record", forms["record"])
			return q, err
		}
		for name := range forms {
			if name != "" {
				return q, badRequest("query.%s: is null", name)
			}
		}
	}
	return parseNearest(kind, "query", raw)
}

// parseNearest reads a vector or a point's id.
func parseNearest(kind, place string, raw json.RawMessage) (q store.Query, err error) {
	switch raw = bytes.TrimSpace(raw); raw[0] {
	case '[', '{':
		q.Vector, err = parseQueryVector(kind, place, raw)
	default:
		q.ID, err = parseID(place, raw)
	}
	return q, err
}

// parseQueryVector reads a vector, which asks a collection of vectors only.
func parseQueryVector(kind, place string, raw json.RawMessage) ([]float32, error) {
	if kind != "vector" {
		return nil, badRequest(`%s: got a vector, want %s, as {"record": …} to /points/query, or an id`, place, formOf(kind))
	}
	return parseVector(place, raw)
}

func queryPoints(c echo.Context, coll *store.Collection) (any, error) {
	var body queryBody
	if err := readLenient(c, &body); err != nil {
		return nil, err
	}
	return body.run(c.Request().Context(), coll)
}

// searchBody is the body of the older /points/search.
type searchBody struct {
	Vector json.RawMessage `json:"vector"`
	searchOptions
}

func (b searchBody) run(ctx context.Context, coll *store.Collection) ([]scoredPoint, error) {
	raw := b.Vector
	var named struct {
		Name   *string         `json:"name"`
		Vector json.RawMessage `json:"vector"`
	}
	if json.Unmarshal(raw, &named) == nil && named.Name != nil {
		if *named.Name != "" {
			return nil, badRequest(`vector.name: there is no field %q, only the default ""`, *named.Name)
		}
		raw = named.Vector
	}
	if !given(raw) {
		return nil, badRequest("vector: is missing")
	}
	vector, err := parseQueryVector(kindOf(coll), "vector", raw)
	if err != nil {
		return nil, err
	}
	points, _, err := b.searchOptions.run(ctx, coll, store.Query{Vector: vector})
	return points, err
}

func searchPoints(c echo.Context, coll *store.Collection) (any, error) {
	var body searchBody
	if err := readLenient(c, &body); err != nil {
		return nil, err
	}
	return body.run(c.Request().Context(), coll)
}

func queryBatch(c echo.Context, coll *store.Collection) (any, error) {
	return runBatch(c, coll, queryBody.run)
}

func searchBatch(c echo.Context, coll *store.Collection) (any, error) {
	return runBatch(c, coll, searchBody.run)
}

// maxBatchHits bounds the hits that the searches of one body ask for together.
const maxBatchHits = 100_000

// runBatch answers the searches of a body, on all cores; the first that fails
// fails the batch.
func runBatch[B interface{ wants() int }, R any](c echo.Context, coll *store.Collection, run func(B, context.Context, *store.Collection) (R, error)) (any, error) {
	var body struct {
		Searches []json.RawMessage `json:"searches"`
	}
	if err := readLenient(c, &body); err != nil {
		return nil, err
	}
	if body.Searches == nil || len(body.Searches) > store.MaxLimit {
		return nil, badRequest("searches: has %d entries; it must be a list of %d at most", len(body.Searches), store.MaxLimit)
	}
	searches, hits := make([]B, len(body.Searches)), 0
	for i, raw := range body.Searches {
		place := fmt.Sprintf("searches[%d]", i)
		if err := parseField(place, raw, &searches[i]); err != nil {
			return nil, err
		}
		if hits += searches[i].wants(); hits > maxBatchHits {
			return nil, badRequest("%s.limit: the limits so far add up to %d, more than the %d hits of one batch", place, hits, maxBatchHits)
		}
	}
	out := make([]R, len(searches))
	group, ctx := errgroup.WithContext(c.Request().Context())
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, search := range searches {
		group.Go(func() (err error) {
			if out[i], err = run(search, ctx, coll); err != nil {
				return within(fmt.Sprintf("searches[%d]", i), err)
			}
			return nil
		})
	}
	return out, group.Wait()
}
