package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadmeCode keeps the README's Go code the body of a tested Example.
func TestReadmeCode(t *testing.T) {
	between := func(path, from, to string) []string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, found := strings.Cut(string(text), from)
		part, _, ends := strings.Cut(rest, to)
		if !found || !ends {
			t.Fatalf("%s has no part from %q to %q", path, from, to)
		}
		var lines []string
		for line := range strings.Lines(part) {
			lines = append(lines, strings.TrimSpace(line))
		}
		return lines
	}
	readme := strings.Join(between("../../README.md", "```go\n", "```"), "\n")
	example := strings.Join(between("../../store/example_test.go", "func Example() {\n", "\t// Output:"), "\n")
	if strings.TrimSpace(readme) != strings.TrimSpace(example) {
		t.Errorf("the README's code is\n%s\n\nthe Example's\n%s", readme, example)
	}
}

// docPrelude declares what the Go code of the documentation's pages takes as given.
const docPrelude = `package doccode

import (
	"context"
	"fmt"
	"image"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

var (
	ctx                                            context.Context
	wavBytes, flacBytes, mp3Bytes                  []byte
	jpegBytes, pngBytes, otherBytes, png           []byte
	digits, questions                              *store.Collection
	_, _, _                                        = fmt.Println, image.Rect, source.Text{}
)
`

// TestDocCode compiles the Go code of the documentation's pages, each page's as the body of
// one function.
func TestDocCode(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	code, found := docPrelude, 0
	for i, page := range pages {
		if body := docCode(t, page); body != "" {
			code += fmt.Sprintf("\nfunc page%d() {\n%s}\n", i, body)
			found++
		}
	}
	if found < 9 {
		t.Fatalf("only %d pages have code", found)
	}
	path := filepath.Join(t.TempDir(), "code.go")
	if err := os.WriteFile(path, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	at, err := filepath.Abs("internal/doccode/code.go") // which is not there
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{at: path}})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-overlay", list, "-o", os.DevNull, "./internal/doccode").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\nof\n%s", err, out, code)
	}
}

// docCode is the Go code of a page without its imports; what it declares counts as used.
func docCode(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var body strings.Builder
	inCode := false
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(line, "```"):
			inCode = strings.HasPrefix(line, "```go")
		case inCode && !strings.HasPrefix(line, "import "):
			body.WriteString(line)
		}
	}
	if body.Len() == 0 {
		return ""
	}
	file, err := parser.ParseFile(token.NewFileSet(), page, "package p\nfunc f() {\n"+body.String()+"}", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range file.Decls[0].(*ast.FuncDecl).Body.List {
		assign, ok := statement.(*ast.AssignStmt)
		if !ok || assign.Tok != token.DEFINE {
			continue
		}
		for _, left := range assign.Lhs {
			if name := left.(*ast.Ident).Name; name != "_" {
				fmt.Fprintf(&body, "_ = %s\n", name)
			}
		}
	}
	return body.String()
}
