package index

import (
	"math"
	"slices"
)

// maxNodes bounds a graph: a place in a pool has one bit to spare beside a
// node's number.
const maxNodes = math.MaxInt32

// expanded is set in the key of a pooled node whose neighbours were looked at.
const expanded key = 1

// poolKey is a node's place in a pool. It orders as makeKey does.
func poolKey(distance float32, node uint32) key { return makeKey(distance, node<<1) }

// pool holds the closest nodes that a walk met, closest first, at most width of
// them. They are what the walk found and, until expanded, where it goes next: a
// node that leaves the pool could not have brought the walk any further.
type pool struct {
	width int
	keys  []key
}

func (p *pool) reset(width int) {
	p.width, p.keys = width, p.keys[:0]
}

// bound is the key that a new one must lie below to get in.
func (p *pool) bound() key {
	if len(p.keys) < p.width {
		return math.MaxUint64
	}
	return p.keys[len(p.keys)-1]
}

// shiftWidth is up to where moving keys one by one beats searching for the place
// and moving them at once: there is no guessing wrong on the way.
const shiftWidth = 256

// insert puts in a key below the bound and returns its place.
func (p *pool) insert(k key) int {
	if len(p.keys) < p.width {
		p.keys = append(p.keys, k)
	}
	s := p.keys
	at := len(s) - 1
	if len(s) <= shiftWidth {
		for ; at > 0 && s[at-1] > k; at-- {
			s[at] = s[at-1]
		}
	} else {
		at, _ = slices.BinarySearch(s[:at], k)
		copy(s[at+1:], s[at:])
	}
	s[at] = k
	return at
}

// found makes the pool's keys those of makeKey and returns them, until the next
// reset.
func (p *pool) found() []key {
	for i, k := range p.keys {
		p.keys[i] = k&^math.MaxUint32 | k&math.MaxUint32>>1
	}
	return p.keys
}
