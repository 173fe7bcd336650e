package api

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/latentdb/latentdb/store"
)

// payloadSelector is Qdrant's with_payload: true or false, a list of keys to
// include, {"include": keys} or {"exclude": keys}. Keys may be paths: "a.b", or
// "a[].b" through lists.
type payloadSelector struct {
	wanted           bool
	include, exclude []string
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *payloadSelector) UnmarshalJSON(data []byte) error {
	var named struct{ Include, Exclude []string }
	switch {
	case string(data) == "null":
		return nil
	case json.Unmarshal(data, &s.wanted) == nil:
		return nil
	case json.Unmarshal(data, &s.include) == nil:
	case json.Unmarshal(data, &named) == nil && (named.Include == nil) != (named.Exclude == nil):
		s.include, s.exclude = named.Include, named.Exclude
	default:
		return badRequest("with_payload: must be true, false, a list of keys, or an object with either include or exclude")
	}
	s.wanted = true
	return nil
}

// apply gives the selected part of a payload. It is never nil, for clients
// tell an empty payload from one they did not ask for.
func (s payloadSelector) apply(p store.Payload) map[string]any {
	switch {
	case s.include != nil:
		return only(p, s.include)
	case s.exclude != nil:
		return without(p, s.exclude)
	case p == nil:
		return map[string]any{}
	}
	return p
}

// only keeps what paths lead to.
func only(p map[string]any, paths []string) map[string]any {
	out := make(map[string]any)
	for key, v := range p {
		switch whole, rest := follow(paths, key); {
		case whole:
			out[key] = v
		case len(rest) > 0:
			if inner := inside(v, rest, only); inner != nil {
				out[key] = inner
			}
		}
	}
	return out
}

// without drops what paths lead to.
func without(p map[string]any, paths []string) map[string]any {
	out := make(map[string]any, len(p))
	for key, v := range p {
		switch whole, rest := follow(paths, key); {
		case whole:
		case len(rest) > 0 && entered(v):
			out[key] = inside(v, rest, without)
		default:
			out[key] = v
		}
	}
	return out
}

// follow tells whether a path ends at a key, and how the others go on from it.
func follow(paths []string, key string) (whole bool, rest []string) {
	for _, path := range paths {
		tail, ok := strings.CutPrefix(path, key)
		tail = strings.TrimPrefix(tail, "[]")
		switch {
		case ok && tail == "":
			whole = true
		case ok && tail[0] == '.':
			rest = append(rest, tail[1:])
		}
	}
	return whole, rest
}

// entered tells whether a path can go on inside a value.
func entered(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return true
	case []any:
		return slices.ContainsFunc(v, entered)
	}
	return false
}

// inside applies only or without to an object or to the objects of a list;
// what is neither is left out, and nil if there is nothing else.
func inside(v any, paths []string, apply func(map[string]any, []string) map[string]any) any {
	switch v := v.(type) {
	case map[string]any:
		return apply(v, paths)
	case []any:
		var out []any
		for _, e := range v {
			if entered(e) {
				out = append(out, inside(e, paths, apply))
			}
		}
		if out != nil {
			return out
		}
	}
	return nil
}

// vectorSelector is Qdrant's with_vector: true, false, or a list of fields, of
// which there is only the default one, "".
type vectorSelector bool

// UnmarshalJSON implements json.Unmarshaler.
func (s *vectorSelector) UnmarshalJSON(data []byte) error {
	var flag *bool
	if json.Unmarshal(data, &flag) == nil {
		*s = vectorSelector(flag != nil && *flag)
		return nil
	}
	var fields []string
	if json.Unmarshal(data, &fields) != nil {
		return badRequest("with_vector: must be true, false or a list of fields")
	}
	for _, name := range fields {
		if name != "" {
			return badRequest(`with_vector: there is no field %q, only the default ""`, name)
		}
	}
	*s = len(fields) > 0
	return nil
}
