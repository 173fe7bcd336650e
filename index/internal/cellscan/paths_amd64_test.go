//go:build amd64 && !purego

package cellscan

func paths() map[string]path {
	p := map[string]path{"go": func(distances, ids []uint32, q *Query, codes []int8, weights, slots []uint32, n int, bound uint32) int {
		return scanBlocks(distances, ids, q, codes, weights, slots, n, bound, measureGo)
	}}
	if hasAVX2 {
		p["avx2"] = scanAVX2
	}
	if hasVNNI {
		p["vnni"] = scan
	}
	return p
}

func sketchPaths() map[string]sketchPath {
	p := map[string]sketchPath{"go": sketchGo}
	if hasAVX2 {
		p["avx2"] = sketchAVX2
	}
	if hasVNNI {
		p["vnni"] = scanSketches
	}
	return p
}
