//go:build !amd64 || purego

package cellscan

func scan(distances, ids []uint32, q *Query, codes []int8, weights, slots []uint32, n int, bound uint32) int {
	return scanBlocks(distances, ids, q, codes, weights, slots, n, bound, measureGo)
}

func scanSketches(distances []float32, ids []uint32, q *SketchQuery, blocks []byte, slots []uint32, n int, base, bound float32) int {
	return sketchBlocks(distances, ids, q, blocks, slots, n, base, bound, estimateGo)
}
