package main

import (
	"os"
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
