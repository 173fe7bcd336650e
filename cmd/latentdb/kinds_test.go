package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/store/bulk"
)

// parquetFile is a file of texts with their vectors.
func parquetFile(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	err := bulk.WriteRows(&out, bulk.WriterOptions{Format: bulk.Parquet}, func(yield func(bulk.Row, error) bool) {
		for i := range 10 {
			row := bulk.Row{ID: uint64(i), Vector: []float32{float32(i), 1}, Payload: map[string]any{"text": "text"}}
			if !yield(row, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipFile(t *testing.T, n int) string {
	t.Helper()
	return writeFile(t, "pictures.zip", zipOf(t, n))
}

// zipOf is a zip of pictures in two folders.
func zipOf(t *testing.T, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for i := range n {
		w, err := z.Create(fmt.Sprintf("%s/%02d.png", []string{"left", "right"}[i%2], i))
		if err == nil {
			_, err = w.Write(encodePNG(t, spot(8, float64(i%8), 2)))
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

// What is exported in any format is imported again, and exports as the same lines.
func TestExportsReadBack(t *testing.T) {
	vectors := writeFile(t, "v.npy", npy(20, 5, circle))
	texts := writeFile(t, "t.txt", []byte("first text\n\nsecond, longer text\nthird\n"))
	people := writeFile(t, "p.csv", peopleCSV(20))
	pictures := zipFile(t, 6)
	eachTarget(t, func(t *testing.T, on target) {
		dir := t.TempDir()
		on.run("import", "v", vectors)
		on.run("import", "t", texts)
		on.run("import", "p", people, "--id-column", "email", "--payload-columns", "note")
		on.run("import", "i", pictures, "--width", "8", "--height", "8")
		for _, test := range []struct {
			collection, file string
			whole            bool // ids and payloads too
			flags            []string
		}{
			{"v", "v.jsonl", true, nil}, {"v", "v.parquet", true, nil}, {"v", "v2.npy", true, nil}, // numbered as they were
			{"t", "t.jsonl.gz", true, []string{"--kind", "text"}}, {"t", "t.parquet", true, []string{"--kind", "text"}}, {"t", "t.zip", false, nil},
			{"p", "p.parquet", true, nil}, {"p", "p.csv.gz", true, []string{"--payload-columns", "note"}},
			{"i", "i.parquet", true, []string{"--width", "8", "--height", "8"}}, {"i", "i.zip", true, []string{"--width", "8", "--height", "8"}},
			{"i", "pictures/", true, []string{"--width", "8", "--height", "8"}},
		} {
			want := on.run("export", test.collection)
			path := filepath.Join(dir, test.file)
			if strings.HasSuffix(test.file, "/") {
				path += "/"
			}
			on.run("export", test.collection, "-o", path)
			back := strings.Trim(test.file, "/")
			on.run(append([]string{"import", back, path}, test.flags...)...)
			got := on.run("export", back)
			if test.whole && got != want {
				t.Errorf("%s: got\n%s, want\n%s", test.file, got, want)
			}
			if strings.Count(got, "\n") != strings.Count(want, "\n") {
				t.Errorf("%s: got\n%s", test.file, got)
			}
		}
		for _, args := range [][]string{
			{"v", "-o", "x.csv"}, {"p", "-o", "x.npy"}, {"p", "-o", "x.zip"}, {"v", "-o", dir}, {"v", "-o", "x.parquet.gz"}, {"i", "--format", "folder"}, {"v", "-o", "x.idx"},
		} {
			if got := cli(append(append([]string{"export"}, args...), on.flags...)...); got.code != exitUsage {
				t.Errorf("export %v: exit code %d\n%s", args, got.code, got.stderr)
			}
		}
	})
}

func TestImportOfATextColumn(t *testing.T) {
	on := target{t, []string{"--data", t.TempDir()}}
	file := writeFile(t, "sms.csv", []byte("label,text\nham,how are you\nspam,win a prize\n"))
	contains(t, on.fails("import", "sms", file, "--record-column", "text"), "--kind")
	on.run("import", "sms", file, "--record-column", "text", "--kind", "text")
	contains(t, on.run("export", "sms"), `"record":"how are you","payload":{"label":"ham"}`)
	list := writeFile(t, "v.csv", []byte("id,v\n1,\"[1, 2]\"\n2,AACAPwAAAEA=\n3,x\n"))
	got := cli("import", "v", list, "--record-column", "v", "--kind", "vector", "--data", on.flags[1], "--id-column", "id")
	contains(t, got.stdout, "2 points imported into v, 1 failed")
	contains(t, on.run("export", "v"), `{"id":1,"vector":[1,2]}`, `{"id":2,"vector":[1,2]}`)
}

func TestDryRun(t *testing.T) {
	file := writeFile(t, "people.csv", []byte("age,city,id\n31,Oslo,1\nx,Bergen,2\n33,Oslo,3\n34,Oslo\n"+strings.Repeat("35,Oslo,4\n", 20)))
	on := target{t, []string{"--data", filepath.Join(t.TempDir(), "none")}}
	out := on.run("import", "people", file, "--dry-run")
	contains(t, out, "new collection people, source", `"name":"age"`, "Oslo", "nothing was imported")
	if _, err := os.Stat(on.flags[1]); err == nil {
		t.Error("a database was made")
	}
	var r dryResult
	on.json(&r, "import", "people", file, "--dry-run")
	if len(r.Records) != 10 || r.Failed != 1 || len(r.Errors) != 1 || r.Errors[0].Line != 5 || r.Exists || r.Read != 24 {
		t.Errorf("got %+v", r)
	}
	var spec struct {
		Kind    string
		Columns []struct{ Name, Type string }
	}
	if err := json.Unmarshal(r.Source, &spec); err != nil || spec.Kind != "table" || len(spec.Columns) != 2 {
		t.Errorf("source %s, %v", r.Source, err)
	}
	on.json(&r, "import", "pictures", zipFile(t, 6), "--dry-run", "--width", "8", "--height", "8")
	contains(t, string(r.Source), `"kind":"image"`, `"channels":1`)

	eachTarget(t, func(t *testing.T, on target) {
		vectors := writeFile(t, "v.npy", npy(3, 4, circle))
		on.run("import", "v", vectors)
		var r dryResult
		on.json(&r, "import", "v", vectors, "--dry-run")
		if !r.Exists || len(r.Records) != 3 || len(r.Records[0].Vector) != 4 {
			t.Errorf("got %+v", r)
		}
		contains(t, on.fails("import", "v", writeFile(t, "w.npy", npy(3, 5, circle)), "--dry-run"), "no record would be imported", "5 dimensions")
		contains(t, on.run("info", "v"), "3")
	})
	for code, args := range map[int][]string{exitUsage: {file, "--id-column", "nobody"}, exitFailed: {file + "x"}} {
		if got := cli(append([]string{"import", "people", "--dry-run", "--data", t.TempDir()}, args...)...); got.code != code {
			t.Errorf("%v: exit code %d, want %d", args, got.code, code)
		}
	}
}

func TestMaxFailed(t *testing.T) {
	on := target{t, []string{"--data", t.TempDir()}}
	file := writeFile(t, "a.csv", []byte("id,a\n1,1\n2\n3\n4,4\n"))
	on.run("import", "a", file, "--max-failed", "2")
	contains(t, on.fails("import", "b", file, "--max-failed", "1"), "more than 1 records failed: line 4")
}

// An import that was cut goes on with --resume, as often as it takes, and what comes
// of it is what one import makes.
func TestResume(t *testing.T) {
	var lines strings.Builder
	for i := range 60 {
		fmt.Fprintf(&lines, `{"v":%d,"w":%d}`+"\n", i, i*i)
	}
	whole := lines.String()
	half, _, _ := strings.Cut(whole, `{"v":35`)
	broken := strings.Replace(whole, `{"v":10,"w":100}`, "no JSON", 1)
	eachTarget(t, func(t *testing.T, on target) {
		on.run("import", "want", writeFile(t, "a.jsonl", []byte(broken)))
		want := on.run("export", "want")

		// As much as was imported before the program stopped, the last batch not.
		on.run("import", "x", writeFile(t, "a.jsonl", []byte(strings.Replace(half, `{"v":10,"w":100}`, "no JSON", 1))), "--batch", "10")
		file := writeFile(t, "a.jsonl", []byte(broken))
		contains(t, on.fails("import", "x", file), "--resume")
		var r importResult
		on.json(&r, "import", "x", file, "--resume", "--batch", "8")
		if r.Imported != 25 || r.Skipped != 34 || r.Failed != 1 {
			t.Errorf("got %+v", r)
		}
		if got := on.run("export", "x"); got != want {
			t.Errorf("got\n%s, want\n%s", got, want)
		}
		contains(t, on.run("import", "x", file, "--resume"), "0 points imported into x, 1 failed, 59 were there")
		if got := on.run("export", "x"); got != want {
			t.Errorf("a second time: got\n%s", got)
		}
		// From nothing it is an import like any other.
		on.run("import", "y", file, "--resume")
		if got := on.run("export", "y"); got != want {
			t.Errorf("from nothing: got\n%s", got)
		}
	})
}

// What is left out of a batch takes its lines with it.
func TestKeep(t *testing.T) {
	im := &importer{}
	for i := range 6 {
		fmt.Fprintf(&im.lines, "%s\n", strings.Repeat(fmt.Sprint(i), i+1))
		im.batch = append(im.batch, bulk.Row{Line: i})
		im.ends = append(im.ends, im.lines.Len())
	}
	im.keep(func(i int) bool { return i%2 == 1 })
	var at []int
	for _, r := range im.batch {
		at = append(at, r.Line)
	}
	if im.lines.String() != "11\n3333\n555555\n" || !slices.Equal(at, []int{1, 3, 5}) || im.result.Skipped != 3 {
		t.Errorf("%q, rows %v, %d left out", im.lines.String(), at, im.result.Skipped)
	}
}
