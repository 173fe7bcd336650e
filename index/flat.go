package index

import (
	"fmt"
	"io"
	"iter"
	"sync"
)

// Flat is the exact engine, named "flat": each search measures every row that
// Allow lets in. It is right for small collections and the oracle for the
// other engines. It holds 4*Dim + 8 bytes per slot.
var Flat = Engine{Name: "flat", New: newFlatIndex, Load: loadFlat}

// flat keeps rows without gaps: the last row moves into the place of a deleted one.
type flat struct {
	config Config
	kernel kernel
	locks

	rows  []float32 // Dim values per row
	slots []uint32  // row -> slot
	rowOf slotTable // slot -> row

	row  []float32 // the writer's prepared row
	pool sync.Pool // of *flatSearch
}

// flatSearch is the memory of one search.
type flatSearch struct {
	query []float32
	hits  TopK
}

func newFlatIndex(c Config) (Index, error) {
	f, err := newFlat(c)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func newFlat(c Config) (*flat, error) {
	c, err := c.Resolve()
	if err != nil {
		return nil, err
	}
	f := &flat{config: c, kernel: kernelOf(c.Metric), row: make([]float32, c.Dim)}
	f.pool.New = func() any { return &flatSearch{query: make([]float32, c.Dim)} }
	return f, nil
}

func (f *flat) Engine() string { return Flat.Name }
func (f *flat) Dim() int       { return f.config.Dim }
func (f *flat) Metric() Metric { return f.config.Metric }

func (f *flat) Len() int {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return len(f.slots)
}

func (f *flat) Upsert(slot uint32, row []float32) error {
	f.writer.Lock()
	defer f.writer.Unlock()
	if err := f.config.Metric.Prepare(f.row, row); err != nil {
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

func (f *flat) Delete(slot uint32) bool {
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

func (f *flat) Row(dst []float32, slot uint32) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	at, held := f.rowOf.get(slot)
	if held {
		copy(dst, f.at(at))
	}
	return held
}

func (f *flat) Slots() iter.Seq[uint32] {
	return f.eachSlot(func() *slotTable { return &f.rowOf })
}

func (f *flat) Search(dst []Hit, query []float32, p Params) ([]Hit, error) {
	p, err := p.Resolve()
	if err != nil {
		return dst, err
	}
	s := f.pool.Get().(*flatSearch)
	defer f.pool.Put(s)
	if err := f.config.Metric.Prepare(s.query, query); err != nil {
		return dst, err
	}
	s.hits.Reset(p.K)

	f.mu.RLock()
	defer f.mu.RUnlock()
	set := rowSet{kernel: f.kernel, rows: f.rows, rowOf: &f.rowOf, members: f.members}
	set.scan(&s.hits, s.query, p)
	return s.hits.AppendTo(dst), nil
}

func (f *flat) Bytes() int64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return 4*int64(cap(f.rows)+cap(f.slots)) + f.rowOf.bytes()
}

// at is the row numbered i.
func (f *flat) at(i uint32) []float32 {
	return f.rows[int(i)*f.config.Dim:][:f.config.Dim]
}

func (f *flat) members(i uint32) []uint32 { return f.slots[i : i+1] }

// Encode writes the body: config, n uint32, n slots uint32, n rows of Dim
// float32. The order of rows is kept, so that equal bytes load to an index
// that goes on behaving equally.
func (f *flat) Encode(w io.Writer) error {
	f.writer.Lock()
	defer f.writer.Unlock()
	e := newEncoder(w)
	e.config(f.config)
	e.u32(uint32(len(f.slots)))
	e.u32s(f.slots)
	e.f32s(f.rows)
	return e.flush()
}

func loadFlat(r io.Reader) (Index, error) {
	d := newDecoder(r)
	c := d.config()
	n := d.u32()
	slots := d.u32s(uint64(n))
	rows := d.f32s(uint64(n) * uint64(c.Dim))
	if err := d.end(); err != nil {
		return nil, err
	}
	f, err := newFlat(c)
	if err != nil {
		return nil, err
	}
	for i, slot := range slots {
		if _, twice := f.rowOf.get(slot); twice {
			return nil, fmt.Errorf("%w: slot %d stands twice", ErrCorrupt, slot)
		}
		f.rowOf.set(slot, uint32(i))
	}
	f.slots, f.rows = slots, rows
	return f, nil
}
