package index

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestPoolModel keeps the least keys, in order, and says where each went.
func TestPoolModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.SampledFrom([]int{1, 2, 7, shiftWidth, shiftWidth + 3}).Draw(t, "width")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		var p pool
		p.reset(width)
		var want []key
		for range 2*width + 3 {
			k := poolKey(float32(r.IntN(50)), r.Uint32N(maxNodes))
			if slices.Contains(want, k) {
				continue
			}
			if k < p.bound() {
				if at := p.insert(k); p.keys[at] != k {
					t.Fatalf("key %x is not at place %d", k, at)
				}
			}
			want = append(want, k)
			slices.Sort(want)
			want = want[:min(len(want), width)]
			if !slices.Equal(p.keys, want) {
				t.Fatalf("pool %x, want %x", p.keys, want)
			}
		}
		p.keys[0] |= expanded
		for i, k := range p.found() {
			if k != makeKey(want[i].distance(), want[i].id()>>1) {
				t.Fatalf("found %x, pooled as %x", k, want[i])
			}
		}
	})
}
