package api

import (
	"encoding/json"

	"github.com/labstack/echo/v4"

	"github.com/latentdb/latentdb/store"
)

// payloadBody is the body of every change to payloads.
type payloadBody struct {
	Payload json.RawMessage `json:"payload"`
	Keys    []string        `json:"keys"`
	Key     *string         `json:"key"`
	targetsBody
}

func setPayload(c echo.Context, coll *store.Collection) (any, error) {
	return putPayload(c, coll, store.PayloadSet)
}

func overwritePayload(c echo.Context, coll *store.Collection) (any, error) {
	return putPayload(c, coll, store.PayloadOverwrite)
}

func putPayload(c echo.Context, coll *store.Collection, op store.PayloadOp) (any, error) {
	var body payloadBody
	if err := readLenient(c, &body); err != nil {
		return nil, err
	}
	switch {
	case body.Key != nil:
		return nil, badRequest("key: setting a payload under a key is not supported")
	case !given(body.Payload):
		return nil, badRequest("payload: is missing")
	}
	payload, err := parsePayload("payload", body.Payload)
	if err != nil {
		return nil, err
	}
	return changePayload(c, coll, body.targetsBody, store.PayloadChange{Op: op, Payload: payload})
}

func deletePayloadKeys(c echo.Context, coll *store.Collection) (any, error) {
	var body payloadBody
	if err := readLenient(c, &body); err != nil {
		return nil, err
	}
	if len(body.Keys) == 0 {
		return nil, badRequest("keys: is missing or empty")
	}
	return changePayload(c, coll, body.targetsBody, store.PayloadChange{Op: store.PayloadDelete, Keys: body.Keys})
}

func clearPayload(c echo.Context, coll *store.Collection) (any, error) {
	var body targetsBody
	if err := readLenient(c, &body); err != nil {
		return nil, err
	}
	return changePayload(c, coll, body, store.PayloadChange{Op: store.PayloadClear})
}

func changePayload(c echo.Context, coll *store.Collection, body targetsBody, change store.PayloadChange) (any, error) {
	t, err := body.targets()
	if err != nil {
		return nil, err
	}
	change.IDs, change.Filter = t.ids, t.filter
	return write(c, coll, store.Batch{Payloads: []store.PayloadChange{change}}, body.Wait)
}
