package main

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/index"
)

// exactNeighbours are, for every query, the rows of base no farther than its k-th
// nearest: k of them, or more where distances are equal. Matrix products choose
// candidates, whose distances are then summed in float64.
func exactNeighbours(base, queries blas32.General, k int) [][]int32 {
	const block = 256
	norms := make([]float32, base.Rows)
	for i := range norms {
		for _, x := range embed.Row(base, i) {
			norms[i] += x * x
		}
	}
	out := make([][]int32, queries.Rows)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Go(func() {
			for {
				lo := int(next.Add(block)) - block
				if lo >= queries.Rows {
					return
				}
				rows := embed.MatrixOf(queries.Data[lo*queries.Cols:min(lo+block, queries.Rows)*queries.Cols], queries.Cols)
				for i, near := range candidateRows(base, norms, rows, k+ties) {
					out[lo+i] = nearest(base, embed.Row(rows, i), near, k)
				}
			}
		})
	}
	wg.Wait()
	return out
}

// ties is how many candidates beyond the k-th are looked at exactly.
const ties = 54

func candidateRows(base blas32.General, norms []float32, queries blas32.General, k int) [][]index.Hit {
	const block = 2048
	tops, bounds := make([]*index.TopK, queries.Rows), make([]float32, queries.Rows)
	for i := range tops {
		tops[i] = index.NewTopK(k)
	}
	products := make([]float32, queries.Rows*block)
	for lo := 0; lo < base.Rows; lo += block {
		n := min(block, base.Rows-lo)
		embed.Kernels().Sgemm(blas.NoTrans, blas.Trans, queries.Rows, n, base.Cols, -2, queries.Data, queries.Stride,
			base.Data[lo*base.Stride:], base.Stride, 0, products, block)
		for q, top := range tops {
			bound, full := bounds[q], top.Full()
			for i, p := range products[q*block : q*block+n] {
				d := norms[lo+i] + p
				if full && d >= bound {
					continue
				}
				if top.Push(index.Hit{Slot: uint32(lo + i), Distance: d}) {
					if full = top.Full(); full {
						far, _ := top.Farthest()
						bound = far.Distance
					}
				}
			}
			bounds[q] = bound
		}
	}
	out := make([][]index.Hit, len(tops))
	for q, top := range tops {
		out[q] = top.AppendTo(nil)
	}
	return out
}

// nearest cuts candidates after the k-th, and those as far as it.
func nearest(base blas32.General, query []float32, candidates []index.Hit, k int) []int32 {
	type row struct {
		id       int32
		distance float64
	}
	rows := make([]row, len(candidates))
	for i, h := range candidates {
		rows[i].id = int32(h.Slot)
		for j, x := range embed.Row(base, int(h.Slot)) {
			d := float64(x) - float64(query[j])
			rows[i].distance += d * d
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.distance, b.distance) })
	// float32 cannot tell distances apart that differ by less.
	const rounding = 1e-6
	last := rows[min(k, len(rows))-1].distance * (1 + rounding)
	var out []int32
	for _, r := range rows {
		if r.distance <= last {
			out = append(out, r.id)
		}
	}
	return out
}

// recallOf is the share of the true k neighbours among the answers' k ids.
func recallOf(truth [][]int32, ids []int32, k int) float64 {
	found := 0
	for q, near := range truth {
		n := 0
		for _, id := range ids[q*k : (q+1)*k] {
			if slices.Contains(near, id) {
				n++
			}
		}
		found += n
	}
	return float64(found) / float64(k*len(truth))
}
