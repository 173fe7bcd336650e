package store

import (
	"encoding/binary"
	"math"
	"slices"
	"sync"

	"github.com/latentdb/latentdb/index"
)

// payloadStep is how many points the making of payload indexes reads between two
// commits: as many as a commit brings, so that it catches up with them.
const payloadStep = groupPoints

// payloadIndexes are a collection's payload indexes in memory. They are changed
// by whoever holds the collection's writeMu, under mu.
type payloadIndexes struct {
	mu     sync.RWMutex
	fields []*fieldIndex
	keys   keySet // what they look at of payloads
	// seq is the last change that they follow.
	seq uint64
	// pending is what the last commit, made or about to be made, changes.
	pending map[uint32]payloadDelta

	building bool // a goroutine is making those that are not complete
	builders sync.WaitGroup
}

// payloadDelta is what a commit changes of a slot, for each of the indexes.
type payloadDelta struct{ was, now []slotValues }

// all lists the indexes there are.
func (p *payloadIndexes) all() []*fieldIndex {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.Clone(p.fields)
}

// infos describes them.
func (p *payloadIndexes) infos() []PayloadIndexInfo {
	p.mu.RLock()
	defer p.mu.RUnlock()
	out := make([]PayloadIndexInfo, len(p.fields))
	for i, x := range p.fields {
		out[i] = PayloadIndexInfo{PayloadIndex: x.PayloadIndex, Points: int(x.held.GetCardinality()), Ready: x.complete}
	}
	return out
}

// define makes them those that are named, as of a change. Those that stay keep
// what they hold.
func (p *payloadIndexes) define(indexes []PayloadIndex, seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fields := make([]*fieldIndex, len(indexes))
	for i, named := range indexes {
		if at := slices.IndexFunc(p.fields, func(x *fieldIndex) bool { return x.PayloadIndex == named }); at >= 0 {
			fields[i] = p.fields[at]
		} else {
			fields[i] = newFieldIndex(named)
		}
	}
	for _, x := range p.fields {
		if !slices.Contains(fields, x) {
			x.end(nil)
		}
	}
	p.fields, p.seq, p.pending, p.keys = fields, seq, nil, make(keySet)
	for _, x := range fields {
		p.keys.add(x.Key)
	}
}

// end tells whoever waits for an index that nothing more comes.
func (x *fieldIndex) end(err error) {
	select {
	case <-x.ended:
	default:
		x.err = err
		close(x.ended)
	}
}

// valuesOf is what the indexes hold of a slot, by index.
func (p *payloadIndexes) valuesOf(g *ground, slot uint32) []slotValues {
	if len(p.fields) == 0 {
		return nil
	}
	out := make([]slotValues, len(p.fields))
	point := g.slots.Get(slotKey(slot)) != nil
	payload, err := g.payloadKeys(slot, p.keys)
	for i, x := range p.fields {
		if err != nil {
			out[i].unread = true
		} else {
			out[i] = x.valuesOf(payload)
		}
		out[i].point = point
	}
	return out
}

// expect says what the transaction that is about to be committed changes.
func (p *payloadIndexes) expect(deltas map[uint32]payloadDelta) {
	if len(p.fields) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending = deltas
}

// follow applies what was expected once it is committed. Readers come between:
// as long as seq lags behind, they trust the indexes in none of the slots pending.
func (p *payloadIndexes) follow(seq uint64) {
	if len(p.fields) == 0 {
		return
	}
	const step = 256
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for slot, d := range p.pending {
		for i, x := range p.fields {
			if x.complete || uint64(slot) < x.covered {
				x.change(slot, d.was[i], d.now[i])
			}
		}
		if n++; n%step == 0 {
			p.mu.Unlock()
			p.mu.Lock()
		}
	}
	p.seq, p.pending = seq, nil
}

// changedSince is what changed between the state of the indexes and a later one.
func (p *payloadIndexes) changedSince(seq uint64) map[uint32]payloadDelta {
	if seq == p.seq {
		return nil
	}
	return p.pending
}

