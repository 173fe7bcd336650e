package lexical

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/latentdb/latentdb/index"
)

// Engine is what snapshots of an Index name as their engine.
const Engine = "lexical"

// The body of a snapshot, little-endian:
//
//	documents, weighed, terms   uint32 each
//	slot                        uint32 for each document; 2³²−1 for one that is gone
//	norm                        float32 for each document
//	for each term:
//	  id                        uint32
//	  weight                    float32
//	  count, length             uvarint each
//	  postings                  length bytes, of count documents
//
// That is the index as it is, the documents that are gone included: what a search
// answers is the same, to the bit, before it is saved and after it is loaded.

const (
	// heaviest is above every weight: a term that one of 2³² documents has weighs 22.5.
	heaviest = 24
	// leastDocument and leastTerm are how many bytes of a body each takes at least.
	leastDocument, leastTerm = 8, 11
	// chunk is how many bytes are read at a time.
	chunk = 1 << 16
)

// State is an index as it was at one moment. It shares the memory of postings with the
// index, which goes on changing, and has the rest to itself.
type State struct {
	weighed int
	slots   []uint32
	norms   []float32
	lists   []postings
}

// State copies what the index is now. Changes wait for that, a millisecond for some ten
// thousand terms; what is done with the copy holds up nobody.
func (x *Index) State() State {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return State{x.weighed, slices.Clone(x.slots), slices.Clone(x.norms), slices.Clone(x.lists)}
}

// Engine names the package, for the header of a snapshot.
func (s State) Engine() string { return Engine }

// Encode writes the body of a snapshot. Equal states have equal bytes.
func (s State) Encode(w io.Writer) error {
	out := bufio.NewWriterSize(w, chunk)
	b := make([]byte, 0, 64)
	put := func(b []byte) error { _, err := out.Write(b); return err }
	u32, f32 := binary.LittleEndian.AppendUint32, func(b []byte, v float32) []byte {
		return binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	// A bufio.Writer keeps its first error, so that of the last write tells all.
	err := put(u32(u32(u32(b, uint32(len(s.slots))), uint32(s.weighed)), uint32(len(s.lists))))
	for _, slot := range s.slots {
		err = put(u32(b, slot))
	}
	for _, norm := range s.norms {
		err = put(f32(b, norm))
	}
	for i := range s.lists {
		p := &s.lists[i]
		head := binary.AppendUvarint(binary.AppendUvarint(f32(u32(b, p.id), p.weight), uint64(p.count)), uint64(len(p.data)))
		if err = put(head); err == nil {
			err = put(p.data)
		}
		if err != nil {
			break
		}
	}
	return errors.Join(err, out.Flush())
}

// Decode reads what State.Encode wrote, to the end of the reader, of an index whose slots
// are all below slots. It takes any bytes, returns index.ErrCorrupt for those that are no
// index, and takes memory as data arrives. Cost: about a nanosecond for each document of
// each term.
func Decode(r io.Reader, slots int) (*Index, error) {
	d := decoder{r: bufio.NewReaderSize(r, chunk)}
	if sized, ok := r.(interface{ Len() int }); ok {
		d.size = sized.Len()
	}
	x := New()
	documents, weighed, terms := d.u32(), d.u32(), d.u32()
	if weighed > documents {
		d.fail("%d of %d documents were weighed", weighed, documents)
	}
	x.weighed = int(weighed)
	d.documents(x, documents, slots)
	d.lists(x, terms, documents)
	if err := d.end(); err != nil {
		return nil, err
	}
	return x, nil
}

// decoder reads numbers and remembers the first error; after it every read gives zeros.
type decoder struct {
	r     *bufio.Reader
	small [4]byte
	size  int // of the body as its source tells it; 0 if it does not
	err   error
}

// fail records what is wrong with the body, unless an error came before.
func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: terms: %s", index.ErrCorrupt, fmt.Sprintf(format, args...))
	}
}

