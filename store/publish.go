package store

import (
	"time"
)

// publish makes a committed group visible to searches, and then waits where the
// indexer is far behind: searches scan the tail, which must not grow without bound.
func (c *Collection) publish(group []*request, w *writer) {
	gen := c.show(group, w)
	c.maybeAutoFit()
	for gen.tail.size() > maxTail && c.active.Load() == gen && !c.stopped() {
		c.wakeIndexer()
		time.Sleep(time.Millisecond)
	}
}

// show enters a group's changes in the active generation's tail and in what is
// kept in memory of points, and returns the generation that now shows them.
func (c *Collection) show(group []*request, w *writer) *generation {
	c.showing.Add(1)
	defer c.showing.Add(1)
	gen := c.active.Load()
	c.ids.follow(w.changed)
	c.lexicon.follow(w.changed, w.seq)
	c.recent.add(w.changed)
	c.points.Store(int64(w.points))
	c.slots.Store(int64(w.nextSlot))
	if gen.model == nil && gen.frontEndIsStale(int(w.points)) {
		fresh, err := c.buildGenerationZero()
		if err != nil {
			c.log.Error("fitting the front end", "error", err)
			fresh = brokenGenerationZero(err)
		}
		if err == nil || gen.fitted == nil {
			fresh.tail.close(w.seq)
			c.active.Store(fresh)
			c.published.Store(w.seq)
			return fresh
		}
	}
	c.enterTail(gen, group, w)
	c.published.Store(w.seq)
	if len(w.changed) > 0 {
		c.shed()
	}
	return gen
}

// enterTail gives the active generation the rows of what was changed.
func (c *Collection) enterTail(gen *generation, group []*request, w *writer) {
	if gen.fitted == nil {
		return // nothing but deletions and payloads so far
	}
	for slot, ch := range w.changed {
		e := tailEntry{seq: ch.seq}
		var feature []float32
		if ch.point != nil {
			e.row, feature = ch.point.row, ch.point.feature
		}
		gen.keepRow(slot, feature)
		gen.tail.put(slot, e)
	}
	gen.tail.close(w.seq)
	c.wakeIndexer()
	c.watchDrift(gen, group)
}
