package store

import (
	"errors"
	"iter"
	"math"
	"slices"

	"github.com/latentdb/latentdb/index"
)

// nearLength is how many of the nearest of a point are listed at most: the point itself is
// found among its neighbours as a rule.
const nearLength = duplicateNeighbours + 1

// nowhere fills lists that are shorter.
const nowhere = math.MaxUint32

// nearLists are the nearest neighbours of points, as they are added: one list after another
// in flat memory, for there are millions.
type nearLists struct {
	// at holds nearLength slots a point, nearest first; once they are settled, places among
	// the points seen.
	at []uint32
	// distances go with them, where they are kept.
	distances []float32
	keep      bool

	hits []index.Hit // memory of one chunk
}

// newNearLists has room for n points.
func newNearLists(n int, distances bool) *nearLists {
	l := &nearLists{at: make([]uint32, 0, n*nearLength), keep: distances}
	if distances {
		l.distances = make([]float32, 0, n*nearLength)
	}
	return l
}

// add lists what find finds of each of a chunk's points, but for the point itself; the
// order is that in which they are looked for.
func (l *nearLists) add(workers int, chunk []storedPoint, order []uint32, find func(dst []index.Hit, i int) ([]index.Hit, error)) error {
	n, from := len(chunk)*nearLength, len(l.at)
	l.at = slices.Grow(l.at, n)[:from+n]
	if l.keep {
		l.distances = slices.Grow(l.distances, n)[:from+n]
	}
	l.hits = slices.Grow(l.hits[:0], n)[:n]
	errs := make([]error, len(chunk))
	inParallel(workers, len(chunk), func(k int) {
		i := int(order[k])
		first := i * nearLength
		hits, err := find(l.hits[first:first:first+nearLength], i)
		errs[i] = err
		at := from + first
		for _, h := range hits {
			if h.Slot == chunk[i].slot {
				continue
			}
			if l.at[at] = h.Slot; l.keep {
				l.distances[at] = h.Distance
			}
			at++
		}
		for ; at < from+first+nearLength; at++ {
			l.at[at] = nowhere
		}
	})
	return errors.Join(errs...)
}

// settle turns slots into places among the points seen; those of others go.
func (l *nearLists) settle(seen []scannedPoint) {
	if len(seen) == 0 {
		return
	}
	places := make([]uint32, seen[len(seen)-1].slot+1)
	for i := range places {
		places[i] = nowhere
	}
	for i := range seen {
		places[seen[i].slot] = uint32(i)
	}
	for i, slot := range l.at {
		if l.at[i] = nowhere; int(slot) < len(places) {
			l.at[i] = places[slot]
		}
	}
}

// of is the list of the point at a place.
func (l *nearLists) of(place uint32) []uint32 { return l.at[int(place)*nearLength:][:nearLength] }

// distancesOf are the distances in the list of the point at a place.
func (l *nearLists) distancesOf(place uint32) []float32 {
	n := nearLength
	for list := l.of(place); n > 0 && list[n-1] == nowhere; {
		n--
	}
	return l.distances[int(place)*nearLength:][:n]
}

// pairs yields the places that are given, each with where one of its neighbours is listed;
// of two points that list each other, only the first of both.
func (l *nearLists) pairs(places []uint32) iter.Seq2[uint32, int] {
	return func(yield func(a uint32, listed int) bool) {
		for _, a := range places {
			for i, b := range l.of(a) {
				if b == nowhere || b < a && slices.Contains(l.of(b), a) {
					continue
				}
				if !yield(a, int(a)*nearLength+i) {
					return
				}
			}
		}
	}
}

// leastDistances keeps the farRank least distances of each point, ascending.
type leastDistances []float32

func newLeastDistances(n int) leastDistances {
	l := make(leastDistances, n*farRank)
	for i := range l {
		l[i] = float32(math.Inf(1))
	}
	return l
}

func (l leastDistances) of(place uint32) []float32 { return l[int(place)*farRank:][:farRank] }

// offer inserts a distance where it belongs, if it is among the least.
func (l leastDistances) offer(place uint32, distance float32) {
	own := l.of(place)
	at := len(own)
	for at > 0 && own[at-1] > distance {
		at--
	}
	if at < len(own) {
		copy(own[at+1:], own[at:])
		own[at] = distance
	}
}
