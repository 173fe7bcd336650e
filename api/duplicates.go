package api

import (
	"encoding/json"
	"fmt"

	"github.com/labstack/echo/v4"

	"github.com/latentdb/latentdb/store"
)

// duplicatesBody asks for groups of duplicates; without a limit for all.
type duplicatesBody struct {
	Threshold *float64      `json:"threshold"`
	Filter    *store.Filter `json:"filter"`
	Between   *store.Filter `json:"between"`
	Keep      store.Keep    `json:"keep"`
	Limit     *int          `json:"limit"`
}

func (b duplicatesBody) query() (store.DuplicateQuery, error) {
	limit, err := limitOf("limit", b.Limit, 0)
	return store.DuplicateQuery{Threshold: b.Threshold, Filter: b.Filter, Between: b.Between, Keep: b.Keep, Limit: limit}, err
}

func duplicates(c echo.Context, coll *store.Collection) (any, error) {
	var body duplicatesBody
	if err := readStrict(c, &body); err != nil {
		return nil, err
	}
	q, err := body.query()
	if err != nil {
		return nil, err
	}
	q.Progress = progressOf(c)
	return coll.Duplicates(c.Request().Context(), q)
}

func deduplicate(c echo.Context, coll *store.Collection) (any, error) {
	var body struct {
		DryRun bool `json:"dry_run"`
		// Undo is true where it is not given.
		Undo *bool `json:"undo"`
		duplicatesBody
	}
	if err := readStrict(c, &body); err != nil {
		return nil, err
	}
	q, err := body.query()
	if err != nil {
		return nil, err
	}
	q.NoUndo, q.Progress = body.Undo != nil && !*body.Undo, progressOf(c)
	return coll.Deduplicate(c.Request().Context(), q, body.DryRun)
}

func undoDeduplicate(c echo.Context, coll *store.Collection) (any, error) {
	var body struct {
		Undo *uint64 `json:"undo"`
	}
	if err := readStrict(c, &body); err != nil {
		return nil, err
	}
	if body.Undo == nil {
		return nil, badRequest("undo: is missing: give the one that deduplicate answered")
	}
	return coll.UndoDeduplicate(c.Request().Context(), *body.Undo)
}

// pairScores measures pairs of ids as duplicates would.
func pairScores(c echo.Context, coll *store.Collection) (any, error) {
	var body struct {
		Pairs     [][]json.RawMessage `json:"pairs"`
		Threshold *float64            `json:"threshold"`
		Filter    *store.Filter       `json:"filter"`
		Between   *store.Filter       `json:"between"`
	}
	if err := readStrict(c, &body); err != nil {
		return nil, err
	}
	switch {
	case len(body.Pairs) == 0:
		return nil, badRequest("pairs: is missing or empty")
	case len(body.Pairs) > store.MaxPairs: // before work is done
		return nil, badRequest("pairs: are %d; the limit is %d", len(body.Pairs), store.MaxPairs)
	}
	pairs := make([][2]store.ID, len(body.Pairs))
	for i, list := range body.Pairs {
		place := fmt.Sprintf("pairs[%d]", i)
		if len(list) != 2 {
			return nil, badRequest("%s: must be two ids", place)
		}
		ids, err := parseIDs(place, list)
		if err != nil {
			return nil, err
		}
		pairs[i] = [2]store.ID(ids)
	}
	return coll.PairScores(c.Request().Context(), store.DuplicateQuery{Threshold: body.Threshold, Filter: body.Filter, Between: body.Between}, pairs)
}
