package parquet_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"testing"

	pq "github.com/parquet-go/parquet-go"

	"github.com/latentdb/latentdb/store/bulk"
	_ "github.com/latentdb/latentdb/store/bulk/parquet"
)

func seq(rows []bulk.Row) iter.Seq2[bulk.Row, error] {
	return func(yield func(bulk.Row, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func written(t testing.TB, opt bulk.WriterOptions, rows []bulk.Row) []byte {
	t.Helper()
	var out bytes.Buffer
	opt.Format = bulk.Parquet
	if err := bulk.WriteRows(&out, opt, seq(rows)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// file is a file of other software's, from structs.
func file[T any](t testing.TB, rows []T, opts ...pq.WriterOption) []byte {
	t.Helper()
	var out bytes.Buffer
	w := pq.NewGenericWriter[T](&out, opts...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func read(data []byte, opt bulk.Options) (rows []bulk.Row, bad []*bulk.LineError, err error) {
	opt.Format = bulk.Parquet
	r, err := bulk.NewReaderAt(bytes.NewReader(data), int64(len(data)), opt)
	if err != nil {
		return nil, nil, err
	}
	for row, err := range r.Rows() {
		var line *bulk.LineError
		switch {
		case errors.As(err, &line):
			bad = append(bad, line)
		case err != nil:
			return rows, bad, err
		default:
			rows = append(rows, row)
		}
	}
	return rows, bad, r.Close()
}

func readAll(t testing.TB, data []byte, opt bulk.Options) []bulk.Row {
	t.Helper()
	rows, bad, err := read(data, opt)
	if err != nil || len(bad) > 0 {
		t.Fatalf("%v, %v", bad, err)
	}
	return rows
}

// What is written reads back as it was, told nothing.
func TestRoundTrip(t *testing.T) {
	for name, rows := range map[string][]bulk.Row{
		"tables": {
			{Line: 1, ID: uint64(1), Record: map[string]any{"a": int64(1), "b": "x", "c": true, "d": 1.5}, Payload: map[string]any{"p": "q"}},
			{Line: 2, ID: uint64(1 << 63), Record: map[string]any{"a": nil, "b": nil, "c": nil, "d": -2.0}},
		},
		"vectors": {
			{Line: 1, ID: "a", Vector: []float32{1, 2, 3}, Payload: map[string]any{"n": int64(7), "x": .5}},
			{Line: 2, ID: "b", Vector: []float32{4, 5, 6}},
		},
		"pictures": {
			{Line: 1, ID: "a", Record: []byte("\x89PNG\xff"), Payload: map[string]any{"label": int64(3)}},
			{Line: 2, ID: "b", Record: []byte("\x89PNG\xfe"), Payload: map[string]any{"label": int64(4)}},
		},
	} {
		if got := readAll(t, written(t, bulk.WriterOptions{}, rows), bulk.Options{}); !reflect.DeepEqual(got, rows) {
			t.Errorf("%s: got\n%+v, want\n%+v", name, got, rows)
		}
	}
	texts := []bulk.Row{{Line: 1, ID: uint64(1), Record: "Grüße"}, {Line: 2, ID: uint64(2), Record: "aGVsbG8="}}
	if got := readAll(t, written(t, bulk.WriterOptions{Content: bulk.Texts}, texts), bulk.Options{}); !reflect.DeepEqual(got, texts) {
		t.Errorf("texts: got %+v", got)
	}
}

func TestWriterRefusals(t *testing.T) {
	vector := bulk.Row{ID: uint64(1), Vector: []float32{1}}
	for name, rows := range map[string][]bulk.Row{
		"kinds":  {vector, {ID: uint64(2), Record: map[string]any{"a": int64(1)}}},
		"ids":    {vector, {ID: "x", Vector: []float32{1}}},
		"no id":  {{Vector: []float32{1}}},
		"nested": {{ID: uint64(1), Record: map[string]any{"a": []any{int64(1)}}}},
		"twice":  {{ID: uint64(1), Record: map[string]any{"a": int64(1)}, Payload: map[string]any{"a": int64(1)}}},
	} {
		if err := bulk.WriteRows(&bytes.Buffer{}, bulk.WriterOptions{Format: bulk.Parquet}, seq(rows)); !errors.Is(err, bulk.ErrRow) {
			t.Errorf("%s: got %v, want ErrRow", name, err)
		}
	}
}

type picture struct {
	Bytes []byte `parquet:"bytes"`
	Path  string `parquet:"path"`
}

// Files as other programs lay them out.
func TestLayouts(t *testing.T) {
	type embedded struct {
		ID    int64     `parquet:"id"`
		Text  string    `parquet:"text"`
		Embed []float64 `parquet:"emb,list"`
	}
	rows := readAll(t, file(t, []embedded{{7, "a", []float64{1, 2}}, {8, "b", []float64{3, 4}}}), bulk.Options{})
	want := []bulk.Row{
		{Line: 1, ID: uint64(7), Vector: []float32{1, 2}, Payload: map[string]any{"text": "a"}},
		{Line: 2, ID: uint64(8), Vector: []float32{3, 4}, Payload: map[string]any{"text": "b"}},
	}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("vectors: got %+v", rows)
	}

	type photo struct {
		Image picture `parquet:"image"`
		Label int32   `parquet:"label"`
	}
	rows = readAll(t, file(t, []photo{{picture{[]byte{0x89, 'P'}, "a.png"}, 3}}), bulk.Options{})
	want = []bulk.Row{{Line: 1, Record: []byte{0x89, 'P'}, Payload: map[string]any{"image.path": "a.png", "label": int64(3)}}}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("pictures: got %+v", rows)
	}

	type table struct {
		Key   string   `parquet:"key"`
		Count uint64   `parquet:"count"`
		Share *float32 `parquet:"share,optional"`
		On    bool     `parquet:"on"`
		Day   int32    `parquet:"day,date"`
		At    int64    `parquet:"at,timestamp(microsecond)"`
		Raw   []byte   `parquet:"raw"`
	}
	rows = readAll(t, file(t, []table{{"k", 1, nil, true, 19000, 1_700_000_000_123_456, []byte("text")}}),
		bulk.Options{ID: "key", Payload: []string{"day", "raw"}})
	want = []bulk.Row{{Line: 1, ID: "k", Payload: map[string]any{"day": "2022-01-08", "raw": "text"},
		Record: map[string]any{"count": int64(1), "share": nil, "on": true, "at": "2023-11-14T22:13:20.123456Z"}}}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("a table: got %+v", rows)
	}
	type message struct {
		Text  string `parquet:"text"`
		Label string `parquet:"label"`
	}
	rows = readAll(t, file(t, []message{{"hello", "ham"}}), bulk.Options{Record: "text"})
	if want := []bulk.Row{{Line: 1, Record: "hello", Payload: map[string]any{"label": "ham"}}}; !reflect.DeepEqual(rows, want) {
		t.Errorf("texts: got %+v", rows)
	}
}

// Every compression and several row groups and pages give the same rows.
func TestCompressions(t *testing.T) {
	type row struct {
		A int64     `parquet:"a"`
		V []float32 `parquet:"v,list"`
	}
	var rows []row
	for i := range 3000 {
		rows = append(rows, row{int64(i), []float32{float32(i), float32(i % 7), 1}})
	}
	for name, codec := range map[string]pq.WriterOption{
		"none": pq.Compression(&pq.Uncompressed), "snappy": pq.Compression(&pq.Snappy), "gzip": pq.Compression(&pq.Gzip), "zstd": pq.Compression(&pq.Zstd),
	} {
		for _, version := range []int{1, 2} {
			data := file(t, rows, codec, pq.DataPageVersion(version), pq.PageBufferSize(4096), pq.MaxRowsPerRowGroup(1000))
			got := readAll(t, data, bulk.Options{})
			if len(got) != len(rows) {
				t.Fatalf("%s: %d rows, want %d", name, len(got), len(rows))
			}
			for i, r := range got {
				if r.Line != i+1 || !reflect.DeepEqual(r.Vector, rows[i].V) || r.Payload["a"] != int64(i) {
					t.Fatalf("%s: row %d is %+v", name, i, r)
				}
			}
		}
	}
	data := file(t, rows, pq.Compression(&pq.Lz4Raw))
	if _, _, err := read(data, bulk.Options{}); !errors.Is(err, bulk.ErrFile) || !strings.Contains(err.Error(), "LZ4") {
		t.Errorf("lz4: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	type two struct {
		A []float32 `parquet:"a,list"`
		B []float32 `parquet:"b,list"`
	}
	twoLists := file(t, []two{{[]float32{1}, []float32{2}}})
	type inner struct {
		B []float32 `parquet:"b,list"`
	}
	type deep struct {
		A []inner `parquet:"a,list"`
	}
	for _, test := range []struct {
		name string
		data []byte
		opt  bulk.Options
		is   error
		want string
	}{
		{"empty", nil, bulk.Options{}, bulk.ErrFile, "not a Parquet file"},
		{"another file", []byte("PK\x03\x04 not parquet at all"), bulk.Options{}, bulk.ErrFile, "not a Parquet file"},
		{"huge footer", []byte("PAR1....\xff\xff\xff\x7fPAR1"), bulk.Options{}, bulk.ErrFile, "the limit is"},
		{"bad footer", []byte("PAR1....\x04\x00\x00\x00PAR1"), bulk.Options{}, bulk.ErrFile, "the footer"},
		{"two lists", twoLists, bulk.Options{}, bulk.ErrOption, "name the one"},
		{"no column", twoLists, bulk.Options{Record: "c"}, bulk.ErrOption, `no column "c"`},
		{"lists of lists", file(t, []deep{{}}), bulk.Options{}, bulk.ErrFile, "lists of lists"},
		{"labels", twoLists, bulk.Options{Labels: "x"}, bulk.ErrOption, "labels"},
	} {
		_, _, err := read(test.data, test.opt)
		if !errors.Is(err, test.is) || !strings.Contains(fmt.Sprint(err), test.want) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
	rows := readAll(t, twoLists, bulk.Options{Record: "b"})
	if len(rows) != 1 || !reflect.DeepEqual(rows[0].Vector, []float32{2}) {
		t.Errorf("got %+v", rows)
	}
}

// A bad row is one error, and the others are read.
func TestBadRows(t *testing.T) {
	type row struct {
		ID   *int64  `parquet:"id,optional"`
		Text *string `parquet:"text,optional"`
	}
	one, two, s, broken := int64(1), int64(-2), "x", "\xff"
	data := file(t, []row{{&one, &s}, {nil, &s}, {&two, &s}, {&one, nil}, {&one, &broken}, {&one, &s}})
	rows, bad, err := read(data, bulk.Options{ID: "id", Record: "text"})
	if err != nil || len(rows) != 2 || len(bad) != 4 {
		t.Fatalf("got %+v, %v, %v", rows, bad, err)
	}
	for i, want := range []string{"neither a whole number", "-2", "is missing", "not UTF-8"} {
		if bad[i].Line != i+2 || !strings.Contains(bad[i].Reason, want) {
			t.Errorf("got %v, want line %d, %q", bad[i], i+2, want)
		}
	}
}

// fuzzRows are as many rows as a fuzzed file is read.
const fuzzRows = 2000

func FuzzParquet(f *testing.F) {
	type row struct {
		ID   int64     `parquet:"id"`
		Text string    `parquet:"text,dict"`
		V    []float32 `parquet:"v,list"`
		F    *float64  `parquet:"f,optional"`
	}
	x := .5
	rows := []row{{1, "a", []float32{1, 2}, &x}, {2, "b", nil, nil}, {3, "a", []float32{3}, &x}}
	for _, codec := range []pq.WriterOption{pq.Compression(&pq.Uncompressed), pq.Compression(&pq.Zstd), pq.Compression(&pq.Snappy), pq.Compression(&pq.Gzip)} {
		f.Add(file(f, rows, codec, pq.DataPageVersion(1)), "")
		f.Add(file(f, rows, codec, pq.DataPageVersion(2)), "text")
	}
	f.Add(written(f, bulk.WriterOptions{}, []bulk.Row{{ID: uint64(1), Record: map[string]any{"a": int64(1), "b": "x"}}}), "")
	f.Fuzz(func(t *testing.T, data []byte, record string) {
		r, err := bulk.NewReaderAt(bytes.NewReader(data), int64(len(data)), bulk.Options{Format: bulk.Parquet, Record: record})
		if err != nil {
			if !errors.Is(err, bulk.ErrFile) && !errors.Is(err, bulk.ErrOption) {
				t.Fatal(err)
			}
			return
		}
		n := 0
		for row, err := range r.Rows() {
			var line *bulk.LineError
			if err != nil && !errors.As(err, &line) && !errors.Is(err, bulk.ErrFile) {
				t.Fatal(err)
			}
			if err == nil && (row.Line < 1 || (row.Record == nil) == (row.Vector == nil)) {
				t.Fatalf("bad row %+v", row)
			}
			if n++; n == fuzzRows {
				break
			}
		}
	})
}
