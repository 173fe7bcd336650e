//go:build amd64 && !purego

package cellscan

import (
	"math/bits"

	"golang.org/x/sys/cpu"
)

var (
	hasVNNI = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VNNI
	hasAVX2 = cpu.X86.HasAVX2
)

// scanVNNI is Scan of n > 0 rows of 4*groups values.
//
//go:noescape
func scanVNNI(distances, ids *uint32, query *byte, groups int, codes *int8, weights, slots *uint32, n int, base, bound uint32) int

// measureAVX2 is measureGo for rows of 4*groups values.
//
//go:noescape
func measureAVX2(dst *[Lanes]uint32, query *byte, groups int, codes *int8, weights *uint32, base, bound uint32) uint32

func scan(distances, ids []uint32, q *Query, codes []int8, weights, slots []uint32, n int, bound uint32) int {
	switch {
	case hasVNNI:
		return scanVNNI(&distances[0], &ids[0], &q.biased[0], len(q.biased)/4, &codes[0], &weights[0], &slots[0], n, q.base, bound)
	case hasAVX2:
		return scanAVX2(distances, ids, q, codes, weights, slots, n, bound)
	}
	return scanBlocks(distances, ids, q, codes, weights, slots, n, bound, measureGo)
}

func scanAVX2(distances, ids []uint32, q *Query, codes []int8, weights, slots []uint32, n int, bound uint32) int {
	var block [Lanes]uint32
	size := Lanes * len(q.biased)
	found := 0
	for b := 0; b*Lanes < n; b++ {
		near := measureAVX2(&block, &q.biased[0], len(q.biased)/4, &codes[b*size], &weights[b*Lanes], q.base, bound)
		if left := n - b*Lanes; left < Lanes {
			near &= 1<<left - 1
		}
		for ; near != 0; near &= near - 1 {
			i := bits.TrailingZeros32(near)
			distances[found], ids[found] = block[i], slots[b*Lanes+i]
			found++
		}
	}
	return found
}
