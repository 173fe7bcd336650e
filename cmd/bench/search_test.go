package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/latentdb/latentdb/embed"
)

func TestExactNeighbours(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	base, asked := embed.NewMatrix(3000, 7), embed.NewMatrix(300, 7)
	for i := range base.Data {
		base.Data[i] = float32(rng.IntN(4)) // few values: equal distances abound
	}
	for i := range asked.Data {
		asked.Data[i] = float32(rng.IntN(4)) + .25*rng.Float32()
	}
	copy(embed.Row(base, 2999), embed.Row(base, 0))
	copy(embed.Row(asked, 0), embed.Row(base, 0))
	const k = 5
	for q, got := range exactNeighbours(base, asked, k) {
		distances := make([]float64, base.Rows)
		for i := range distances {
			for j, x := range embed.Row(base, i) {
				d := float64(x) - float64(embed.Row(asked, q)[j])
				distances[i] += d * d
			}
		}
		sorted := slices.Sorted(slices.Values(distances))
		var want []int32
		for i, d := range distances {
			if d <= sorted[k-1]*(1+1e-6) {
				want = append(want, int32(i))
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("query %d: %v, want %v", q, got, want)
		}
	}
}

func TestRecallOf(t *testing.T) {
	truth := [][]int32{{1, 2, 3}, {4, 5}} // 2 and 3 are equally far
	if got := recallOf(truth, []int32{1, 3, 9, -1}, 2); got != .5 {
		t.Errorf("recall %v, want 0.5", got)
	}
}

func TestRateAt(t *testing.T) {
	points := []point{
		{0, .90, 1000}, {1, .98, 100},
		{2, .95, 90}, // slower than one that finds more
	}
	for _, c := range []struct{ recall, want float64 }{
		{.80, 1000}, {.90, 1000}, {.94, math.Sqrt(1000 * 100)}, {.98, 100},
	} {
		if got := rateAt(points, c.recall); got == nil || math.Abs(*got-c.want) > 1e-6 {
			t.Errorf("at %v: %v, want %v", c.recall, got, c.want)
		}
	}
	if got := rateAt(points, .99); got != nil {
		t.Errorf("beyond the curve: %v", *got)
	}
}

func TestAround(t *testing.T) {
	var curve []point
	for i, r := range []float64{.5, .6, .9, .96, .97, .98, .995} {
		curve = append(curve, point{knob: i, recall: r})
	}
	if got := around(curve, []float64{.95, .99}); !slices.Equal(got, []int{1, 2, 3, 4, 5, 6}) {
		t.Errorf("knobs %v", got)
	}
}
