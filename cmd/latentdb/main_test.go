package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/api"
	"github.com/latentdb/latentdb/store"
)

// outcome is what a command left behind.
type outcome struct {
	code           int
	stdout, stderr string
}

// cli runs one command line in this process.
func cli(args ...string) outcome { return cliIn(context.Background(), "", args...) }

func cliIn(ctx context.Context, stdin string, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	code := run(ctx, args, strings.NewReader(stdin), &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

// target runs commands on a database: a directory or a server.
type target struct {
	t     *testing.T
	flags []string
}

// eachTarget runs a test on a directory and on a server over an empty database.
func eachTarget(t *testing.T, test func(t *testing.T, on target)) {
	t.Run("local", func(t *testing.T) {
		test(t, target{t, []string{"--data", t.TempDir()}})
	})
	t.Run("remote", func(t *testing.T) {
		db, err := store.OpenTemp(&store.Options{NoAutoFit: true})
		if err != nil {
			t.Fatal(err)
		}
		s := httptest.NewServer(api.New(db, api.Config{APIKey: "secret"}).Handler())
		t.Cleanup(func() {
			s.Close()
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		test(t, target{t, []string{"--url", s.URL, "--api-key", "secret"}})
	})
}

// run runs a command that must succeed, and gives its standard output.
func (on target) run(args ...string) string {
	on.t.Helper()
	got := cli(append(args, on.flags...)...)
	if got.code != exitDone {
		on.t.Fatalf("%q: exit code %d\n%s%s", args, got.code, got.stdout, got.stderr)
	}
	return got.stdout
}

// fails runs a command that must fail, and gives its standard error.
func (on target) fails(args ...string) string {
	on.t.Helper()
	got := cli(append(args, on.flags...)...)
	if got.code != exitFailed || got.stderr == "" {
		on.t.Fatalf("%q: exit code %d, want %d with a reason\n%s%s", args, got.code, exitFailed, got.stdout, got.stderr)
	}
	return got.stderr
}

// json runs a command with --json, which must print exactly one value.
func (on target) json(into any, args ...string) {
	on.t.Helper()
	out := on.run(append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		on.t.Fatalf("%q printed %q: %v", args, out, err)
	}
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in:\n%s", part, text)
		}
	}
}

// writeFile writes a file of the test's own and gives its path.
func writeFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// peopleCSV is a table of people whose columns hang together: income follows
// age. The first is strange, and the last repeats the one before it.
func peopleCSV(rows int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	_ = w.Write([]string{"email", "age", "income", "city", "note"})
	cities := []string{"Oslo", "Bergen", "Tromsø"}
	for i := range rows {
		age := 20 + rng.Float64()*50
		row := []string{
			fmt.Sprintf("p%03d@example.com", i),
			strconv.FormatFloat(age, 'f', 3, 64),
			strconv.FormatFloat(1000*age+rng.NormFloat64()*500, 'f', 2, 64),
			cities[int(age)%3], "row " + strconv.Itoa(i),
		}
		if i == 0 {
			row[1], row[2] = "21", "900000"
		}
		_ = w.Write(row)
		if i == rows-1 {
			row[0] = "again@example.com"
			_ = w.Write(row)
		}
	}
	w.Flush()
	return out.Bytes()
}

// spot is a picture of a bright spot, which two numbers tell.
func spot(side int, x, y float64) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, side, side))
	for i := range side {
		for j := range side {
			d := (float64(j)-x)*(float64(j)-x) + (float64(i)-y)*(float64(i)-y)
			img.SetGray(j, i, color.Gray{Y: uint8(255 / (1 + d))})
		}
	}
	return img
}

func encodePNG(t *testing.T, img image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func decodePNG(t *testing.T, data []byte) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return img
}
