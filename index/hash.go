package index

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"slices"
)

// rowHashes finds the node that has a given row: an open-addressing table of
// node numbers, at most three quarters full, that only ever grows. Rows are
// compared bit by bit. Its hash is seeded afresh in every process; nothing
// depends on its order.
type rowHashes struct {
	dim   int
	seed  maphash.Seed
	table []uint32 // node + 1; 0 where free; the length is a power of two
	n     int
	bytes []byte // one row's bytes
}

func newRowHashes(dim int) rowHashes {
	return rowHashes{dim: dim, seed: maphash.MakeSeed(), table: make([]uint32, 16)}
}

// find returns the node whose row in rows equals row.
func (h *rowHashes) find(rows, row []float32) (node uint32, ok bool) {
	at := h.probe(rows, row)
	return h.table[at] - 1, h.table[at] != 0
}

// add enters a node. If another has the same row, that one stays.
func (h *rowHashes) add(rows []float32, node uint32) {
	if 4*(h.n+1) > 3*len(h.table) {
		h.grow(rows)
	}
	if at := h.probe(rows, rowAt(rows, h.dim, node)); h.table[at] == 0 {
		h.table[at] = node + 1
		h.n++
	}
}

// probe is the place of row in the table: its node's, or a free one.
func (h *rowHashes) probe(rows, row []float32) int {
	h.bytes = h.bytes[:0]
	for _, x := range row {
		h.bytes = binary.LittleEndian.AppendUint32(h.bytes, math.Float32bits(x))
	}
	mask := len(h.table) - 1
	at := int(maphash.Bytes(h.seed, h.bytes)) & mask
	for h.table[at] != 0 && !slices.Equal(rowAt(rows, h.dim, h.table[at]-1), row) {
		at = (at + 1) & mask
	}
	return at
}

func (h *rowHashes) grow(rows []float32) {
	old := h.table
	h.table = make([]uint32, 2*len(old))
	h.n = 0
	for _, v := range old {
		if v != 0 {
			h.add(rows, v-1)
		}
	}
}
