package bulk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/store/bulk"
)

// open reads a file that is opened by its path.
func open(t testing.TB, path string, opt bulk.Options) (rows []bulk.Row, bad []*bulk.LineError) {
	t.Helper()
	r, err := bulk.Open(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	rows, bad, err = read(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return rows, bad
}

func TestFilesThatColumnsName(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, []byte("picture"), dir, "shop", "img", "1.png")
	writeFile(t, []byte("sound"), dir, "shop", "2.wav")
	writeFile(t, []byte("\ufeffa text \n"), dir, "shop", "3.txt")
	pair := func(left, right any) map[string]any { return map[string]any{"left": left, "right": right} }
	want := []any{pair([]byte("picture"), "one"), pair([]byte("sound"), "two"), pair("a text", "three"), pair(nil, "four")}

	table := writeFile(t, []byte("photo,title,n\nimg/1.png,one,1\n./2.wav,two,2\n3.txt,three,3\n,four,4\n"), dir, "shop", "items.csv")
	lines := writeFile(t, gzipped(t, []byte(`{"photo":"img/1.png","title":"one"}
{"photo":"img/../2.wav","title":"two"}
{"photo":"3.txt","title":"three"}
{"photo":null,"title":"four"}`)), dir, "shop", "items.jsonl.gz")
	for _, file := range []string{table, lines} {
		rows, bad := open(t, file, bulk.Options{Left: "photo", Right: "title", Files: []string{"photo"}, Cells: true})
		if len(rows) != len(want) || len(bad) > 0 {
			t.Fatalf("%s: got %v and %v", file, rows, bad)
		}
		for i, row := range rows {
			if !reflect.DeepEqual(row.Record, want[i]) {
				t.Errorf("%s: record %d is %v, want %v", file, i, row.Record, want[i])
			}
		}
	}

	// A file may be the record itself, and a point's.
	rows, bad := open(t, table, bulk.Options{Record: "photo", Files: []string{"photo"}})
	if len(rows) != 3 || len(bad) != 1 || !reflect.DeepEqual(rows[1], bulk.Row{Line: 3, Record: []byte("sound"), Payload: map[string]any{"title": "two", "n": int64(2)}}) {
		t.Errorf("got %v and %v", rows, bad)
	}
	points := writeFile(t, []byte(`{"id":1,"record":{"left":"2.wav","right":"x"},"payload":{"a":"2.wav"}}`), dir, "shop", "points.jsonl")
	rows, _ = open(t, points, bulk.Options{Files: []string{"left"}})
	if len(rows) != 1 || !reflect.DeepEqual(rows[0], bulk.Row{Line: 1, ID: uint64(1), Record: pair([]byte("sound"), "x"), Payload: map[string]any{"a": "2.wav"}}) {
		t.Errorf("got %v", rows)
	}
}

// Numbers for names are paths all the same.
func TestFilesAreNoNumbers(t *testing.T) {
	_, bad := open(t, writeFile(t, []byte("left,right\n1,a\n2,b\n"), t.TempDir(), "x.csv"), bulk.Options{Files: []string{"left"}})
	if len(bad) != 2 || bad[0].Reason != `"left": "1" is no picture, sound or .txt file by its name` {
		t.Errorf("got %v", bad)
	}
}

// What is above the manifest's folder is not reached, nor what is no regular file.
func TestFilesStayInTheirFolder(t *testing.T) {
	dir := t.TempDir()
	secret := writeFile(t, []byte("secret"), dir, "secret.txt")
	writeFile(t, []byte("s"), dir, "in", "notes.env")
	writeFile(t, make([]byte, 1<<20+1), dir, "in", "long.txt")
	writeFile(t, []byte("\xff"), dir, "in", "binary.txt")
	if err := os.Mkdir(filepath.Join(dir, "in", "folder.txt"), 0o755); err != nil {
		t.Fatal(err)
	}
	paths := map[string]string{
		"../secret.txt":              "escapes",
		"a/../../secret.txt":         "",
		filepath.ToSlash(secret):     "escapes",
		"notes.env":                  "by its name",
		"folder.txt":                 "no regular file",
		"none.txt":                   "no such file",
		"long.txt":                   "more than 1048576 bytes",
		"binary.txt":                 "not UTF-8",
		strings.Repeat("x", 2000):    "limit is 1024",
		"https://example.com/a.html": "by its name",
	}
	if err := os.Symlink(secret, filepath.Join(dir, "in", "link.txt")); err == nil {
		paths["link.txt"] = "escapes"
	}
	for path, says := range paths {
		file := writeFile(t, fmt.Appendf(nil, "left,right\n%s,a\n", path), dir, "in", "x.csv")
		rows, bad := open(t, file, bulk.Options{Files: []string{"left"}})
		if len(rows) > 0 || len(bad) != 1 || bad[0].Line != 2 || !strings.Contains(bad[0].Reason, says) {
			t.Errorf("%.60s: rows %v, errors %v, want %q", path, rows, bad, says)
		}
	}
	file := writeFile(t, []byte(`{"left":7}`+"\n"+`{"right":"x"}`), dir, "in", "x.jsonl")
	rows, bad := open(t, file, bulk.Options{Files: []string{"left"}})
	if len(rows) != 1 || len(bad) != 1 || bad[0].Reason != `"left": 7 is no path of a file` {
		t.Errorf("a number for a path: %v, %v", rows, bad)
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	data := []byte("left,right\na.png,b\n")
	table := writeFile(t, data, dir, "x.csv")
	left := []string{"left"}
	for _, test := range []struct {
		path string
		opt  bulk.Options
		says string
	}{
		{table, bulk.Options{Files: []string{"middle"}}, `no column "middle"`},
		{table, bulk.Options{Files: left, Payload: left}, "no column of the record"},
		{table, bulk.Options{Files: left, Record: "right"}, "no column of the record"},
		{table, bulk.Options{Files: left, Left: "right", Right: "x"}, "no column of the record"},
		{dir, bulk.Options{Files: left}, "opened by itself"},
		{writeFile(t, []byte("a"), dir, "x.txt"), bulk.Options{Files: left}, "go with csv, jsonl, not text"},
	} {
		if _, err := bulk.Open(test.path, test.opt); !errors.Is(err, bulk.ErrOption) || !strings.Contains(fmt.Sprint(err), test.says) {
			t.Errorf("%s, %+v: %v, want %q", test.path, test.opt, err, test.says)
		}
	}
	// A stream, as a server has it, names no folder.
	if _, err := bulk.NewReader(strings.NewReader(string(data)), bulk.Options{Format: bulk.CSV, Files: left}); !errors.Is(err, bulk.ErrOption) {
		t.Errorf("a stream: %v", err)
	}
}

// Whatever a path is, nothing that lies outside the folder is read.
func FuzzFilesThatColumnsName(f *testing.F) {
	for _, path := range []string{"in.txt", "../out.txt", "a/../../out.txt", "/out.txt", "link.txt", "links/out.txt", "links/../out.txt", ".", "", "x\x00.txt"} {
		f.Add(path)
	}
	dir := f.TempDir()
	writeFile(f, []byte("secret"), dir, "out.txt")
	writeFile(f, []byte("open"), dir, "in", "in.txt")
	for link, to := range map[string]string{"link.txt": filepath.Join(dir, "out.txt"), "links": ".."} {
		if err := os.Symlink(to, filepath.Join(dir, "in", link)); err != nil {
			f.Skip(err)
		}
	}
	f.Fuzz(func(t *testing.T, path string) {
		line, err := json.Marshal(map[string]string{"left": path})
		if err != nil {
			t.Fatal(err)
		}
		rows, bad := open(t, writeFile(t, line, dir, "in", "x.jsonl"), bulk.Options{Files: []string{"left"}})
		if len(rows)+len(bad) != 1 {
			t.Fatalf("%d rows and %d errors of one line", len(rows), len(bad))
		}
		for _, row := range rows {
			if content := row.Record.(map[string]any)["left"]; content == "secret" {
				t.Fatalf("%q led out of the folder", path)
			}
		}
	})
}
