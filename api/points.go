package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/latentdb/latentdb/store"
)

// upsertBody brings points as a list or in columns.
type upsertBody struct {
	Points       []pointBody     `json:"points"`
	Batch        *columnsBody    `json:"batch"`
	UpdateFilter json.RawMessage `json:"update_filter"`
	Wait         *bool           `json:"wait"`
}

// pointBody keeps its values as they came, so that errors can name the point.
type pointBody struct {
	ID      json.RawMessage `json:"id"`
	Vector  json.RawMessage `json:"vector"`
	Record  json.RawMessage `json:"record"`
	Records json.RawMessage `json:"records"`
	Payload json.RawMessage `json:"payload"`
}

// columnsBody is Qdrant's columnar form; records are ours.
type columnsBody struct {
	IDs      []json.RawMessage `json:"ids"`
	Vectors  json.RawMessage   `json:"vectors"`
	Records  []json.RawMessage `json:"records"`
	Payloads []json.RawMessage `json:"payloads"`
}

func upsertPoints(c echo.Context, coll *store.Collection) (any, error) {
	var body upsertBody
	if err := readLenient(c, &body); err != nil {
		return nil, err
	}
	list := body.Points
	switch {
	case given(body.UpdateFilter):
		return nil, badRequest("update_filter: conditional updates are not supported")
	case list != nil && body.Batch != nil:
		return nil, badRequest("points: give either points or batch")
	case body.Batch != nil:
		var err error
		if list, err = body.Batch.rows(); err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		return nil, badRequest("points: is missing or empty")
	}
	kind := kindOf(coll)
	points := make([]store.Point, len(list))
	for i, p := range list {
		var err error
		if points[i], err = p.parse(kind, fmt.Sprintf("points[%d]", i)); err != nil {
			return nil, err
		}
	}
	return write(c, coll, store.Batch{Upsert: points}, body.Wait)
}

// rows turns columns into points.
func (b *columnsBody) rows() ([]pointBody, error) {
	raw, err := unwrapField("batch.vectors", b.Vectors)
	if err != nil {
		return nil, err
	}
	var vectors []json.RawMessage
	if given(raw) {
		if err := parseField("batch.vectors", raw, &vectors); err != nil {
			return nil, err
		}
	}
	for _, column := range []struct {
		name   string
		values []json.RawMessage
	}{{"vectors", vectors}, {"records", b.Records}, {"payloads", b.Payloads}} {
		if n := len(column.values); column.values != nil && n != len(b.IDs) {
			return nil, badRequest("batch.%s: has %d entries for %d ids", column.name, n, len(b.IDs))
		}
	}
	at := func(column []json.RawMessage, i int) json.RawMessage {
		if column == nil {
			return nil
		}
		return column[i]
	}
	out := make([]pointBody, len(b.IDs))
	for i, id := range b.IDs {
		out[i] = pointBody{ID: id, Vector: at(vectors, i), Record: at(b.Records, i), Payload: at(b.Payloads, i)}
	}
	return out, nil
}

func (b pointBody) parse(kind, place string) (p store.Point, err error) {
	if p.ID, err = parseID(place+".id", b.ID); err != nil {
		return p, err
	}
	record := b.Record
	if given(b.Records) {
		if record, err = unwrapField(place+".records", b.Records); err != nil {
			return p, err
		}
	}
	switch {
	case given(b.Vector) && given(record):
		return p, badRequest("%s: has both a vector and a record", place)
	case given(b.Vector):
		p.Vector, err = parseVector(place+".vector", b.Vector)
	case given(record):
		p.Record, err = parseRecord(kind, place+".record", record)
	default:
		return p, badRequest("%s: has neither a vector nor a record", place)
	}
	if err != nil {
		return p, err
	}
	p.Payload, err = parsePayload(place+".payload", b.Payload)
	return p, err
}

// targets are the points that a body selects: by id, or by filter.
type targets struct {
	ids    []store.ID
	filter *store.Filter
}

type targetsBody struct {
	Points []json.RawMessage `json:"points"`
	Filter *store.Filter     `json:"filter"`
	Wait   *bool             `json:"wait"`
}

