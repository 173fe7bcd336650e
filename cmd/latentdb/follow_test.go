package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/store"
)

// Questions about all points tell on standard error how far they are, in plain lines, and
// nothing of it on standard output.
func TestQuestionsTellProgress(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		on.run("import", "people", writeFile(t, "people.csv", peopleCSV(120)), "--id-column", "email")
		for _, q := range []struct {
			args  []string
			label string
		}{
			{[]string{"outliers", "people"}, "outliers: "},
			{[]string{"duplicates", "people"}, "duplicates: "},
			{[]string{"duplicates", "people", "--keep", "newest", "--filter", `{"must_not":[{"has_id":["p001@example.com"]}]}`, "--dry-run"}, "deduplicate: "},
		} {
			args := slices.Concat(q.args, on.flags)
			first, again := cli(args...), cli(args...)
			if first.code != exitDone || first.stdout != again.stdout || strings.Contains(first.stdout, q.label) {
				t.Errorf("%q: exit code %d\n%s\nand then\n%s", q.args, first.code, first.stdout, again.stdout)
			}
			contains(t, first.stderr, q.label, " points\n")
			for line := range strings.Lines(first.stderr) {
				if !strings.HasPrefix(line, q.label) || strings.ContainsAny(line, "\r\x1b") {
					t.Errorf("%q: %q on standard error", q.args, line)
				}
			}
		}
	})
}

func TestReportTellsItsParts(t *testing.T) {
	on := target{t, []string{"--data", t.TempDir()}}
	on.run("import", "people", writeFile(t, "people.csv", peopleCSV(120)), "--id-column", "email")
	on.run("fit", "people", "--dim", "2")
	got := cli(append([]string{"report", "people", "-o", filepath.Join(t.TempDir(), "r.html")}, on.flags...)...)
	contains(t, got.stderr, "report: map\n", "report: outliers\n", "report: duplicates\n", "report: samples\n")
}

// stopAt is standard error of someone who presses Ctrl-C at the first word of progress.
type stopAt struct {
	bytes.Buffer
	word string
	stop context.CancelFunc
}

func (s *stopAt) Write(p []byte) (int, error) {
	if strings.Contains(string(p), s.word) {
		s.stop()
	}
	return s.Buffer.Write(p)
}

// interrupted runs a command that is stopped at a word.
func interrupted(t *testing.T, word string, args ...string) outcome {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var stdout bytes.Buffer
	stderr := &stopAt{word: word, stop: stop}
	code := run(ctx, args, strings.NewReader(""), &stdout, stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

// Ctrl-C hangs up on a server, which then gives the work up.
func TestInterruptedQuestion(t *testing.T) {
	left := make(chan bool, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "event: progress\ndata: {\"stage\":\"search\",\"done\":1,\"total\":9}\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		left <- true
	}))
	defer server.Close()
	for _, command := range []string{"duplicates", "outliers"} {
		got := interrupted(t, command+": search, 1 of 9 points", command, "people", "--url", server.URL)
		if got.code != exitFailed || got.stdout != "" || !strings.HasSuffix(got.stderr, "latentdb: interrupted\n") {
			t.Errorf("%s: exit code %d\n%s%s", command, got.code, got.stdout, got.stderr)
		}
		<-left
	}
}

// In a directory, what is said of an interrupted deduplication is what became of it: it
// had ended all the same, or nothing is removed.
func TestInterruptedDeduplication(t *testing.T) {
	on := target{t, []string{"--data", t.TempDir()}}
	on.run("import", "people", writeFile(t, "people.csv", peopleCSV(120)), "--id-column", "email")
	got := interrupted(t, "deduplicate: ", append([]string{"duplicates", "people", "--threshold", "0", "--delete"}, on.flags...)...)
	removed := 0
	switch {
	case got.code == exitDone && strings.Contains(got.stdout, "1 of 121 points removed"):
		removed = 1
	case got.code != exitFailed || got.stdout != "" || !strings.HasSuffix(got.stderr, "latentdb: interrupted\n"):
		t.Fatalf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	var left store.Duplicates
	if on.json(&left, "duplicates", "people"); left.Points != 121-removed {
		t.Errorf("%d points are left, %d are said to be removed", left.Points, removed)
	}
}
