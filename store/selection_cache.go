package store

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
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
// no scan, or with values whose JSON does not tell them apart.
func selectionKey(f *Filter) string {
	kinds, ok := f.valueKinds(nil)
	if !ok {
		return ""
	}
	key, err := json.Marshal(f)
	if err != nil || bytes.Contains(key, []byte(`\ufffd`)) { // all that is no UTF-8 becomes that
		return ""
	}
	return string(append(key, kinds...))
}

// valueKinds appends the kinds of the values that a filter compares with, for numbers of
// two kinds that look alike in JSON may equal different ones. It returns false where there
// are ids, or types of others, which may look like anything.
func (f *Filter) valueKinds(dst []byte) ([]byte, bool) {
	if f == nil {
		return dst, true
	}
	for _, c := range slices.Concat(f.Must, f.Should, f.MustNot) {
		ok := len(c.HasID) == 0
		if dst, ok = appendKinds(dst, c.Match, ok); ok {
			dst, ok = c.Filter.valueKinds(dst)
		}
		if !ok {
			return dst, false
		}
	}
	return dst, true
}

func appendKinds(dst []byte, m *Match, ok bool) ([]byte, bool) {
	if m == nil {
		return dst, ok
	}
	for _, v := range slices.Concat([]any{m.Value}, m.Any, m.Except) {
		kind := reflect.Invalid
		if v != nil {
			kind = reflect.TypeOf(v).Kind()
			ok = ok && reflect.TypeOf(v).PkgPath() == ""
		}
		dst = append(dst, byte(kind))
	}
	return dst, ok
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
