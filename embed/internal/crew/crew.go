// Package crew shares short pieces of work between goroutines that stay awake for
// a moment after each. A step of training has about a hundred parallel regions of
// some ten microseconds each; to wake a goroutine that sleeps can cost more than
// such a region brings.
package crew

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// awake is how long a helper without work stays awake, and a caller that waits
	// for one. Both yield meanwhile to whatever else of the program can run.
	awake = 200 * time.Microsecond
	// looks is how often it looks for work before it yields and looks at the clock.
	looks = 200
	// maxHelpers bounds the helpers of the whole process.
	maxHelpers = 64
)

// The states of a place for a helper. Whoever takes it from absent or waiting to
// claimed gives it work and says so.
const (
	absent  = iota // no goroutine
	waiting        // a goroutine looks for work
	claimed        // work is being put down
	given          // the goroutine has work, or is to begin with it
)

type place struct {
	state atomic.Int32
	work  func()
	call  *call
}

// call is the pieces of one Share that helpers have.
type call struct {
	open atomic.Int32 // how many are not done
	done sync.WaitGroup
}

// wait returns when all pieces are done. It sleeps only after a while: where
// others want the processors, a helper may be long in coming, and needs this one.
func (c *call) wait() {
	var since time.Time
	for i := 1; c.open.Load() > 0; i++ {
		if i%looks != 0 {
			continue
		}
		switch {
		case since.IsZero():
			since = time.Now()
		case time.Since(since) > awake:
			c.done.Wait()
			return
		}
		runtime.Gosched()
	}
}

var places [maxHelpers]place

// Share cuts [0,n) into up to workers pieces of at least grain, calls f for each,
// and returns when all are done. The caller takes the first itself, and all that
// no helper is free for. f must write to its own piece only; where the cuts are
// depends on the arguments alone.
func Share(workers, n, grain int, f func(lo, hi int)) {
	pieces := min(workers, n/max(1, grain))
	if pieces <= 1 {
		f(0, n)
		return
	}
	var c call
	next, free := 1, min(maxHelpers, runtime.GOMAXPROCS(0)-1)
	for i := 0; i < free && next < pieces; i++ {
		lo, hi := next*n/pieces, (next+1)*n/pieces
		if places[i].give(&c, func() { f(lo, hi) }) {
			next++
		}
	}
	f(0, n/pieces)
	for ; next < pieces; next++ {
		f(next*n/pieces, (next+1)*n/pieces)
	}
	c.wait()
}

// give puts work down for the helper of a place, which it starts if there is none,
// and tells whether the place was free.
func (p *place) give(c *call, work func()) bool {
	there := p.state.CompareAndSwap(waiting, claimed)
	if !there && !p.state.CompareAndSwap(absent, claimed) {
		return false
	}
	c.open.Add(1)
	c.done.Add(1)
	p.work, p.call = work, c
	p.state.Store(given)
	if !there {
		go p.help()
	}
	return true
}

// help does the work that is given until none was for a while.
func (p *place) help() {
	since := time.Now()
	for i := 1; ; i++ {
		if p.state.Load() == given {
			p.work()
			c := p.call
			p.work, p.call = nil, nil
			// Waiting before done: whoever waits for the piece may give the next at once.
			p.state.Store(waiting)
			c.open.Add(-1)
			c.done.Done()
			since = time.Now()
			continue
		}
		if i%looks != 0 {
			continue
		}
		if time.Since(since) > awake && p.state.CompareAndSwap(waiting, absent) {
			return
		}
		runtime.Gosched()
	}
}
