package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/store"
)

func TestWrongUsage(t *testing.T) {
	for name, args := range map[string]string{
		"no command":        "",
		"unknown command":   "frobnicate",
		"unknown flag":      "search c --id 1 --frobnicate",
		"no collection":     "fit",
		"no file":           "import c",
		"too many":          "quality a b",
		"no query":          "search c",
		"two queries":       "search c --id 1 --vector [1]",
		"data and url":      "info --data . --url http://127.0.0.1:1",
		"bad url":           "info --url ftp://localhost",
		"bad number":        "search c --id 1 --limit many",
		"limit 0":           "search c --id 1 --limit 0",
		"limit too large":   "search c --id 1 --limit 10001",
		"recall above 1":    "search c --id 1 --recall 1.5",
		"recall NaN":        "search c --id 1 --recall NaN",
		"unknown space":     "search c --id 1 --space outer",
		"filter not JSON":   "search c --id 1 --filter {",
		"filter misspelled": `search c --id 1 --filter {"most":[]}`,
		"vector not list":   `search c --vector {"a":1}`,
		"vector with NaN":   `search c --vector [1,NaN]`,
		"record not JSON":   `search c --record {"a":NaN}`,
		"dim 0":             "fit c --dim 0",
		"dim a word":        "fit c --dim large",
		"unknown encoder":   "fit c --encoder magic",
		"epochs below 0":    "fit c --epochs -1",
		"no samples":        "sample c -n 0",
		"outliers 0":        "outliers c --limit 0",
		"record and vector": "outliers c --record {} --vector []",
		"reconstruct what":  "reconstruct c",
		"reconstruct both":  "reconstruct c 1 --record {}",
		"predict what":      "predict c 1",
		"predict by none":   "predict c --key k",
		"predict two ways":  "predict c 1 --key k --quality",
		"predict k":         "predict c 1 --key k --k 101",
		"predict as":        "predict c 1 --key k --as word",
		"one end":           "interpolate c --from 1",
		"two beginnings":    "interpolate c --from 1 --from-record {} --to 2",
		"one step":          "interpolate c --from 1 --to 2 --steps 1",
		"encode what":       "encode c",
		"decode what":       "decode c",
		"latent not list":   `decode c --latent {"a":1}`,
		"latent with text":  `decode c --latent ["a"]`,
		"threshold NaN":     "duplicates c --threshold NaN",
		"threshold below 0": "duplicates c --threshold -0.1",
		"undo and delete":   "duplicates c --undo 3 --delete",
		"undo of what":      "duplicates c --undo",
		"undo below 0":      "duplicates c --undo -1",
		"one of a pair":     "pairs c 1",
		"three of pairs":    "pairs c 1 2 3",
		"limited record":    "outliers c --record {} --limit 3",
		"filtered vector":   "outliers c --vector [1] --filter {}",
		"unknown keep":      "duplicates c --keep oldest",
		"index of what":     "index c k",
		"index kind":        "index c k --kind poem",
		"index and delete":  "index c k --kind bool --delete",
		"export format":     "export c --format xml",
		"export to idx":     "export c -o c.idx",
		"export two ways":   "export c -o c.jsonl.gz --format csv",
		"import format":     "import c . --format xml",
		"import kind":       "import c . --kind poem",
		"import engine":     "import c . --engine diesel",
		"import distance":   "import c . --distance far",
		"import batch":      "import c . --batch 0",
		"import numbering":  "import c . --first-id 1 --id-column a",
		"import width":      "import c . --width 100000",
		"open to all":       "serve --listen 0.0.0.0:0",
		"listen port":       "serve --listen 127.0.0.1:70000",
		"listen no number":  "demo --listen 127.0.0.1:many",
		"import recall 0":   "import c . --recall 0",
		"listen where":      "serve --listen nowhere",
		"demo argument":     "demo now",
		"check remotely":    "check --url http://127.0.0.1:1",
		"version argument":  "version 1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			got := cli(strings.Fields(args)...)
			if got.code != exitUsage {
				t.Errorf("exit code %d, want %d\n%s%s", got.code, exitUsage, got.stdout, got.stderr)
			}
			contains(t, got.stderr, "latentdb: ", "--help")
			if left, _ := filepath.Glob("*"); len(left) > 0 {
				t.Errorf("it left %v behind", left)
			}
		})
	}
}

// What is empty is named, and does not pass for what is not given.
func TestEmptyArguments(t *testing.T) {
	t.Chdir(t.TempDir())
	for want, args := range map[string][]string{
		"COLLECTION is empty":  {"import", "", "f.csv", "--url", "127.0.0.1:1"},
		"FILE|FOLDER is empty": {"import", "c", "a.csv", ""},
		"ID is empty":          {"reconstruct", "c", ""},
		"--record is empty":    {"search", "c", "--record", ""},
		"--vector is empty":    {"outliers", "c", "--vector", ""},
		"--id is empty":        {"search", "c", "--id", ""},
		"--filter is empty":    {"duplicates", "c", "--delete", "--filter", ""},
		"--data is empty":      {"info", "--data", ""},
		"--api-key is empty":   {"serve", "--listen", "nowhere", "--api-key", ""},
	} {
		got := cli(args...)
		if got.code != exitUsage {
			t.Errorf("%q: exit code %d, want %d", args, got.code, exitUsage)
		}
		contains(t, got.stderr, want)
	}
	for _, command := range []string{"export", "fit", "search --id 1", "outliers", "duplicates", "sample", "info", "quality"} {
		args := strings.Fields(command)
		contains(t, cli(append(args, "")...).stderr, "COLLECTION is empty")
	}
}

