package store

import (
	"sync"

	"github.com/latentdb/latentdb/index"
)

// recentSlots is how many changes are remembered.
const recentSlots = 1024

// recentChanges are the slots that changed last, for searches in whose midst changes
// became visible: most of them are of other slots than those that were found.
type recentChanges struct {
	mu      sync.Mutex
	changes [recentSlots]struct {
		slot uint32
		seq  uint64
	}
	next int
	// forgotten is the last of the changes that are no longer here.
	forgotten uint64
}

func (r *recentChanges) add(changed map[uint32]slotChange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for slot, ch := range changed {
		at := &r.changes[r.next]
		r.forgotten = max(r.forgotten, at.seq)
		at.slot, at.seq = slot, ch.seq
		r.next = (r.next + 1) % recentSlots
	}
}

// spare tells that no hit's slot changed after a change.
func (r *recentChanges) spare(hits []index.Hit, since uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.forgotten > since {
		return false
	}
	for _, ch := range r.changes {
		if ch.seq <= since {
			continue
		}
		for _, h := range hits {
			if h.Slot == ch.slot {
				return false
			}
		}
	}
	return true
}
