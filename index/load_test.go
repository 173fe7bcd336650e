package index

import (
	"bytes"
	"errors"
	"testing"
)

// body is what a test writes by hand.
func body(c Config, write func(e *encoder)) *bytes.Reader {
	var b bytes.Buffer
	e := newEncoder(&b)
	e.config(c)
	write(e)
	e.flush()
	return bytes.NewReader(b.Bytes())
}

func TestFlatLoadRefusesInconsistentBodies(t *testing.T) {
	c, err := Config{Dim: 1}.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	for _, slots := range [][]uint32{{1, 2}, {1, 1}} {
		_, err := Flat.Load(body(c, func(e *encoder) {
			e.u32(2)
			e.u32s(slots)
			encodeValues(e, []float32{5, 6})
		}))
		if good := slots[0] != slots[1]; good != (err == nil) || !good && !errors.Is(err, ErrCorrupt) {
			t.Errorf("slots %v: %v", slots, err)
		}
	}
	for _, bad := range []Config{{}, {Dim: 1}, {Dim: 1, M: 16, EfConstruct: 3}, {Dim: 1, M: 16, EfConstruct: 200, Metric: 9}} {
		if _, err := Flat.Load(body(bad, func(e *encoder) { e.u32(0) })); !errors.Is(err, ErrCorrupt) {
			t.Errorf("configuration %+v: %v, want ErrCorrupt", bad, err)
		}
	}
}

// graphBody is a body of three nodes, the second of level 1, which a test
// spoils in one place.
type graphBody struct {
	entry  uint32
	levels []uint8
	slots  [][]uint32
	links  [][]uint32 // of node 0; of node 1 on both levels; of node 2
}

func goodGraphBody() graphBody {
	return graphBody{
		entry:  1,
		levels: []uint8{0, 1, 0},
		slots:  [][]uint32{{4}, {}, {5, 6}},
		links:  [][]uint32{{1}, {0, 2}, {}, {1}},
	}
}

func (b graphBody) load() (Index, error) {
	c, err := Config{Dim: 1, M: 2, EfConstruct: 2}.Resolve()
	if err != nil {
		return nil, err
	}
	return HNSW.Load(body(c, func(e *encoder) {
		e.u64(3)
		e.u32(3)
		e.u32(b.entry)
		encodeValues(e, []float32{7, 8, 9})
		for _, level := range b.levels {
			e.u8(level)
		}
		for _, slots := range b.slots {
			e.u32(uint32(len(slots)))
			e.u32s(slots)
		}
		for _, links := range b.links {
			e.u16(uint16(len(links)))
			e.u32s(links)
		}
	}))
}

func TestHNSWLoadRefusesInconsistentBodies(t *testing.T) {
	idx, err := goodGraphBody().load()
	if err != nil {
		t.Fatal(err)
	}
	if err := checkGraph(idx.(*hnsw[float32]).graph); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*graphBody){
		"entry past the nodes":        func(b *graphBody) { b.entry = 3 },
		"entry of a lower level":      func(b *graphBody) { b.entry = 0 },
		"level too high":              func(b *graphBody) { b.levels[1] = maxLevel + 1 },
		"slot on two nodes":           func(b *graphBody) { b.slots[0] = []uint32{6} },
		"slot twice on a node":        func(b *graphBody) { b.slots[2] = []uint32{5, 5} },
		"neighbour past the nodes":    func(b *graphBody) { b.links[0] = []uint32{3} },
		"neighbour of a lower level":  func(b *graphBody) { b.links[2] = []uint32{0} },
		"too many neighbours":         func(b *graphBody) { b.links[0] = []uint32{1, 1, 1, 2, 2} },
		"too many on an upper level":  func(b *graphBody) { b.links[2] = []uint32{1, 1, 1} },
		"neighbours of one node less": func(b *graphBody) { b.links = b.links[:3] },
	} {
		b := goodGraphBody()
		spoil(&b)
		if _, err := b.load(); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", name, err)
		}
	}
}
