package api

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/latentdb/latentdb/store"
)

// predict tells which value records or stored points would have under a payload key.
func predict(c echo.Context, coll *store.Collection) (any, error) {
	var body struct {
		Key    string          `json:"key"`
		K      *int            `json:"k"`
		As     store.PredictAs `json:"as"`
		Space  store.Space     `json:"space"`
		Filter *store.Filter   `json:"filter"`
		subjectBody
	}
	if err := readStrict(c, &body); err != nil {
		return nil, err
	}
	q := store.PredictQuery{Key: body.Key, As: body.As, Space: body.Space, Filter: body.Filter}
	var err error
	if q.K, err = neighboursOf(body.K); err != nil {
		return nil, err
	}
	if q.IDs, q.Records, err = body.parse(coll); err != nil {
		return nil, err
	}
	if body.Vectors != nil { // then errors name them so
		for _, r := range q.Records {
			q.Vectors = append(q.Vectors, r.([]float32))
		}
		q.Records = nil
	}
	return coll.Predict(c.Request().Context(), q)
}

// neighboursOf checks how many neighbours vote; 0 leaves it to the collection.
func neighboursOf(k *int) (int, error) {
	switch {
	case k == nil:
		return 0, nil
	case *k < 1 || *k > store.MaxPredictK:
		return 0, badRequest("k: is %d; it must be 1 to %d", *k, store.MaxPredictK)
	}
	return *k, nil
}

// quality is the active generation's report or, with ?key=, how well a payload key is predicted.
func quality(c echo.Context, coll *store.Collection) (any, error) {
	params := c.QueryParams()
	if !params.Has("key") {
		return coll.Quality()
	}
	q := store.PredictQuery{Key: params.Get("key"), As: store.PredictAs(params.Get("as")), Space: store.Space(params.Get("space"))}
	if text := params.Get("k"); text != "" {
		k, err := strconv.Atoi(text)
		if err != nil {
			return nil, badRequest("k: must be a whole number, not %q", text)
		}
		if q.K, err = neighboursOf(&k); err != nil {
			return nil, err
		}
	}
	return coll.PredictQuality(c.Request().Context(), q)
}

// defaultSteps is how many records a path has when a body does not say.
const defaultSteps = 10

// interpolate gives the records between two, which are ids or {"record": …}.
func interpolate(c echo.Context, coll *store.Collection) (any, error) {
	var body struct {
		From  json.RawMessage `json:"from"`
		To    json.RawMessage `json:"to"`
		Steps *int            `json:"steps"`
	}
	if err := readStrict(c, &body); err != nil {
		return nil, err
	}
	from, err := parsePathEnd(coll, "from", body.From)
	if err != nil {
		return nil, err
	}
	to, err := parsePathEnd(coll, "to", body.To)
	if err != nil {
		return nil, err
	}
	steps := defaultSteps
	if body.Steps != nil {
		steps = *body.Steps
	}
	return coll.Interpolate(c.Request().Context(), from, to, steps)
}

// parsePathEnd reads an id, {"record": …} or, of vectors, {"vector": …}.
func parsePathEnd(coll *store.Collection, place string, raw json.RawMessage) (end store.PathEnd, err error) {
	raw = bytes.TrimSpace(raw)
	if !given(raw) {
		return end, badRequest(`%s: is missing: give an id or {"record": …}`, place)
	}
	if raw[0] != '{' {
		end.ID, err = parseID(place, raw)
		return end, err
	}
	var body struct {
		Record json.RawMessage `json:"record"`
		Vector json.RawMessage `json:"vector"`
	}
	if err := unmarshal(place, raw, true, &body); err != nil {
		return end, err
	}
	switch isRecord := given(body.Record); {
	case isRecord == given(body.Vector):
		return end, badRequest("%s: must have exactly one of record and vector", place)
	case isRecord:
		end.Record, err = parseRecord(kindOf(coll), place+".record", body.Record)
	case !isVector(coll):
		err = badRequest("%s.vector: this collection takes records of kind %s", place, kindOf(coll))
	default:
		end.Record, err = parseVector(place+".vector", body.Vector)
	}
	return end, err
}
