package api

import (
	"encoding/json"

	"github.com/labstack/echo/v4"

	"github.com/latentdb/latentdb/store"
)

func scrollPoints(c echo.Context, coll *store.Collection) (any, error) {
	body := struct {
		Limit   *int            `json:"limit"`
		Offset  json.RawMessage `json:"offset"`
		Filter  *store.Filter   `json:"filter"`
		OrderBy json.RawMessage `json:"order_by"`
		withBody
	}{withBody: withBody{WithPayload: payloadSelector{wanted: true}}}
	if err := readLenient(c, &body); err != nil {
		return nil, err
	}
	if given(body.OrderBy) {
		return nil, badRequest("order_by: is not supported: points come in the order of their ids")
	}
	if err := body.check(coll); err != nil {
		return nil, err
	}
	limit, err := limitOf("limit", body.Limit, store.DefaultLimit)
	if err != nil {
		return nil, err
	}
	q := store.ScrollQuery{Filter: body.Filter, With: body.reads()}
	if given(body.Offset) {
		if q.From, err = parseID("offset", body.Offset); err != nil {
			return nil, err
		}
	}
	points, next := []pointJSON{}, (*store.ID)(nil)
	for p, err := range coll.Scroll(c.Request().Context(), q) {
		if err != nil {
			return nil, err
		}
		if len(points) == limit {
			next = &p.ID
			break
		}
		points = append(points, body.render(p))
	}
	return object{"points": points, "next_page_offset": next}, nil
}

func countPoints(c echo.Context, coll *store.Collection) (any, error) {
	var body struct {
		Filter *store.Filter `json:"filter"`
	}
	if err := readLenient(c, &body); err != nil {
		return nil, err
	}
	n, err := coll.Count(c.Request().Context(), body.Filter)
	if err != nil {
		return nil, err
	}
	return object{"count": n}, nil
}
