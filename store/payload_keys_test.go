package store

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// TestDecodeKeys compares what is decoded of some keys with all that is.
func TestDecodeKeys(t *testing.T) {
	names := append([]string{"", `q"`, `back\slash`, "<&>", "é\u2028", "}", `":`}, wildKeys...)
	texts := []string{"", `"`, `\`, `a,"b":{`, "]}", "\u2028<é", "plain"}
	rapid.Check(t, func(t *rapid.T) {
		p := Payload{}
		for _, name := range names {
			switch rapid.IntRange(0, 3).Draw(t, "has") {
			case 0:
				p[name] = drawWild(t, 3)
			case 1:
				p[name] = []any{rapid.SampledFrom(texts).Draw(t, "text"), map[string]any{rapid.SampledFrom(texts).Draw(t, "inner"): 1.5e300}}
			case 2:
				p[name] = rapid.SampledFrom(texts).Draw(t, "text")
			}
		}
		if rapid.Bool().Draw(t, "overflows") {
			p["a.b"] = json.Number("1e999")
		}
		data, err := p.encode("payload")
		if err != nil || len(data) == 0 {
			return // empty payloads are not stored
		}
		want, err := decodePayload(data)
		if err != nil {
			t.Fatal(err)
		}
		keys := keySet{}
		for _, name := range rapid.SliceOfN(rapid.SampledFrom(append(names, "none")), 0, 5).Draw(t, "keys") {
			keys[name] = struct{}{}
		}
		for name := range want {
			if _, wanted := keys[name]; !wanted {
				delete(want, name)
			}
		}
		if got, err := decodeKeys(data, keys); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s of %v gives %v, %v, want %v", data, keys, got, err, want)
		}
	})
}

// FuzzDecodeKeys gives it what no payload is: no panic, and an error or keys.
func FuzzDecodeKeys(f *testing.F) {
	for _, bad := range []string{"", "{", "[]", `{"a"`, `{"a":`, `{"a":}`, `{"a":1`, `{"a":"`, `{"a":tru}`, `{:1}`, `{"a":[}`, `"a":1}`, `{}`, `{"a":1}x`, `{"\`} {
		f.Add([]byte(bad))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := decodeKeys(data, keySet{"a": {}}); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("%q: %v", data, err)
		}
	})
}
