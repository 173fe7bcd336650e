package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/latentdb/latentdb/store"
)

func TestCheckFindsAFlippedByte(t *testing.T) {
	dir := t.TempDir()
	on := target{t, []string{"--data", dir}}
	const note = "a note that stands in the file as it is"
	on.run("import", "points", writeFile(t, "points.jsonl", []byte(
		`{"id": 1, "vector": [1, 2, 3], "payload": {"note": "`+note+`"}}`)))
	var clean store.CheckReport
	on.json(&clean, "check")
	if clean.Points != 1 || !clean.OK() {
		t.Fatalf("check of a sound database says %+v", clean)
	}
	flip(t, dir, []byte(note))
	got := cli("check", "--data", dir)
	if got.code != exitFailed {
		t.Errorf("exit code %d, want %d\n%s%s", got.code, exitFailed, got.stdout, got.stderr)
	}
	got = cli("check", "--data", dir, "--json")
	var report store.CheckReport
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil || got.code != exitFailed || report.OK() {
		t.Errorf("exit code %d, report %+v, error %v", got.code, report, err)
	}
}

// flip changes one bit of each place in the directory's files that holds text.
func flip(t *testing.T, dir string, text []byte) {
	t.Helper()
	flipped := 0
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for at := bytes.Index(data, text); at >= 0; at = bytes.Index(data, text) {
			data[at] ^= 1
			flipped++
		}
		return os.WriteFile(path, data, 0o600)
	})
	if err != nil || flipped == 0 {
		t.Fatalf("%d places flipped, error %v", flipped, err)
	}
}

// TestCheckOfPairsWithOneSide: nothing is damaged where one side is still to come.
func TestCheckOfPairsWithOneSide(t *testing.T) {
	for _, kinds := range []string{"text,text", "text,table", "text,vector", "text,audio"} {
		on := target{t, []string{"--data", t.TempDir()}}
		lines := `{"id": 1, "record": {"left": "a cat sleeps"}}` + "\n" + `{"id": 2, "record": {"left": "a dog runs"}}`
		on.run("import", "halves", writeFile(t, "halves.jsonl", []byte(lines)), "--pair", kinds)
		contains(t, on.run("check"), `collection "halves": 2 points cannot be searched yet: `, "right: ", "no record has this side", "0 problems")
		var report store.CheckReport
		if on.json(&report, "check"); !report.OK() || len(report.Remarks) != 1 {
			t.Errorf("%s: %+v", kinds, report)
		}
		contains(t, on.fails("search", "halves", "--id", "1"), "no record has this side")
	}
}
