package index

import "fmt"

// Recall measures an index against its own exact scan: the share, from 0 to 1,
// of the k nearest rows that Search finds with p (whose K and Exact are not
// used). queries holds one query of Dim values after another. Of several rows
// at the distance of the k-th, any will do. It costs one exact scan per query.
//
// Where nothing matches any query the recall is 1. No query at all is ErrParams,
// a part of one ErrDim.
func Recall(idx Index, queries []float32, k int, p Params) (float64, error) {
	dim := idx.Dim()
	switch {
	case len(queries) == 0:
		return 0, fmt.Errorf("%w: recall needs at least one query", ErrParams)
	case len(queries)%dim != 0:
		return 0, fmt.Errorf("%w: queries of %d values in all, want a multiple of %d", ErrDim, len(queries), dim)
	}
	p.K = k
	var want, got []Hit
	var found, total int
	for ; len(queries) > 0; queries = queries[dim:] {
		var err error
		p.Exact = true
		if want, err = idx.Search(want[:0], queries[:dim], p); err != nil {
			return 0, err
		}
		p.Exact = false
		if got, err = idx.Search(got[:0], queries[:dim], p); err != nil {
			return 0, err
		}
		total += len(want)
		for _, hit := range got {
			if hit.Distance <= want[len(want)-1].Distance {
				found++
			}
		}
	}
	if total == 0 {
		return 1, nil
	}
	return float64(found) / float64(total), nil
}
