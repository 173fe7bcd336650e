package api

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

func TestParseVector(t *testing.T) {
	for text, want := range map[string][]float32{
		`[1, 2.5,-3e2]`:        {1, 2.5, -300},
		"[ 1 ,\n2 ]":           {1, 2},
		`{"": [1]}`:            {1},
		`[1e-50]`:              {0},
		`[3.4028235e38]`:       {math.MaxFloat32},
		`[16777217, 1.000001]`: {16777216, 1.000001},
	} {
		got, err := parseVector("v", json.RawMessage(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("parseVector(%s) = %v, %v, want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		`[]`:                           "v: is empty",
		`"1"`:                          "v: must be a list",
		`null`:                         "v: must be a list",
		`7`:                            "v: must be a list",
		`[1, 1e39]`:                    "v[1]: must be a number in the range",
		`[1, null]`:                    "v[1]",
		`["1"]`:                        "v[0]",
		`["1,2"]`:                      "v[0]",
		`["inf"]`:                      "v[0]",
		`[true]`:                       "v[0]",
		`[1,[2]]`:                      "v[1]",
		`[[1,2]]`:                      "multivectors",
		`{"a": [1]}`:                   "named vectors",
		`{"": [1], "b": [1]}`:          "named vectors",
		`{"indices":[1],"values":[2]}`: "sparse",
		`{}`:                           "v: is empty",
		`{"": null}`:                   "v: must be a list",
	} {
		if got, err := parseVector("v", json.RawMessage(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseVector(%s) = %v, %v, want error %q", text, got, err, want)
		}
	}
}

// FuzzParseVector compares the parser written by hand with encoding/json.
func FuzzParseVector(f *testing.F) {
	for _, seed := range []string{`[1,2]`, `[1e400]`, `{"":[0.1]}`, `["a,1"]`, `[[1],[2]]`, `[-0, 1E+2 ]`, `null`, `[1,{"a":2}]`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 0 && !json.Valid(data) {
			return // never reaches it
		}
		got, err := parseVector("v", data)
		var want []*float32
		wantErr := json.Unmarshal(data, &want)
		for _, x := range want {
			if x == nil {
				wantErr = strconv.ErrSyntax
			}
		}
		if strings.HasPrefix(strings.TrimSpace(string(data)), "{") {
			return // the default field, by name
		}
		if ok := wantErr == nil && len(want) > 0; ok != (err == nil) {
			t.Fatalf("parseVector(%q) = %v, %v; encoding/json: %v", data, got, err, wantErr)
		}
		for i := range got {
			if math.Float32bits(got[i]) != math.Float32bits(*want[i]) {
				t.Fatalf("parseVector(%q)[%d] = %v, want %v", data, i, got[i], *want[i])
			}
		}
	})
}

func TestUnmarshalNamesTheField(t *testing.T) {
	type inner struct {
		X uint8 `json:"x"`
	}
	type outerPart struct {
		Limit *int `json:"limit"`
	}
	type body struct {
		outerPart
		In   inner    `json:"in"`
		List []inner  `json:"list"`
		F    *float64 `json:"f"`
		D    dim      `json:"dim"`
	}
	for _, tc := range []struct{ text, want string }{
		{`{"limit":"x"}`, "limit: must be a whole number in range, not string"},
		{`{"limit":1.5}`, "limit: must be a whole number"},
		{`{"limit":99999999999999999999}`, "limit: must be a whole number"},
		{`{"in":{"x":-1}}`, "in.x: must be a whole number from 0 on"},
		{`{"in":3}`, "in: must be an object, not number"},
		{`{"list":{}}`, "list: must be a list"},
		{`{"f":1e400}`, "f: must be a number in range"},
		{`{"dim":"big"}`, `dim: must be a whole number from 1 to 1024, or "auto"`},
		{`{"dim":0}`, "dim: must"},
		{`{"nope":1}`, `body: unknown field "nope"`},
		{`{"in":{"nope":1}}`, `unknown field "nope"`},
		{`[]`, "body: must be an object"},
		{`{} x`, "body: has data after the JSON value"},
		{`{"a"`, "body: is not valid JSON"},
		{`{"a":nan}`, "body: is not valid JSON at byte 7"},
		{strings.Repeat("[", 20_000), "body: is not valid JSON"},
	} {
		var b body
		err := unmarshal("", []byte(tc.text), true, &b)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("unmarshal(%.40s) = %v, want %q", tc.text, err, tc.want)
		}
	}
	var b body
	if err := unmarshal("at", []byte(`{"in":{"x":"y"}}`), false, &b); err == nil || !strings.HasPrefix(err.Error(), "at.in.x: ") {
		t.Errorf("with a place: %v", err)
	}
	if err := unmarshal("", []byte(`{"nope":1}`), false, &b); err != nil {
		t.Errorf("lenient: %v", err)
	}
	for _, text := range []string{`{} x`, `{"a"`} {
		if err := unmarshal("", []byte(text), false, &b); err == nil || !strings.HasPrefix(err.Error(), "body: is not valid JSON at byte") {
			t.Errorf("lenient %s: %v", text, err)
		}
	}
}

func TestParsePayloadKeepsNumbers(t *testing.T) {
	p, err := parsePayload("p", json.RawMessage(`{"a":9007199254740993,"b":18446744073709551615,"c":[1.5,{"d":-2}],"e":null,"f":1e30}`))
	want := store.Payload{"a": int64(9007199254740993), "b": uint64(math.MaxUint64),
		"c": []any{1.5, map[string]any{"d": int64(-2)}}, "e": nil, "f": 1e30}
	if err != nil || !reflect.DeepEqual(p, want) {
		t.Errorf("parsePayload = %#v, %v", p, err)
	}
	if _, err := parsePayload("p", json.RawMessage(`{"a":[0,{"b":1e400}]}`)); err == nil || !strings.HasPrefix(err.Error(), "p.a[1].b: ") {
		t.Errorf("out of range: %v", err)
	}
	if _, err := parsePayload("p", json.RawMessage(`[1]`)); err == nil {
		t.Error("a list passed as a payload")
	}
}

func TestPayloadSelector(t *testing.T) {
	payload := store.Payload{"a": int64(1), "b": map[string]any{"c": "x", "d": "y"},
		"l": []any{map[string]any{"m": 1.0, "n": 2.0}, map[string]any{"n": 3.0}}, "b.c": "dotted"}
	for _, tc := range []struct {
		text, want string
	}{
		{`true`, `{"a":1,"b":{"c":"x","d":"y"},"b.c":"dotted","l":[{"m":1,"n":2},{"n":3}]}`},
		{`["a","zzz"]`, `{"a":1}`},
		{`[]`, `{}`},
		{`{"include":["b.c"]}`, `{"b":{"c":"x"},"b.c":"dotted"}`},
		{`{"include":["l[].n","a.x"]}`, `{"l":[{"n":2},{"n":3}]}`},
		{`{"exclude":["b","l"]}`, `{"a":1,"b.c":"dotted"}`},
		{`{"exclude":["b.d","l[].m","a.x"]}`, `{"a":1,"b":{"c":"x"},"b.c":"dotted","l":[{"n":2},{"n":3}]}`},
	} {
		var s payloadSelector
		if err := json.Unmarshal([]byte(tc.text), &s); err != nil || !s.wanted {
			t.Errorf("%s: %v, wanted %v", tc.text, err, s.wanted)
			continue
		}
		if got, _ := json.Marshal(s.apply(payload)); string(got) != tc.want {
			t.Errorf("%s selects %s, want %s", tc.text, got, tc.want)
		}
	}
	for _, text := range []string{`3`, `"a"`, `[1]`, `{}`, `{"include":["a"],"exclude":["b"]}`} {
		if err := json.Unmarshal([]byte(text), new(payloadSelector)); err == nil {
			t.Errorf("with_payload %s passed", text)
		}
	}
	s := payloadSelector{wanted: true}
	if err := json.Unmarshal([]byte(`false`), &s); err != nil || s.wanted {
		t.Errorf("false: %v %v", s.wanted, err)
	}
}

func TestCreateBody(t *testing.T) {
	for _, tc := range []struct {
		text string
		want store.Config
	}{
		{`{"vectors":{"size":4,"distance":"Cosine","on_disk":true},"shard_number":2}`,
			store.Config{Source: source.Vector{Size: 4}, Metric: store.Cosine, Rows: store.RowsDisk, AutoFit: store.AutoFit{MinPoints: 10_000}}},
		{`{"vectors":{"size":4,"distance":"Dot","on_disk":false},"latent":{"rows":"auto"}}`,
			store.Config{Source: source.Vector{Size: 4}, Metric: store.Dot, Rows: store.RowsAuto}},
		{`{"vectors":{"":{"size":4,"distance":"Dot"}},"hnsw_config":{"m":8,"ef_construct":64}}`,
			store.Config{Source: source.Vector{Size: 4}, Metric: store.Dot, M: 8, EfConstruct: 64, AutoFit: store.AutoFit{MinPoints: 10_000}}},
		{`{"vectors":{"size":4,"distance":"Manhattan"},"latent":{"dim":2,"encoder":"linear"}}`,
			store.Config{Source: source.Vector{Size: 4}, Metric: store.Manhattan, Dim: 2, Encoder: "linear"}},
		{`{"vectors":{"size":4,"distance":"Cosine"},"latent":{"source":{"kind":"vector","size":4,"distance":"Cosine"}}}`,
			store.Config{Source: source.Vector{Size: 4}, Metric: store.Cosine}},
		{`{"latent":{"source":{"kind":"vector","distance":"Cosine"}}}`,
			store.Config{Source: source.Vector{}, Metric: store.Cosine}},
		{`{"latent":{"source":{"kind":"vector","size":3},"distance":"Dot"}}`,
			store.Config{Source: source.Vector{Size: 3}, Metric: store.Dot}},
		{`{"latent":{"":{"source":{"kind":"image","width":8,"height":9},"dim":"auto","engine":"flat","recall":0.9,"m":4,"ef_construct":20,
			"auto_fit":{"enabled":false,"min_points":50,"drift":2}}}}`,
			store.Config{Source: source.Image{Width: 8, Height: 9}, Engine: "flat", Recall: 0.9, M: 4, EfConstruct: 20,
				AutoFit: store.AutoFit{Disabled: true, MinPoints: 50, Drift: 2}}},
	} {
		var b createBody
		if err := json.Unmarshal([]byte(tc.text), &b); err != nil {
			t.Fatal(err)
		}
		got, err := b.settings()
		if err != nil || !reflect.DeepEqual(got.Config, tc.want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", tc.text, got.Config, err, tc.want)
		}
	}
}

func TestCreateBodyRefusals(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                             "vectors: is missing",
		`{"vectors":{}}`:                 "vectors.size: is missing",
		`{"vectors":{"size":4}}`:         "vectors.distance: is missing",
		`{"vectors":{"distance":"Dot"}}`: "vectors.size: is missing",
		`{"vectors":{"size":0,"distance":"Dot"}}`:                                               "it must be 1 to 65536",
		`{"vectors":{"size":65537,"distance":"Dot"}}`:                                           "it must be 1 to 65536",
		`{"vectors":{"size":1e3,"distance":"Dot"}}`:                                             "vectors.size: must be a whole number",
		`{"vectors":{"size":4,"distance":"cosine"}}`:                                            `vectors.distance: "cosine" is not one of Cosine`,
		`{"vectors":{"photo":{"size":4,"distance":"Dot"}}}`:                                     "named vectors",
		`{"vectors":{"size":4,"distance":"Dot","multivector_config":{"comparator":"max_sim"}}}`: "multivectors",
		`{"vectors":3}`: "vectors: must be an object",
		`{"vectors":{"size":4,"distance":"Dot"},"sparse_vectors":{"s":{}}}`: "sparse",
		`{"latent":{}}`:          "latent.source: is missing",
		`{"latent":{"sauce":1}}`: `latent: unknown field "sauce"`,
		`{"latent":{"photo":{"source":{"kind":"image"}}}}`:                                                  `latent: unknown field "photo"`,
		`{"latent":{"source":{"kind":"image","width":8,"height":8,"depth":1}}}`:                             "depth",
		`{"latent":{"source":{"kind":"smell"}}}`:                                                            "latent.source: unknown kind",
		`{"latent":{"source":{"kind":"vector"},"dim":2000}}`:                                                "latent.dim: must be a whole number from 1 to 1024",
		`{"latent":{"source":{"kind":"vector"},"recall":0}}`:                                                "latent.recall",
		`{"latent":{"source":{"kind":"vector"},"recall":"high"}}`:                                           "latent.recall: must be a number",
		`{"latent":{"source":{"kind":"vector"},"auto_fit":{"min":3}}}`:                                      `unknown field "min"`,
		`{"latent":{"source":{"kind":"vector"},"auto_fit":{"min_points":0}}}`:                               "latent.auto_fit.min_points",
		`{"latent":{"source":{"kind":"vector"},"auto_fit":{"drift":0.5}}}`:                                  "latent.auto_fit.drift",
		`{"latent":{"source":{"kind":"vector","distance":"Dot"},"distance":"Cosine"}}`:                      "latent.distance: is",
		`{"vectors":{"size":4,"distance":"Dot"},"latent":{"distance":"Cosine"}}`:                            "latent.distance: is",
		`{"vectors":{"size":4,"distance":"Dot"},"latent":{"source":{"kind":"image","width":8,"height":8}}}`: "contradicts vectors",
		`{"vectors":{"size":4,"distance":"Dot"},"latent":{"source":{"kind":"vector","size":5}}}`:            "contradicts vectors",
	} {
		var b createBody
		err := unmarshal("", []byte(text), false, &b)
		if err == nil {
			_, err = b.settings()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
