package main

import (
	"strings"
	"testing"
)

// TestDropOriginals imports a table that is not kept once it is fitted, reads it back, and
// adds to it.
func TestDropOriginals(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		file := writeFile(t, "people.csv", peopleCSV(150))
		args := []string{"import", "people", file, "--id-column", "email", "--payload-columns", "note", "--drop-originals"}
		on.run(args...)
		contains(t, on.run("info", "people"), "stay until the first fit")
		contains(t, on.run("fit", "people", "--epochs", "1"), "in top 10, decoded")
		contains(t, on.run("info", "people"), "given up")
		if lines := strings.Count(on.run("export", "people"), "\n"); lines < 150 {
			t.Errorf("%d lines are exported", lines)
		}
		contains(t, on.run("search", "people", "--id", "p002@example.com", "--explain", "--space", "input"), "latents decode to")
		if out := on.run(args...); strings.Contains(out, "latentdb fit") {
			t.Errorf("it proposes a fit, which is refused:\n%s", out)
		}
		if got := cli(append([]string{"fit", "people"}, on.flags...)...); got.code != exitFailed {
			t.Errorf("a second fit: exit code %d", got.code)
		} else {
			contains(t, got.stderr, "the originals are dropped")
		}
	})
}
