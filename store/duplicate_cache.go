package store

import (
	"sync"

	"github.com/latentdb/latentdb/index"
)

// cachedPairs is the most pairs of a scan that is kept: some 200 MB.
const cachedPairs = 4 << 20

// scanCache is the last scan for duplicates. Its pairs hold as long as no record changes,
// so another threshold is answered without comparing anything again.
type scanCache struct {
	mu   sync.Mutex
	last *duplicateScan
}

// like is the last scan, if one that is about to begin would find the same.
func (s *scanCache) like(scan *duplicateScan) *duplicateScan {
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	if last == nil || last.generation != scan.generation || last.seq != scan.seq ||
		!sameSlots(last.allow, scan.allow) || !sameSlots(last.between, scan.between) {
		return nil
	}
	return last
}

func (s *scanCache) keep(scan *duplicateScan) {
	if len(scan.pairs) > cachedPairs {
		scan = nil
	}
	s.mu.Lock()
	s.last = scan
	s.mu.Unlock()
}

// sameSlots tells whether two selections are of the same slots.
func sameSlots(a, b *index.Bitmap) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Len() != b.Len() {
		return false
	}
	for slot := range a.Slots() {
		if !b.Has(slot) {
			return false
		}
	}
	return true
}
