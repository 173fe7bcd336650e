package store

import (
	"sync"

	"github.com/latentdb/latentdb/index"
)

// cachedPairs is the most pairs of a scan that is kept: some 100 MB.
const cachedPairs = 4 << 20

// nearestPairs is about how many of the nearest pairs a scan by distance keeps. It is a
// variable for tests.
var nearestPairs = 2 << 20

// mostPairs is how many are gathered before the farthest of them go.
func mostPairs() int { return nearestPairs + nearestPairs/4 }

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
		scan.asked.within != nil && last.reach < scan.reach ||
		!sameSlots(last.asked.allow, scan.asked.allow) || !sameSlots(last.between, scan.between) {
		return nil
	}
	return last
}

// keep keeps a scan, unless it has too many pairs: then the one of the nearest stays.
func (s *scanCache) keep(scan *duplicateScan) {
	if len(scan.pairs) > cachedPairs {
		return
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
