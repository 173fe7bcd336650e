package main

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// lockedBuffer is a buffer that is read while a server writes to it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

var servedAt = regexp.MustCompile(`serves .* on (http://\S+)`)

// serving runs a command that serves, and gives the address it names and a
// function that stops it and gives its exit code.
func serving(t *testing.T, args ...string) (url string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stderr, code := &lockedBuffer{}, make(chan int, 1)
	go func() { code <- run(ctx, args, strings.NewReader(""), &bytes.Buffer{}, stderr) }()
	stop = func() int {
		cancel()
		return <-code
	}
	for range 600 {
		if found := servedAt.FindStringSubmatch(stderr.String()); found != nil {
			return found[1], stop
		}
		select {
		case c := <-code:
			t.Fatalf("%q ended with exit code %d\n%s", args, c, stderr)
		case <-time.After(50 * time.Millisecond):
		}
	}
	stop()
	t.Fatalf("%q names no address:\n%s", args, stderr)
	return "", nil
}

func TestServe(t *testing.T) {
	dir := t.TempDir()
	url, stop := serving(t, "serve", "--data", dir, "--listen", "127.0.0.1:0", "--api-key", "secret")
	contains(t, cli("health", "--url", url).stdout, "ready")
	contains(t, cli("health", "--url", url, "--json").stdout, `"status":"ready"`)
	if got := cli("info", "--url", url); got.code != exitFailed || !strings.Contains(got.stderr, "key") {
		t.Errorf("without a key: exit code %d\n%s", got.code, got.stderr)
	}
	t.Setenv("LATENTDB_API_KEY", "secret")
	file := writeFile(t, "points.npy", npy(20, 4, circle))
	if got := cli("import", "points", file, "--url", url); got.code != exitDone {
		t.Errorf("import: exit code %d\n%s", got.code, got.stderr)
	}
	if code := stop(); code != exitDone {
		t.Errorf("a server that was stopped ends with %d", code)
	}
	if got := cli("health", "--url", url); got.code != exitFailed {
		t.Errorf("health of a server that is gone: exit code %d", got.code)
	}
	contains(t, cli("check", "--data", dir).stdout, "1 collections, 20 points, 0 problems")
}

func TestServeByEnvironment(t *testing.T) {
	t.Setenv("LATENTDB_DATA", t.TempDir())
	t.Setenv("LATENTDB_LISTEN", "127.0.0.1:0")
	url, stop := serving(t, "serve")
	t.Setenv("LATENTDB_LISTEN", strings.TrimPrefix(url, "http://"))
	if got := cli("health"); got.code != exitDone {
		t.Errorf("health: exit code %d\n%s", got.code, got.stderr)
	}
	if got := cli("serve", "--data", t.TempDir()); got.code != exitFailed || !strings.Contains(got.stderr, "in use") {
		t.Errorf("a second server on the address: exit code %d\n%s", got.code, got.stderr)
	}
	if code := stop(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
}

// Where a server listens on every interface, that is what it says.
func TestServeNamesWhereItListens(t *testing.T) {
	url, stop := serving(t, "serve", "--data", t.TempDir(), "--listen", "0.0.0.0:0", "--insecure")
	if !strings.HasPrefix(url, "http://0.0.0.0:") || strings.HasSuffix(url, ":0") {
		t.Errorf("it says %s", url)
	}
	if got := cli("health", "--url", strings.Replace(url, "0.0.0.0", "127.0.0.1", 1)); got.code != exitDone {
		t.Errorf("health: exit code %d\n%s", got.code, got.stderr)
	}
	if code := stop(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
}

func TestLocalURL(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:6333": "http://127.0.0.1:6333",
		"0.0.0.0:6333":   "http://127.0.0.1:6333",
		":6333":          "http://127.0.0.1:6333",
		"[::]:6333":      "http://127.0.0.1:6333",
		"[::1]:6333":     "http://[::1]:6333",
		"db.local:80":    "http://db.local:80",
	} {
		if got := localURL(listen); got != want {
			t.Errorf("localURL(%s) = %s, want %s", listen, got, want)
		}
	}
}
