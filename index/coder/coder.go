//go:build !windows

// Package coder adapts github.com/coder/hnsw to index.Index.
//
// That library's graph finds few of the true neighbours, whatever EF is, and
// has no locks; adding a key twice or deleting one breaks it. So the adapter
// never does either: every row gets a key of its own, and a row that was
// replaced or deleted stays in the graph as a tombstone whose key no slot has,
// until a rebuild. The rows live in a flat index too, which checks input,
// answers exact searches, completes short answers, and answers alone should
// the graph panic. Measure index.Recall before you rely on this engine.
//
// The library walks Go maps, so equal operations need not give equal graphs or
// equal approximate answers.
package coder

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/latentdb/latentdb/index"
)

// Engine is the adapter's engine, named "coder". Load rebuilds the graph from
// its rows, since the library's own export carries no checksum and is believed
// unread: it costs as much as inserting them.
var Engine = index.Engine{Name: "coder", New: newIndex, Load: load}

// A graph is rebuilt when more than one key in five, and more than
// rebuildFloor, are stale.
const (
	rebuildShare = 5
	rebuildFloor = 100
)

// adapter answers from graph where it can and from rows where it must.
type adapter struct {
	config index.Config
	rows   index.Index // flat: the truth
	// writer is held by one change at a time, mu by whoever changes or reads
	// what searches read. A rebuild holds writer alone while it builds.
	writer sync.Mutex
	mu     sync.RWMutex
	graph  *graph
	// broken is set when the graph panicked; it is not used until a rebuild.
	broken atomic.Bool
	// stale counts keys that no slot has and rows that the graph missed.
	stale int
}

func newIndex(c index.Config) (index.Index, error) {
	c, err := c.Resolve()
	if err != nil {
		return nil, err
	}
	if c.Step > 0 {
		return nil, fmt.Errorf("%w: Step is %v, which this engine does not know", index.ErrParams, c.Step)
	}
	rows, err := index.Flat.New(c)
	if err != nil {
		return nil, err
	}
	return &adapter{config: c, rows: rows, graph: newGraph(c)}, nil
}

func (a *adapter) Engine() string                      { return Engine.Name }
func (a *adapter) Dim() int                            { return a.config.Dim }
func (a *adapter) Metric() index.Metric                { return a.config.Metric }
func (a *adapter) Len() int                            { return a.rows.Len() }
func (a *adapter) Row(dst []float32, slot uint32) bool { return a.rows.Row(dst, slot) }
func (a *adapter) Slots() iter.Seq[uint32]             { return a.rows.Slots() }

func (a *adapter) Upsert(slot uint32, row []float32) error {
	a.writer.Lock()
	defer a.writer.Unlock()
	old := make([]float32, a.config.Dim)
	held := a.rows.Row(old, slot)
	if err := a.rows.Upsert(slot, row); err != nil {
		return err
	}
	prepared := make([]float32, a.config.Dim)
	a.rows.Row(prepared, slot)
	if held && slices.Equal(old, prepared) {
		return nil
	}
	a.mu.Lock()
	replaced := a.graph.forget(slot)
	added := !a.broken.Load() && a.guard(func() { a.graph.add(slot, prepared) })
	a.mu.Unlock()
	if replaced || !added {
		a.stale++
	}
	a.rebuildIfDue()
	return nil
}

func (a *adapter) Delete(slot uint32) bool {
	a.writer.Lock()
	defer a.writer.Unlock()
	if !a.rows.Delete(slot) {
		return false
	}
	a.mu.Lock()
	a.graph.forget(slot)
	a.mu.Unlock()
	a.stale++
	a.rebuildIfDue()
	return true
}

func (a *adapter) Search(dst []index.Hit, query []float32, p index.Params) ([]index.Hit, error) {
	p, err := p.Resolve()
	if err != nil {
		return dst, err
	}
	if p.Exact || a.broken.Load() {
		return a.rows.Search(dst, query, p)
	}
	prepared := make([]float32, a.config.Dim)
	if err := a.config.Metric.Prepare(prepared, query); err != nil {
		return dst, err
	}
	hits := index.NewTopK(p.K)
	a.mu.RLock()
	a.guard(func() { a.graph.search(hits, prepared, p) })
	a.mu.RUnlock()
	if !hits.Full() {
		return a.rows.Search(dst, query, p)
	}
	return hits.AppendTo(dst), nil
}

// guard runs f, which calls into the library, and tells whether it returned.
// After a panic the graph is not called again until it is rebuilt.
func (a *adapter) guard(f func()) (ok bool) {
	defer func() {
		if !ok {
			_ = recover() // whatever it was, the exact scan answers
			a.broken.Store(true)
		}
	}()
	f()
	return true
}

// rebuildIfDue replaces the graph by a new one from the rows where too much of
// it is stale. Searches use the old graph meanwhile.
func (a *adapter) rebuildIfDue() {
	if a.stale <= rebuildFloor || a.stale*rebuildShare <= a.graph.keys() {
		return
	}
	a.rebuild()
}

func (a *adapter) rebuild() {
	next := newGraph(a.config)
	built := a.guard(func() {
		for slot := range a.rows.Slots() {
			row := make([]float32, a.config.Dim)
			a.rows.Row(row, slot)
			next.add(slot, row)
		}
	})
	a.stale = 0
	if !built {
		return
	}
	a.mu.Lock()
	a.graph = next
	a.broken.Store(false)
	a.mu.Unlock()
}

// Bytes counts the rows twice, as they are held, and estimates the graph's
// maps at 72*M bytes per key, measured at M = 16.
func (a *adapter) Bytes() int64 {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.rows.Bytes() + int64(a.graph.keys())*int64(4*a.config.Dim+72*a.config.M)
}

// parameters precede the rows in the body: what the rows' own encoding does
// not give back.
type parameters struct {
	M           uint16
	EfConstruct uint32
	Seed        uint64
}

// Encode writes the parameters (m uint16, ef_construct uint32, seed uint64,
// little-endian) and the body of a flat index.
func (a *adapter) Encode(w io.Writer) error {
	a.writer.Lock()
	defer a.writer.Unlock()
	p := parameters{uint16(a.config.M), uint32(a.config.EfConstruct), a.config.Seed}
	if err := binary.Write(w, binary.LittleEndian, p); err != nil {
		return err
	}
	return a.rows.Encode(w)
}

func load(r io.Reader) (index.Index, error) {
	var p parameters
	if err := binary.Read(r, binary.LittleEndian, &p); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("%w: truncated", index.ErrCorrupt)
		}
		return nil, fmt.Errorf("coder: reading snapshot: %w", err)
	}
	rows, err := index.Flat.Load(r)
	if err != nil {
		return nil, err
	}
	given := index.Config{
		Dim: rows.Dim(), Metric: rows.Metric(),
		M: int(p.M), EfConstruct: int(p.EfConstruct), Seed: p.Seed,
	}
	c, err := given.Resolve()
	if err != nil || c != given {
		return nil, fmt.Errorf("%w: configuration %+v", index.ErrCorrupt, given)
	}
	a := &adapter{config: c, rows: rows, graph: newGraph(c)}
	a.rebuild()
	return a, nil
}