// took records how a read ended.
func (d *decoder) took(err error) {
	switch {
	case err == nil || d.err != nil:
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		d.fail("truncated")
	default:
		d.err = fmt.Errorf("lexical: reading snapshot: %w", err)
	}
}

// into fills b.
func (d *decoder) into(b []byte) {
	if d.err == nil {
		_, err := io.ReadFull(d.r, b)
		d.took(err)
	}
	if d.err != nil {
		clear(b)
	}
}

func (d *decoder) u32() uint32 {
	d.into(d.small[:])
	return binary.LittleEndian.Uint32(d.small[:])
}

func (d *decoder) f32() float32 { return math.Float32frombits(d.u32()) }

// uvarint reads a number that is at most most.
func (d *decoder) uvarint(most uint64) uint64 {
	if d.err != nil {
		return 0
	}
	v, err := binary.ReadUvarint(d.r)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		d.fail("a number of more than 64 bits")
	}
	d.took(err)
	if v > most {
		d.fail("%d, at most %d are possible", v, most)
	}
	return v
}

// bytes reads n bytes. It takes the memory for all of them at once where the body is known
// to be that long, else as they arrive.
func (d *decoder) bytes(n uint64) []byte {
	part := min(n, chunk)
	if n <= uint64(d.size) {
		part = n
	}
	b := make([]byte, 0, part)
	for left := n; left > 0 && d.err == nil; left -= part {
		part = min(part, left)
		from := len(b)
		b = slices.Grow(b, int(part))[:from+int(part)]
		d.into(b[from:])
	}
	return b
}

// room is for how many of n things memory is taken before they arrive.
func (d *decoder) room(n uint32, least int) int { return min(int(n), d.size/least) }

// end expects the source to end here and returns the first error.
func (d *decoder) end() error {
	if d.err == nil {
		if _, err := d.r.ReadByte(); err == nil {
			d.fail("data after the end")
		} else if !errors.Is(err, io.EOF) {
			d.took(err)
		}
	}
	return d.err
}

// documents reads which slot each of n documents is of, and its length.
func (d *decoder) documents(x *Index, n uint32, slots int) {
	x.slots, x.norms = make([]uint32, 0, d.room(n, leastDocument)), make([]float32, 0, d.room(n, leastDocument))
	for doc := uint32(0); doc < n && d.err == nil; doc++ {
		slot := d.u32()
		x.slots = append(x.slots, slot)
		if slot == nobody || d.err != nil {
			continue
		}
		if uint64(slot) >= uint64(max(slots, 0)) {
			d.fail("slot %d of %d", slot, slots)
			return
		}
		x.reach(slot)
		if x.docs[slot] != 0 {
			d.fail("slot %d has two documents", slot)
		}
		x.docs[slot] = doc + 1
		x.live++
	}
	for doc := uint32(0); doc < n && d.err == nil; doc++ {
		norm := d.f32()
		if !(norm >= 0 && norm <= 1) { // a term weighs 1 at least
			d.fail("norm %v", norm)
		}
		x.norms = append(x.norms, norm)
	}
}

// lists reads n terms.
func (d *decoder) lists(x *Index, n, documents uint32) {
	x.lists, x.terms = make([]postings, 0, d.room(n, leastTerm)), make(map[uint32]uint32, d.room(n, leastTerm))
	for place := uint32(0); place < n && d.err == nil; place++ {
		p := postings{id: d.u32(), weight: d.f32(), count: uint32(d.uvarint(uint64(documents)))}
		p.data = d.bytes(d.uvarint(math.MaxInt64))
		switch {
		case d.err != nil:
			return
		case !(p.weight >= 1 && p.weight <= heaviest):
			d.fail("term %d weighs %v", p.id, p.weight)
		case !p.sound(documents):
			d.fail("postings of term %d are not those of %d documents", p.id, p.count)
		}
		x.terms[p.id] = place
		x.lists = append(x.lists, p)
		x.size += len(p.data)
	}
	if len(x.terms) != len(x.lists) {
		d.fail("%d terms, %d of them different", len(x.lists), len(x.terms))
	}
}