func (b targetsBody) targets() (t targets, err error) {
	switch {
	case (b.Points == nil) == (b.Filter == nil):
		return t, badRequest("points: give either points (a list of ids) or filter")
	case b.Filter != nil:
		return targets{filter: b.Filter}, nil
	}
	t.ids, err = parseIDs("points", b.Points)
	return t, err
}

func deletePoints(c echo.Context, coll *store.Collection) (any, error) {
	var body targetsBody
	if err := readLenient(c, &body); err != nil {
		return nil, err
	}
	t, err := body.targets()
	if err != nil {
		return nil, err
	}
	return write(c, coll, store.Batch{Delete: t.ids, DeleteWhere: t.filter}, body.Wait)
}

type writtenResult struct {
	OperationID uint64 `json:"operation_id"`
	Status      string `json:"status"`
}

// write carries out a change. Unlike Qdrant it waits unless told not to: an
// answer then means that the change is on disk and seen by the next query.
func write(c echo.Context, coll *store.Collection, b store.Batch, wait *bool) (any, error) {
	waiting, err := waits(c, wait, true)
	if err != nil {
		return nil, err
	}
	done, err := coll.Write(c.Request().Context(), b, !waiting)
	if err != nil {
		return nil, err
	}
	status := "completed"
	if !waiting {
		status = "acknowledged"
	}
	return writtenResult{OperationID: done.Seq, Status: status}, nil
}

// pointJSON is a point as it is sent.
type pointJSON struct {
	ID      store.ID  `json:"id"`
	Payload any       `json:"payload,omitempty"`
	Vector  []float32 `json:"vector,omitempty"`
	Record  any       `json:"record,omitempty"`
}

// withBody says which parts of a point are sent.
type withBody struct {
	WithPayload payloadSelector `json:"with_payload"`
	WithVector  vectorSelector  `json:"with_vector"`
	WithRecord  bool            `json:"with_record"`
}

// check refuses what a collection cannot send.
func (w withBody) check(coll *store.Collection) error {
	if w.WithRecord && isVector(coll) {
		return badRequest("with_record: this collection holds vectors: ask with_vector")
	}
	return nil
}

func (w withBody) reads() store.With {
	return store.With{Payload: w.WithPayload.wanted, Vector: bool(w.WithVector), Record: w.WithRecord}
}

func (w withBody) render(p store.Point) pointJSON {
	out := pointJSON{ID: p.ID}
	if w.WithPayload.wanted {
		out.Payload = w.WithPayload.apply(p.Payload)
	}
	if w.WithVector {
		out.Vector = p.Vector
	}
	if w.WithRecord {
		out.Record = p.Record
	}
	return out
}

func retrievePoints(c echo.Context, coll *store.Collection) (any, error) {
	body := struct {
		IDs []json.RawMessage `json:"ids"`
		withBody
	}{withBody: withBody{WithPayload: payloadSelector{wanted: true}}}
	if err := readLenient(c, &body); err != nil {
		return nil, err
	}
	if n := len(body.IDs); n > store.MaxLimit {
		return nil, badRequest("ids: has %d entries, the limit is %d", n, store.MaxLimit)
	}
	if err := body.check(coll); err != nil {
		return nil, err
	}
	ids, err := parseIDs("ids", body.IDs)
	if err != nil {
		return nil, err
	}
	points, err := coll.Get(c.Request().Context(), body.reads(), ids...)
	if err != nil {
		return nil, err
	}
	out := make([]pointJSON, len(points))
	for i, p := range points {
		out[i] = body.render(p)
	}
	return out, nil
}

// getPoint reads one point. In a path a run of digits is a number: a string of
// digits can be named in a body only.
func getPoint(c echo.Context, coll *store.Collection) (any, error) {
	text, err := pathParam(c, "id")
	if err != nil {
		return nil, err
	}
	id := store.ParseID(text)
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		id = store.NumID(n)
	}
	with := withBody{WithPayload: payloadSelector{wanted: true}, WithVector: vectorSelector(isVector(coll)), WithRecord: !isVector(coll)}
	points, err := coll.Get(c.Request().Context(), with.reads(), id)
	if err != nil {
		return nil, err
	}
	if len(points) == 0 {
		return nil, fail(http.StatusNotFound, "Not found: Point with id %s does not exists!", id)
	}
	return with.render(points[0]), nil
}
