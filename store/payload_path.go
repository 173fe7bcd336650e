package store

import (
	"maps"
	"strings"
)

// valuesAt lists the values under a key path, lists spread out.
func valuesAt(p Payload, path string) []any {
	v, ok := lookup(p, path)
	if !ok {
		return nil
	}
	return spread(nil, v)
}

func spread(dst []any, v any) []any {
	list, ok := v.([]any)
	if !ok {
		return append(dst, v)
	}
	for _, e := range list {
		dst = spread(dst, e)
	}
	return dst
}

func emptyAt(p Payload, path string) bool {
	for _, v := range valuesAt(p, path) {
		if v != nil {
			return false
		}
	}
	return true
}

// lookup follows a path through objects, and through every element of lists.
func lookup(v any, path string) (any, bool) {
	if path == "" {
		return v, true
	}
	switch v := v.(type) {
	case Payload:
		return lookup(map[string]any(v), path)
	case map[string]any:
		// A key that itself holds dots wins over the path it spells.
		if e, ok := v[path]; ok {
			return e, true
		}
		head, rest, _ := strings.Cut(path, ".")
		e, ok := v[strings.TrimSuffix(head, "[]")]
		if !ok {
			return nil, false
		}
		return lookup(e, rest)
	case []any:
		var out []any
		for _, e := range v {
			if found, ok := lookup(e, path); ok {
				out = append(out, found)
			}
		}
		return out, len(out) > 0
	}
	return nil, false
}

// without is p less what keys lead to; each may be a path, as in a Condition.
func (p Payload) without(keys []string) Payload {
	var out any = map[string]any(p)
	for _, key := range keys {
		out = removed(out, key)
	}
	return out.(map[string]any)
}

// removed is v less what a path leads to, in copies of the objects and lists on
// the way.
func removed(v any, path string) any {
	switch v := v.(type) {
	case map[string]any:
		out := maps.Clone(v)
		if _, ok := v[path]; ok {
			delete(out, path)
			return out
		}
		head, rest, more := strings.Cut(path, ".")
		key := strings.TrimSuffix(head, "[]")
		e, ok := v[key]
		switch {
		case !ok:
		case more:
			out[key] = removed(e, rest)
		default: // "key[]": all of the list
			delete(out, key)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = removed(e, path)
		}
		return out
	}
	return v
}
