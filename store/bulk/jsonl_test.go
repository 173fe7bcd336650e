package bulk_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/store/bulk"
)

func TestJSONLPoints(t *testing.T) {
	const file = "\ufeff" + `{"id":7,"vector":[1, -2.5 ,3e2],"payload":{"a":[1,2.5,{"b":null}],"big":18446744073709551615}}` + "\r\n\n" +
		`{"id":"seven","record":{"n":1.0,"s":"x"}}` + "\n" +
		`{"record":"aGVsbG8=","id":null,"vector":null}` // no line end
	rows := readAll(t, []byte(file), bulk.Options{Format: bulk.JSONL, ID: "id"})
	want := []bulk.Row{
		{Line: 1, ID: uint64(7), Vector: []float32{1, -2.5, 300}, Payload: map[string]any{
			"a": []any{int64(1), 2.5, map[string]any{"b": nil}}, "big": json.Number("18446744073709551615")}},
		{Line: 3, ID: "seven", Record: map[string]any{"n": 1.0, "s": "x"}},
		{Line: 4, Record: "aGVsbG8="},
	}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("got  %#v\nwant %#v", rows, want)
	}
}

func TestJSONLObjects(t *testing.T) {
	const file = `{"key":"a","n":1,"note":{"x":1},"vector":"text"}` + "\n" + `{"key":2,"n":null}`
	rows := readAll(t, []byte(file), bulk.Options{Format: bulk.JSONL, ID: "key", Payload: []string{"note"}})
	want := []bulk.Row{
		{Line: 1, ID: "a", Record: map[string]any{"n": int64(1), "vector": "text"}, Payload: map[string]any{"note": map[string]any{"x": int64(1)}}},
		{Line: 2, ID: uint64(2), Record: map[string]any{"n": nil}},
	}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("got  %#v\nwant %#v", rows, want)
	}
}

func TestJSONLBadLines(t *testing.T) {
	long := `{"id":1,"record":"` + strings.Repeat("x", 64<<20) + `"}`
	lines := []struct{ line, want string }{
		{`{"id":1,"vector":[1]}`, ""},
		{`{"id":1,"vector":[1]`, "not a JSON object"},
		{`[1]`, "not a JSON object"},
		{`null`, "not a JSON object"},
		{"{\"id\":\"\xff\",\"vector\":[1]}", "not UTF-8"},
		{`{"id":-1,"vector":[1]}`, "neither a string nor an integer"},
		{`{"id":1.5,"vector":[1]}`, "neither a string nor an integer"},
		{`{"id":"","vector":[1]}`, "id is empty"},
		{`{"id":1,"vector":[1,null]}`, "position 1 is not a number"},
		{`{"id":1,"vector":["nan"]}`, "position 0 is not a number"},
		{`{"id":1,"vector":[[1]]}`, "position 0 is not a number"},
		{`{"id":1,"vector":[1e39]}`, "limit of float32"},
		{`{"id":1,"vector":[ ]}`, "no dimensions"},
		{`{"id":1,"vector":"1"}`, "not base64"},
		{`{"id":1,"vector":[1],"record":{}}`, "either"},
		{`{"id":1}`, "either"},
		{`{"id":1,"vector":[1],"payload":[]}`, "not an object"},
		{`{"id":1,"vector":[1],"payload":{"x":1e999}}`, "limit of float64"},
		{`{"id":1,"vector":[1],"colour":"red"}`, `"colour": unknown key, a point has: id, vector, record, payload`},
		{long, "longer than 67108864 bytes"},
		{`{"id":2,"vector":[2]}`, ""},
	}
	var file strings.Builder
	for _, l := range lines {
		file.WriteString(l.line + "\n")
	}
	r, err := bulk.NewReader(strings.NewReader(file.String()), bulk.Options{Format: bulk.JSONL})
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for row, err := range r.Rows() {
		var bad *bulk.LineError
		switch {
		case row.Line != i+1:
			t.Errorf("line %d is given as %d", i+1, row.Line)
		case lines[i].want == "" && err != nil:
			t.Errorf("line %d: %v", i+1, err)
		case lines[i].want != "" && (!errors.As(err, &bad) || bad.Line != i+1 || !strings.Contains(bad.Reason, lines[i].want)):
			t.Errorf("line %d: got %v, want a LineError with %q", i+1, err, lines[i].want)
		}
		i++
	}
	if i != len(lines) {
		t.Errorf("%d rows, want %d", i, len(lines))
	}
}

func TestJSONLOptionsAgainstPoints(t *testing.T) {
	r, err := bulk.NewReader(strings.NewReader("{\"id\":1,\"vector\":[1]}\n{\"id\":1,\"vector\":[1]}"), bulk.Options{Format: bulk.JSONL, Payload: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	if rows, _, err := read(r); !errors.Is(err, bulk.ErrOption) || strings.Contains(err.Error(), "something came") || len(rows) > 0 {
		t.Errorf("got %v, %v", rows, err)
	}
}

func FuzzJSONL(f *testing.F) {
	f.Add([]byte(`{"id":7,"vector":[1,-2.5],"payload":{"a":[1]}}`+"\n"), "")
	f.Add([]byte(`{"k":"a","n":1}`+"\n\n"+`{"k":2}`), "k")
	f.Add([]byte(`{"record":"aGVsbG8="}`), "id")
	f.Fuzz(func(t *testing.T, data []byte, id string) {
		fuzz(t, data, bulk.Options{Format: bulk.JSONL, ID: id})
	})
}
