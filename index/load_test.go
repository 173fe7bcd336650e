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

// loadBlocks loads the same body in today's form. What comes behind a list in
// its block is the node's own number.
func (b graphBody) loadBlocks(spoil func(state []uint8, slots, bottom, upper []uint32)) (Index, error) {
	c, err := Config{Dim: 1, M: 2, EfConstruct: 2}.Resolve()
	if err != nil {
		return nil, err
	}
	state := []uint8{0, 1 | vacant, shared}
	slots := []uint32{4, 0, 0}
	bottom := []uint32{1, 0, 0, 0, 0, 2, 1, 1, 1, 2, 2, 2}
	upper := []uint32{1, 1}
	spoil(state, slots, bottom, upper)
	var body bytes.Buffer
	e := newEncoder(&body)
	e.flagged(c, blocked)
	e.u64(3)
	e.u32(3)
	e.u32(b.entry)
	encodeValues(e, []float32{7, 8, 9})
	encodeValues(e, state)
	e.u32s(slots)
	e.u32(2)
	e.u32s([]uint32{5, 6})
	e.u32s(bottom)
	e.u32s(upper)
	e.flush()
	return HNSW.Load(&body)
}

func TestHNSWLoadRefusesInconsistentBlocks(t *testing.T) {
	good := goodGraphBody()
	idx, err := good.loadBlocks(func([]uint8, []uint32, []uint32, []uint32) {})
	if err != nil {
		t.Fatal(err)
	}
	if idx.Len() != 3 {
		t.Errorf("%d slots, want 3", idx.Len())
	}
	// The same graph from the body of format 1.
	lists, err := good.load()
	if err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := errors.Join(idx.Encode(&a), lists.Encode(&b)); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("lists and blocks loaded to different graphs, %v", err)
	}
	for name, spoil := range map[string]func(state []uint8, slots, bottom, upper []uint32){
		"unknown state":              func(state []uint8, _, _, _ []uint32) { state[0] = 0x20 },
		"vacant and shared":          func(state []uint8, _, _, _ []uint32) { state[2] |= vacant },
		"vacant with a slot":         func(_ []uint8, slots, _, _ []uint32) { slots[1] = 8 },
		"slot on two nodes":          func(_ []uint8, slots, _, _ []uint32) { slots[0] = 6 },
		"entry of a lower level":     func(state []uint8, _, _, _ []uint32) { state[0], state[1] = 1, vacant },
		"neighbour past the nodes":   func(_ []uint8, _, bottom, _ []uint32) { bottom[0] = 3 },
		"neighbour of a lower level": func(_ []uint8, _, _, upper []uint32) { upper[0] = 2 },
		"a gap in a block":           func(_ []uint8, _, bottom, _ []uint32) { bottom[2] = 1; bottom[0] = 0 },
	} {
		if _, err := good.loadBlocks(spoil); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", name, err)
		}
	}
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
