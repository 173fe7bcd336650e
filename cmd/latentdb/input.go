package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/latentdb/latentdb/store"
)

// parseID reads an id as it is typed: digits are a number, a UUID is one, and
// any other text is a string. In double quotes it is a string whatever it holds.
func parseID(text string) (store.ID, error) {
	var id store.ID
	if strings.HasPrefix(text, `"`) {
		err := json.Unmarshal([]byte(text), &id)
		return id, err
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return store.NumID(n), nil
	}
	if text == "" {
		return id, errors.New("is empty")
	}
	return store.ParseID(text), nil
}

func parseIDs(texts []string) ([]store.ID, error) {
	ids := make([]store.ID, len(texts))
	for i, text := range texts {
		id, err := parseID(text)
		if err != nil {
			return nil, usagef("id %q: %w", text, err)
		}
		ids[i] = id
	}
	return ids, nil
}

// readRecord reads what --record names.
func (a *app) readRecord(arg string) (any, error) { return a.readValue("record", arg) }

// readValue reads what a flag names: JSON in place, a file, or standard input
// for "-". A file that holds a JSON object, list or string is that value, any other is a
// text where it is UTF-8, and else bytes, such as an image.
func (a *app) readValue(flag, arg string) (any, error) {
	if arg == "" {
		return nil, usagef("--%s is empty", flag)
	}
	if value, ok := jsonValue([]byte(arg)); ok {
		return value, nil
	}
	var data []byte
	var err error
	if arg == "-" {
		data, err = io.ReadAll(a.stdin)
	} else {
		data, err = os.ReadFile(arg)
	}
	if err != nil && strings.ContainsAny(arg[:1], "[{") {
		return nil, usagef("--%s %s is neither valid JSON nor a file", flag, arg)
	}
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	if value, ok := jsonValue(data); ok {
		return value, nil
	}
	if utf8.Valid(data) {
		return string(data), nil
	}
	return data, nil
}

// readVector reads what --vector names, which must be a list of numbers.
func (a *app) readVector(arg string) (json.RawMessage, error) {
	value, err := a.readValue("vector", arg)
	if err != nil {
		return nil, err
	}
	raw, ok := value.(json.RawMessage)
	var numbers []float32
	if !ok || json.Unmarshal(raw, &numbers) != nil {
		return nil, usagef("--vector %s is not a JSON list of numbers", arg)
	}
	return raw, nil
}

// jsonValue tells whether data is a JSON object, list or string.
func jsonValue(data []byte) (json.RawMessage, bool) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || !strings.ContainsRune(`{["`, rune(data[0])) || !json.Valid(data) {
		return nil, false
	}
	return data, true
}

// contents are the ids, records or vectors a question is about, as REST takes
// them: exactly one of the three.
type contents struct {
	IDs     []store.ID        `json:"ids,omitempty"`
	Records []any             `json:"records,omitempty"`
	Vectors []json.RawMessage `json:"vectors,omitempty"`
}

// readContents reads --record and --vector and the ids given beside them.
func (a *app) readContents(ids, records, vectors []string) (contents, error) {
	var c contents
	var err error
	if c.IDs, err = parseIDs(ids); err != nil {
		return c, err
	}
	for _, arg := range records {
		record, err := a.readRecord(arg)
		if err != nil {
			return c, err
		}
		c.Records = append(c.Records, record)
	}
	for _, arg := range vectors {
		vector, err := a.readVector(arg)
		if err != nil {
			return c, err
		}
		c.Vectors = append(c.Vectors, vector)
	}
	return c, nil
}

// kinds is how many of the three are given.
func (c contents) kinds() int {
	n := 0
	for _, given := range []bool{len(c.IDs) > 0, len(c.Records) > 0, len(c.Vectors) > 0} {
		if given {
			n++
		}
	}
	return n
}

// parseFilter checks a filter before it is sent, so that a misspelled one is
// wrong usage and never selects everything.
func parseFilter(text string) (json.RawMessage, error) {
	if text == "" {
		return nil, nil
	}
	var f store.Filter
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return nil, usagef("--filter: %w", err)
	}
	return json.RawMessage(text), nil
}
