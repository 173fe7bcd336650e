//go:build !amd64 || purego

package cellscan

func scan(distances, ids []uint32, q *Query, codes []int8, weights, slots []uint32, n int, bound uint32) int {
	return scanBlocks(distances, ids, q, codes, weights, slots, n, bound, measureGo)
}
