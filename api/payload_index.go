package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/latentdb/latentdb/store"
)

// payloadSchema lists a collection's payload indexes as Qdrant does.
func payloadSchema(indexes []store.PayloadIndexInfo) object {
	out := make(object, len(indexes))
	for _, x := range indexes {
		out[x.Key] = object{"data_type": x.Kind, "points": x.Points}
	}
	return out
}

// ready tells whether all of them are made.
func ready(indexes []store.PayloadIndexInfo) bool {
	return !slices.ContainsFunc(indexes, func(x store.PayloadIndexInfo) bool { return !x.Ready })
}

// indexBody is the body of an index's creation. The schema is a kind or an object
// with it as its type; what else stands there tunes Qdrant's indexes.
type indexBody struct {
	FieldName   string          `json:"field_name"`
	FieldSchema json.RawMessage `json:"field_schema"`
}

func (b indexBody) kind() (store.PayloadKind, error) {
	raw := bytes.TrimSpace(b.FieldSchema)
	if !given(raw) {
		return "", badRequest("field_schema: is missing")
	}
	var schema struct {
		Type store.PayloadKind `json:"type"`
	}
	if raw[0] == '{' {
		return schema.Type, parseField("field_schema", raw, &schema)
	}
	return schema.Type, parseField("field_schema", raw, &schema.Type)
}

// createPayloadIndex waits until the index is made, unless told not to.
func createPayloadIndex(c echo.Context, coll *store.Collection) (any, error) {
	waiting, err := waits(c, nil, true)
	if err != nil {
		return nil, err
	}
	var body indexBody
	if err := readLenient(c, &body); err != nil {
		return nil, err
	}
	kind, err := body.kind()
	if err != nil {
		return nil, err
	}
	ctx := c.Request().Context()
	if err := coll.CreatePayloadIndex(ctx, body.FieldName, kind); err != nil {
		return nil, indexField(err)
	}
	if !waiting {
		return written(ctx, coll, "acknowledged")
	}
	if err := coll.WaitPayloadIndexes(ctx); err != nil {
		return nil, err
	}
	return written(ctx, coll, "completed")
}

func deletePayloadIndex(c echo.Context, coll *store.Collection) (any, error) {
	key, err := pathParam(c, "field")
	if err != nil {
		return nil, err
	}
	ctx := c.Request().Context()
	if _, err := coll.DeletePayloadIndex(ctx, key); err != nil {
		return nil, err
	}
	return written(ctx, coll, "completed")
}

// written is the answer to a change that is not one of points.
func written(ctx context.Context, coll *store.Collection, status string) (any, error) {
	info, err := coll.Info(ctx)
	return writtenResult{OperationID: info.Seq, Status: status}, err
}

// indexField puts the names of the body in the place of those that an error of
// the store has.
func indexField(err error) error {
	var invalid *store.InvalidError
	if !errors.As(err, &invalid) {
		return err
	}
	name := map[string]string{"payload_index.key": "field_name", "payload_index.kind": "field_schema"}[invalid.Field]
	return &store.InvalidError{Field: cmp.Or(name, invalid.Field), Reason: invalid.Reason, Err: invalid.Err}
}
