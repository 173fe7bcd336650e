package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// keySet is the keys of a payload that some paths begin with.
type keySet map[string]struct{}

// add adds those that lookup asks for of a path.
func (k keySet) add(path string) {
	head, _, _ := strings.Cut(path, ".")
	k[path], k[strings.TrimSuffix(head, "[]")] = struct{}{}, struct{}{}
}

// named is the key that a JSON string spells, and whether it is of the set.
func (k keySet) named(raw []byte) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		_, in := k[string(raw[1:len(raw)-1])]
		return string(raw[1 : len(raw)-1]), in
	}
	v, _ := decodeValue(raw)
	name, _ := v.(string)
	_, in := k[name]
	return name, in
}

// payloadKeys reads some keys of a slot's payload. A filter or an index looks at
// few of them, and decoding all takes most of its time.
func (g *ground) payloadKeys(slot uint32, keys keySet) (Payload, error) {
	v := g.payloads.Get(slotKey(slot))
	if v == nil {
		return nil, nil
	}
	body, err := unseal("payload", slot, v)
	if err != nil {
		return nil, err
	}
	return decodeKeys(body, keys)
}

// decodeKeys is decodePayload less the keys that are not wanted. It relies on
// what encode wrote: valid JSON without spaces.
func decodeKeys(data []byte, keys keySet) (Payload, error) {
	out := make(Payload, len(keys))
	for at := 1; at < len(data); {
		end := skipValue(data, at)
		if end < 0 || end+1 >= len(data) || data[end] != ':' {
			break // of "{}" as well
		}
		raw := data[at:end]
		if at = skipValue(data, end+1); at < 0 || at >= len(data) {
			break
		}
		if name, wanted := keys.named(raw); wanted {
			var err error
			if out[name], err = decodeValue(data[end+1 : at]); err != nil {
				return nil, err
			}
		}
		switch data[at] {
		case '}':
			return out, nil
		case ',':
			at++
		}
	}
	if string(data) == "{}" {
		return out, nil
	}
	return nil, fmt.Errorf("%w: payload is not an object", ErrCorrupt)
}

// skipValue is where a value ends that begins at a place; -1 if nowhere.
func skipValue(data []byte, at int) int {
	depth := 0
	for at < len(data) {
		switch data[at] {
		case '"':
			if at = skipString(data, at); at < 0 {
				return -1
			}
			if depth == 0 {
				return at
			}
			continue
		case '{', '[':
			depth++
		case '}', ']', ',', ':':
			if depth == 0 {
				return at
			}
			if data[at] == '}' || data[at] == ']' {
				if depth--; depth == 0 {
					return at + 1
				}
			}
		}
		at++
	}
	return -1
}

func skipString(data []byte, at int) int {
	for at++; at < len(data); at++ {
		switch data[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return -1
}

// decodeValue decodes one value as decodePayload does.
func decodeValue(raw []byte) (any, error) {
	if len(raw) == 0 {
		return nil, fmt.Errorf("%w: payload has a key without a value", ErrCorrupt)
	}
	switch c := raw[0]; {
	case c == '"' && bytes.IndexByte(raw, '\\') < 0:
		return string(raw[1 : len(raw)-1]), nil
	case c == '-' || c >= '0' && c <= '9':
		return plainNumbers(json.Number(raw)), nil
	case string(raw) == "null":
		return nil, nil
	case string(raw) == "true", string(raw) == "false":
		return c == 't', nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("%w: payload: %v", ErrCorrupt, err)
	}
	return plainNumbers(v), nil
}
