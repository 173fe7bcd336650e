package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestImportOfPairs(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		words := [][2]string{{"dog", "Hund"}, {"cat", "Katze"}, {"house", "Haus"}, {"tree", "Baum"}, {"2024", "2024"}}
		table := "left,right\n"
		for i := range 60 {
			a, b := words[i%5], words[i/5%5]
			table += fmt.Sprintf("a %s and a %s,ein %s und ein %s\n", a[0], b[0], a[1], b[1])
		}
		table += "a tree,\n" // only one side
		file := writeFile(t, "captions.csv", []byte(table))
		var r importResult
		on.json(&r, "import", "captions", file, "--pair", "text,text", "--text-columns", "left,right")
		if r.Imported != 61 {
			t.Errorf("imported %+v", r)
		}
		on.run("fit", "captions")
		got := on.run("search", "captions", "--record", `{"right": "ein Hund und ein Baum"}`, "--limit", "1")
		if !strings.Contains(got, "\n3 ") { // "ein Baum und ein Hund", the first of those with both
			t.Errorf("search says %s", got)
		}
		contains(t, on.run("quality", "captions"), "other side in top 10")
	})
	file := writeFile(t, "captions.csv", []byte("left,right\na,b\n"))
	for _, args := range [][]string{{"--pair", "text"}, {"--pair", "text,pair"}, {"--pair", "text,text", "--kind", "text"},
		{"--parallel"}, {"--left-column", "left"}, {"--left-column", "left", "--right-column", "right", "--parallel"}} {
		got := cli(append([]string{"import", "captions", file, "--data", t.TempDir()}, args...)...)
		if got.code != exitUsage {
			t.Errorf("%v: exit code %d, want %d\n%s", args, got.code, exitUsage, got.stderr)
		}
	}
}

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write([]byte(text))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// parallelTexts are two files of which lines at the same place mean the same.
func parallelTexts(t *testing.T, lines int) (left, right string) {
	t.Helper()
	words := [][2]string{{"dog", "Hund"}, {"cat", "Katze"}, {"house", "Haus"}, {"tree", "Baum"}, {"2024", "2024"}}
	var texts [2]strings.Builder
	for i := range lines {
		for side := range texts {
			fmt.Fprintf(&texts[side], "%s %s %s\n", words[i%5][side], words[i/5%5][side], words[i/25%5][side])
		}
	}
	return writeFile(t, "corpus.en.gz", gzipped(t, texts[0].String())), writeFile(t, "corpus.de", []byte(texts[1].String()))
}

func TestImportOfParallelFiles(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		left, right := parallelTexts(t, 60)
		contains(t, on.run("import", "corpus", left, right, "--parallel", "--dry-run"), `"kind":"pair"`, `"left":"dog dog dog"`, "of the first 60 records 0 failed")
		var r importResult
		on.json(&r, "import", "corpus", left, right, "--parallel", "--batch", "25")
		if r.Imported != 60 || r.Failed != 0 {
			t.Errorf("imported %+v", r)
		}
		contains(t, on.run("export", "corpus"), `{"id":51,"record":{"left":"cat dog house","right":"Katze Hund Haus"}}`)
		contains(t, on.fails("import", "corpus", left, right, "--parallel"), "holds 60 points")

		// Lines that cannot be taken are listed by their place, and the others go on.
		longer := writeFile(t, "longer.de", []byte(strings.Repeat("Haus\n", 60)+"H\xff\n\nBaum\n"))
		more := writeFile(t, "longer.en", []byte(strings.Repeat("house\n", 60)+"house\n \ntree\n"))
		on.json(&r, "import", "corpus", more, longer, "--parallel", "--resume")
		if r.Imported != 1 || r.Skipped != 60 || r.Failed != 1 || r.Errors[0].Line != 61 || r.Errors[0].Reason != "right: not UTF-8" || r.Errors[0].File != more+" and "+longer {
			t.Errorf("imported %+v", r)
		}
		contains(t, on.fails("import", "other", left, longer, "--parallel"), left+" has 60 records", longer+" has 63", "0 points were imported")
		if got := on.run("info"); strings.Contains(got, "other") {
			t.Errorf("a refused import made a collection: %s", got)
		}
	})
}

func TestImportOfPicturesThatAFileNames(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		dir := t.TempDir()
		table := "sku,photo,title\n"
		for i := range 12 {
			name := fmt.Sprintf("spot%d.png", i)
			if err := os.WriteFile(filepath.Join(dir, name), encodePNG(t, spot(12, float64(i), 3)), 0o600); err != nil {
				t.Fatal(err)
			}
			table += fmt.Sprintf("s%d,%s,a spot at %d\n", i, name, i)
		}
		table += "s12,,no picture\ns13,../x.png,elsewhere\ns14,spot1.png,\n"
		file := filepath.Join(dir, "items.csv")
		if err := os.WriteFile(file, []byte(table), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"import", "shop", file, "--pair", "image,text", "--left-column", "photo", "--right-column", "title",
			"--file-columns", "photo", "--id-column", "sku", "--width", "6", "--height", "6"}
		contains(t, on.run(append(args, "--dry-run")...), `"width":6`, "of the first 15 records 1 failed")
		var r importResult
		on.json(&r, args...)
		if r.Imported != 14 || r.Failed != 1 || r.Errors[0].Line != 15 || !strings.Contains(r.Errors[0].Reason, "escapes") {
			t.Errorf("imported %+v", r)
		}
		on.run("fit", "shop")
		contains(t, on.run("search", "shop", "--record", `{"right": "a spot at 3"}`, "--limit", "1"), "\ns3 ")

		// An export of pairs reads back as it is, here for its dry run.
		lines := writeFile(t, "shop.jsonl", []byte(on.run("export", "shop", "--format", "jsonl")))
		contains(t, on.fails("import", "copy", lines, "--pair", "image,text", "--dry-run"), "give --width and --height")
		contains(t, on.run("import", "copy", lines, "--pair", "image,text", "--width", "6", "--height", "6", "--dry-run"), "of the first 14 records 0 failed")

		// So does a picture with what else is said of it.
		on.json(&r, "import", "photos", file, "--record-column", "photo", "--file-columns", "photo", "--id-column", "sku")
		if r.Imported != 13 || r.Failed != 2 {
			t.Errorf("imported %+v", r)
		}
		var hit hits
		on.json(&hit, "search", "photos", "--id", "s4", "--limit", "1")
		if data, _ := json.Marshal(hit); !strings.Contains(string(data), `"title":"a spot at`) {
			t.Errorf("search says %s", data)
		}
	})
}
