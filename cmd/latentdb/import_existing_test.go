package main

import (
	"encoding/base64"
	"path/filepath"
	"strings"
	"testing"
)

// TestImportRefusesWhatTheCollectionIsNot imports again into collections of all kinds that
// have flags of their own.
func TestImportRefusesWhatTheCollectionIsNot(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		vectors := writeFile(t, "v.jsonl", []byte(`{"id":1,"vector":[1,2,3]}`+"\n"+`{"id":2,"vector":[3,2,1]}`))
		picture := base64.StdEncoding.EncodeToString(encodePNG(t, spot(6, 2, 2)))
		pictures := writeFile(t, "images.jsonl", []byte(`{"id":"a","record":"`+picture+`"}`))
		pairs := writeFile(t, "p.jsonl", []byte(`{"id":1,"record":{"left":"a cat","right":"eine Katze"}}`))
		sound := writeFile(t, "tone.wav", tone(.2, 300))
		for _, made := range []struct {
			name, file string
			with       []string
			// refused are other values, with what the collection has.
			refused map[string]string
		}{
			{"v", vectors, []string{"--metric", "cosine", "--dim", "2", "--encoder", "pca", "--engine", "flat", "--rows", "half", "--recall", "0.9", "--watch", "odd", "--drop-originals"},
				map[string]string{"--kind text": "vector", "--pair text,text": "vector", "--distance euclid": "Cosine", "--metric dot": "Cosine", "--dim 3": "2", "--dim auto": "2",
					"--encoder deep": "pca", "--engine hnsw": "flat", "--rows disk": "half", "--recall 0.95": "0.9", "--watch strange": "odd", "--drop-originals=false": "true"}},
			{"plain", vectors, []string{"--dim", "auto"},
				map[string]string{"--dim 2": "auto", "--watch odd": "none", "--drop-originals": "false", "--recall 0.9": "0.95", "--parallel " + vectors: "vector"}},
			{"i", pictures, []string{"--kind", "image", "--width", "6", "--height", "5", "--channels", "1", "--likeness", "shape", "--mirrored"},
				map[string]string{"--width 7": "6", "--height 6": "5", "--channels 3": "1", "--likeness pixels": "shape", "--mirrored=false": "true"}},
			{"p", pairs, []string{"--pair", "text,text"}, map[string]string{"--pair text,image": "text,text", "--kind text": "pair"}},
			{"a", filepath.Dir(sound), []string{"--window", "0.1"}, map[string]string{"--window 0.2": "0.1", "--window 0.1 --hop 0.1": "0.05", "--keep-silence": "none", "--rate 16000": "8000"}},
		} {
			args := append([]string{"import", made.name, made.file}, made.with...)
			on.run(args...)
			for _, more := range [][]string{{"--resume"}, {"--dry-run"}} {
				on.run(append(args, more...)...) // as it was made, it may be
			}
			on.run("import", made.name, made.file, "--resume")
			if made.name == "a" {
				on.run("import", "a", made.file, "--window", "0.1", "--hop", "0.05", "--resume") // half a window, as not told
			}
			for flags, has := range made.refused {
				for _, more := range [][]string{{}, {"--dry-run"}} {
					asked := append(append([]string{"import", made.name, made.file}, strings.Fields(flags)...), more...)
					got := cli(append(asked, on.flags...)...)
					if got.code != exitUsage || !strings.Contains(got.stderr, "contradicts collection "+made.name+", which has "+has) {
						t.Errorf("%q: exit code %d\n%s%s", asked, got.code, got.stdout, got.stderr)
					}
				}
			}
		}
		// All that contradicts is told at once.
		got := cli(append([]string{"import", "v", vectors, "--dim", "5", "--recall", "0.5"}, on.flags...)...)
		contains(t, got.stderr, "--dim 5", "--recall 0.5")
	})
}
