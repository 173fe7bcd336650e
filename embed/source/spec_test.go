package source_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
)

func ExampleParseSpec() {
	spec, err := source.ParseSpec([]byte(`{"kind":"image","width":28,"height":28}`))
	fmt.Printf("%+v %v\n", spec, err)
	_, err = source.ParseSpec([]byte(`{"kind":"image","width":28,"hight":28}`))
	fmt.Println(err)
	// Output:
	// {Width:28 Height:28 Channels:0 Likeness: Mirrored:false} <nil>
	// source: bad source configuration: image: unknown field "hight"
}

func TestSpecRoundTrip(t *testing.T) {
	for _, spec := range []source.Spec{
		source.Vector{}, source.Vector{Size: 3, Unit: true},
		source.Image{Width: 3, Height: 2, Channels: 3},
		source.Table{}, mixed,
		source.Audio{}, source.Audio{Rate: 16000, Frames: 16, Coefficients: 13, Window: 2, Hop: .5, KeepSilence: true, MaxSeconds: 60},
		source.Text{}, source.Text{Vocabulary: 100, Meaning: .25},
	} {
		data, err := source.MarshalSpec(spec)
		if err != nil {
			t.Fatal(err)
		}
		back, err := source.ParseSpec(data)
		if err != nil || !reflect.DeepEqual(back, spec) {
			t.Errorf("%s: got %+v, %v, want %+v", data, back, err, spec)
		}
	}
}

type stranger struct{ source.Vector }

func TestPlain(t *testing.T) {
	vector, image, table, audio, text := source.Vector{Size: 3}, source.Image{Width: 2, Height: 2}, mixed, source.Audio{Rate: 8000}, source.Text{Meaning: .25}
	for _, spec := range []source.Spec{vector, &vector, image, &image, table, &table, audio, &audio, text, &text} {
		plain, err := source.Plain(spec)
		want := reflect.Indirect(reflect.ValueOf(spec)).Interface()
		if err != nil || !reflect.DeepEqual(plain, want) {
			t.Errorf("%T: got %#v, %v", spec, plain, err)
		}
	}
	for _, spec := range []source.Spec{nil, (*source.Vector)(nil), (*source.Table)(nil), stranger{vector}, &stranger{vector}} {
		if _, err := source.Plain(spec); !errors.Is(err, source.ErrSpec) {
			t.Errorf("%T: got %v, want ErrSpec", spec, err)
		}
	}
}

func TestParseSpecErrors(t *testing.T) {
	for data, want := range map[string]string{
		``:                                "unexpected end",
		`null`:                            `unknown kind ""`,
		`{"kind":7}`:                      `"kind" is not a string`,
		`{"kind":"video"}`:                `unknown kind "video", want one of: vector, image, table`,
		`{"size":3}`:                      "want one of",
		`{"kind":"vector","dim":3}`:       `unknown field "dim"`,
		`{"kind":"vector","size":70000}`:  "65536",
		`{"kind":"image"}`:                "0 x 0",
		`{"kind":"audio","rate":44100}`:   "audio rate 44100",
		`{"kind":"text","vocabulary":-1}`: "text vocabulary -1",
		`{"kind":"text","meaning":1.5}`:   "text meaning 1.5",
		`{"kind":"table","columns":[{"name":"a","tipe":"numeric"}]}`: `unknown field "tipe"`,
	} {
		if _, err := source.ParseSpec([]byte(data)); !errors.Is(err, source.ErrSpec) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want ErrSpec with %q", data, err, want)
		}
	}
}

