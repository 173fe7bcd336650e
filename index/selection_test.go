package index

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestSelection offers keys in every order of a sorted list and keeps the least.
func TestSelection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(1, 300).Draw(t, "k")
		keys := rapid.SliceOfNDistinct(rapid.Uint64Range(0, 1<<40), 0, 2000, rapid.ID).Draw(t, "keys")
		switch rapid.IntRange(0, 2).Draw(t, "order") {
		case 0:
			slices.Sort(keys)
		case 1:
			slices.Sort(keys)
			slices.Reverse(keys)
		}
		var s selection
		s.reset(k)
		for i, k64 := range keys {
			s.offer(key(k64))
			if i%50 == 0 {
				s.tighten()
			}
			if s.full() != (i+1 >= k) {
				t.Fatalf("full is %v after %d of %d keys", s.full(), i+1, k)
			}
		}
		got := s.sorted()
		slices.Sort(keys)
		if len(got) != min(k, len(keys)) {
			t.Fatalf("%d keys, want %d", len(got), min(k, len(keys)))
		}
		for i := range got {
			if got[i] != key(keys[i]) {
				t.Fatalf("key %d is %d, want %d", i, got[i], keys[i])
			}
		}
	})
}
