package index

import (
	"hash/maphash"
	"slices"
)

// rowHashes finds the node that has a given row: an open-addressing table of
// node numbers, at most three quarters full, that only ever grows. Rows are
// compared bit by bit. Its hash is seeded afresh in every process; nothing
// depends on its order.
type rowHashes[T value] struct {
	dim   int
	seed  maphash.Seed
	table []uint32 // node + 1; 0 where free; the length is a power of two
	n     int
}

func newRowHashes[T value](dim int) rowHashes[T] {
	return rowHashes[T]{dim: dim, seed: maphash.MakeSeed(), table: make([]uint32, 16)}
}

// find returns the node whose row in rows equals row.
func (h *rowHashes[T]) find(rows, row []T) (node uint32, ok bool) {
	at := h.probe(rows, row)
	return h.table[at] - 1, h.table[at] != 0
}

// add enters a node. If another has the same row, that one stays.
func (h *rowHashes[T]) add(rows []T, node uint32) {
	h.reserve(rows, 1)
	if at := h.probe(rows, rowAt(rows, h.dim, node)); h.table[at] == 0 {
		h.table[at] = node + 1
		h.n++
	}
}

// forget takes back the add of a node, the last that was added.
func (h *rowHashes[T]) forget(rows []T, node uint32) {
	if at := h.probe(rows, rowAt(rows, h.dim, node)); h.table[at] == node+1 {
		h.table[at] = 0
		h.n--
	}
}

// probe is the place of row in the table: its node's, or a free one.
func (h *rowHashes[T]) probe(rows, row []T) int {
	mask := len(h.table) - 1
	at := int(maphash.Bytes(h.seed, memory(row))) & mask
	for h.table[at] != 0 && !slices.Equal(rowAt(rows, h.dim, h.table[at]-1), row) {
		at = (at + 1) & mask
	}
	return at
}

// reserve makes room for n more nodes.
func (h *rowHashes[T]) reserve(rows []T, n int) {
	size := len(h.table)
	for 4*(h.n+n) > 3*size {
		size *= 2
	}
	if size == len(h.table) {
		return
	}
	old := h.table
	h.table = make([]uint32, size)
	for _, v := range old {
		if v != 0 {
			h.table[h.probe(rows, rowAt(rows, h.dim, v-1))] = v
		}
	}
}
