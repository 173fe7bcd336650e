package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/latentdb/latentdb/store"
)

// readLenient reads a body of Qdrant's dialect, which ignores unknown fields;
// readStrict one of ours, which refuses them. No body counts as an empty object.
func readLenient(c echo.Context, dst any) error { return read(c, false, dst) }
func readStrict(c echo.Context, dst any) error  { return read(c, true, dst) }

func read(c echo.Context, strict bool, dst any) error {
	body := c.Request().Body
	var buf bytes.Buffer
	if n := c.Request().ContentLength; n > 0 {
		// Not all of it at once: a header is cheaper to send than a body.
		buf.Grow(int(min(n, 1<<20)) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(body); err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	if len(bytes.TrimSpace(buf.Bytes())) == 0 {
		return nil
	}
	return unmarshal("", buf.Bytes(), strict, dst)
}

// unmarshal reads exactly one JSON value. The place is the value's own path in
// the body, empty for the body itself; errors name the path of what is wrong.
func unmarshal(place string, data []byte, strict bool, dst any) error {
	if !strict {
		// A decoder would copy the data first, which may be a large upsert.
		if err := json.Unmarshal(data, dst); err != nil {
			return jsonError(place, err)
		}
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(dst); err != nil {
		return jsonError(place, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return badRequest("%s: has data after the JSON value, at byte %d", pathOf(place), dec.InputOffset())
	}
	return nil
}

// parseField reads the value of one field.
func parseField(place string, raw json.RawMessage, dst any) error {
	return unmarshal(place, raw, false, dst)
}

// jsonError puts an error of encoding/json into words that name the field.
func jsonError(place string, err error) error {
	var (
		syntax   *json.SyntaxError
		mistyped *json.UnmarshalTypeError
		invalid  *store.InvalidError
		own      *failure
	)
	switch {
	case errors.As(err, &own), errors.As(err, &invalid):
		return within(place, err)
	case errors.As(err, &syntax):
		return badRequest("%s: is not valid JSON at byte %d: %v", pathOf(place), syntax.Offset, syntax)
	case errors.Is(err, io.ErrUnexpectedEOF), err == io.EOF:
		return badRequest("%s: is not valid JSON: it ends too early", pathOf(place))
	case errors.As(err, &mistyped):
		return badRequest("%s: must be %s, not %s", pathOf(place, mistyped.Field), typeName(mistyped.Type), mistyped.Value)
	}
	return badRequest("%s: %s", pathOf(place), strings.TrimPrefix(err.Error(), "json: "))
}

// pathOf joins the path of a field. encoding/json puts the names of embedded
// structs into it, which have a capital letter where JSON names have none.
func pathOf(parts ...string) string {
	path := slices.DeleteFunc(strings.Split(strings.Join(parts, "."), "."), func(name string) bool {
		return name == "" || strings.ToLower(name) != name
	})
	if len(path) == 0 {
		return "body"
	}
	return strings.Join(path, ".")
}

// typeName is a Go type as a user of JSON knows it.
func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Float32, reflect.Float64:
		return "a number in range"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number from 0 on, in range"
	}
	return "a whole number in range"
}

// given tells whether a field is there and not null.
func given(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// parseID reads a point's id.
func parseID(place string, raw json.RawMessage) (store.ID, error) {
	var id store.ID
	if !given(raw) {
		return id, badRequest("%s: is missing: give a number, a UUID or a string", place)
	}
	err := json.Unmarshal(raw, &id)
	var invalid *store.InvalidError
	if errors.As(err, &invalid) {
		return id, badRequest("%s: %s", place, invalid.Reason)
	}
	return id, err
}

// parseSomeIDs is parseIDs of a list that must not be empty.
func parseSomeIDs(place string, list []json.RawMessage) ([]store.ID, error) {
	if list != nil && len(list) == 0 {
		return nil, badRequest("%s: is empty", place)
	}
	return parseIDs(place, list)
}

// parseIDs reads a list of ids. An empty one is fine: a client's own list may be.
func parseIDs(place string, list []json.RawMessage) ([]store.ID, error) {
	if list == nil {
		return nil, badRequest("%s: is missing", place)
	}
	ids := make([]store.ID, len(list))
	for i, raw := range list {
		var err error
		if ids[i], err = parseID(fmt.Sprintf("%s[%d]", place, i), raw); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// parseAny reads any JSON value: whole numbers as int64, or uint64 above that,
// others as float64, so that large integers keep their digits.
func parseAny(field string, raw json.RawMessage) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, badRequest("%s: %s", field, strings.TrimPrefix(err.Error(), "json: "))
	}
	return plainNumbers(field, v)
}

// plainNumbers replaces the json.Numbers in a value, in place where it can.
func plainNumbers(field string, v any) (_ any, err error) {
	switch v := v.(type) {
	case json.Number:
		return plainNumber(field, v)
	case map[string]any:
		for k, e := range v {
			if v[k], err = plainNumbers(field+"."+k, e); err != nil {
				return nil, err
			}
		}
	case []any:
		for i, e := range v {
			if v[i], err = plainNumbers(fmt.Sprintf("%s[%d]", field, i), e); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func plainNumber(field string, n json.Number) (any, error) {
	if i, err := n.Int64(); err == nil {
		return i, nil
	}
	if u, err := strconv.ParseUint(n.String(), 10, 64); err == nil {
		return u, nil
	}
	f, err := n.Float64()
	if err != nil {
		return nil, badRequest("%s: %s is out of the range of a number", field, n)
	}
	return f, nil
}

// parsePayload reads a payload; null is none.
func parsePayload(field string, raw json.RawMessage) (store.Payload, error) {
	if !given(raw) {
		return nil, nil
	}
	v, err := parseAny(field, raw)
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, badRequest("%s: must be an object", field)
	}
	return object, nil
}

// limitOf checks a count that a body may leave open.
func limitOf(field string, n *int, byDefault int) (int, error) {
	switch {
	case n == nil:
		return byDefault, nil
	case *n < 1 || *n > store.MaxLimit:
		return 0, badRequest("%s: is %d; it must be 1 to %d", field, *n, store.MaxLimit)
	}
	return *n, nil
}

// waits tells whether the client waits for the outcome: the query string
// decides, or else the body, or else byDefault.
func waits(c echo.Context, body *bool, byDefault bool) (bool, error) {
	text := c.QueryParam("wait")
	switch {
	case text == "true":
		return true, nil
	case text == "false":
		return false, nil
	case text != "":
		return false, badRequest("wait: must be true or false, not %q", text)
	case body != nil:
		return *body, nil
	}
	return byDefault, nil
}
