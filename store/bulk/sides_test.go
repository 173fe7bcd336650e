package bulk_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"os"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/latentdb/latentdb/store/bulk"
)

// parallel reads two files as pairs.
func parallel(t testing.TB, left, right string, opt bulk.Options) (rows []bulk.Row, bad []*bulk.LineError) {
	t.Helper()
	r, err := bulk.OpenParallel(left, right, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	rows, bad, err = read(r)
	if err != nil {
		t.Fatal(err)
	}
	return rows, bad
}

// Line i of the one file goes with line i of the other, whatever the lines are.
func TestParallelTextsAreZipped(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		line := rapid.SampledFrom([]string{"", "  ", "a", " b c ", "Ödland", "2024", `"x`, "a\rb"})
		n := rapid.IntRange(0, 40).Draw(rt, "lines")
		lefts, rights := rapid.SliceOfN(line, n, n).Draw(rt, "left"), rapid.SliceOfN(line, n, n).Draw(rt, "right")
		file := func(name string, lines []string) string {
			end := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(rt, "line end")
			data := []byte(strings.Join(append(lines[:n:n], ""), end))
			if rapid.Bool().Draw(rt, "gzip") {
				data = gzipped(t, data)
			}
			return writeFile(t, data, dir, name)
		}
		var want []bulk.Row
		for i := range n {
			record := map[string]any{}
			if text := strings.TrimSpace(lefts[i]); text != "" {
				record["left"] = text
			}
			if text := strings.TrimSpace(rights[i]); text != "" {
				record["right"] = text
			}
			if len(record) > 0 {
				want = append(want, bulk.Row{Line: i + 1, Record: record})
			}
		}
		got, bad := parallel(t, file("corpus.en", lefts), file("corpus.de", rights), bulk.Options{})
		if !reflect.DeepEqual(got, want) || len(bad) > 0 {
			rt.Fatalf("got %v and %v, want %v", got, bad, want)
		}
	})
}

func TestParallelLineThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	left := writeFile(t, []byte("one\ntw\xff\nthree\n"+strings.Repeat("x", 1<<20)+"\nfive\n"), dir, "a.txt")
	right := writeFile(t, []byte("eins\nzwei\ndrei\nv\xff\nfünf"), dir, "b.txt")
	rows, bad := parallel(t, left, right, bulk.Options{})
	if len(rows) != 3 || rows[2].Line != 5 || !reflect.DeepEqual(rows[2].Record, map[string]any{"left": "five", "right": "fünf"}) {
		t.Errorf("rows %v", rows)
	}
	want := []string{
		"bulk: line 2: left: not UTF-8",
		"bulk: line 4: left: longer than 1048576 bytes; right: not UTF-8",
	}
	for i, err := range bad {
		if err.Error() != want[i] {
			t.Errorf("error %q, want %q", err, want[i])
		}
	}
	if len(bad) != len(want) {
		t.Errorf("%d errors, want %d", len(bad), len(want))
	}
}

