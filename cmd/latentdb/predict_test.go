package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/store"
)

// townsCSV is people whose town follows their age.
func townsCSV(n int) []byte {
	out := strings.Builder{}
	out.WriteString("id,age,height,town\n")
	for i := range n {
		age := 20 + i*7%60
		fmt.Fprintf(&out, "%d,%d,%d,%s\n", i, age, 150+age, map[bool]string{true: "Oslo", false: "Bergen"}[age < 50])
	}
	return []byte(out.String())
}

func TestPredict(t *testing.T) {
	file := writeFile(t, "towns.csv", townsCSV(120))
	asked := writeFile(t, "asked.csv", []byte("age,height\n25,175\n70,220\n"))
	eachTarget(t, func(t *testing.T, on target) {
		on.run("import", "towns", file, "--payload-columns", "town")
		text := on.run("predict", "towns", "--key", "town", "--record", `{"age": 24, "height": 174}`)
		contains(t, text, "record 1", `"Oslo"`, "town, a class, k 1, latent space: of 120 stored points left out 100.0 % were right")
		contains(t, on.run("predict", "towns", "3", "--key", "town", "--k", "5"), `"Oslo"`)
		contains(t, on.run("predict", "towns", "--key", "town", "--quality"), "town, a class")
		contains(t, on.run("predict", "towns", "--key", "town", "--quality", "--k", "7"), "k 7,")
		contains(t, on.run("predict", "towns", "--key", "town", "--file", asked), "line 2", "line 3", `"Oslo"`, `"Bergen"`)
		var got []store.Prediction
		if err := json.Unmarshal([]byte(on.run("predict", "towns", "--key", "town", "--file", asked, "--json")), &got); err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 || got[0].Value != "Oslo" || got[1].Value != "Bergen" {
			t.Errorf("predicted %+v", got)
		}
		contains(t, on.fails("predict", "towns", "3", "--key", "country"), `no point that may vote has a string, a boolean or a number under "country"`)
		contains(t, on.fails("predict", "towns", "999", "--key", "town"), "999")
	})
}

// A path is written as files, and what encode prints decodes to what a path begins with.
func TestInterpolateEncodeDecode(t *testing.T) {
	pictures := writeFile(t, "pictures.zip", zipOf(t, 40))
	eachTarget(t, func(t *testing.T, on target) {
		dir := t.TempDir()
		on.run("import", "i", pictures, "--width", "8", "--height", "8")
		on.run("fit", "i", "--encoder", "pca", "--dim", "4")
		exported := filepath.Join(dir, "all") + "/"
		on.run("export", "i", "-o", exported)
		files, err := filepath.Glob(filepath.Join(exported, "*", "*.png"))
		if err != nil || len(files) < 2 {
			t.Fatalf("exported %v, %v", files, err)
		}
		path := filepath.Join(dir, "path")
		text := on.run("interpolate", "i", "--from-record", files[0], "--to-record", files[1], "--steps", "4", "-o", path)
		if lines := strings.Count(text, "\n"); lines != 4 {
			t.Errorf("%d lines of 4 steps:\n%s", lines, text)
		}
		begins, err := os.ReadFile(filepath.Join(path, "step-0001.png"))
		if err != nil {
			t.Fatal(err)
		}
		latents := on.run("encode", "i", "--record", files[0], "--record", files[1])
		if strings.Count(latents, "\n") != 2 {
			t.Fatalf("encoded as %s", latents)
		}
		decoded := filepath.Join(dir, "decoded")
		on.run("decode", "i", "--latent", writeFile(t, "latents.txt", []byte(latents)), "-o", decoded)
		again, err := os.ReadFile(filepath.Join(decoded, "decoded-0001.png"))
		if err != nil || string(again) != string(begins) {
			t.Errorf("the first record decodes to another picture than its path begins with (%v)", err)
		}
		contains(t, on.fails("decode", "i", "--latent", "[1]"), "latents[0]")
	})
}
