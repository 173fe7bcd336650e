package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Limits on what one point may carry.
const (
	// MaxPayloadBytes is the longest a payload may be as JSON.
	MaxPayloadBytes = 16 << 20
	// maxPayloadDepth bounds the nesting of a payload.
	maxPayloadDepth = 64
)

// Point is an id, one record or vector, and a payload.
//
// A vector collection takes Vector (or a []float32 as Record); any other takes
// Record in the form its source names: []byte of an encoded image,
// map[string]any (or *cells.Row) of a table row. Points read back carry both forms that were
// asked for.
type Point struct {
	ID      ID        `json:"id"`
	Vector  []float32 `json:"vector,omitempty"`
	Record  any       `json:"record,omitempty"`
	Payload Payload   `json:"payload,omitempty"`
}

// content is the record whichever way it was given.
func (p Point) content() any {
	if p.Vector != nil {
		return p.Vector
	}
	return p.Record
}

// Payload is a JSON object kept beside a record: filtered on, returned with
// hits, never learned from. Whole numbers read back as int64 (uint64 above
// that), others as float64. Keys and text are UTF-8.
type Payload map[string]any

// encode gives the payload's stored bytes; nil for an empty one.
func (p Payload) encode(field string) ([]byte, error) {
	if len(p) == 0 {
		return nil, nil
	}
	data, err := json.Marshal(p)
	if err != nil {
		return nil, invalid(field, "is not JSON: %v", err)
	}
	if len(data) > MaxPayloadBytes {
		return nil, invalid(field, "has %d bytes as JSON, more than %d", len(data), MaxPayloadBytes)
	}
	if jsonDepth(data) > maxPayloadDepth {
		return nil, invalid(field, "is nested deeper than %d levels", maxPayloadDepth)
	}
	return data, checkPayloadText(field, p, data)
}

func decodePayload(data []byte) (Payload, error) {
	if len(data) == 0 {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var p map[string]any
	if err := dec.Decode(&p); err != nil {
		return nil, fmt.Errorf("%w: payload: %v", ErrCorrupt, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: payload has bytes after its end", ErrCorrupt)
	}
	for k, v := range p {
		p[k] = plainNumbers(v)
	}
	return p, nil
}

// plainNumbers replaces json.Number by int64, uint64 or float64, in place.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if !strings.ContainsAny(string(v), ".eE") {
			if i, err := v.Int64(); err == nil {
				return i
			}
			if u, err := strconv.ParseUint(string(v), 10, 64); err == nil {
				return u
			}
		}
		f, _ := v.Float64()
		if math.IsInf(f, 0) {
			return v.String()
		}
		return f
	case map[string]any:
		for k, e := range v {
			v[k] = plainNumbers(e)
		}
	case []any:
		for i, e := range v {
			v[i] = plainNumbers(e)
		}
	}
	return v
}

// jsonDepth is the nesting of valid JSON.
func jsonDepth(data []byte) int {
	depth, deepest, inString := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

// merged is p with the keys of over put on top.
func (p Payload) merged(over Payload) Payload {
	out := make(Payload, len(p)+len(over))
	for k, v := range p {
		out[k] = v
	}
	for k, v := range over {
		out[k] = v
	}
	return out
}
