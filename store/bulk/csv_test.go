package bulk_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/store/bulk"
)

func ExampleNewReader() {
	file := strings.NewReader("id,age,city,note\n7,31,Oslo,new\n8,,Bergen,\n")
	r, err := bulk.NewReader(file, bulk.Options{Format: bulk.CSV, ID: "id", Payload: []string{"note"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	for row, err := range r.Rows() {
		fmt.Println(row.Line, row.ID, row.Record, row.Payload, err)
	}
	// Output:
	// 2 7 map[age:31 city:Oslo] map[note:new] <nil>
	// 3 8 map[age:<nil> city:Bergen] map[] <nil>
}

func TestCSVTypes(t *testing.T) {
	const file = "\ufeffint,float,bool,code,big,text,empty,\r\n" +
		"1,0.5,true,007,18446744073709551616,\"a\"\"b, c\r\nd\",,x\r\n" +
		" -2 ,1e3,FALSE,12,1, padded,,\r\n" +
		",,,,,,,\r\n"
	rows := readAll(t, []byte(file), bulk.Options{Format: bulk.CSV})
	want := []bulk.Row{
		{Line: 2, Record: map[string]any{"int": int64(1), "float": 0.5, "bool": true, "code": "007",
			"big": "18446744073709551616", "text": "a\"b, c\nd", "empty": nil, "column_8": "x"}},
		{Line: 4, Record: map[string]any{"int": int64(-2), "float": 1000.0, "bool": false, "code": "12",
			"big": "1", "text": " padded", "empty": nil, "column_8": nil}},
		{Line: 5, Record: map[string]any{"int": nil, "float": nil, "bool": nil, "code": nil,
			"big": nil, "text": nil, "empty": nil, "column_8": nil}},
	}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("got  %#v\nwant %#v", rows, want)
	}
	rows = readAll(t, []byte("id,n\n5,6\n"), bulk.Options{Format: bulk.CSV, ID: "id", Text: []string{"id", "n"}})
	if rows[0].ID != "5" || rows[0].Record.(map[string]any)["n"] != "6" {
		t.Errorf("text columns: %#v", rows[0])
	}
}

// The customary marks of a missing value are missing among numbers and truth
// values, in the sample and after it, and text anywhere else.
func TestCSVMissingMarks(t *testing.T) {
	marks := []string{"NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?", "-", " ? "}
	var file strings.Builder
	file.WriteString("id,num,bool,text,none,pay\n")
	line := func(id int, mark string) {
		fmt.Fprintf(&file, "%d,%s,%s,%s,%s,%s\n", id, mark, mark, mark, mark, mark)
	}
	for i, mark := range marks {
		line(i, mark)
	}
	for i := range 1000 {
		fmt.Fprintf(&file, "%d,%d,true,x,,%d\n", 100+i, i, i)
	}
	for i, mark := range marks {
		line(2000+i, mark)
	}
	rows := readAll(t, []byte(file.String()), bulk.Options{Format: bulk.CSV, ID: "id", Payload: []string{"pay"}})
	for i, mark := range append(marks, marks...) {
		row := rows[i]
		if i >= len(marks) {
			row = rows[1000+i]
		}
		want := map[string]any{"num": nil, "bool": nil, "text": mark, "none": mark}
		if !reflect.DeepEqual(row.Record, want) || row.Payload != nil {
			t.Errorf("%q, row %d: %v, payload %v", mark, i, row.Record, row.Payload)
		}
	}

	// An id is never missing, and other words are no marks.
	r, err := bulk.NewReader(strings.NewReader("id,n\n1,2\nNA,3\n"), bulk.Options{Format: bulk.CSV, ID: "id"})
	if err != nil {
		t.Fatal(err)
	}
	if rows, _, err := read(r); err != nil || len(rows) != 2 || rows[0].ID != "1" || rows[1].ID != "NA" {
		t.Errorf("ids: %+v, %v", rows, err)
	}
	for _, word := range []string{"na", "none", "Null", "--", "missing"} {
		rows := readAll(t, []byte("n\n1\n"+word+"\n"), bulk.Options{Format: bulk.CSV})
		if got := rows[0].Record.(map[string]any)["n"]; got != "1" {
			t.Errorf("beside %q a number is %#v", word, got)
		}
	}
	rows = readAll(t, []byte("n\n1\nNA\n"), bulk.Options{Format: bulk.CSV, Text: []string{"n"}})
	if got := rows[1].Record.(map[string]any)["n"]; got != "NA" {
		t.Errorf("in a column said to be text the mark is %#v", got)
	}
}

// A cell that reads as infinite among numbers is an error of its row, in the
// sample and after it, and does not make text of the column.
func TestCSVInfinite(t *testing.T) {
	cells := []string{"inf", "-inf", "+Inf", "Infinity", " -INFINITY ", "1e400", "-1.5e999"}
	var file strings.Builder
	file.WriteString("a,n\n")
	for i := range 1000 {
		fmt.Fprintf(&file, "%d,%d\n", i, i)
		if i < len(cells) {
			fmt.Fprintf(&file, "0,%s\n", cells[i])
		}
	}
	fmt.Fprintf(&file, "0,%s\n", strings.Join(cells, "\n0,"))
	r, err := bulk.NewReader(strings.NewReader(file.String()), bulk.Options{Format: bulk.CSV})
	if err != nil {
		t.Fatal(err)
	}
	rows, bad, err := read(r)
	if err != nil || len(rows) != 1000 || len(bad) != 2*len(cells) {
		t.Fatalf("%d rows, %v, %v", len(rows), bad, err)
	}
	for i, e := range bad {
		want := fmt.Sprintf(`column "n": %q is infinite`, strings.TrimSpace(cells[i%len(cells)]))
		if i < len(cells) && e.Line != 2*i+3 || !strings.Contains(e.Reason, want) {
			t.Errorf("line %d: %s, want %s", e.Line, e.Reason, want)
		}
	}
	if n := rows[999].Record.(map[string]any)["n"]; n != int64(999) {
		t.Errorf("a number beside it is %#v", n)
	}
	for _, file := range []string{"n\ninf\n-inf\n", "n\ninf\nx\n1\n", "n\n" + strings.Repeat("9", 400) + "\n1\n"} {
		for _, row := range readAll(t, []byte(file), bulk.Options{Format: bulk.CSV}) {
			if _, text := row.Record.(map[string]any)["n"].(string); !text {
				t.Errorf("%.20q: %v is no text", file, row.Record)
			}
		}
	}
}

// A bad record is told with its line, and those after it are read.
func TestCSVBadRecords(t *testing.T) {
	var file strings.Builder
	file.WriteString("id,n\n")
	for i := range 1000 { // what types are inferred from
		fmt.Fprintf(&file, "%d,%d\n", i, i)
	}
	file.WriteString("x,1\n1001,many\n,3\n1003\n1004,4,4\n1005,a\"b\n1006,\xff\n1007,7\n")
	r, err := bulk.NewReader(strings.NewReader(file.String()), bulk.Options{Format: bulk.CSV, ID: "id"})
	if err != nil {
		t.Fatal(err)
	}
	rows, bad, err := read(r)
	if err != nil || len(rows) != 1001 || rows[1000].ID != uint64(1007) || rows[1000].Line != 1009 {
		t.Errorf("%d rows, %v, last %+v", len(rows), err, rows[len(rows)-1])
	}
	want := []string{
		`line 1002: column "id": id "x" is not a number`,
		`line 1003: column "n": "many" is not a number`,
		`line 1004: id column "id" is empty`,
		`line 1005: 1 fields, the header has 2`,
		`line 1006: 3 fields`,
		`line 1007: bare "`,
		`line 1008: column "n" is not UTF-8`,
	}
	for i, w := range want {
		if i >= len(bad) || !strings.Contains(bad[i].Error(), w) {
			t.Errorf("error %d: got %v, want %q", i, bad[min(i, len(bad)-1)], w)
		}
	}
}

func TestCSVFileErrors(t *testing.T) {
	for _, test := range []struct {
		file string
		opt  bulk.Options
		want error
	}{
		{"", bulk.Options{}, bulk.ErrFile},
		{"a,a\n", bulk.Options{}, bulk.ErrFile},
		{"a\xff\n", bulk.Options{}, bulk.ErrFile},
		{"a\"\n", bulk.Options{}, bulk.ErrFile},
		{strings.Repeat("a,", 1<<14) + "\n", bulk.Options{}, bulk.ErrFile},
		{"a,b\n", bulk.Options{ID: "c"}, bulk.ErrOption},
		{"a,b\n", bulk.Options{Payload: []string{"c"}}, bulk.ErrOption},
		{"a,b\n", bulk.Options{Text: []string{"c"}}, bulk.ErrOption},
		{"a,b\n", bulk.Options{ID: "a", Payload: []string{"a"}}, bulk.ErrOption},
		{"a,b\n", bulk.Options{Labels: "labels.idx"}, bulk.ErrOption},
	} {
		test.opt.Format = bulk.CSV
		if _, err := bulk.NewReader(strings.NewReader(test.file), test.opt); !errors.Is(err, test.want) {
			t.Errorf("%.20q %+v: got %v, want %v", test.file, test.opt, err, test.want)
		}
	}
}

// A quote that is never closed ends reading at the limit, not at the memory's:
// among the records that types are inferred from, and after more good ones than
// the limit of one record.
func TestCSVUnclosedQuote(t *testing.T) {
	for _, good := range []int{1, 3 << 19} {
		file := "a,b\n" + strings.Repeat("1,2\n", good) + "\"" + strings.Repeat("x,\n", 3<<20)
		r, err := bulk.NewReader(strings.NewReader(file), bulk.Options{Format: bulk.CSV})
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		var last error
		for _, err := range r.Rows() {
			if last != nil {
				t.Fatalf("something came after %v", last)
			}
			if last = err; err == nil {
				rows++
			}
		}
		if rows != good || !errors.Is(last, bulk.ErrFile) || !strings.Contains(last.Error(), "4194304") {
			t.Errorf("%d rows, then %v", rows, last)
		}
		if at, _ := r.Progress(); at > int64(4*good+(5<<20)) {
			t.Errorf("read %d bytes", at)
		}
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	data := []byte("a\n1\n2\n")
	plain := writeFile(t, data, dir, "x.CSV")
	packed := writeFile(t, gzipped(t, data), dir, "x.csv.gz")
	for _, path := range []string{plain, packed} {
		r, err := bulk.Open(path, bulk.Options{})
		if err != nil {
			t.Fatal(err)
		}
		rows, _, err := read(r)
		if err != nil || len(rows) != 2 || r.Format() != bulk.CSV {
			t.Errorf("%s: %v, %v", path, rows, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if at, total := r.Progress(); at != info.Size() || total != info.Size() {
			t.Errorf("%s: progress %d of %d, want %d", path, at, total, info.Size())
		}
		if again, _, _ := read(r); len(again) != 0 {
			t.Errorf("%s: rows a second time: %v", path, again)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	unknown := writeFile(t, data, dir, "x.parquet")
	if _, err := bulk.Open(unknown, bulk.Options{}); !errors.Is(err, bulk.ErrOption) {
		t.Errorf("unknown name: %v", err)
	}
	if _, err := bulk.Open(dir+"/none.csv", bulk.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	cut := writeFile(t, gzipped(t, bytes.Repeat(data, 9999))[:40], dir, "cut.csv.gz")
	if r, err := bulk.Open(cut, bulk.Options{}); err == nil {
		if _, _, err := read(r); !errors.Is(err, bulk.ErrFile) {
			t.Errorf("truncated gzip: %v", err)
		}
		_ = r.Close()
	} else if !errors.Is(err, bulk.ErrFile) {
		t.Errorf("truncated gzip: %v", err)
	}
}

func TestFormatOf(t *testing.T) {
	for name, want := range map[string]bulk.Format{
		"a/b.csv": bulk.CSV, "B.JSONL": bulk.JSONL, "x.ndjson.gz": bulk.JSONL, "v.npy": bulk.NPY,
		"train-images-idx3-ubyte": bulk.IDX, "t10k-labels.idx1-ubyte.gz": bulk.IDX, "y.idx": bulk.IDX,
		"a.json": "", "idx": "", "csv": "", ".gz": "",
	} {
		if got := bulk.FormatOf(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("id,a,b\n1,2,x\n2,,\"y\nz\"\n"), "id")
	f.Add([]byte("\ufeffa\r\ntrue\r\n\r\nfalse\r\n"), "")
	f.Add([]byte("a,b\n\"1,2\n"), "a")
	f.Fuzz(func(t *testing.T, data []byte, id string) {
		fuzz(t, data, bulk.Options{Format: bulk.CSV, ID: id})
		fuzz(t, data, bulk.Options{Format: bulk.CSV, ID: id, Cells: true})
	})
}
