package bulk_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/latentdb/latentdb/store/bulk"
)

func ExampleNewWriter() {
	w, err := bulk.NewWriter(os.Stdout, bulk.WriterOptions{Format: bulk.JSONL})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = w.Write(bulk.Row{ID: uint64(7), Vector: []float32{0.1, -2}, Payload: map[string]any{"city": "Oslo"}})
	_ = w.Write(bulk.Row{ID: "a", Record: map[string]any{"age": 31}})
	_ = w.Close()
	// Output:
	// {"id":7,"vector":[0.1,-2],"payload":{"city":"Oslo"}}
	// {"id":"a","record":{"age":31}}
}

type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// roundTrip writes rows and reads them again.
func roundTrip(t tester, rows []bulk.Row, out bulk.WriterOptions, in bulk.Options) []bulk.Row {
	t.Helper()
	var file bytes.Buffer
	w, err := bulk.NewWriter(&file, out)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := bulk.NewReader(&file, in)
	if err != nil {
		t.Fatal(err)
	}
	back, bad, err := read(r)
	if err != nil || len(bad) > 0 {
		t.Fatalf("%v, %v", err, bad)
	}
	return back
}

// fraction draws numbers that are not whole, since JSON has one form for 3 and 3.0.
var fraction = rapid.Float64().Filter(func(f float64) bool { return f != math.Trunc(f) })

func scalar() *rapid.Generator[any] {
	return rapid.OneOf(rapid.Just[any](nil), rapid.String().AsAny(), rapid.Bool().AsAny(), rapid.Int64().AsAny(), fraction.AsAny())
}

func object() *rapid.Generator[map[string]any] {
	list := rapid.SliceOfN(scalar(), 1, 3).AsAny()
	return rapid.MapOfN(rapid.String(), rapid.OneOf(scalar(), list), 1, 4)
}

func TestJSONLRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rows []bulk.Row
		for i := range rapid.IntRange(1, 5).Draw(t, "rows") {
			row := bulk.Row{Line: i + 1}
			row.ID = rapid.OneOf(rapid.Uint64().AsAny(), rapid.StringN(1, 9, -1).AsAny()).Draw(t, "id")
			if rapid.Bool().Draw(t, "vector?") {
				row.Vector = rapid.SliceOfN(rapid.Float32(), 1, 5).Draw(t, "vector")
			} else {
				row.Record = rapid.MapOf(rapid.String(), scalar()).Draw(t, "record")
			}
			if rapid.Bool().Draw(t, "payload?") {
				row.Payload = object().Draw(t, "payload")
			}
			rows = append(rows, row)
		}
		back := roundTrip(t, rows, bulk.WriterOptions{Format: bulk.JSONL}, bulk.Options{Format: bulk.JSONL})
		if !reflect.DeepEqual(back, rows) {
			t.Fatalf("got  %#v\nwant %#v", back, rows)
		}
	})
}

func TestJSONLImages(t *testing.T) {
	picture := image.NewGray(image.Rect(0, 0, 3, 2))
	picture.Pix[4] = 99
	var encoded bytes.Buffer
	if err := png.Encode(&encoded, picture); err != nil {
		t.Fatal(err)
	}
	for _, record := range []any{encoded.Bytes(), picture} {
		back := roundTrip(t, []bulk.Row{{ID: "a", Record: record}}, bulk.WriterOptions{Format: bulk.JSONL}, bulk.Options{Format: bulk.JSONL})
		got, err := base64.StdEncoding.DecodeString(back[0].Record.(string))
		if err != nil || !bytes.Equal(got, encoded.Bytes()) {
			t.Errorf("%T: the encoded bytes changed: %v", record, err)
		}
	}
}

// Text columns come back as text under Options.Text, with the two changes that
// NewWriter documents.
func TestCSVRoundTrip(t *testing.T) {
	cell := rapid.StringN(1, 9, -1).Filter(func(s string) bool { return !strings.Contains(s, "\r") })
	rapid.Check(t, func(t *rapid.T) {
		var rows []bulk.Row
		optional := func(g *rapid.Generator[any]) *rapid.Generator[any] {
			return rapid.OneOf(rapid.Just[any](nil), g)
		}
		for range rapid.IntRange(1, 8).Draw(t, "rows") {
			row := bulk.Row{ID: cell.Draw(t, "id"), Record: map[string]any{
				"number": rapid.OneOf(rapid.Int64().AsAny(), fraction.AsAny()).Draw(t, "number"),
				"text":   optional(cell.AsAny()).Draw(t, "text"),
				"bool":   rapid.Bool().Draw(t, "bool"),
			}}
			if rapid.Bool().Draw(t, "payload?") {
				row.Payload = map[string]any{"note": cell.Draw(t, "note")}
			}
			rows = append(rows, row)
		}
		back := roundTrip(t, rows,
			bulk.WriterOptions{Format: bulk.CSV, ID: "the id", Payload: []string{"note"}},
			bulk.Options{Format: bulk.CSV, ID: "the id", Payload: []string{"note"}, Text: []string{"the id", "text", "note"}})
		for i := range back {
			back[i].Line = 0
		}
		if !reflect.DeepEqual(back, rows) {
			t.Fatalf("got  %#v\nwant %#v", back, rows)
		}
	})
}

