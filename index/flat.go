package index

import (
	"fmt"
	"io"
	"iter"
	"sync"
)

// Flat is the exact engine, named "flat": each search measures every row that
// Allow lets in. It is right for small collections and the oracle for the
// other engines. It holds 4*Dim + 8 bytes per slot, or
// Dim + 8 with Config.Step.
var Flat = Engine{Name: "flat", New: newFlatIndex, Load: loadFlat}

// flat keeps rows without gaps: the last row moves into the place of a deleted one.
type flat[T value] struct {
	config  Config
	storage storage[T]
	locks

	rows  []T       // Dim values per row
	slots []uint32  // row -> slot
	rowOf slotTable // slot -> row

	row  []T       // the writer's prepared row
	pool sync.Pool // of *flatSearch[T]
}

// flatSearch is the memory of one search.
type flatSearch[T value] struct {
	query []T
	hits  TopK
	scanner
}

func newFlatIndex(c Config) (Index, error) {
	c, err := c.Resolve()
	if err != nil {
		return nil, err
	}
	if c.Step > 0 {
		return newFlat(c, codes(c.Step)), nil
	}
	return newFlat(c, floats(c.Metric)), nil
}

func newFlat[T value](c Config, l storage[T]) *flat[T] {
	f := &flat[T]{config: c, storage: l, row: make([]T, c.Dim)}
	f.pool.New = func() any { return &flatSearch[T]{query: make([]T, c.Dim)} }
	return f
}

func (f *flat[T]) Engine() string { return Flat.Name }
func (f *flat[T]) Dim() int       { return f.config.Dim }
func (f *flat[T]) Metric() Metric { return f.config.Metric }

func (f *flat[T]) Len() int {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return len(f.slots)
}

func (f *flat[T]) Upsert(slot uint32, row []float32) error {
	f.writer.Lock()
	defer f.writer.Unlock()
	if err := f.storage.prepare(f.row, row); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if at, held := f.rowOf.get(slot); held {
		copy(f.at(at), f.row)
		return nil
	}
	f.rowOf.set(slot, uint32(len(f.slots)))
	f.slots = append(f.slots, slot)
	f.rows = append(f.rows, f.row...)
	return nil
}

func (f *flat[T]) Delete(slot uint32) bool {
	f.writer.Lock()
	defer f.writer.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	at, held := f.rowOf.get(slot)
	if !held {
		return false
	}
	last := uint32(len(f.slots) - 1)
	if at != last {
		copy(f.at(at), f.at(last))
		f.slots[at] = f.slots[last]
		f.rowOf.set(f.slots[at], at)
	}
	f.rowOf.remove(slot)
	f.slots = f.slots[:last]
	f.rows = f.rows[:int(last)*f.config.Dim]
	return true
}

func (f *flat[T]) Row(dst []float32, slot uint32) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	at, held := f.rowOf.get(slot)
	if held {
		f.storage.restore(dst, f.at(at))
	}
	return held
}

func (f *flat[T]) Slots() iter.Seq[uint32] {
	return f.eachSlot(func() *slotTable { return &f.rowOf })
}

func (f *flat[T]) Search(dst []Hit, query []float32, p Params) ([]Hit, error) {
	p, err := p.Resolve()
	if err != nil {
		return dst, err
	}
	s := f.pool.Get().(*flatSearch[T])
	defer f.pool.Put(s)
	if err := f.storage.prepare(s.query, query); err != nil {
		return dst, err
	}
	s.hits.Reset(p.K)

	f.mu.RLock()
	defer f.mu.RUnlock()
	set := rowSet[T]{storage: &f.storage, rows: f.rows, rowOf: &f.rowOf, holders: f}
	set.scan(&s.hits, &s.scanner, s.query, p)
	return s.hits.AppendTo(dst), nil
}

func (f *flat[T]) Bytes() int64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return int64(len(memory(f.rows[:cap(f.rows)]))) + 4*int64(cap(f.slots)) + f.rowOf.bytes()
}

// at is the row numbered i.
func (f *flat[T]) at(i uint32) []T { return rowAt(f.rows, f.config.Dim, i) }

func (f *flat[T]) members(i uint32) []uint32 { return f.slots[i : i+1] }

// Encode writes the body: config, n uint32, n slots uint32, n rows of Dim
// values: float32, or int8 where there is a step. The order of rows is kept, so that equal bytes load to an index
// that goes on behaving equally.
func (f *flat[T]) Encode(w io.Writer) error {
	f.writer.Lock()
	defer f.writer.Unlock()
	e := newEncoder(w)
	e.config(f.config)
	e.u32(uint32(len(f.slots)))
	e.u32s(f.slots)
	encodeValues(e, f.rows)
	return e.flush()
}

func loadFlat(r io.Reader) (Index, error) {
	d := newDecoder(r)
	c := d.config()
	if c.Step > 0 {
		return decodeFlat(d, newFlat(c, codes(c.Step)))
	}
	return decodeFlat(d, newFlat(c, floats(c.Metric)))
}

// decodeFlat reads what follows the configuration into f.
func decodeFlat[T value](d *decoder, f *flat[T]) (Index, error) {
	n := d.u32()
	f.slots = d.u32s(uint64(n))
	f.rows = decodeRows[T](d, uint64(n)*uint64(f.config.Dim))
	if err := d.end(); err != nil {
		return nil, err
	}
	for i, slot := range f.slots {
		if _, twice := f.rowOf.get(slot); twice {
			return nil, fmt.Errorf("%w: slot %d stands twice", ErrCorrupt, slot)
		}
		f.rowOf.set(slot, uint32(i))
	}
	return f, nil
}
