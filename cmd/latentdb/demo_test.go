package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/latentdb/latentdb/cmd/latentdb/internal/mnist"
	"github.com/latentdb/latentdb/store"
)

// TestDemo runs the demo on a tenth of its digits.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("trains a model")
	}
	digits, err := mnist.Load()
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.OpenTemp(&store.Options{NoAutoFit: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	var stdout, stderr bytes.Buffer
	a := &app{stdout: &stdout, stderr: &stderr}
	out := filepath.Join(t.TempDir(), "sheet.png")
	if err := a.runDemo(context.Background(), db, digits[:1000], 1, out); err != nil {
		t.Fatal(err)
	}
	contains(t, stdout.String(), "1,000 handwritten digits", "PCA", "pixels", out)
	contains(t, stderr.String(), "load: 1000 digits", "fit: ")
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if height := decodePNG(t, data).Bounds().Dy(); height < 1000 {
		t.Errorf("the picture is %d pixels high", height)
	}
}

func TestDemoLeavesADirectoryInUseAlone(t *testing.T) {
	dir := t.TempDir()
	on := target{t, []string{"--data", dir}}
	on.run("import", demoCollection, writeFile(t, "points.npy", npy(4, 3, circle)))
	got := cli("demo", "--no-serve", "--data", dir, "--out", filepath.Join(dir, "sheet.png"))
	if got.code != exitFailed {
		t.Errorf("exit code %d, want %d", got.code, exitFailed)
	}
	contains(t, got.stderr, "holds a collection")
}

func TestPixelNeighboursAreTheNearest(t *testing.T) {
	digits, err := mnist.Load()
	if err != nil {
		t.Fatal(err)
	}
	digits = digits[:300]
	for i, got := range pixelNeighbours(digits) {
		q := i * demoEvery
		distance := func(n int) int {
			sum := 0
			for p := range digits[q].Pixels {
				d := int(digits[q].Pixels[p]) - int(digits[n].Pixels[p])
				sum += d * d
			}
			return sum
		}
		var all []int
		for n := range digits {
			if n != q {
				all = append(all, n)
			}
		}
		slices.SortStableFunc(all, func(x, y int) int { return distance(x) - distance(y) })
		if !slices.Equal(got, all[:demoVotes]) {
			t.Fatalf("nearest to %d are %v, want %v", q, got, all[:demoVotes])
		}
	}
}

func TestVote(t *testing.T) {
	digits := []mnist.Digit{{Label: 3}, {Label: 5}, {Label: 5}, {Label: 3}, {Label: 8}}
	for _, c := range []struct {
		neighbours []int
		want       uint8
	}{
		{[]int{4}, 8}, {[]int{0, 1}, 3}, {[]int{1, 0}, 5}, {[]int{4, 0, 1, 2}, 5}, {[]int{4, 1, 0, 3, 2}, 5},
	} {
		if got := vote(digits, c.neighbours); got != c.want {
			t.Errorf("vote of %v is %d, want %d", c.neighbours, got, c.want)
		}
	}
}
