package bulk_test

import (
	"bytes"
	"errors"
	"image"
	"iter"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/store/bulk"
)

func seq(rows ...bulk.Row) iter.Seq2[bulk.Row, error] {
	return func(yield func(bulk.Row, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func TestWriteRows(t *testing.T) {
	vectorRows := []bulk.Row{{ID: uint64(1), Vector: []float32{1, 2}}, {ID: "b", Vector: []float32{3, 4.5}}}
	var out bytes.Buffer
	if err := bulk.WriteRows(&out, bulk.WriterOptions{Format: bulk.NPY}, seq(vectorRows...)); err != nil {
		t.Fatal(err)
	}
	if want := npy(t, "<f4", "2, 2", []float32{1, 2, 3, 4.5}); !bytes.Equal(out.Bytes(), want) {
		t.Errorf("npy: got %q, want %q", out.Bytes(), want)
	}
	out.Reset()
	tables := []bulk.Row{{ID: uint64(1), Record: map[string]any{"a": int64(1)}}, {ID: uint64(2), Record: map[string]any{"b": "x"}, Payload: map[string]any{"p": true}}}
	if err := bulk.WriteRows(&out, bulk.WriterOptions{Format: bulk.CSV}, seq(tables...)); err != nil {
		t.Fatal(err)
	}
	if want := "id,a,b,p\n1,1,,\n2,,x,true\n"; out.String() != want {
		t.Errorf("csv: got %q, want %q", out.String(), want)
	}
	out.Reset()
	if err := bulk.WriteRows(&out, bulk.WriterOptions{Format: bulk.JSONL}, seq(vectorRows...)); err != nil || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("jsonl: %q, %v", out.String(), err)
	}
	for name, test := range map[string]struct {
		opt  bulk.WriterOptions
		rows []bulk.Row
		is   error
	}{
		"npy of tables":    {bulk.WriterOptions{Format: bulk.NPY}, tables, bulk.ErrRow},
		"npy of two sizes": {bulk.WriterOptions{Format: bulk.NPY}, append(vectorRows, bulk.Row{Vector: []float32{1}}), bulk.ErrRow},
		"csv of vectors":   {bulk.WriterOptions{Format: bulk.CSV}, vectorRows, bulk.ErrRow},
		"zip of tables":    {bulk.WriterOptions{Format: bulk.Zip, Content: bulk.Images}, tables, bulk.ErrRow},
		"zip of nothing":   {bulk.WriterOptions{Format: bulk.Zip}, nil, bulk.ErrOption},
		"idx":              {bulk.WriterOptions{Format: bulk.IDX}, vectorRows, bulk.ErrOption},
		"parquet":          {bulk.WriterOptions{Format: bulk.Parquet}, vectorRows, bulk.ErrOption},
	} {
		out.Reset()
		if err := bulk.WriteRows(&out, test.opt, seq(test.rows...)); !errors.Is(err, test.is) {
			t.Errorf("%s: got %v, want %v", name, err, test.is)
		}
		if test.opt.Format != bulk.Zip && out.Len() > 0 {
			t.Errorf("%s: %d bytes were written", name, out.Len())
		}
	}
	broken := errors.New("broken")
	cut := func(yield func(bulk.Row, error) bool) {
		_ = yield(vectorRows[0], nil) && yield(bulk.Row{}, broken)
	}
	for _, f := range []bulk.Format{bulk.JSONL, bulk.NPY} {
		if err := bulk.WriteRows(&out, bulk.WriterOptions{Format: f}, cut); !errors.Is(err, broken) {
			t.Errorf("%s: got %v", f, err)
		}
	}
}

// What was imported from files comes back as the same files, and what was not gets a
// name that tells what it is.
func TestFiles(t *testing.T) {
	png, wav := []byte("\x89PNG..."), []byte("RIFF....WAVE")
	rows := []bulk.Row{
		{ID: "cats/a.png", Record: png}, {ID: uint64(7), Record: []byte("\xff\xd8\xff")}, {ID: "../up", Record: "iVBORw=="}, {ID: `c:\x`, Record: png},
		{ID: "img", Record: image.NewGray(image.Rect(0, 0, 1, 1))},
	}
	want := []any{"7.jpg", "_../up.png", "c__x.png", "cats/a.png", "img.png"}
	dir := filepath.Join(t.TempDir(), "out")
	w, err := bulk.CreateFolder(dir, bulk.WriterOptions{Content: bulk.Images})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Write(bulk.Row{ID: "CATS/A.png", Record: png}); !errors.Is(err, bulk.ErrRow) {
		t.Errorf("a file that is there already: %v", err)
	}
	if err := w.Write(bulk.Row{ID: "x", Record: wav}); err != nil {
		t.Error(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := bulk.WriteRows(&out, bulk.WriterOptions{Format: bulk.Zip, Content: bulk.Images}, seq(rows...)); err != nil {
		t.Fatal(err)
	}
	for path, n := range map[string]int{dir: 1, writeFile(t, out.Bytes(), t.TempDir(), "x.zip"): 0} {
		r, err := bulk.Open(path, bulk.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := read(r)
		_ = r.Close()
		ids := map[any]bool{}
		for _, row := range got {
			ids[row.ID] = true
			if row.ID == "cats/a.png" && !reflect.DeepEqual(row.Record, png) {
				t.Errorf("%s: %q", path, row.Record)
			}
		}
		if err != nil || len(got) != len(want)+n {
			t.Errorf("%s: got %v, %v", path, ids, err)
		}
		for _, id := range want {
			if !ids[id] {
				t.Errorf("%s: no %v among %v", path, id, ids)
			}
		}
	}
	if _, err := bulk.CreateFolder(dir, bulk.WriterOptions{}); !errors.Is(err, bulk.ErrOption) {
		t.Errorf("a folder of what: %v", err)
	}
	w, err = bulk.CreateFolder(dir, bulk.WriterOptions{Content: bulk.Images})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(rows[0]); err == nil {
		t.Error("a file that was there is replaced")
	}
	_ = w.Close()
}