func TestUnmarshalFittedErrors(t *testing.T) {
	table := func(columns, state string) string {
		return `{"format":1,"spec":{"kind":"table","columns":[` + columns + `]},"state":` + state + `}`
	}
	const closed = `{"name":"c","type":"categorical","levels":["a","b"]}`
	const open = `{"name":"c","type":"categorical"}`
	for data, want := range map[string]error{
		``:   embed.ErrCorrupt,
		`{}`: embed.ErrCorrupt,
		`{"format":3,"spec":{"kind":"vector","size":1}}`:                         embed.ErrFormat,
		`{"format":1,"spec":{"kind":"vector","size":0}}`:                         embed.ErrCorrupt,
		`{"format":1,"spec":{"kind":"vector","size":1},"state":[]}`:              embed.ErrCorrupt,
		`{"format":1,"spec":{"kind":"audio","rate":8000}}`:                       embed.ErrCorrupt,
		`{"format":1,"spec":{"kind":"audio","rate":8000},"state":{"seconds":0}}`: embed.ErrCorrupt,
		`{"format":1,"spec":{"kind":"audio"},"state":{"seconds":1}}`:             embed.ErrCorrupt,
		table(`{"name":"n","type":"numeric"}`, `[]`):                             embed.ErrCorrupt,
		table(`{"name":"n","type":"numeric"}`, `[{"center":0,"scale":0}]`):       embed.ErrCorrupt,
		table(`{"name":"n","type":"numeric"}`, `[{"scale":1,"min":2,"max":1}]`):  embed.ErrCorrupt,
		table(`{"name":"n","type":"numeric"}`, `[{"scale":1e300}]`):              embed.ErrCorrupt,
		table(`{"name":"n","type":"numeric"}`, `[{"scale":1,"odd":1}]`):          embed.ErrCorrupt,
		table(closed, `[{"levels":["a"],"mode":0}]`):                             embed.ErrCorrupt,
		table(closed, `[{"levels":["a","c"],"mode":0}]`):                         embed.ErrCorrupt,
		table(closed, `[{"levels":["a","a"],"mode":0}]`):                         embed.ErrCorrupt,
		table(closed, `[{"levels":["a","b"],"mode":2}]`):                         embed.ErrCorrupt,
		table(closed, `[{"levels":["a","b"],"mode":0,"open":true}]`):             embed.ErrCorrupt,
		table(open, `[{"levels":["7",7],"open":true,"mode":0}]`):                 embed.ErrCorrupt,
		table(open, `[{"levels":[null],"open":true,"mode":0}]`):                  embed.ErrCorrupt,
		table(open, `[{"levels":[],"open":true,"mode":0,"other":[]}]`):           embed.ErrCorrupt,
		table(open, `[{"levels":["a",7],"open":true,"mode":0,"other":3}]`):       nil,
	} {
		if _, err := source.UnmarshalFitted([]byte(data)); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", data, err, want)
		}
	}
}

// What ParseSpec accepts survives MarshalSpec.
func FuzzParseSpec(f *testing.F) {
	f.Add([]byte(`{"kind":"vector","size":3,"unit":true}`))
	f.Add([]byte(`{"kind":"image","width":28,"height":28,"channels":1}`))
	f.Add([]byte(`{"kind":"table","columns":[{"name":"a","type":"categorical","levels":["x"]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		spec, err := source.ParseSpec(data)
		if err != nil {
			if !errors.Is(err, source.ErrSpec) {
				t.Fatal(err)
			}
			return
		}
		out, err := source.MarshalSpec(spec)
		if err != nil {
			t.Fatal(err)
		}
		back, err := source.ParseSpec(out)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := source.MarshalSpec(back); string(again) != string(out) {
			t.Fatalf("%s became %s", out, again)
		}
	})
}

// Whatever UnmarshalFitted accepts works: rows are finite, and bytes settle.
func FuzzUnmarshalFitted(f *testing.F) {
	stored := [][]byte{marshal(f, mixed, map[string]any{"n": 1, "open": "a"}), marshal(f, mixed, map[string]any{"n": 200.5})}
	for _, fitted := range []source.Fitted{
		fit(f, source.Vector{Size: 2}),
		fit(f, source.Image{Width: 2, Height: 2, Channels: 1}),
		fit(f, mixed, stored...),
		fit(f, source.Audio{Rate: 8000}),
	} {
		data, err := fitted.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fitted, err := source.UnmarshalFitted(data)
		if err != nil {
			return
		}
		checkBytes(t, fitted)
		row := make([]float32, fitted.Width())
		if table, ok := fitted.Spec().(source.Table); ok {
			record := map[string]any{}
			for i, c := range table.Columns {
				record[c.Name] = map[source.ColumnType]any{source.NumericColumn: float64(i) * 1e37, source.BooleanColumn: true}[c.Type]
			}
			if s, err := table.Marshal(record); err == nil {
				row = rowOf(t, fitted, s)
			}
		}
		if _, err := fitted.Record(row); err != nil {
			t.Fatal(err)
		}
		fitted.Parts(make([]float64, len(row)), row, row)
	})
}

// Whatever JSON object a table accepts comes back from its bytes, and gives the
// same bytes again.
func FuzzTableMarshal(f *testing.F) {
	f.Add(`{"n":1,"open":"x","closed":"red","b":true}`)
	f.Add(`{"n":"1e5","open":1.50,"closed":7,"b":null}`)
	f.Add(`{"n":-0.0,"open":"\u2028"}`)
	fitted := fit(f, mixed, marshal(f, mixed, map[string]any{"n": 1, "open": "x"}), marshal(f, mixed, map[string]any{"n": 2}))
	f.Fuzz(func(t *testing.T, text string) {
		var record map[string]any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if d.Decode(&record) != nil {
			return
		}
		stored, err := mixed.Marshal(record)
		if err != nil {
			if !errors.Is(err, source.ErrRecord) {
				t.Fatal(err)
			}
			return
		}
		back, err := mixed.Unmarshal(stored)
		if err != nil {
			t.Fatal(err)
		}
		if again := marshal(t, mixed, back); string(again) != string(stored) {
			t.Fatalf("%s became %s", stored, again)
		}
		rowOf(t, fitted, stored)
	})
}
