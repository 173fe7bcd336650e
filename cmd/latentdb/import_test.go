package main

import (
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/store"
)

func TestImportGoesOnAfterBadRecords(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		var lines []string
		for i := range 40 {
			lines = append(lines, fmt.Sprintf(`{"id": %d, "vector": [%d, 1, 2]}`, i, i))
		}
		lines[7] = `{"id": 7, "vector": [1, 2]}`
		lines[20] = "no JSON"
		lines[39] = `{"id": 39, "vector": "far"}`
		file := writeFile(t, "points.jsonl", []byte(strings.Join(lines, "\n")))
		var r importResult
		on.json(&r, "import", "points", file, "--batch", "16")
		if r.Imported != 37 || r.Failed != 3 {
			t.Errorf("%d imported and %d failed, want 37 and 3", r.Imported, r.Failed)
		}
		at := map[int]bool{}
		for _, e := range r.Errors {
			at[e.Line] = e.File == file && e.Reason != ""
		}
		if len(at) != 3 || !at[8] || !at[21] || !at[40] {
			t.Errorf("errors are %+v, want lines 8, 21 and 40", r.Errors)
		}
		got := cli(append([]string{"import", "again", file}, on.flags...)...)
		if got.code != exitDone {
			t.Errorf("exit code %d", got.code)
		}
		contains(t, got.stdout, "37 points imported into again, 3 failed")
		contains(t, got.stderr, "line 8", "line 21", "latentdb fit again")
	})
}

func TestImportOfNothingFails(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		good := writeFile(t, "good.jsonl", []byte(`{"id": 1, "vector": [1, 2, 3]}`))
		on.run("import", "points", good)
		var lines []string
		for i := range 30 {
			lines = append(lines, fmt.Sprintf(`{"id": %d, "vector": [1, 2]}`, i))
		}
		bad := writeFile(t, "bad.jsonl", []byte(strings.Join(lines, "\n")))
		contains(t, on.fails("import", "points", bad), "nothing was imported")
		contains(t, on.fails("import", "points", bad, "--batch", "10"), "none of the first 10 records")
		on.fails("import", "points", writeFile(t, "empty.jsonl", nil))
		contains(t, on.fails("import", "points", writeFile(t, "bad.csv", []byte("a,a\n1,2\n"))), "twice")
	})
}

func TestImportOptionsThatDoNotFit(t *testing.T) {
	file := writeFile(t, "people.csv", peopleCSV(5))
	for _, args := range [][]string{
		{"--id-column", "nobody"}, {"--labels", file}, {"--format", "images"}, {"--payload-columns", "nothing"},
	} {
		got := cli(append([]string{"import", "people", file, "--data", t.TempDir()}, args...)...)
		if got.code != exitUsage {
			t.Errorf("%v: exit code %d, want %d\n%s", args, got.code, exitUsage, got.stderr)
		}
	}
}

func TestImportOfBase64Images(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		var lines []string
		for i := range 4 {
			picture := base64.StdEncoding.EncodeToString(encodePNG(t, spot(6, float64(i), 2)))
			lines = append(lines, fmt.Sprintf(`{"id": "s%d", "record": %q, "payload": {"x": %d}}`, i, picture, i))
		}
		file := writeFile(t, "spots.jsonl", []byte(strings.Join(lines, "\n")))
		contains(t, on.fails("import", "spots", file), "--kind")
		contains(t, on.fails("import", "spots", file, "--kind", "image"), "--width")
		contains(t, on.fails("import", "spots", file, "--kind", "image", "--width", "6"), "--height")
		on.run("import", "spots", file, "--kind", "image", "--width", "6", "--height", "5", "--channels", "1")
		contains(t, on.run("info", "spots"), `"height":5`)

		export := on.run("export", "spots")
		on.run("import", "back", writeFile(t, "back.jsonl", []byte(export)), "--kind", "image", "--width", "6", "--height", "5")
		if again := on.run("export", "back"); again != export {
			t.Errorf("an export that was imported exports as\n%s, want\n%s", again, export)
		}
		csv := filepath.Join(t.TempDir(), "spots.csv")
		got := cli(append([]string{"export", "spots", "--format", "csv", "-o", csv}, on.flags...)...)
		if _, err := os.Stat(csv); got.code != exitUsage || err == nil || strings.Contains(got.stderr, "cut short") {
			t.Errorf("images to CSV: exit code %d\n%s", got.code, got.stderr)
		}
	})
}

func TestImportOfSeveralFilesNumbersOn(t *testing.T) {
	on := target{t, []string{"--data", t.TempDir()}}
	a, b := writeFile(t, "a.npy", npy(5, 3, circle)), writeFile(t, "b.npy", npy(7, 3, circle))
	contains(t, on.run("import", "points", a, b, "--first-id", "100"), "12 points imported")
	out := on.run("export", "points")
	contains(t, out, `{"id":100,`, `{"id":111,`)
}

// A vector with a value that is no number is listed, and the others keep the
// numbers they have in the file.
func TestImportOfVectorsThatAreNotNumbers(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		file := writeFile(t, "points.npy", npy(8, 3, func(row, i int) float32 {
			switch {
			case row == 2 && i == 1:
				return float32(math.NaN())
			case row == 5 && i == 0:
				return float32(math.Inf(-1))
			}
			return float32(row + i)
		}))
		var r importResult
		on.json(&r, "import", "points", file)
		want := []importFailure{{file, 3, "vector[1]: is NaN, not a number"}, {file, 6, "vector[0]: is -Inf, not a number"}}
		if r.Imported != 6 || r.Failed != 2 || !slices.Equal(r.Errors, want) {
			t.Errorf("import gave %+v", r)
		}
		contains(t, on.run("export", "points"), `{"id":1,`, `{"id":3,"vector":[3,4,5]`, `{"id":7,`)
	})
}

