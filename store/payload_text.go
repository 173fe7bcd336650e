package store

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// replaced is how encoding/json writes a byte that is not UTF-8. The character
// itself, U+FFFD, it writes as it is.
var replaced = []byte(`\ufffd`)

// checkPayloadText refuses keys and text that are not UTF-8: JSON would change
// them, and make one key of two. The encoded form tells at little cost whether
// there may be any; then the payload itself tells where.
func checkPayloadText(field string, p Payload, data []byte) error {
	if utf8.Valid(data) && !bytes.Contains(data, replaced) {
		return nil
	}
	if path, text, found := findBadText(field, reflect.ValueOf(p)); found {
		return invalid(path, "%.40q is not valid UTF-8", text)
	}
	if !utf8.Valid(data) { // by a type that encodes itself
		return invalid(field, "is not valid UTF-8")
	}
	return nil
}

// findBadText finds the first text that is not UTF-8, in the order that JSON has,
// and its path. A payload that became JSON has no cycles.
func findBadText(path string, v reflect.Value) (at, text string, found bool) {
	switch v.Kind() {
	case reflect.String:
		return path, v.String(), !utf8.ValidString(v.String())
	case reflect.Interface, reflect.Pointer:
		return findBadText(path, v.Elem())
	case reflect.Map:
		return findInMap(path, v)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if at, text, found = findBadText(fmt.Sprintf("%s[%d]", path, i), v.Index(i)); found {
				return at, text, true
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if at, text, found = findBadText(path+"."+v.Type().Field(i).Name, v.Field(i)); found {
				return at, text, true
			}
		}
	}
	return "", "", false
}

// findInMap is findBadText of an object, whose keys are text too.
func findInMap(path string, v reflect.Value) (at, text string, found bool) {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, k := range keys {
		if at, text, found = findBadText(path, k); found {
			return at, text, true
		}
		if at, text, found = findBadText(path+"."+k.String(), v.MapIndex(k)); found {
			return at, text, true
		}
	}
	return "", "", false
}
