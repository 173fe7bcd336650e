package store

import (
	"fmt"
	"math"
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
	// keys are what it looks at of payloads, once it is prepared.
	keys keySet
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
	// named is HasID to look ids up in, once a filter is prepared.
	named map[ID]bool
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

// maxConditions bounds the conditions of a filter, nested ones included: each may
// be tried on every point.
const maxConditions = 1000

// prepared checks a filter and returns a copy that is ready to be matched with
// points. Every condition has exactly one part, and Match exactly one comparison.
func (f *Filter) prepared() (*Filter, error) {
	if err := f.validateTo("filter", maxFilterDepth); err != nil {
		return nil, err
	}
	if n := f.conditions(); n > maxConditions {
		return nil, invalid("filter", "has %d conditions, the limit is %d", n, maxConditions)
	}
	if f = f.indexed(); f != nil {
		f.keys = make(keySet)
		f.addKeys(f.keys)
	}
	return f, nil
}

// addKeys adds the payload keys that conditions look at.
func (f *Filter) addKeys(to keySet) {
	if f == nil {
		return
	}
	for _, c := range slices.Concat(f.Must, f.Should, f.MustNot) {
		if path := c.payloadKey(); path != "" {
			to.add(path)
		}
		c.Filter.addKeys(to)
	}
}

// conditions counts the conditions of a filter and of those nested in it.
func (f *Filter) conditions() (n int) {
	if f == nil {
		return 0
	}
	for _, c := range slices.Concat(f.Must, f.Should, f.MustNot) {
		n += 1 + c.Filter.conditions()
	}
	return n
}

// indexed copies a filter, with the ids it names in maps.
func (f *Filter) indexed() *Filter {
	if f == nil {
		return nil
	}
	out := &Filter{Must: slices.Clone(f.Must), Should: slices.Clone(f.Should), MustNot: slices.Clone(f.MustNot)}
	for _, clause := range [][]Condition{out.Must, out.Should, out.MustNot} {
		for i := range clause {
			c := &clause[i]
			c.Filter, c.named = c.Filter.indexed(), make(map[ID]bool, len(c.HasID))
			for _, id := range c.HasID {
				c.named[id] = true
			}
		}
	}
	return out
}

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
	case c.Match != nil:
		return c.Match.validate(field + ".match")
	case c.Range != nil:
		return c.Range.validate(field + ".range")
	case c.Filter != nil:
		return c.Filter.validateTo(field, depth-1)
	}
	return validateIDs(field+".has_id", c.HasID)
}

func (m *Match) validate(field string) error {
	for name, values := range map[string][]any{"value": {m.Value}, "any": m.Any, "except": m.Except} {
		for _, v := range values {
			if !payloadScalar(v) {
				return invalid(field+"."+name, "compares with a %T; it takes strings, booleans and finite numbers", v)
			}
		}
	}
	return nil
}

// payloadScalar tells whether a payload may hold what equals v. NaN and infinities
// are in none.
func payloadScalar(v any) bool {
	if v == nil {
		return true
	}
	if x, ok := number(v); ok {
		return x-x == 0
	}
	kind := reflect.TypeOf(v).Kind()
	return kind == reflect.String || kind == reflect.Bool
}

func (r *Range) validate(field string) error {
	bounds := 0
	for _, b := range []*float64{r.GT, r.GTE, r.LT, r.LTE} {
		if b == nil {
			continue
		}
		if bounds++; math.IsNaN(*b) {
			return invalid(field, "has a bound that is not a number")
		}
	}
	if bounds == 0 {
		return invalid(field, "needs one of gt, gte, lt, lte")
	}
	return nil
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
		return c.named[id]
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
	return ok && r.contains(x)
}

// ends are the least and the largest number that the range may hold.
func (r *Range) ends() (low, high float64) {
	low, high = math.Inf(-1), math.Inf(1)
	for _, b := range []*float64{r.GT, r.GTE} {
		if b != nil {
			low = max(low, *b)
		}
	}
	for _, b := range []*float64{r.LT, r.LTE} {
		if b != nil {
			high = min(high, *b)
		}
	}
	return low, high
}

func (r *Range) contains(x float64) bool {
	return (r.GT == nil || x > *r.GT) && (r.GTE == nil || x >= *r.GTE) &&
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
