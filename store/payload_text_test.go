package store

import (
	"encoding/json"
	"reflect"
	"testing"
)

// TestPayloadText stores text that JSON escapes, or that looks like what it puts
// in place of bad bytes.
func TestPayloadText(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	want := Payload{"\ufffd": "\ufffd", `\ufffd`: `a\ufffd`, "": "\x00\u2028<", "list": []any{"é", map[string]any{"日": "本"}}}
	given := want.merged(Payload{"raw": json.RawMessage(`"\ufffd"`)})
	mustUpsert(t, c, Point{ID: NumID(1), Vector: []float32{1, 2}, Payload: given})
	got, err := c.Get(ctx, With{Payload: true}, NumID(1))
	if want["raw"] = "\ufffd"; err != nil || !reflect.DeepEqual(got[0].Payload, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}
