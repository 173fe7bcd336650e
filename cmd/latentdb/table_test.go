package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/store"
)

// importPeople imports the table of people, under their addresses.
func importPeople(t *testing.T, on target, rows int) {
	t.Helper()
	file := writeFile(t, "people.csv", peopleCSV(rows))
	out := on.run("import", "people", file, "--id-column", "email", "--payload-columns", "note", "--batch", "64")
	contains(t, out, "points imported into people, 0 failed")
}

func TestTableFromImportToSample(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		const rows = 150
		importPeople(t, on, rows)
		testInfo(t, on, rows+1)
		testFit(t, on)
		testSearch(t, on)
		testIndex(t, on)
		testReconstruct(t, on)
		testOutliers(t, on)
		testSample(t, on)
		testDuplicates(t, on, rows)
	})
}

func testInfo(t *testing.T, on target, points int) {
	contains(t, on.run("info"), "people", "table", "(not fitted)")
	contains(t, on.run("info", "people"), "recall target", `"kind":"table"`)
	var list struct{ Collections []struct{ Name string } }
	on.json(&list, "info")
	if len(list.Collections) != 1 || list.Collections[0].Name != "people" {
		t.Errorf("info lists %v", list)
	}
	var one collectionInfo
	on.json(&one, "info", "people")
	if one.Points != points || one.kind() != "table" {
		t.Errorf("info says %+v", one)
	}
	contains(t, on.fails("info", "nobody"), "nobody")
}

func testIndex(t *testing.T, on target) {
	contains(t, on.run("index", "people", "note", "--kind", "keyword"), "indexed by note as keyword")
	contains(t, on.run("info", "people"), "payload indexes", "note (keyword)")
	search := on.run("search", "people", "--id", "p003@example.com", "--filter", `{"must":{"is_empty":{"key":"note"}}}`, "--explain")
	contains(t, search, "filter: 0 points match, by payload indexes")
	contains(t, on.run("index", "people", "note", "--delete"), "no index of note")
	if info := on.run("info", "people"); strings.Contains(info, "payload indexes") {
		t.Errorf("an index that was deleted is there:\n%s", info)
	}
	contains(t, on.fails("index", "nobody", "note", "--kind", "keyword"), "nobody")
}

func testFit(t *testing.T, on target) {
	contains(t, on.fails("quality", "people"), "not fitted")
	got := cli(append([]string{"fit", "people", "--dim", "3", "--encoder", "deep", "--epochs", "3", "--seed", "7"}, on.flags...)...)
	if got.code != exitDone {
		t.Fatalf("fit: exit code %d\n%s", got.code, got.stderr)
	}
	contains(t, got.stderr, "epoch 3 of 3")
	if strings.Contains(got.stderr, "epoch 0") {
		t.Errorf("an epoch is shown before there is one:\n%s", got.stderr)
	}
	contains(t, got.stdout, "generation 1", "PCA", "error per feature", "compression")
	if strings.Contains(got.stdout, "fit: ") {
		t.Errorf("progress is among the results:\n%s", got.stdout)
	}
	var r, shown store.Report
	on.json(&r, "fit", "people", "--dim", "2")
	if r.Generation != 2 || r.Dim != 2 || r.MSE.Model <= 0 || r.HeldOut == 0 {
		t.Errorf("fit gave %+v", r)
	}
	on.json(&shown, "quality", "people")
	if !reflect.DeepEqual(shown, r) {
		t.Errorf("quality gave %+v, fit %+v", shown, r)
	}
	contains(t, on.run("quality", "people"), "generation 2", "PCA", "; latent size 2 (asked for)")
}