// selector answers a filter in a transaction. changed are the slots that the
// transaction sees otherwise than the indexes.
func (p *payloadIndexes) selector(g *ground, f *Filter, changed map[uint32]payloadDelta) (*selector, error) {
	s := &selector{bounds: unknown(), ground: g, filter: f}
	if f.empty() {
		return s, nil
	}
	e := &evaluator{ground: g}
	for _, x := range p.fields {
		if x.complete {
			e.fields = append(e.fields, x)
		}
	}
	var err error
	if s.bounds, err = e.filter(f); err != nil || len(e.fields) == 0 {
		return s, err
	}
	s.indexed = e.asked
	doubtful := index.NewBitmap()
	for slot := range changed {
		doubtful.Set(slot)
	}
	for _, x := range e.fields {
		addAll(doubtful, x.unread)
	}
	s.doubt(doubtful)
	return s, nil
}

// doubt leaves slots open.
func (b *bounds) doubt(slots *index.Bitmap) {
	if slots.Len() == 0 {
		return
	}
	b.part()
	b.lo.AndNot(slots)
	if b.hi != nil {
		b.hi.Or(slots)
	}
}

// buildPayloadIndexes makes the indexes that are not complete, in the
// background. The caller holds writeMu, or is alone with the collection.
func (c *Collection) buildPayloadIndexes() {
	p := &c.payloadIndexes
	if p.building || c.stopped() || !slices.ContainsFunc(p.fields, (*fieldIndex).unfinished) {
		return
	}
	p.building = true
	p.builders.Go(func() {
		for c.buildSome() {
			select {
			case <-c.stop:
				return
			default:
			}
		}
	})
}

func (x *fieldIndex) unfinished() bool { return !x.complete && x.err == nil }

// buildSome reads some slots into the indexes that have come least far, and
// tells whether there is more to do. No commit comes between.
func (c *Collection) buildSome() bool {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	p := &c.payloadIndexes
	var open []*fieldIndex
	for _, x := range p.fields {
		if x.unfinished() {
			open = append(open, x)
		}
	}
	if len(open) == 0 {
		p.building = false
		return false
	}
	first := slices.MinFunc(open, func(a, b *fieldIndex) int { return int(a.covered) - int(b.covered) }).covered
	var found []slotReading
	err := c.view(func(g *ground) error {
		found = p.readSome(g, first)
		return nil
	})
	if err != nil {
		c.log.Error("payload indexes", "error", err)
	}
	defer c.selections.commits.Add(1) // filters are answered otherwise now
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, x := range p.fields {
		if x.covered != first || !x.unfinished() {
			continue
		}
		if err != nil {
			x.end(err)
			continue
		}
		for _, r := range found {
			x.change(r.slot, slotValues{}, r.values[i])
			x.covered = uint64(r.slot) + 1
		}
		if len(found) < payloadStep {
			x.complete = true
			x.end(nil)
		}
	}
	return true
}

// slotReading is what the indexes should hold of a slot, by index.
type slotReading struct {
	slot   uint32
	values []slotValues
}

// readSome reads up to payloadStep slots from one on; fewer at the end.
func (p *payloadIndexes) readSome(g *ground, from uint64) (out []slotReading) {
	if from > math.MaxUint32 {
		return nil
	}
	c := g.slots.Cursor()
	for k, _ := c.Seek(slotKey(uint32(from))); k != nil && len(out) < payloadStep; k, _ = c.Next() {
		slot := binary.BigEndian.Uint32(k)
		out = append(out, slotReading{slot, p.valuesOf(g, slot)})
	}
	return out
}

// check compares the indexes with the payloads. The caller keeps writers out.
func (p *payloadIndexes) check(g *ground, out *CheckReport) {
	fresh := make([]*fieldIndex, len(p.fields))
	for i, x := range p.fields {
		fresh[i] = newFieldIndex(x.PayloadIndex)
	}
	for found := p.readSome(g, 0); len(found) > 0; {
		for _, r := range found {
			for i, x := range fresh {
				x.change(r.slot, slotValues{}, r.values[i])
			}
		}
		found = p.readSome(g, uint64(found[len(found)-1].slot)+1)
	}
	for i, x := range p.fields {
		if x.complete && !x.equal(fresh[i]) {
			out.note("the payload index of %q is not what the payloads are", x.Key)
		}
	}
}
