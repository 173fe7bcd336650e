package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/latentdb/latentdb/"

// layers is who may import whom inside the module. A package stands for itself
// and what is below it.
var layers = map[string][]string{
	"embed":        {"embed"},
	"index":        {"index"},
	"store":        {"store", "index", "embed"},
	"api":          {"api", "store", "index", "embed"},
	"cmd/latentdb": {"cmd/latentdb", "api", "store", "index", "embed"},
	"cmd/bench":    {"cmd/bench", "store", "index", "embed"},
}

// narrower are packages that may import less than the layer they are in.
var narrower = map[string][]string{
	"embed/source/codecs":            {"embed/source"},
	"embed/source/cells":             {},
	"store/bulk":                     {"embed/source/cells"},
	"store/bulk/parquet":             {"store/bulk"},
	"cmd/latentdb/internal/client":   {},
	"cmd/latentdb/internal/mnist":    {},
	"cmd/latentdb/internal/progress": {},
	"cmd/latentdb/internal/sheet":    {},
}

// heavy must not reach a program that embeds the store.
var heavy = []string{
	"github.com/labstack/", "github.com/spf13/", "github.com/prometheus/", "github.com/schollz/",
	"golang.org/x/image/font", "golang.org/x/image/tiff", "golang.org/x/image/webp",
	"github.com/mewkiz/", "github.com/parquet-go/", "github.com/klauspost/", "github.com/hajimehoshi/", module + "embed/source/codecs",
	"net/http", module + "api", module + "cmd",
}

func TestLayering(t *testing.T) {
	for _, line := range goList(t, "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...") {
		imports := strings.Fields(line)
		name := strings.TrimPrefix(imports[0], module)
		allowed, known := allowedFor(name)
		if !known {
			t.Errorf("package %s stands in no layer", name)
		}
		for _, path := range imports[1:] {
			inner, ours := strings.CutPrefix(path, module)
			if ours && !slices.ContainsFunc(allowed, func(layer string) bool { return within(inner, layer) }) {
				t.Errorf("%s must not import %s", name, inner)
			}
		}
	}
}

// embed never imports its sub-package for sources, which imports embed.
func TestEmbedDoesNotKnowSources(t *testing.T) {
	if slices.Contains(goList(t, "-deps", module+"embed"), module+"embed/source") {
		t.Error("embed must not import embed/source")
	}
}

func TestEmbeddedProgramStaysLight(t *testing.T) {
	for _, path := range goList(t, "-deps", module+"store", module+"embed/source") {
		if slices.ContainsFunc(heavy, func(h string) bool { return strings.HasPrefix(path, h) }) {
			t.Errorf("a program that imports only store and embed/source gets %s", path)
		}
	}
}

// Formats of others are for the binary: it has all of them.
func TestBinaryHasAllCodecs(t *testing.T) {
	deps := goList(t, "-deps", module+"cmd/latentdb")
	for _, codecs := range []string{"embed/source/codecs", "store/bulk/parquet"} {
		if !slices.Contains(deps, module+codecs) {
			t.Errorf("the binary must import %s", codecs)
		}
	}
}

// Who reads files gets Parquet's libraries only by importing store/bulk/parquet.
func TestFilesStayLight(t *testing.T) {
	for _, path := range goList(t, "-deps", module+"store/bulk", module+"api") {
		if strings.HasPrefix(path, "github.com/parquet-go/") || path == module+"store/bulk/parquet" {
			t.Errorf("a program that imports only store/bulk or api gets %s", path)
		}
	}
}

func allowedFor(name string) ([]string, bool) {
	if allowed, ok := narrower[name]; ok {
		return allowed, true
	}
	for layer, allowed := range layers {
		if within(name, layer) {
			return allowed, true
		}
	}
	return nil, false
}

// within tells whether a package is a layer or below it.
func within(name, layer string) bool {
	return name == layer || strings.HasPrefix(name, layer+"/")
}

func goList(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
