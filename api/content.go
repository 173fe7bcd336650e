package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"slices"
	"strconv"
	"strings"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/embed/source/cells"
	"github.com/latentdb/latentdb/store"
	"github.com/latentdb/latentdb/store/bulk"
)

// isVector tells whether a collection's records are vectors, which have names
// of their own in JSON.
func isVector(coll *store.Collection) bool { return kindOf(coll) == "vector" }

// kindOf is the kind of a collection's records, of a pair with those of its sides.
func kindOf(coll *store.Collection) string {
	spec := coll.Config().Source
	if p, ok := spec.(source.Pair); ok {
		return pairKind(p)
	}
	return spec.Kind()
}

// parseRecord reads a record from the form it has in JSON.
func parseRecord(kind, field string, raw json.RawMessage) (any, error) {
	if kind == "vector" {
		return parseVector(field, raw)
	}
	v, err := parseAny(field, raw)
	if err != nil {
		return nil, err
	}
	return asRecord(kind, field, v)
}

// asRecord makes a record of a JSON value, whose form depends on the kind. What
// is in it is for the source to judge.
func asRecord(kind, field string, v any) (any, error) {
	switch v := v.(type) {
	case []any:
		if kind == "vector" {
			return v, nil
		}
	case map[string]any:
		if kind == "table" {
			return v, nil
		}
		if sides, ok := sidesOf(kind); ok {
			return asPair(sides, field, v)
		}
	case *cells.Row: // of a file
		if kind == "table" {
			return v, nil
		}
		return asRecord(kind, field, v.Map())
	case []byte: // of a file
		if kind == "image" || kind == "audio" {
			return v, nil
		}
	case image.Image: // of an array
		if kind == "image" {
			return v, nil
		}
	case string:
		switch kind {
		case "text":
			return v, nil
		case "vector":
			return textVector(field, v)
		case "image", "audio":
		default:
			return nil, badRequest("%s: got a string, want %s", field, formOf(kind))
		}
		data, err := base64.StdEncoding.DecodeString(v)
		if err != nil {
			return nil, badRequest("%s: is not base64: %v", field, err)
		}
		return data, nil
	}
	return nil, badRequest("%s: got %s, want %s", field, formName(v), formOf(kind))
}

// formOf is the form that records of a kind have in JSON.
func formOf(kind string) string {
	if _, ok := sidesOf(kind); ok {
		return `an object with "left" and "right"`
	}
	switch kind {
	case "image":
		return "a base64 string (encoded image)"
	case "audio":
		return "a base64 string (recording)"
	case "table":
		return "an object"
	case "text":
		return "a string (text)"
	}
	return "a list of numbers"
}

// formName is what JSON calls a value.
func formName(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "true or false"
	case string:
		return "a string (text)"
	case []byte, image.Image:
		return "a file"
	case map[string]any:
		return "an object"
	case []any:
		other := func(e any) bool { return formName(e) != "a number" }
		if len(v) == 0 || slices.ContainsFunc(v, other) {
			return "a list"
		}
		return "a vector"
	}
	return "a number"
}

// parseVector reads a dense vector: a list of numbers, or an object that holds
// the list under the default field's name, "". It is written by hand because
// vectors are nearly all of what a server parses.
func parseVector(field string, raw json.RawMessage) ([]float32, error) {
	list, err := unwrapField(field, bytes.TrimSpace(raw))
	if err != nil {
		return nil, err
	}
	if len(list) > 0 && list[0] == '"' {
		var text string
		if err := parseField(field, list, &text); err != nil {
			return nil, err
		}
		return textVector(field, text)
	}
	if len(list) == 0 || list[0] != '[' {
		return nil, badRequest("%s: must be a list of numbers", field)
	}
	list = bytes.TrimSpace(list[1 : len(list)-1])
	if len(list) == 0 {
		return nil, badRequest("%s: is empty", field)
	}
	if list[0] == '[' {
		return nil, badRequest("%s: multivectors are not supported", field)
	}
	out := make([]float32, 0, bytes.Count(list, []byte(","))+1)
	for number := range bytes.SplitSeq(list, []byte(",")) {
		// A name like "inf" would parse too, but not with the quotes that JSON
		// puts round it.
		x, err := strconv.ParseFloat(string(bytes.TrimSpace(number)), 32)
		if err != nil {
			return nil, badRequest("%s[%d]: must be a number in the range of float32", field, len(out))
		}
		out = append(out, float32(x))
	}
	return out, nil
}

// textVector reads a vector that is a string: base64 of little-endian float32, or the
// list of numbers that a CSV's cell has.
func textVector(field, text string) ([]float32, error) {
	if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, "[") && json.Valid([]byte(trimmed)) {
		return parseVector(field, json.RawMessage(trimmed))
	}
	vector, err := bulk.DecodeVector(text)
	if err != nil {
		return nil, badRequest("%s: must be a list of numbers, or base64 of little-endian float32: %v", field, err)
	}
	return vector, nil
}

// unwrapField takes {"": value} apart and leaves any other JSON as it is. Other
// names would be vectors of fields that the collection does not have.
func unwrapField(field string, raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 || raw[0] != '{' {
		return raw, nil
	}
	var fields map[string]json.RawMessage
	if err := parseField(field, raw, &fields); err != nil {
		return nil, err
	}
	for name := range fields {
		switch {
		case name == "":
		case name == "indices" || name == "values":
			return nil, badRequest("%s: sparse vectors are not supported", field)
		default:
			return nil, badRequest(`%s: named vectors are not supported: there is no field %q, only the default ""`, field, name)
		}
	}
	value, ok := fields[""]
	if !ok {
		return nil, badRequest("%s: is empty", field)
	}
	return bytes.TrimSpace(value), nil
}

// contentBody is the part of our own bodies that brings new content.
type contentBody struct {
	Records []json.RawMessage `json:"records"`
	Vectors []json.RawMessage `json:"vectors"`
}

func (b contentBody) given() bool { return b.Records != nil || b.Vectors != nil }

// parse reads whichever of records and vectors is there.
func (b contentBody) parse(coll *store.Collection) ([]any, error) {
	name, kind, raw := "records", kindOf(coll), b.Records
	switch {
	case b.Records != nil && b.Vectors != nil:
		return nil, badRequest("records: give either records or vectors")
	case b.Vectors != nil:
		if !isVector(coll) {
			return nil, badRequest("vectors: this collection takes records of kind %s", kind)
		}
		name, raw = "vectors", b.Vectors
	}
	if len(raw) == 0 {
		return nil, badRequest("%s: is missing or empty", name)
	}
	out := make([]any, len(raw))
	for i, r := range raw {
		var err error
		if out[i], err = parseRecord(kind, fmt.Sprintf("%s[%d]", name, i), r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// subjectBody is content, or the ids of stored points.
type subjectBody struct {
	IDs []json.RawMessage `json:"ids"`
	contentBody
}

// parse reads whichever is there; the others are nil.
func (b subjectBody) parse(coll *store.Collection) (ids []store.ID, records []any, err error) {
	switch {
	case !b.given():
		ids, err = parseSomeIDs("ids", b.IDs)
	case b.IDs != nil:
		err = badRequest("ids: give either ids, or records or vectors")
	default:
		records, err = b.contentBody.parse(coll)
	}
	return ids, records, err
}
