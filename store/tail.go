package store

import (
	"sync"

	"github.com/latentdb/latentdb/index"
)

// maxTail is how many changes may wait for the indexer before writers do.
const maxTail = 8192

// tailEntry is a change that the index does not hold yet: a new row, or none
// for a deleted point.
type tailEntry struct {
	seq uint64
	row []float32
}

// tail is a generation's changes since its index: searched exactly, and
// masking what the index says of the same slots.
type tail struct {
	mu      sync.RWMutex
	entries map[uint32]tailEntry
	// through is the last change that entered.
	through uint64
}

func newTail() *tail {
	return &tail{entries: make(map[uint32]tailEntry)}
}

func (t *tail) put(slot uint32, e tailEntry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries[slot] = e
}

// close says that every change up to seq has entered.
func (t *tail) close(seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.through = max(t.through, seq)
}

func (t *tail) size() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.entries)
}

// row is what a slot changed to, nil for a point that is gone, where the tail knows of it.
func (t *tail) row(slot uint32) (row []float32, known bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e, known := t.entries[slot]
	return e.row, known
}

// pending copies the entries and tells through which change they reach.
func (t *tail) pending() (map[uint32]tailEntry, uint64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	out := make(map[uint32]tailEntry, len(t.entries))
	for s, e := range t.entries {
		out[s] = e
	}
	return out, t.through
}

// drop removes entries that the index now holds, but not those that changed
// again meanwhile.
func (t *tail) drop(done map[uint32]tailEntry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s, e := range done {
		if t.entries[s].seq == e.seq {
			delete(t.entries, s)
		}
	}
	if len(t.entries) == 0 && len(done) > fewMasked {
		t.entries = make(map[uint32]tailEntry) // a map never gives back what it took
	}
}

// search pushes the tail's own neighbours of a row, and returns the slots that
// the index must not answer for; nil where the tail is empty.
func (t *tail) search(top *index.TopK, metric index.Metric, row []float32, allow *index.Bitmap) map[uint32]bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if len(t.entries) == 0 {
		return nil
	}
	masked := make(map[uint32]bool, len(t.entries))
	for slot, e := range t.entries {
		masked[slot] = true
		if e.row == nil || allow != nil && !allow.Has(slot) {
			continue
		}
		top.Push(index.Hit{Slot: slot, Distance: metric.Distance(row, e.row)})
	}
	return masked
}
