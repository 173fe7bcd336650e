package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// threePeople have different keys, in record and payload.
const threePeople = `{"id":1,"record":{"age":31,"city":"Oslo"},"payload":{"nick":"x"}}
{"id":2,"record":{"age":32}}
{"id":3,"record":{"city":"Bergen"},"payload":{"tall":true}}
`

// A CSV has a column for every key that a point has.
func TestExportOfDifferentKeys(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		on.run("import", "people", writeFile(t, "people.jsonl", []byte(threePeople)))
		want := "id,age,city,nick,tall\n1,31,Oslo,x,\n2,32,,,\n3,,Bergen,,true\n"
		if got := on.run("export", "people", "--format", "csv"); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		list := writeFile(t, "list.jsonl", []byte(`{"id":4,"record":{"age":1},"payload":{"l":[1]}}`))
		on.run("import", "people", list)
		got := cli(append([]string{"export", "people", "--format", "csv"}, on.flags...)...)
		if got.code != exitFailed || got.stdout != "" {
			t.Errorf("a list to CSV: exit code %d\n%s", got.code, got.stdout)
		}
		contains(t, got.stderr, `point 4`, `column "l"`, "--format jsonl")
	})
}

// The name of a file says what is written into it.
func TestExportByName(t *testing.T) {
	on := target{t, []string{"--data", t.TempDir()}}
	on.run("import", "people", writeFile(t, "people.jsonl", []byte(threePeople)))
	dir := t.TempDir()
	for name, begins := range map[string]string{
		"x.csv": "id,age,", "x.csv.gz": "id,age,", "x.jsonl": `{"id":1,`, "x.JSONL.GZ": `{"id":1,`, "x.txt": `{"id":1,`, "x.gz": `{"id":1,`,
	} {
		file := filepath.Join(dir, name)
		on.run("export", "people", "-o", file)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(strings.ToLower(name), ".gz") {
			z, err := gzip.NewReader(bytes.NewReader(data))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if data, err = io.ReadAll(z); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if !strings.HasPrefix(string(data), begins) {
			t.Errorf("%s begins with %.20q, want %q", name, data, begins)
		}
	}
	on.run("export", "people", "-o", filepath.Join(dir, "y.txt"), "--format", "csv")
	for _, args := range [][]string{{"-o", "x.csv", "--format", "jsonl"}, {"-o", "x.jsonl.gz", "--format", "csv"}, {"-o", "x.idx"}} {
		got := cli(append(append([]string{"export", "people"}, args...), on.flags...)...)
		if got.code != exitUsage {
			t.Errorf("%v: exit code %d\n%s", args, got.code, got.stderr)
		}
		contains(t, got.stderr, args[1], "the name says")
	}
}
