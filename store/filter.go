package store

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Filter selects points by payload and id, with Qdrant's meaning and JSON:
// every Must condition holds, at least one Should condition holds if there are
// any, and no MustNot condition holds. A nil or empty filter selects all.
type Filter struct {
	Must    []Condition
	Should  []Condition
	MustNot []Condition
}

// Condition is one test; exactly one of its parts is set: Match or Range (of
// the values under Key), HasID, IsEmpty, IsNull, or a nested Filter.
//
// Key is a payload key; "a.b" reaches into objects and "a[].b" into the objects
// of a list. Where a key holds a list, the condition holds if it holds for one
// of its elements.
type Condition struct {
	Key   string
	Match *Match
	Range *Range
	// HasID selects the points named.
	HasID []ID
	// IsEmpty selects points whose key is missing, null or an empty list.
	IsEmpty string
	// IsNull selects points whose key holds null.
	IsNull string
	// Filter nests.
	Filter *Filter
}

// Match compares a value: exactly one field is set.
type Match struct {
	// Value equals: a string, a boolean or a number.
	Value any
	// Any holds if one of them equals.
	Any []any
	// Except holds if there is a value that equals none of them.
	Except []any
	// Text holds if a string contains it.
	Text string
}

// Range compares numbers; unset bounds do not bind.
type Range struct {
	GT  *float64 `json:"gt,omitempty"`
	GTE *float64 `json:"gte,omitempty"`
	LT  *float64 `json:"lt,omitempty"`
	LTE *float64 `json:"lte,omitempty"`
}

func (f *Filter) empty() bool {
	return f == nil || len(f.Must)+len(f.Should)+len(f.MustNot) == 0
}

// needsPayload tells whether any condition looks at the payload; a filter on
// ids alone is answered without reading any.
func (f *Filter) needsPayload() bool {
	if f == nil {
		return false
	}
	for _, c := range slices.Concat(f.Must, f.Should, f.MustNot) {
		if c.Filter != nil && c.Filter.needsPayload() || c.Filter == nil && c.HasID == nil {
			return true
		}
	}
	return false
}

// validate tells what is wrong with a filter that did not come as JSON: every
// condition has exactly one part, and Match exactly one comparison.
func (f *Filter) validate() error { return f.validateTo("filter", maxFilterDepth) }

func (f *Filter) validateTo(field string, depth int) error {
	if f == nil {
		return nil
	}
	if depth == 0 {
		return invalid(field, "is nested deeper than %d levels", maxFilterDepth)
	}
	for _, clause := range []struct {
		name       string
		conditions []Condition
	}{{"must", f.Must}, {"should", f.Should}, {"must_not", f.MustNot}} {
		for i := range clause.conditions {
			at := fmt.Sprintf("%s.%s[%d]", field, clause.name, i)
			if err := clause.conditions[i].validate(at, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Condition) validate(field string, depth int) error {
	onKey := c.Match != nil || c.Range != nil
	switch {
	case count(c.Match != nil, c.Range != nil, c.HasID != nil, c.IsEmpty != "", c.IsNull != "", c.Filter != nil) != 1:
		return invalid(field, "needs exactly one of match, range, has_id, is_empty, is_null and a nested filter")
	case onKey != (c.Key != ""):
		return invalid(field, "key goes with match or range, and they with a key")
	case c.Match != nil && count(c.Match.Value != nil, c.Match.Any != nil, c.Match.Except != nil, c.Match.Text != "") != 1:
		return invalid(field+".match", "needs exactly one of value, any, except, text")
	case c.Filter != nil:
		return c.Filter.validateTo(field, depth-1)
	}
	return validateIDs(field+".has_id", c.HasID)
}

// count is how many are true.
func count(conditions ...bool) (n int) {
	for _, c := range conditions {
		if c {
			n++
		}
	}
	return n
}

// matches tells whether a point is selected.
func (f *Filter) matches(id ID, p Payload) bool {
	if f == nil {
		return true
	}
	for i := range f.Must {
		if !f.Must[i].holds(id, p) {
			return false
		}
	}
	for i := range f.MustNot {
		if f.MustNot[i].holds(id, p) {
			return false
		}
	}
	for i := range f.Should {
		if f.Should[i].holds(id, p) {
			return true
		}
	}
	return len(f.Should) == 0
}

func (c *Condition) holds(id ID, p Payload) bool {
	switch {
	case c.Filter != nil:
		return c.Filter.matches(id, p)
	case c.HasID != nil:
		return slices.Contains(c.HasID, id)
	case c.IsEmpty != "":
		return emptyAt(p, c.IsEmpty)
	case c.IsNull != "":
		return slices.Contains(valuesAt(p, c.IsNull), nil)
	}
	return slices.ContainsFunc(valuesAt(p, c.Key), func(v any) bool {
		if c.Match != nil {
			return c.Match.holds(v)
		}
		return c.Range.holds(v)
	})
}

func (m *Match) holds(v any) bool {
	switch {
	case m.Any != nil:
		return slices.ContainsFunc(m.Any, func(want any) bool { return equalValues(v, want) })
	case m.Except != nil:
		return !slices.ContainsFunc(m.Except, func(want any) bool { return equalValues(v, want) })
	case m.Text != "":
		s, ok := v.(string)
		return ok && strings.Contains(s, m.Text)
	}
	return equalValues(v, m.Value)
}

func (r *Range) holds(v any) bool {
	x, ok := number(v)
	return ok &&
		(r.GT == nil || x > *r.GT) && (r.GTE == nil || x >= *r.GTE) &&
		(r.LT == nil || x < *r.LT) && (r.LTE == nil || x <= *r.LTE)
}

// equalValues compares a payload's value with a wanted one. Whole numbers
// compare as integers, so that large ones do not blur; 1 and 1.0 are equal.
func equalValues(have, want any) bool {
	if hs, ok := have.(string); ok {
		ws, ok := want.(string)
		return ok && hs == ws
	}
	if hb, ok := have.(bool); ok {
		wb, ok := want.(bool)
		return ok && hb == wb
	}
	if hi, ok := integer(have); ok {
		if wi, ok := integer(want); ok {
			return hi == wi
		}
	}
	if hu, ok := have.(uint64); ok {
		if wu, ok := want.(uint64); ok {
			return hu == wu
		}
	}
	h, ok1 := number(have)
	w, ok2 := number(want)
	return ok1 && ok2 && h == w
}

func integer(v any) (int64, bool) {
	rv := reflect.ValueOf(v)
	switch {
	case v == nil:
	case rv.CanInt():
		return rv.Int(), true
	case rv.CanUint() && rv.Uint() <= 1<<63-1:
		return int64(rv.Uint()), true
	}
	return 0, false
}

func number(v any) (float64, bool) {
	rv := reflect.ValueOf(v)
	switch {
	case v == nil:
	case rv.CanFloat():
		return rv.Float(), true
	case rv.CanInt():
		return float64(rv.Int()), true
	case rv.CanUint():
		return float64(rv.Uint()), true
	}
	return 0, false
}

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