func TestWriterRefuses(t *testing.T) {
	table := map[string]any{"a": 1}
	for name, test := range map[string]struct {
		format bulk.Format
		row    bulk.Row
	}{
		"neither":        {bulk.JSONL, bulk.Row{ID: "a"}},
		"both":           {bulk.JSONL, bulk.Row{Vector: []float32{1}, Record: table}},
		"NaN":            {bulk.JSONL, bulk.Row{Vector: []float32{float32(math.NaN())}}},
		"vector":         {bulk.CSV, bulk.Row{ID: "a", Vector: []float32{1}}},
		"no id":          {bulk.CSV, bulk.Row{Record: table}},
		"list":           {bulk.CSV, bulk.Row{ID: "a", Record: map[string]any{"a": []any{}}}},
		"infinite":       {bulk.CSV, bulk.Row{ID: "a", Record: map[string]any{"a": math.Inf(1)}}},
		"not UTF-8":      {bulk.CSV, bulk.Row{ID: "a", Record: map[string]any{"a": "\xff"}}},
		"same name":      {bulk.CSV, bulk.Row{ID: "a", Record: map[string]any{"id": 1}}},
		"payload column": {bulk.CSV, bulk.Row{ID: "a", Record: table, Payload: map[string]any{"a": 1}}},
	} {
		var file bytes.Buffer
		w, err := bulk.NewWriter(&file, bulk.WriterOptions{Format: test.format})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(test.row); !errors.Is(err, bulk.ErrRow) {
			t.Errorf("%s: got %v, want ErrRow", name, err)
		}
	}
	w, err := bulk.NewWriter(&bytes.Buffer{}, bulk.WriterOptions{Format: bulk.CSV})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(bulk.Row{ID: "a", Record: table}); err != nil {
		t.Fatal(err)
	}
	err = w.Write(bulk.Row{ID: "b", Record: map[string]any{"a": 1, "late": 2}})
	if !errors.Is(err, bulk.ErrRow) || !strings.Contains(err.Error(), `"late"`) {
		t.Errorf("a column that came late: %v", err)
	}
	if _, err := bulk.NewWriter(&bytes.Buffer{}, bulk.WriterOptions{Format: bulk.NPY}); !errors.Is(err, bulk.ErrOption) {
		t.Errorf("NPY: %v", err)
	}
}

func TestCSVHeaderWithoutRows(t *testing.T) {
	var file bytes.Buffer
	w, err := bulk.NewWriter(&file, bulk.WriterOptions{Format: bulk.CSV, Columns: []string{"b", "a"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil || file.String() != "id,b,a\n" {
		t.Errorf("got %q, %v", file.String(), err)
	}
}

// A CSV that made room for rows with different keys holds them all, and what no
// CSV holds is told without one being written.
func TestCSVInclude(t *testing.T) {
	rows := []bulk.Row{
		{ID: uint64(1), Record: map[string]any{"b": int64(1)}, Payload: map[string]any{"nick": "x"}},
		{ID: uint64(2), Record: map[string]any{"a": "y", "c": true}},
		{ID: uint64(3), Record: map[string]any{"b": nil}, Payload: map[string]any{"age": int64(3)}},
	}
	opt := bulk.WriterOptions{Format: bulk.CSV}
	for _, row := range rows {
		if err := opt.Include(row); err != nil {
			t.Fatal(err)
		}
	}
	for _, bad := range []bulk.Row{
		{ID: uint64(1), Vector: []float32{1}},
		{ID: uint64(1), Record: map[string]any{"x": []any{}}},
		{ID: uint64(1), Record: map[string]any{}, Payload: map[string]any{"x": math.NaN()}},
	} {
		if err := opt.Include(bad); !errors.Is(err, bulk.ErrRow) {
			t.Errorf("%+v: %v, want ErrRow", bad, err)
		}
	}
	var file bytes.Buffer
	w, err := bulk.NewWriter(&file, opt)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := file.String(), "id,a,b,c,age,nick\n1,,1,,,x\n2,y,,true,,\n3,,,,3,\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