// Pairs are of whatever has a place in a file: here grey images and vectors.
func TestParallelArrays(t *testing.T) {
	dir := t.TempDir()
	images := writeFile(t, []byte("\x00\x00\x08\x03\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x02\x01\x02\x03\x04"), dir, "x-images-idx3-ubyte")
	vectors := writeFile(t, []byte("\x01\x00\x00\x00\x05\x01\x00\x00\x00\x06"), dir, "x.bvecs")
	rows, bad := parallel(t, images, vectors, bulk.Options{})
	if len(rows) != 2 || len(bad) > 0 {
		t.Fatalf("got %v and %v", rows, bad)
	}
	second, _ := rows[1].Record.(map[string]any)
	picture, _ := second["left"].(image.Image)
	if picture == nil || picture.At(1, 0) != (color.Gray{Y: 4}) || !reflect.DeepEqual(second["right"], []float32{6}) {
		t.Errorf("second pair %v", second)
	}
	var lines bytes.Buffer
	w, err := bulk.NewWriter(&lines, bulk.WriterOptions{Format: bulk.JSONL})
	if err == nil {
		err = w.Write(rows[1])
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := lines.String(); !strings.HasPrefix(got, `{"record":{"left":"iVBORw0KGgo`) || !strings.HasSuffix(got, `","right":[6]}}`+"\n") {
		t.Errorf("written as %s", got)
	}
	if second["left"] != picture {
		t.Error("writing changed the record")
	}
}

func TestParallelRowsGoOn(t *testing.T) {
	dir := t.TempDir()
	r, err := bulk.OpenParallel(writeFile(t, []byte("a\nb\nc\n"), dir, "l"), writeFile(t, []byte("x\ny\nz\n"), dir, "r"), bulk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range r.Rows() {
		break
	}
	rest, _, err := read(r)
	if err != nil || len(rest) != 2 || rest[0].Line != 2 {
		t.Errorf("after the first came %v, %v", rest, err)
	}
	if done, total := r.Progress(); done != 12 || total != 12 {
		t.Errorf("read %d of %d bytes, want 12 of 12", done, total)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestParallelFilesThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	three := writeFile(t, []byte("a\n\nc\n"), dir, "three.en")
	two := writeFile(t, []byte("a\nb"), dir, "two.de")
	cut := gzipped(t, bytes.Repeat([]byte("some text\n"), 100))
	for _, test := range []struct {
		left, right string
		opt         bulk.Options
		is          error
		says        string
	}{
		{three, two, bulk.Options{}, bulk.ErrFile, fmt.Sprintf("%s has 3 records and %s has 2", three, two)},
		{two, writeFile(t, cut[:len(cut)-12], dir, "cut.gz"), bulk.Options{}, bulk.ErrFile, "right: "},
		{writeFile(t, []byte("a,b\n1,2\n"), dir, "t.csv"), two, bulk.Options{}, bulk.ErrOption, "left: "},
		{two, writeFile(t, nil, dir, "x.zip"), bulk.Options{Format: bulk.Text}, bulk.ErrOption, "not zip"},
		{two, dir, bulk.Options{}, bulk.ErrOption, "is a folder"},
		{two, os.DevNull, bulk.Options{}, bulk.ErrOption, "no regular file"},
		{two, two, bulk.Options{ID: "id"}, bulk.ErrOption, "id, record and payload columns"},
		{two, two, bulk.Options{Format: bulk.NPY, Labels: "y"}, bulk.ErrOption, "labels"},
		{two, two, bulk.Options{Format: bulk.CSV}, bulk.ErrOption, "not csv"},
	} {
		r, err := bulk.OpenParallel(test.left, test.right, test.opt)
		if !errors.Is(err, test.is) || !strings.Contains(fmt.Sprint(err), test.says) {
			t.Errorf("%s and %s: %v, want %q", test.left, test.right, err, test.says)
		}
		if r != nil {
			t.Error("a reader came with an error")
		}
	}
}

// Columns of sides have other names in a file, in CSV and in JSON lines alike.
func TestColumnsThatAreSides(t *testing.T) {
	opt := bulk.Options{Left: "en", Right: "de"}
	want := []bulk.Row{
		{Line: 2, ID: uint64(7), Record: map[string]any{"left": "dog", "right": "Hund"}, Payload: map[string]any{"n": int64(1)}},
		{Line: 3, ID: uint64(8), Record: map[string]any{"left": "cat", "right": nil}, Payload: map[string]any{"n": int64(2)}},
	}
	for _, cells := range []bool{false, true} {
		opt.Format, opt.Cells = bulk.CSV, cells
		got := readAll(t, []byte("id,en,n,de\n7,dog,1,Hund\n8,cat,2,\n"), opt)
		for i := range got {
			got[i].Record, _ = got[i].Columns()
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("cells %v: got %v, want %v", cells, got, want)
		}
	}
	opt.Format = bulk.JSONL
	want[0].Line, want[1].Line = 1, 2
	lines := `{"id":7,"en":"dog","n":1,"de":"Hund"}` + "\n" + `{"id":8,"en":"cat","n":2,"de":null}`
	if got := readAll(t, []byte(lines), opt); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	// What is named is that, and no id, though it be called so.
	opt = bulk.Options{Format: bulk.CSV, Left: "id", Right: "de"}
	want = []bulk.Row{{Line: 2, Record: map[string]any{"left": "dog", "right": "Hund"}}}
	if got := readAll(t, []byte("id,de\ndog,Hund\n"), opt); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	want[0].Record = "dog"
	if got := readAll(t, []byte("id\ndog\n"), bulk.Options{Format: bulk.CSV, Record: "id"}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for says, opt := range map[string]bulk.Options{
		"name the columns of both": {Left: "en"},
		"is both sides":            {Left: "en", Right: "en"},
		"something else":           {Left: "en", Right: "de", ID: "de"},
		"a record is a column":     {Left: "en", Right: "de", Record: "x"},
		`no column "fr"`:           {Left: "en", Right: "fr"},
	} {
		opt.Format = bulk.CSV
		if _, err := bulk.NewReader(strings.NewReader("en,de\na,b\n"), opt); !errors.Is(err, bulk.ErrOption) || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v, want %q", opt, err, says)
		}
	}
	if _, err := bulk.NewReader(strings.NewReader("x"), bulk.Options{Format: bulk.Text, Left: "a", Right: "b"}); !errors.Is(err, bulk.ErrOption) {
		t.Errorf("sides of a text: %v", err)
	}
}
