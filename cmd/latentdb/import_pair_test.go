package main

import (
	"fmt"
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
	for _, args := range [][]string{{"--pair", "text"}, {"--pair", "text,image"}, {"--pair", "text,text", "--kind", "text"}} {
		got := cli(append([]string{"import", "captions", file, "--data", t.TempDir()}, args...)...)
		if got.code != exitUsage {
			t.Errorf("%v: exit code %d, want %d\n%s", args, got.code, exitUsage, got.stderr)
		}
	}
}