func testSearch(t *testing.T, on target) {
	contains(t, on.run("search", "people", "--id", "p003@example.com", "--limit", "3"), "ID", "SCORE", "row ")
	var h hits
	on.json(&h, "search", "people", "--record", `{"age": 40, "income": 40000, "city": "Oslo"}`, "--limit", "4", "--explain")
	if len(h.Points) != 4 || h.Search == nil || h.Search.Generation != 2 || h.Points[0].Payload["note"] == nil {
		t.Errorf("search gave %+v", h)
	}
	record := writeFile(t, "one.json", []byte(`{"age": 40, "income": 40000, "city": "Oslo"}`))
	var fromFile hits
	on.json(&fromFile, "search", "people", "--record", record, "--limit", "4")
	if len(fromFile.Points) != 4 || fromFile.Points[0].ID != h.Points[0].ID || fromFile.Search != nil {
		t.Errorf("the same record from a file gave %+v", fromFile)
	}
	on.json(&h, "search", "people", "--id", "p003@example.com", "--exact",
		"--filter", `{"must": {"key": "note", "match": {"value": "row 9"}}}`)
	if len(h.Points) != 1 || h.Points[0].ID != store.StringID("p009@example.com") {
		t.Errorf("the filter let through %+v", h.Points)
	}
	contains(t, on.run("search", "people", "--id", "p003@example.com", "--explain"), "expected recall")
	contains(t, on.fails("search", "people", "--id", "nobody"), "nobody")
}

func testReconstruct(t *testing.T, on target) {
	contains(t, on.run("reconstruct", "people", "p003@example.com"), "p003@example.com", "income")
	var all []store.Reconstruction
	on.json(&all, "reconstruct", "people", "--record", `{"age": 40, "income": 40000, "city": "Oslo"}`, "--record", `{"age": 30}`)
	if len(all) != 2 || !all[0].ID.IsZero() || all[0].Record == nil || len(all[0].Parts) == 0 {
		t.Errorf("reconstruct gave %+v", all)
	}
	contains(t, on.run("reconstruct", "people", "--record", `{"age": 30}`), "record 1")
	contains(t, on.fails("reconstruct", "people", "nobody"), "nobody")
	writesImages(t, on, "reconstruct", "people", "p003@example.com")
}

func testOutliers(t *testing.T, on target) {
	contains(t, on.run("outliers", "people"), "suggested cut", "p000@example.com")
	var o store.Outliers
	on.json(&o, "outliers", "people", "--limit", "5")
	if len(o.Outliers) != 5 || len(o.Outliers[0].Parts) == 0 {
		t.Errorf("outliers gave %+v", o)
	}
	var s store.RecordScores
	on.json(&s, "outliers", "people", "--record", `{"age": 20, "income": 900000, "city": "Oslo"}`)
	if len(s.Scores) != 1 || !s.Scores[0].Outlier || len(s.Scores[0].Nearest) == 0 {
		t.Errorf("a strange record scores %+v", s)
	}
	contains(t, on.run("outliers", "people", "--record", `{"age": 20, "income": 900000}`), "OUTLIER", "true")
}

func testSample(t *testing.T, on target) {
	first, again := on.run("sample", "people", "-n", "5", "--seed", "3"), on.run("sample", "people", "-n", "5", "--seed", "3")
	if first != again || strings.Count(first, "\n") != 5 {
		t.Errorf("two draws with one seed:\n%s%s", first, again)
	}
	var s store.Samples
	on.json(&s, "sample", "people", "-n", "4")
	if len(s.Records) != 4 || s.Generation != 2 {
		t.Errorf("sample gave %+v", s)
	}
	writesImages(t, on, "sample", "people")
}

// writesImages runs a command on a table with a directory for images, which is
// wrong usage.
func writesImages(t *testing.T, on target, args ...string) {
	dir := filepath.Join(t.TempDir(), "images")
	got := cli(append(append(args, "-o", dir), on.flags...)...)
	if _, err := os.Stat(dir); got.code != exitUsage || err == nil || got.stdout != "" {
		t.Errorf("%v -o: exit code %d\n%s", args, got.code, got.stdout)
	}
	contains(t, got.stderr, "images", "table")
}

