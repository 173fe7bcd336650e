package store

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestModelUndo is TestModel among copies, with little but deduplications and their undoing.
func TestModelUndo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		withMachine(t, func(m *machine) map[string]func(*rapid.T) {
			m.upsert(t)
			return map[string]func(*rapid.T){
				"upsert": m.upsert, "copy": m.copy, "copies": m.copy, "deduplicate": m.deduplicate, "undo": m.undoDeduplicate,
				"index": m.index, "count": m.count, "search": m.searchExact, "fit": m.fit,
			}
		})
	})
}

// copy gives ids, which may be new, the vector of a point that is there.
func (m *machine) copy(t *rapid.T) {
	of, ok := m.points[rapid.SampledFrom(modelIDs).Draw(t, "of")]
	if !ok {
		return
	}
	for _, id := range drawIDs(t) {
		p := modelPoint{of.vector, drawPayload(t)}
		if err := m.c.Upsert(ctx, Point{ID: id, Vector: p.vector, Payload: p.payload}); err != nil {
			t.Fatal(err)
		}
		m.points[id] = p
	}
}

// forgetUndo follows a switch of generations, if there was one.
func (m *machine) forgetUndo(before *generation) {
	if m.c.active.Load().number != before.number {
		m.undo = 0
	}
}

// deduplicate removes copies, with or without an undo.
func (m *machine) deduplicate(t *rapid.T) {
	threshold := rapid.SampledFrom([]float64{0, 0.5, 2}).Draw(t, "threshold")
	q := DuplicateQuery{Threshold: &threshold, NoUndo: rapid.IntRange(0, 4).Draw(t, "forgo") == 0}
	if m.c.active.Load().fitted == nil {
		return // nothing decided the size yet
	}
	before := m.c.active.Load()
	done, err := m.c.Deduplicate(ctx, q, false)
	if err != nil {
		t.Fatal(err)
	}
	m.forgetUndo(before)
	removed := make(map[ID]modelPoint)
	for _, r := range done.Removed {
		if _, ok := m.points[r.Kept]; !ok {
			t.Fatalf("%s was kept, and is not there", r.Kept)
		}
		removed[r.ID] = m.points[r.ID]
		delete(m.points, r.ID)
	}
	if (done.Undo != 0) != (len(removed) > 0 && !q.NoUndo) {
		t.Fatalf("undo %d of %d removed points", done.Undo, len(removed))
	}
	if done.Undo != 0 {
		m.undo, m.removed = done.Undo, removed
	}
}

// undoDeduplicate puts back what the last deduplication removed, but for ids that exist.
func (m *machine) undoDeduplicate(t *rapid.T) {
	id := m.undo
	if id == 0 {
		id = 1 << 40
	}
	done, err := m.c.UndoDeduplicate(ctx, id)
	if errors.Is(err, ErrNotFound) && (m.undo == 0 || !m.opts.NoAutoFit) {
		m.undo = 0
		return
	}
	if err != nil || m.undo == 0 {
		t.Fatalf("undo %d of %d: %+v, %v", id, m.undo, done, err)
	}
	var restored, skipped []ID
	for _, id := range slices.SortedFunc(maps.Keys(m.removed), ID.Compare) {
		if _, exists := m.points[id]; exists {
			skipped = append(skipped, id)
			continue
		}
		restored = append(restored, id)
		m.points[id] = m.removed[id]
	}
	if !slices.Equal(done.Restored, restored) || !slices.Equal(done.Skipped, skipped) || done.Undo != id {
		t.Fatalf("undone %+v, want %v restored and %v skipped", done, restored, skipped)
	}
	m.undo = 0
	m.scroll(t)
	m.count(t)
}
