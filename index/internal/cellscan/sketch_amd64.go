//go:build amd64 && !purego

package cellscan

// sketchVNNI is ScanSketches of n > 0 rows of 8*groups values.
//
//go:noescape
func sketchVNNI(distances *float32, ids *uint32, query *int8, groups int, blocks *byte, slots *uint32, n int, base, factor, bound float32) int

// estimateAVX2 is estimateGo for rows of 8*groups values.
//
//go:noescape
func estimateAVX2(dst *[Lanes]float32, query *int8, groups int, block *byte, base, factor, bound float32) uint32

func scanSketches(distances []float32, ids []uint32, q *SketchQuery, blocks []byte, slots []uint32, n int, base, bound float32) int {
	switch {
	case hasVNNI:
		return sketchVNNI(&distances[0], &ids[0], &q.rounded[0], len(q.rounded)/8, &blocks[0], &slots[0], n, base, q.factor, bound)
	case hasAVX2:
		return sketchAVX2(distances, ids, q, blocks, slots, n, base, bound)
	}
	return sketchBlocks(distances, ids, q, blocks, slots, n, base, bound, estimateGo)
}

func sketchAVX2(distances []float32, ids []uint32, q *SketchQuery, blocks []byte, slots []uint32, n int, base, bound float32) int {
	return sketchBlocks(distances, ids, q, blocks, slots, n, base, bound,
		func(dst *[Lanes]float32, q *SketchQuery, block []byte, base, bound float32) uint32 {
			return estimateAVX2(dst, &q.rounded[0], len(q.rounded)/8, &block[0], base, q.factor, bound)
		})
}
