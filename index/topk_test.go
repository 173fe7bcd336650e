package index

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// distances include both zeros, both infinities and ties.
var distances = rapid.OneOf(
	rapid.SampledFrom([]float32{
		0, float32(math.Copysign(0, -1)), 1, -1, math.MaxFloat32, -math.MaxFloat32,
		float32(math.Inf(1)), float32(math.Inf(-1)), math.SmallestNonzeroFloat32,
	}),
	rapid.Float32(),
)

func TestTopKModel(t *testing.T) {
	hits := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Hit {
		return Hit{rapid.Uint32().Draw(t, "slot"), distances.Draw(t, "distance")}
	}), 0, 60)
	rapid.Check(t, func(t *rapid.T) {
		all := hits.Draw(t, "hits")
		k := rapid.IntRange(-1, 20).Draw(t, "k")
		top := NewTopK(k)
		for i, h := range all {
			kept := top.Push(h)
			want := slices.SortedFunc(slices.Values(all[:i+1]), Hit.Compare)
			want = want[:min(max(k, 0), len(want))]
			if top.Len() != len(want) || top.Full() != (len(want) >= k) {
				t.Fatalf("%d kept of %d, full %v", top.Len(), i+1, top.Full())
			}
			if far, ok := top.Farthest(); ok && far.Compare(want[len(want)-1]) != 0 {
				t.Fatalf("farthest is %v of %v", far, want)
			}
			if inside := slices.ContainsFunc(want, func(o Hit) bool { return o.Compare(h) == 0 }); kept && !inside {
				t.Fatalf("kept %v, which is not in %v", h, want)
			}
		}
		want := slices.SortedFunc(slices.Values(all), Hit.Compare)
		want = want[:min(max(k, 0), len(want))]
		if got := top.AppendTo(nil); slices.CompareFunc(got, want, Hit.Compare) != 0 || top.Len() != 0 {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestTopKRefusesNaN(t *testing.T) {
	top := NewTopK(3)
	if top.Push(Hit{1, float32(math.NaN())}) || top.Len() != 0 {
		t.Error("kept a hit at distance NaN")
	}
}

func TestTopKReset(t *testing.T) {
	top := NewTopK(2)
	top.Push(Hit{1, 1})
	top.Reset(1)
	top.Push(Hit{2, 5})
	top.Push(Hit{3, 4})
	if got := top.AppendTo(nil); !slices.Equal(got, []Hit{{3, 4}}) {
		t.Errorf("got %v", got)
	}
}

func TestKeyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Hit{rapid.Uint32().Draw(t, "a"), distances.Draw(t, "da")}
		b := Hit{rapid.Uint32().Draw(t, "b"), distances.Draw(t, "db")}
		x, y := makeKey(a.Distance, a.Slot), makeKey(b.Distance, b.Slot)
		if (x < y) != (a.Compare(b) < 0) || (x > y) != (a.Compare(b) > 0) {
			t.Fatalf("%v and %v compare as %d, their keys are %x and %x", a, b, a.Compare(b), x, y)
		}
		if x.hit() != a {
			t.Fatalf("%v came back as %v", a, x.hit())
		}
	})
}