// A refusal names the flag that is wrong, its limit, and the flags that help.
func TestRefusalsNameTheFlag(t *testing.T) {
	t.Chdir(t.TempDir())
	for args, parts := range map[string][]string{
		"search c --vector [1,NaN]":      {"--vector [1,NaN]"},
		"search c --vector nowhere.json": {"--vector", "nowhere.json"},
		`outliers c --record {"a":NaN}`:  {"--record", "JSON"},
		"search c --id 1 --recall 1.5":   {"--recall", "is 1.5; it must be above 0 and at most 1"},
		"import c . --recall 2":          {"--recall", "is 2; it must be above 0 and at most 1"},
		"duplicates c --threshold -1":    {"--threshold is -1; it must be 0 or more"},
		"serve --listen 0.0.0.0:6333":    {"--api-key", "--insecure"},
		"demo --listen 0.0.0.0:6333":     {"--api-key", "--no-serve"},
		"serve --listen 127.0.0.1:70000": {"70000", "0 to 65535"},
		"info --url ftp://host":          {"--url", "http://127.0.0.1:6333"},
		"health --url ftp://host":        {"--url", "http://127.0.0.1:6333"},
		"info --url 127.0.0.1:1":         {"127.0.0.1:1", "refused"},
		"health --url 127.0.0.1:1":       {"127.0.0.1:1", "refused"},
	} {
		contains(t, cli(strings.Fields(args)...).stderr, parts...)
	}
	if got := cli("demo", "--listen", "0.0.0.0:6333"); strings.Contains(got.stderr, "--insecure") {
		t.Errorf("demo names a flag it does not have:\n%s", got.stderr)
	}
	contains(t, cli("export", "--help").stdout, "--kind image --width", "--payload-columns")
}

func TestHelpIsNoError(t *testing.T) {
	root := (&app{}).root()
	for _, cmd := range append(root.Commands(), root) {
		args := strings.Fields(cmd.CommandPath() + " --help")[1:]
		got := cli(args...)
		if got.code != exitDone || !strings.Contains(got.stdout, "Usage:") || got.stderr != "" {
			t.Errorf("%q: exit code %d\n%s%s", args, got.code, got.stdout, got.stderr)
		}
	}
}

func TestHelpKeepsTheKeyToItself(t *testing.T) {
	t.Setenv("LATENTDB_API_KEY", "top-secret")
	if got := cli("serve", "--help"); strings.Contains(got.stdout, "top-secret") {
		t.Error("help prints the key of the environment")
	}
}

func TestFailures(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "none")
	for name, args := range map[string][]string{
		"no database":  {"info", "--data", missing},
		"no check":     {"check", "--data", missing},
		"no server":    {"info", "--url", "http://127.0.0.1:1"},
		"not ready":    {"health", "--url", "http://127.0.0.1:1"},
		"no such file": {"import", "c", missing, "--data", missing},
		"no record":    {"search", "c", "--record", missing, "--data", dir},
	} {
		if got := cli(args...); got.code != exitFailed || got.stderr == "" || strings.Contains(got.stderr, "--help") {
			t.Errorf("%s: exit code %d, want %d\n%s", name, got.code, exitFailed, got.stderr)
		}
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("a command that failed made a database")
	}
}

func TestOpenElsewhere(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"info", "check", "serve"} {
		args := []string{command, "--data", dir}
		if command == "serve" {
			args = append(args, "--listen", "127.0.0.1:0")
		}
		got := cli(args...)
		if got.code != exitFailed {
			t.Errorf("%s: exit code %d", command, got.code)
		}
		contains(t, got.stderr, "open in another process")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if got := cli("check", "--data", dir); got.code != exitDone {
		t.Errorf("after Close: exit code %d\n%s", got.code, got.stderr)
	}
}

func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	on := target{t, []string{"--data", dir}}
	importPeople(t, on, 40)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, args := range [][]string{{"info"}, {"fit", "people"}, {"check"}} {
		got := cliIn(ctx, "", append(args, on.flags...)...)
		if got.code != exitFailed {
			t.Errorf("%v: exit code %d", args, got.code)
		}
		contains(t, got.stderr, "interrupted")
	}
	contains(t, on.run("check"), "0 problems")
}

func TestVersion(t *testing.T) {
	defer func(was string) { release = was }(release)
	release = "1.2.3"
	contains(t, cli("version").stdout, "latentdb 1.2.3", runtime.GOOS)
	var v struct{ Version string }
	if err := json.Unmarshal([]byte(cli("version", "--json").stdout), &v); err != nil || v.Version != "1.2.3" {
		t.Errorf("version is %+v, error %v", v, err)
	}
	release = ""
	if version() == "" {
		t.Error("a build without a release has no version")
	}
}

func TestParseID(t *testing.T) {
	for text, want := range map[string]store.ID{
		"7":                                    store.NumID(7),
		"18446744073709551615":                 store.NumID(1<<64 - 1),
		`"7"`:                                  store.StringID("7"),
		"a7":                                   store.StringID("a7"),
		"-7":                                   store.StringID("-7"),
		"00000000-0000-0000-0000-000000000001": store.UUID([16]byte{15: 1}),
	} {
		if got, err := parseID(text); err != nil || got != want {
			t.Errorf("parseID(%s) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", `"`, `"a`, `""`} {
		if got, err := parseID(text); err == nil {
			t.Errorf("parseID(%s) = %v", text, got)
		}
	}
}
