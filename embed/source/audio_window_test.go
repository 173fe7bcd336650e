package source_test

import (
	"errors"
	"math"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
	"pgregory.net/rapid"
)

func TestWindows(t *testing.T) {
	const rate = 8000
	sound := chirp(rate, 2.3, 300, 3000)
	spec := source.Audio{Rate: rate, Window: 1, KeepSilence: true}
	var got []source.AudioWindow
	for w, err := range spec.Windows(wavOf(rate, 2, sound)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, w)
	}
	want := [][2]float64{{0, 1}, {.5, 1.5}, {1, 2}, {1.3, 2.3}}
	if len(got) != len(want) {
		t.Fatalf("%d windows, want %d", len(got), len(want))
	}
	fitted := fitAudio(t, spec)
	for i, w := range got {
		if w.Start != want[i][0] || w.End != want[i][1] || w.Whole {
			t.Errorf("window %d is %g to %g", i, w.Start, w.End)
		}
		cut := sound[int(w.Start*rate):int(w.End*rate)]
		if d := distance(rowOf(t, fitted, w.Record), rowOf(t, fitted, wavOf(rate, 1, cut))); d > .5 {
			t.Errorf("window %d is %g away from its samples", i, d)
		}
	}
	if name := got[3].Name("talk.mp3"); name != "talk.mp3#t=1.3,2.3" {
		t.Error(name)
	}
	for w, err := range spec.Windows(wavOf(rate, 1, sound[:4000])) { // shorter than a window
		if err != nil || w.Start != 0 || w.End != .5 || !w.Whole {
			t.Errorf("%g to %g, %v", w.Start, w.End, err)
		}
	}
	for _, err := range (source.Audio{}).Windows(wavOf(rate, 1, sound)) {
		if !errors.Is(err, source.ErrSpec) {
			t.Errorf("without a window: %v", err)
		}
	}
	for _, err := range spec.Windows([]byte("hello")) {
		if !errors.Is(err, source.ErrRecord) {
			t.Errorf("of no audio: %v", err)
		}
	}
}

// All of a recording is in its windows, and none is shorter than told if the recording
// is not.
func TestWindowsCover(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := source.Audio{Window: rapid.Float64Range(.1, 2).Draw(t, "window")}
		spec.Hop = spec.Window * rapid.Float64Range(.07, 1).Draw(t, "hop")
		n := rapid.IntRange(1, 4000).Draw(t, "samples")
		end, windows := 0., 0
		for w, err := range spec.Windows(wavOf(1000, 1, make([]float64, n))) {
			if err != nil {
				t.Fatal(err)
			}
			if w.Start > end+.002 || w.End <= end && windows > 0 {
				t.Fatalf("%g to %g after %g", w.Start, w.End, end)
			}
			if length := (len(w.Record) - 44) / 2; length != min(n, int(math.Round(1000*spec.Window))) {
				t.Fatalf("window of %d samples of %d", length, n)
			}
			end = w.End
			windows++
		}
		if math.Abs(end-float64(n)/1000) > 1e-9 {
			t.Fatalf("windows end at %g of %d samples", end, n)
		}
	})
}

// The warped distance is that of a plain recursion over all paths.
func TestWarp(t *testing.T) {
	const frames, k = 9, 4
	fitted := fitAudio(t, source.Audio{Frames: frames, Coefficients: k})
	warp := fitted.(source.Warper).Warp
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) []float32 {
			return rapid.SliceOfN(rapid.Float32Range(-9, 9), frames*k, frames*k).Draw(t, name)
		}
		a, b := draw("a"), draw("b")
		var least func(i, j int) float64
		known := map[[2]int]float64{}
		least = func(i, j int) float64 {
			if i < 0 && j < 0 {
				return 0
			}
			if i < 0 || j < 0 || i-j > 1 || j-i > 1 {
				return math.Inf(1)
			}
			if v, ok := known[[2]int{i, j}]; ok {
				return v
			}
			d := distance(a[i*k:(i+1)*k], b[j*k:(j+1)*k])
			v := min(least(i-1, j-1)+d*d, least(i-1, j)+d*d/1.5, least(i, j-1)+d*d/1.5)
			known[[2]int{i, j}] = v
			return v
		}
		want, got := math.Sqrt(least(frames-1, frames-1)), float64(warp(a, b))
		if math.Abs(got-want) > 1e-4*(1+want) {
			t.Fatalf("got %g, want %g", got, want)
		}
		if other := float64(warp(b, a)); math.Abs(other-got) > 1e-4*(1+got) {
			t.Fatalf("%g one way, %g the other", got, other)
		}
		if got > distance(a, b)*(1+1e-5) || warp(a, a) != 0 {
			t.Fatalf("%g, straight %g, to itself %g", got, distance(a, b), warp(a, a))
		}
	})
	if v := warp(make([]float32, 3), make([]float32, 3)); v == v {
		t.Errorf("short rows: %g", v)
	}
}