func testDuplicates(t *testing.T, on target, rows int) {
	var found store.Duplicates
	on.json(&found, "duplicates", "people", "--threshold", "0")
	if len(found.Groups) != 1 || len(found.Groups[0].IDs) != 2 || found.Points != rows+1 {
		t.Fatalf("duplicates gave %+v", found)
	}
	contains(t, on.run("duplicates", "people", "--threshold", "0"), "again@example.com", "1 groups", "pairs within 0 by fields link them")
	contains(t, on.run("duplicates", "people", "--threshold", "0", "--dry-run"), "1 of", "would be removed; pairs within 0 by fields link the groups")
	var removed store.Deduplication
	on.json(&removed, "duplicates", "people", "--threshold", "0", "--delete")
	if removed.DryRun || len(removed.Removed) != 1 {
		t.Errorf("--delete gave %+v", removed)
	}
	var info collectionInfo
	on.json(&info, "info", "people")
	if info.Points != rows {
		t.Errorf("%d points are left, want %d", info.Points, rows)
	}
	contains(t, on.run("duplicates", "people", "--undo", fmt.Sprint(removed.Undo)), "1 points put back, 0 skipped")
	pair := []string{"pairs", "people", removed.Removed[0].Kept.String(), removed.Removed[0].ID.String()}
	contains(t, on.run(pair...), "duplicates are within", "by fields", "true", "1.00")
	var scores store.PairScores
	if on.json(&scores, pair...); len(scores.Pairs) != 1 || !scores.Pairs[0].Exact {
		t.Errorf("pairs gave %+v", scores)
	}
	text := on.run("duplicates", "people", "--threshold", "0", "--delete")
	told := regexp.MustCompile(`--undo (\d+) puts them back`).FindStringSubmatch(text)
	if told == nil {
		t.Fatalf("--delete printed\n%s", text)
	}
	on.run("duplicates", "people", "--undo", told[1])
	if got := cli(append([]string{"duplicates", "people", "--no-undo"}, on.flags...)...); got.code != exitUsage {
		t.Errorf("--no-undo alone: exit code %d, want %d\n%s", got.code, exitUsage, got.stderr)
	}
	if text = on.run("duplicates", "people", "--threshold", "0", "--delete", "--no-undo"); strings.Contains(text, "--undo") {
		t.Errorf("--no-undo printed\n%s", text)
	}
}

func TestExportComesBack(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		importPeople(t, on, 30)
		jsonl := on.run("export", "people")
		if strings.Count(jsonl, "\n") != 31 {
			t.Fatalf("export has %d lines, want 31", strings.Count(jsonl, "\n"))
		}
		on.run("import", "copy", writeFile(t, "copy.jsonl", []byte(jsonl)))
		if again := on.run("export", "copy"); again != jsonl {
			t.Errorf("an export that was imported exports as\n%s, want\n%s", again, jsonl)
		}
		file := filepath.Join(t.TempDir(), "people.csv")
		if out := on.run("export", "people", "-o", file, "--format", "csv"); out != "" {
			t.Errorf("export to a file printed %q", out)
		}
		on.run("import", "csv", file, "--payload-columns", "note")
		if again := on.run("export", "csv"); again != jsonl {
			t.Errorf("a CSV that was imported exports as\n%s, want\n%s", again, jsonl)
		}
		// What no cell holds breaks the export off here, which is no fault of the server's.
		lists := writeFile(t, "lists.jsonl", []byte(strings.Repeat(`{"record": {"x": 1}, "payload": {"l": [1]}}`+"\n", 2000)))
		on.run("import", "lists", lists)
		got := cli(append([]string{"export", "lists", "--format", "csv"}, on.flags...)...)
		if got.code != exitFailed || strings.Contains(got.stderr, "cut short") {
			t.Errorf("lists to CSV: exit code %d\n%s", got.code, got.stderr)
		}
		out := filepath.Join(t.TempDir(), "nobody.jsonl")
		on.fails("export", "nobody", "-o", out)
		if _, err := os.Stat(out); err == nil {
			t.Error("a failed export left a file")
		}
	})
}

func TestFitProgressBeginsWithTheFirstEpoch(t *testing.T) {
	var out bytes.Buffer
	shown := fitProgress{w: &out}
	for _, s := range []store.FitStatus{
		{State: store.FitRunning}, {State: store.FitRunning, Stage: "train", Epochs: 2},
		{State: store.FitRunning, Stage: "train", Epochs: 2, Epoch: 1, Loss: 0.5, RecallAt50: 0.75},
	} {
		shown.show(s)
	}
	if got, want := out.String(), "fit: train\nfit: epoch 1 of 2, loss 0.5, recall@50 75.0 % train\n"; got != want {
		t.Errorf("it shows\n%s, want\n%s", got, want)
	}
}