func TestImportTellsTheColumns(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		file := writeFile(t, "people.csv", []byte("age,city,member,id\n31,Oslo,true,1\nNA,Bergen,?,2\n"))
		told := "columns: age numeric, city categorical, member boolean\n"
		got := cli(append([]string{"import", "people", file}, on.flags...)...)
		if got.code != exitDone || !strings.Contains(got.stderr, told) {
			t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
		}
		if got := cli(append([]string{"import", "people", file}, on.flags...)...); strings.Contains(got.stderr, "columns:") {
			t.Errorf("the columns of a collection that was there are told\n%s", got.stderr)
		}
		vectors := writeFile(t, "points.npy", npy(3, 3, circle))
		if got := cli(append([]string{"import", "points", vectors}, on.flags...)...); strings.Contains(got.stderr, "columns:") {
			t.Errorf("vectors have columns\n%s", got.stderr)
		}
	})
}

// A row whose id cannot be one is listed: it gets no number, which another row
// may have.
func TestImportOfBadIDs(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		for name, file := range map[string]string{
			"n.csv":   "id,a,b\n-1,2,x\n0,3,y\n1.5,4,z\n,5,z\n5,6,z\n",
			"n.jsonl": `{"id":-7,"a":2}` + "\n" + `{"id":0,"a":3}` + "\n" + `{"a":4}` + "\n" + `{"id":true,"a":5}` + "\n" + `{"id":5,"a":6}`,
		} {
			var r importResult
			on.json(&r, "import", name, writeFile(t, name, []byte(file)))
			if r.Imported != 2 || r.Failed != 3 {
				t.Errorf("%s: import gave %+v", name, r)
			}
			for _, e := range r.Errors {
				if !strings.HasPrefix(e.Reason, "id: ") {
					t.Errorf("%s: line %d: %s", name, e.Line, e.Reason)
				}
			}
			out := on.run("export", name)
			if contains(t, out, `{"id":0,"record":{"a":3`, `{"id":5,"record":{"a":6`); strings.Count(out, "\n") != 2 {
				t.Errorf("%s: the points are\n%s", name, out)
			}
		}
	})
}

// Numbers never run over the largest id into those of other points.
func TestImportLimitsTheFirstNumber(t *testing.T) {
	file := writeFile(t, "a.csv", []byte("a\n1\n2\n"))
	on := target{t, []string{"--data", t.TempDir()}}
	got := cli(append([]string{"import", "a", file, "--first-id", "18446744073709551615"}, on.flags...)...)
	if got.code != exitUsage {
		t.Errorf("exit code %d, want %d", got.code, exitUsage)
	}
	contains(t, got.stderr, "--first-id is 18446744073709551615; it must be 0 to 9223372036854775807")
	on.run("import", "a", file, "--first-id", "9223372036854775807")
	contains(t, on.run("export", "a"), `{"id":9223372036854775807,`, `{"id":9223372036854775808,`)
}

// What is refused among the first rows decides nothing for the others.
func TestImportDecidesByGoodRows(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		lines := []string{`{"id":1,"a":1}`, `{"id":2,"a":[1]}`}
		for i := range 100 {
			lines = append(lines, fmt.Sprintf(`{"id":%d,"a":%d,"b":%d}`, i+3, i, 2*i))
		}
		var r importResult
		on.json(&r, "import", "rows", writeFile(t, "rows.jsonl", []byte(strings.Join(lines, "\n"))))
		if r.Imported != 101 || r.Failed != 1 || r.Errors[0].Line != 2 || !strings.HasPrefix(r.Errors[0].Reason, "record: ") {
			t.Errorf("import gave %+v", r)
		}

		dir := t.TempDir()
		pictures := map[string][]byte{"a.png": encodePNG(t, spot(6, 2, 2)), "b.png": []byte("no picture")}
		for i := range 13 {
			red := image.NewRGBA(image.Rect(0, 0, 6, 6))
			draw.Draw(red, red.Rect, image.NewUniform(color.RGBA{R: uint8(200 + i), A: 255}), image.Point{}, draw.Src)
			pictures[fmt.Sprintf("c%d.png", i)] = encodePNG(t, red)
		}
		for name, data := range pictures {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		on.json(&r, "import", "pictures", dir)
		if r.Imported != 14 || r.Failed != 1 || !strings.HasPrefix(r.Errors[0].Reason, "b.png: record: ") {
			t.Errorf("import gave %+v", r)
		}
		contains(t, on.run("info", "pictures"), `"channels":3`)
	})
}

// Rows of another kind than the collection's are listed in words of the file.
func TestImportOfAnotherKind(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		on.run("import", "rows", writeFile(t, "rows.csv", []byte("a\n1\n")))
		got := on.fails("import", "rows", writeFile(t, "v.npy", npy(2, 3, circle)), "--first-id", "5")
		contains(t, got, "line 1: vector: this collection takes records of kind table, not vectors", "line 2: vector")
	})
}

func TestImportWatches(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		file := writeFile(t, "people.csv", peopleCSV(300))
		on.run("import", "people", file, "--id-column", "email", "--payload-columns", "note", "--batch", "150", "--watch", "odd")
		if n := strings.Count(on.run("export", "people"), `"odd":{"outlier":`); n != 151 {
			t.Errorf("%d points are marked, want those after the first 150", n)
		}
		on.run("outliers", "people", "--filter", `{"must":[{"key":"odd.score","range":{"gte":0}}]}`)
		contains(t, on.run("info", "people"), "odd, outliers by the suggested cut")
		if w := watch(store.Watch{Field: "odd", Cut: 0.95}); w != "odd, outliers above 0.95" {
			t.Error(w)
		}
	})
}
