package store

import (
	"slices"
	"testing"

	"github.com/latentdb/latentdb/index"
)

func TestRecentChanges(t *testing.T) {
	var r recentChanges
	change := func(slot uint32, seq uint64) { r.add(map[uint32]slotChange{slot: {seq: seq}}) }
	change(3, 10)
	change(4, 11)
	for _, test := range []struct {
		slot  uint32
		since uint64
		want  bool
	}{{3, 9, false}, {3, 10, true}, {4, 10, false}, {5, 0, true}} {
		if got := r.spare([]index.Hit{{Slot: 1}, {Slot: test.slot}}, test.since); got != test.want {
			t.Errorf("slot %d since %d: %v", test.slot, test.since, got)
		}
	}
	for i := range uint64(recentSlots) {
		change(100, 12+i)
	}
	if r.spare(nil, 10) {
		t.Error("a change after 10 is forgotten, and not told")
	}
	if !r.spare([]index.Hit{{Slot: 3}}, 11) || r.spare([]index.Hit{{Slot: 100}}, 11) {
		t.Error("changes after 11 are all here")
	}
}

// TestSearchesBesideOtherChanges: an answer is from memory where other points than those
// found changed meanwhile, and is not where one of them did.
func TestSearchesBesideOtherChanges(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	vectors := curved(5, 300, 8)
	mustUpsert(t, c, numbered(vectors)...)
	mustFit(t, c)
	for changed, want := range map[uint64]bool{7: false, 299: true} {
		q := Query{Vector: vectors[7], Limit: 3, OmitPayload: true}
		s := &search{memory: new(searchMemory), c: c, q: q.withDefaults(c.Config()), shown: c.showing.Load(), published: c.published.Load(), gen: c.active.Load()}
		if err := s.prepare(ctx); err != nil {
			t.Fatal(err)
		}
		hits, err := s.candidates(ctx)
		if err != nil || len(hits) < 3 {
			t.Fatal(hits, err)
		}
		hits = hits[:3]
		moved := slices.Clone(vectors[changed])
		moved[0]++
		mustUpsert(t, c, Point{ID: NumID(changed), Vector: moved})
		if got := s.fromMemory(hits); got != want {
			t.Errorf("point %d changed: from memory %v, want %v", changed, got, want)
		}
	}
}
