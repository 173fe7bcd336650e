package bulk_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/store/bulk"
)

// packed is a file of an archive.
type packed struct {
	name string
	data []byte
}

func zipped(t testing.TB, files ...packed) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range files {
		w, err := z.Create(f.name)
		if err == nil {
			_, err = w.Write(f.data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func tarred(t testing.TB, files ...packed) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		err := w.WriteHeader(&tar.Header{Name: f.name, Size: int64(len(f.data)), Mode: 0o600, Typeflag: tar.TypeReg})
		if err == nil {
			_, err = w.Write(f.data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// openAs opens bytes as a file of a name.
func openAs(t testing.TB, name string, data []byte, opt bulk.Options) (*bulk.Reader, error) {
	t.Helper()
	r, err := bulk.Open(writeFile(t, data, t.TempDir(), name), opt)
	if err == nil {
		t.Cleanup(func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return r, err
}

// each gives the same files as each kind of archive and as a folder.
func each(t *testing.T, files []packed, test func(t *testing.T, path string)) {
	dir := t.TempDir()
	for _, f := range files {
		writeFile(t, f.data, dir, "folder", filepath.FromSlash(f.name))
	}
	plain := tarred(t, files...)
	for _, path := range []string{
		filepath.Join(dir, "folder"),
		writeFile(t, zipped(t, files...), dir, "a.zip"),
		writeFile(t, plain, dir, "a.tar"),
		writeFile(t, gzipped(t, plain), dir, "a.tar.gz"),
		writeFile(t, gzipped(t, plain), dir, "a.tgz"),
	} {
		t.Run(filepath.Base(path), func(t *testing.T) { test(t, path) })
	}
}

func opened(t *testing.T, path string, opt bulk.Options) ([]bulk.Row, []*bulk.LineError) {
	t.Helper()
	r, err := bulk.Open(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	rows, bad, err := read(r)
	if err != nil {
		t.Fatal(err)
	}
	if at, total := r.Progress(); total == 0 || at < total {
		t.Errorf("progress %d of %d", at, total)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	return rows, bad
}

// Files that are one record each: what there is most of is read, and of it the same
// from an archive as from a folder.
func TestTreesOfRecords(t *testing.T) {
	for content, files := range map[bulk.Format][]packed{
		bulk.Images: {{"cats/a.png", []byte("1")}, {"cats/b.webp", []byte("22")}, {"labels.csv", []byte("a\n1\n")}, {"top.JPG", []byte("333")}},
		bulk.Audio:  {{"cats/a.wav", []byte("1")}, {"cats/b.flac", []byte("22")}, {"note.txt", []byte("x")}, {"top.mp3", []byte("333")}},
		bulk.Texts:  {{"cats/a.txt", []byte("1\n")}, {"cats/b.txt", []byte("\ufeff22")}, {"top.txt", []byte("333\n")}, {"z.png", []byte("4")}},
	} {
		each(t, files, func(t *testing.T, path string) {
			record := func(s string) any {
				if content == bulk.Texts {
					return s
				}
				return []byte(s)
			}
			var names []string
			for _, f := range files {
				if f.name != "labels.csv" && f.name != "note.txt" && f.name != "z.png" {
					names = append(names, f.name)
				}
			}
			want := []bulk.Row{
				{Line: 1, File: names[0], ID: names[0], Record: record("1"), Payload: map[string]any{"file": filepath.Base(names[0]), "folder": "cats"}},
				{Line: 2, File: names[1], ID: names[1], Record: record("22"), Payload: map[string]any{"file": filepath.Base(names[1]), "folder": "cats"}},
				{Line: 3, File: names[2], ID: names[2], Record: record("333"), Payload: map[string]any{"file": names[2]}},
			}
			if rows, bad := opened(t, path, bulk.Options{}); !reflect.DeepEqual(rows, want) || len(bad) > 0 {
				t.Errorf("got %v, %v", rows, bad)
			}
			if rows, _ := opened(t, path, bulk.Options{Format: content}); len(rows) != 3 {
				t.Errorf("asked for %s: %d rows", content, len(rows))
			}
		})
	}
}

// Files that hold many records are read one after another, and what is wrong with
// one stops no other.
func TestTreesOfFiles(t *testing.T) {
	files := []packed{
		{"1.csv", []byte("id,a\n1,2\n2,x,y\n")},
		{"2.jsonl", []byte(`{"id":3,"a":4}` + "\nno\n")},
		{"3.csv", []byte("a,a\n1,2\n")},
		{"4.csv.gz", gzipped(t, []byte("id,a\n5,6\n"))},
		{"5.zip", []byte("PK")},
		{"6.npy", []byte("no array")},
		{"readme.txt", []byte("hello")},
	}
	each(t, files, func(t *testing.T, path string) {
		rows, bad := opened(t, path, bulk.Options{})
		want := []bulk.Row{
			{Line: 2, File: "1.csv", Record: map[string]any{"id": int64(1), "a": int64(2)}},
			{Line: 1, File: "2.jsonl", Record: map[string]any{"id": int64(3), "a": int64(4)}},
			{Line: 2, File: "4.csv.gz", Record: map[string]any{"id": int64(5), "a": int64(6)}},
		}
		if !reflect.DeepEqual(rows, want) {
			t.Errorf("got %+v", rows)
		}
		reasons := []string{"1.csv: 3 fields", "2.jsonl: not a JSON object", `3.csv: CSV header: column "a" is there twice`, "5.zip: an archive in the", "6.npy: npy: not a NumPy"}
		if len(bad) != len(reasons) {
			t.Fatalf("got %v", bad)
		}
		for i, want := range reasons {
			if !strings.Contains(bad[i].Reason, want) {
				t.Errorf("got %q, want %q", bad[i].Reason, want)
			}
		}
		rows, _ = opened(t, path, bulk.Options{Format: bulk.Text})
		if len(rows) != 1 || rows[0].Record != "hello" {
			t.Errorf("as lines of text: %+v", rows)
		}
		if _, err := bulk.Open(path, bulk.Options{Payload: []string{"nothing"}}); err != nil {
			t.Errorf("a column that some file may have: %v", err)
		}
	})
}

func TestTreeOptions(t *testing.T) {
	files := []packed{{"a.png", []byte("1")}}
	each(t, files, func(t *testing.T, path string) {
		for _, opt := range []bulk.Options{{Format: bulk.CSV}, {Format: bulk.Audio}, {Format: "cheese"}, {Format: bulk.Zip}, {ID: "x"}, {Labels: "x.npy"}, {Array: "x"}} {
			if r, err := bulk.Open(path, opt); !errors.Is(err, bulk.ErrOption) {
				if path[len(path)-3:] == "zip" && opt.Format == bulk.Zip {
					_ = r.Close()
					continue // what it is
				}
				t.Errorf("%+v: got %v, want ErrOption", opt, err)
			}
		}
	})
	if _, err := openAs(t, "a.zip", zipped(t, packed{"a.exe", nil}), bulk.Options{}); !errors.Is(err, bulk.ErrFile) {
		t.Errorf("nothing that is read: %v", err)
	}
}

// Names lead nowhere, and files of the system are no records.
func TestArchiveNames(t *testing.T) {
	files := []packed{
		{"./x/a.png", []byte("1")}, {"../../etc/b.png", []byte("2")}, {"/root/c.png", []byte("3")},
		{"__MACOSX/x/._a.png", []byte("4")}, {"x/._d.png", []byte("5")}, {strings.Repeat("n", 2000) + ".png", []byte("6")},
	}
	for name, data := range map[string][]byte{"a.zip": zipped(t, files...), "a.tar": tarred(t, files...)} {
		r, err := openAs(t, name, data, bulk.Options{})
		if err != nil {
			t.Fatal(err)
		}
		rows, bad, err := read(r)
		var ids []any
		for _, row := range rows {
			ids = append(ids, row.ID)
		}
		if err != nil || !reflect.DeepEqual(ids, []any{"x/a.png", "etc/b.png", "root/c.png"}) {
			t.Errorf("%s: got %v, %v", name, ids, err)
		}
		if len(bad) != 1 || !strings.Contains(bad[0].Reason, "a name of 2004 bytes") {
			t.Errorf("%s: got %v", name, bad)
		}
	}
}

// zeros are n bytes of what packs best.
func zeros(n int) []byte { return make([]byte, n) }

// Bombs are refused before their first record, whatever they are.
func TestBombs(t *testing.T) {
	const large = 20 << 20
	bomb := packed{"a.csv", zeros(large)}
	many := make([]packed, 10)
	for i := range many {
		many[i] = packed{fmt.Sprintf("%d.png", i), zeros(2 << 20)}
	}
	for name, data := range map[string][]byte{
		"a.zip":    zipped(t, bomb),
		"a.tar.gz": gzipped(t, tarred(t, bomb)),
		"many.zip": zipped(t, many...),
		"many.tgz": gzipped(t, tarred(t, many...)),
		// What is not read is unpacked on the way to what is.
		"other.tgz": gzipped(t, tarred(t, packed{"a.bin", zeros(large)}, packed{"b.csv", []byte("a\n1\n")})),
	} {
		if _, err := openAs(t, name, data, bulk.Options{}); !errors.Is(err, bulk.ErrFile) || !strings.Contains(err.Error(), "unpacks to too much") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// A single file is read until it turns out to be one.
	r, err := openAs(t, "a.fvecs.gz", gzipped(t, bytes.Repeat(append([]byte{0, 1, 0, 0}, zeros(1024)...), large/1028)), bulk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := read(r)
	if !errors.Is(err, bulk.ErrFile) || !strings.Contains(err.Error(), "unpacks to too much") || len(rows) < 15<<10 {
		t.Errorf("a gzip: %d rows, then %v", len(rows), err)
	}
	// One file within another: the outer one is no larger than it says.
	inner := gzipped(t, zeros(large))
	r, err = openAs(t, "b.zip", zipped(t, packed{"a.csv.gz", inner}, packed{"b.csv", []byte("a\n1\n")}), bulk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if rows, bad, err := read(r); len(rows) > 0 && err == nil && len(bad) == 0 {
		t.Errorf("gzip in a zip: %d rows", len(rows))
	}
	// An array of an npz.
	data := npy(t, "|u1", "20, 1048576", zeros(large))
	_, err = openAs(t, "a.npz", zipped(t, packed{"x.npy", data}), bulk.Options{})
	if !errors.Is(err, bulk.ErrFile) {
		t.Errorf("npz: %v", err)
	}
}

// A zip whose directory says that its files are small is not believed.
func TestZipThatLies(t *testing.T) {
	data := zipped(t, packed{"a.png", bytes.Repeat([]byte("x"), 5000)})
	at := bytes.LastIndex(data, []byte("PK\x01\x02"))
	copy(data[at+24:], []byte{10, 0, 0, 0}) // unpacked size
	r, err := openAs(t, "a.zip", data, bulk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if rows, bad, err := read(r); err != nil || len(rows) != 0 || len(bad) != 1 {
		t.Errorf("got %v, %v, %v", rows, bad, err)
	}
	for name, change := range map[string]func(b []byte){
		"is encrypted":         func(b []byte) { b[8] |= 1 },
		"compressed by method": func(b []byte) { b[10] = 12 },
	} {
		data := zipped(t, packed{"a.png", []byte("x")})
		change(data[bytes.LastIndex(data, []byte("PK\x01\x02")):])
		r, err := openAs(t, "a.zip", data, bulk.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, bad, err := read(r); err != nil || len(bad) != 1 || !strings.Contains(bad[0].Reason, name) {
			t.Errorf("got %v, %v, want %q", bad, err, name)
		}
	}
}

// A list of files that is longer than what is held of it at a time, and one behind a
// program that unpacks it.
func TestLongZip(t *testing.T) {
	var files []packed
	for i := range 66_000 { // more than the numbers of a small zip hold
		files = append(files, packed{fmt.Sprintf("%05d.txt", i), []byte(fmt.Sprint("text ", i))})
	}
	data := zipped(t, files...)
	for name, files := range map[string][]packed{"a.zip": files, "b.zip": files[:3000]} {
		data := data
		if name == "b.zip" {
			data = append([]byte("a program"), zipped(t, files...)...)
		}
		r, err := openAs(t, name, data, bulk.Options{})
		if err != nil {
			t.Fatal(err)
		}
		rows, bad, err := read(r)
		if err != nil || len(bad) > 0 || len(rows) != len(files) {
			t.Fatalf("%s: %d rows, %v, %v", name, len(rows), bad, err)
		}
		for i, row := range rows {
			if row.ID != files[i].name || row.Record != string(files[i].data) {
				t.Fatalf("%s: row %d is %+v", name, i, row)
			}
		}
	}
	cut := bytes.Replace(data, []byte("PK\x01\x02"), []byte("XX\x01\x02"), 1)
	for _, data := range [][]byte{cut, data[:len(data)-30], data[100:]} {
		if _, err := openAs(t, "a.zip", data, bulk.Options{}); !errors.Is(err, bulk.ErrFile) {
			t.Errorf("a damaged zip: %v", err)
		}
	}
}

// fuzzTree reads bytes as an archive whatever they are.
func fuzzTree(t *testing.T, format bulk.Format, data []byte) {
	r, err := bulk.NewReaderAt(bytes.NewReader(data), int64(len(data)), bulk.Options{Format: format})
	fuzzRows(t, r, err)
}

func seeds(f *testing.F, pack func(testing.TB, ...packed) []byte) {
	f.Add(pack(f, packed{"x/a.png", []byte("1")}, packed{"b.wav", []byte("2")}))
	f.Add(pack(f, packed{"a.csv", []byte("a,b\n1,2\n")}, packed{"b.jsonl", []byte(`{"vector":[1]}`)}))
	f.Add(pack(f, packed{"a.txt", []byte("hello")}, packed{"b.fvecs", []byte{1, 0, 0, 0, 0, 0, 0, 0}}))
}

func FuzzZip(f *testing.F) {
	seeds(f, zipped)
	f.Fuzz(func(t *testing.T, data []byte) { fuzzTree(t, bulk.Zip, data) })
}

func FuzzTar(f *testing.F) {
	seeds(f, tarred)
	seeds(f, func(t testing.TB, files ...packed) []byte { return gzipped(t, tarred(t, files...)) })
	f.Fuzz(func(t *testing.T, data []byte) { fuzzTree(t, bulk.Tar, data) })
}

func FuzzNPZ(f *testing.F) {
	f.Add(zipped(f, packed{"x.npy", npy(f, "<f4", "2, 2", []float32{1, 2, 3, 4})}, packed{"y.npy", npy(f, "<i8", "2,", []int64{1, 2})}))
	f.Add(zipped(f, packed{"x.npy", npy(f, "|u1", "1, 2, 2", []byte{1, 2, 3, 4})}))
	f.Fuzz(func(t *testing.T, data []byte) { fuzzTree(t, bulk.NPZ, data) })
}
