package store

import (
	"encoding/json"
	"testing"
)

func TestPayloadWithout(t *testing.T) {
	const payload = `{"a":1,"b":{"c":1,"d":2},"b.c":3,"l":[{"x":1,"y":2},5,[{"x":3}]]}`
	for _, test := range []struct{ key, want string }{
		{"a", `{"b":{"c":1,"d":2},"b.c":3,"l":[{"x":1,"y":2},5,[{"x":3}]]}`},
		{"b.c", `{"a":1,"b":{"c":1,"d":2},"l":[{"x":1,"y":2},5,[{"x":3}]]}`}, // the key that is spelled so
		{"b.d", `{"a":1,"b":{"c":1},"b.c":3,"l":[{"x":1,"y":2},5,[{"x":3}]]}`},
		{"l[].x", `{"a":1,"b":{"c":1,"d":2},"b.c":3,"l":[{"y":2},5,[{}]]}`},
		{"l[]", `{"a":1,"b":{"c":1,"d":2},"b.c":3}`},
		{"b.none", payload}, {"none.c", payload}, {"a.c", payload}, {"", payload},
	} {
		var p Payload
		if err := json.Unmarshal([]byte(payload), &p); err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(p.without([]string{test.key}))
		if err != nil || string(got) != test.want {
			t.Errorf("without %q: %s, %v, want %s", test.key, got, err, test.want)
		}
		if left, err := json.Marshal(p); err != nil || string(left) != payload {
			t.Errorf("without %q changed the payload it was asked of: %s, %v", test.key, left, err)
		}
	}
}
