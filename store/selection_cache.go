package store

import (
	"bytes"
	"encoding/json"
	"sync"
	"sync/atomic"
)

// cachedSelections is how many selections a collection keeps: two bits of memory for
// each point, all in all.
const cachedSelections = 16

// selectionCache keeps what filters selected while nothing is committed: of many
// searches under a few filters, each filter is answered once.
type selectionCache struct {
	// commits counts transactions that may have changed a selection, or how it is made.
	commits atomic.Uint64

	mu sync.Mutex
	// as is what commits was when the entries were made.
	as      uint64
	entries map[string]selection
}

// selectionKey tells filters apart; "" is of one that is not kept: by ids, which needs
// no scan, or with values that are no numbers.
func selectionKey(f *Filter) string {
	if f.namesIDs() {
		return ""
	}
	key, err := json.Marshal(f)
	if err != nil || bytes.Contains(key, []byte(`\ufffd`)) { // all that is no UTF-8 becomes that
		return ""
	}
	return string(key)
}

func (f *Filter) namesIDs() bool {
	if f == nil {
		return false
	}
	for _, part := range [][]Condition{f.Must, f.Should, f.MustNot} {
		for _, c := range part {
			if len(c.HasID) > 0 || c.Filter.namesIDs() {
				return true
			}
		}
	}
	return false
}

func (s *selectionCache) get(key string, as uint64) (selection, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key == "" || s.as != as {
		return selection{}, false
	}
	out, known := s.entries[key]
	if known {
		out.info = &FilterInfo{Matching: out.info.Matching, Indexed: out.info.Indexed, Cached: true}
	}
	return out, known
}

// put keeps a selection, if nothing was committed since it was begun.
func (s *selectionCache) put(key string, as uint64, made selection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key == "" || s.commits.Load() != as {
		return
	}
	if s.as != as || s.entries == nil {
		s.as, s.entries = as, make(map[string]selection, cachedSelections)
	}
	for other := range s.entries {
		if len(s.entries) < cachedSelections {
			break
		}
		delete(s.entries, other)
	}
	s.entries[key] = made
}
