package api

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/labstack/echo/v4"

	"github.com/latentdb/latentdb/store"
)

func encode(c echo.Context, coll *store.Collection) (any, error) {
	var body contentBody
	if err := readStrict(c, &body); err != nil {
		return nil, err
	}
	records, err := body.parse(coll)
	if err != nil {
		return nil, err
	}
	generation, latents, err := coll.Encode(c.Request().Context(), records...)
	if err != nil {
		return nil, err
	}
	return object{"generation": generation, "latents": latents}, nil
}

func decode(c echo.Context, coll *store.Collection) (any, error) {
	var body struct {
		Latents []json.RawMessage `json:"latents"`
	}
	if err := readStrict(c, &body); err != nil {
		return nil, err
	}
	if len(body.Latents) == 0 {
		return nil, badRequest("latents: is missing or empty")
	}
	latents := make([][]float32, len(body.Latents))
	for i, raw := range body.Latents {
		var err error
		if latents[i], err = parseVector(fmt.Sprintf("latents[%d]", i), raw); err != nil {
			return nil, err
		}
	}
	generation, records, err := coll.Decode(c.Request().Context(), latents...)
	if err != nil {
		return nil, err
	}
	name := "records"
	if isVector(coll) {
		name = "vectors"
	}
	return object{"generation": generation, name: records}, nil
}

func reconstruct(c echo.Context, coll *store.Collection) (any, error) {
	var body subjectBody
	if err := readStrict(c, &body); err != nil {
		return nil, err
	}
	ids, records, err := body.parse(coll)
	if err != nil {
		return nil, err
	}
	ctx := c.Request().Context()
	if records != nil {
		return coll.ReconstructRecords(ctx, records...)
	}
	return coll.Reconstruct(ctx, ids...)
}

// outliers finds the collection's own, or scores the records it is given.
func outliers(c echo.Context, coll *store.Collection) (any, error) {
	var body struct {
		Limit     *int          `json:"limit"`
		Filter    *store.Filter `json:"filter"`
		WithParts *bool         `json:"with_parts"`
		contentBody
	}
	if err := readStrict(c, &body); err != nil {
		return nil, err
	}
	ctx := c.Request().Context()
	if body.given() {
		if body.Limit != nil || body.Filter != nil || body.WithParts != nil {
			return nil, badRequest("limit: limit, filter and with_parts do not go with records or vectors, which are all scored")
		}
		records, err := body.parse(coll)
		if err != nil {
			return nil, err
		}
		return coll.ScoreRecords(ctx, records...)
	}
	limit, err := limitOf("limit", body.Limit, store.DefaultLimit)
	if err != nil {
		return nil, err
	}
	return coll.Outliers(ctx, store.OutlierQuery{Limit: limit, Filter: body.Filter,
		OmitParts: body.WithParts != nil && !*body.WithParts, Progress: progressOf(c)})
}

func sample(c echo.Context, coll *store.Collection) (any, error) {
	var body struct {
		N    *int            `json:"n"`
		Seed uint64          `json:"seed"`
		Like json.RawMessage `json:"like"`
	}
	if err := readStrict(c, &body); err != nil {
		return nil, err
	}
	if body.N == nil {
		return nil, badRequest("n: is missing")
	}
	n, err := limitOf("n", body.N, 0)
	if err != nil {
		return nil, err
	}
	q := store.SampleQuery{N: n, Seed: body.Seed}
	if given(body.Like) {
		if err := parseLike(body.Like, &q); err != nil {
			return nil, err
		}
	}
	unbounded(c) // of a wide table it takes a minute to learn from
	return coll.Sample(c.Request().Context(), q)
}

// parseLike reads which points samples are drawn like: a list of ids, or a filter.
func parseLike(raw json.RawMessage, q *store.SampleQuery) (err error) {
	if raw = bytes.TrimSpace(raw); raw[0] != '[' {
		q.Filter = new(store.Filter)
		return parseField("like", raw, q.Filter)
	}
	var list []json.RawMessage
	if err := parseField("like", raw, &list); err != nil {
		return err
	}
	q.IDs, err = parseSomeIDs("like", list)
	return err
}
