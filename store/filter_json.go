package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// maxFilterDepth bounds the nesting of filters that come as JSON.
const maxFilterDepth = 16

// UnmarshalJSON reads Qdrant's filter object. Unlike Qdrant it refuses words it
// does not know, for a misspelled condition would otherwise select everything.
func (f *Filter) UnmarshalJSON(data []byte) error {
	if d := jsonDepth(data); d > 4*maxFilterDepth {
		return invalid("filter", "is nested deeper than %d levels", maxFilterDepth)
	}
	parts, err := object("filter", data, "must", "should", "must_not")
	if err != nil {
		return err
	}
	for name, dst := range map[string]*[]Condition{"must": &f.Must, "should": &f.Should, "must_not": &f.MustNot} {
		if *dst, err = conditions("filter."+name, parts[name]); err != nil {
			return err
		}
	}
	return nil
}

// conditions reads a clause: null, one condition, or a list of them.
func conditions(field string, data json.RawMessage) ([]Condition, error) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || string(data) == "null" {
		return nil, nil
	}
	if data[0] == '{' {
		data = slices.Concat([]byte("["), data, []byte("]"))
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, invalid(field, "must be a condition or a list of conditions")
	}
	out := make([]Condition, len(raw))
	for i := range raw {
		if err := out[i].parse(fmt.Sprintf("%s[%d]", field, i), raw[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *Condition) parse(field string, data json.RawMessage) error {
	parts, err := object(field, data, "key", "match", "range", "has_id", "is_empty", "is_null", "must", "should", "must_not")
	if err != nil {
		return err
	}
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return parts[n] != nil })
	}
	if count(has("must", "should", "must_not"), has("has_id"), has("is_empty"), has("is_null"), has("key", "match", "range")) != 1 {
		return invalid(field, "needs a key with match or range, or one of has_id, is_empty, is_null and a nested filter")
	}
	switch {
	case has("must", "should", "must_not"):
		c.Filter = new(Filter)
		return c.Filter.UnmarshalJSON(data)
	case has("has_id"):
		if err := json.Unmarshal(parts["has_id"], &c.HasID); err != nil {
			return invalid(field+".has_id", "must be a list of ids")
		}
		if c.HasID == nil {
			c.HasID = []ID{}
		}
		return nil
	case has("is_empty"):
		c.IsEmpty, err = keyOf(field+".is_empty", parts["is_empty"])
		return err
	case has("is_null"):
		c.IsNull, err = keyOf(field+".is_null", parts["is_null"])
		return err
	}
	if err := json.Unmarshal(parts["key"], &c.Key); err != nil || c.Key == "" {
		return invalid(field, "needs a key")
	}
	switch {
	case has("match") == has("range"):
		return invalid(field, "needs either match or range")
	case has("match"):
		c.Match = new(Match)
		return c.Match.parse(field+".match", parts["match"])
	}
	bounds, err := object(field+".range", parts["range"], "gt", "gte", "lt", "lte")
	if err != nil {
		return err
	}
	c.Range = new(Range)
	if err := json.Unmarshal(parts["range"], c.Range); err != nil {
		return invalid(field+".range", "bounds must be numbers")
	}
	if len(bounds) == 0 {
		return invalid(field+".range", "needs one of gt, gte, lt, lte")
	}
	return nil
}

func (m *Match) parse(field string, data json.RawMessage) error {
	parts, err := object(field, data, "value", "any", "except", "text")
	if err != nil {
		return err
	}
	if len(parts) != 1 {
		return invalid(field, "needs exactly one of value, any, except, text")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v struct {
		Value  any
		Any    []any
		Except []any
		Text   string
	}
	if err := dec.Decode(&v); err != nil {
		return invalid(field, "any and except take lists, text takes a string")
	}
	m.Value, m.Any, m.Except, m.Text = plainNumbers(v.Value), v.Any, v.Except, v.Text
	plainNumbers(m.Any)
	plainNumbers(m.Except)
	if parts["text"] != nil && m.Text == "" {
		return invalid(field+".text", "must not be empty")
	}
	return m.validate(field)
}

func keyOf(field string, data json.RawMessage) (string, error) {
	if _, err := object(field, data, "key"); err != nil {
		return "", err
	}
	var v struct{ Key string }
	if err := json.Unmarshal(data, &v); err != nil || v.Key == "" {
		return "", invalid(field, "needs a key")
	}
	return v.Key, nil
}

// object splits a JSON object and refuses names that are not known.
func object(field string, data json.RawMessage, known ...string) (map[string]json.RawMessage, error) {
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		return nil, invalid(field, "must be an object")
	}
	for name, v := range parts {
		if !slices.Contains(known, name) {
			return nil, invalid(field, "does not know %q; it takes %s", name, strings.Join(known, ", "))
		}
		if string(v) == "null" {
			delete(parts, name)
		}
	}
	return parts, nil
}
