package main

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"runtime"

	"github.com/latentdb/latentdb/embed"
)

const (
	// leastRows is how many rows a set must have to be looked at, and manyRows
	// from how many on the error must be well under PCA's.
	leastRows, manyRows = 500, 5000
)

// sets measures every real set at several sizes beside PCA, on rows that
// training never saw.
func (t *training) sets(ctx context.Context) error {
	guard := figure{Name: "train.6a", What: "held-out error, the worst ratio to PCA's over sets and sizes", Floor: ptr(1.0), Goal: ptr(1.0), Better: lower}
	recall := figure{Name: "train.6b", What: "held-out recall@50, the least gain on PCA's over sets and sizes", Floor: ptr(0.0), Goal: ptr(0.0), Better: higher}
	gain := figure{Name: "train.6c", What: "held-out error under PCA's, mean over sets of 5,000 rows and sizes", Floor: ptr(.25), Goal: ptr(.40), Better: higher}
	defer func() {
		for _, f := range []figure{guard, recall, gain} {
			t.add(f)
		}
	}()
	if t.data == "" {
		t.logf("no --data: its figures are null")
		return nil
	}
	list, err := dataSets(t.data)
	if err != nil {
		return err
	}
	worst, least := math.Inf(-1), math.Inf(1)
	var gains []float64
	for _, s := range list {
		set, err := s.load(t.data)
		if errors.Is(err, fs.ErrNotExist) {
			t.logf("%s: not there, left out", s.path)
			continue
		}
		if err != nil {
			return err
		}
		if set.rows.Rows < leastRows {
			continue
		}
		for _, dim := range []int{8, 16, 32} {
			if 2*dim >= rank(set.rows) {
				continue
			}
			res, err := embed.Train(ctx, set.fitted.Layout(), set.rows, embed.Config{
				Dim: dim, Workers: runtime.NumCPU(), InputScale: set.fitted.InputScale()})
			if err != nil {
				return err
			}
			t.logf("%s, %d rows of %d, %d numbers, %s (epoch %d): error %.4f, PCA %.4f; recall@50 %.4f, PCA %.4f", s.path, set.rows.Rows, set.rows.Cols,
				dim, res.Model.Encoder(), res.Model.Settings().Kept, res.Learned.MSE, res.PCA.MSE, res.Learned.Recall50, res.PCA.Recall50)
			ratio := res.Learned.MSE / res.PCA.MSE
			worst, least = max(worst, ratio), min(least, res.Learned.Recall50-res.PCA.Recall50)
			if set.rows.Rows >= manyRows {
				gains = append(gains, 1-ratio)
			}
		}
	}
	if len(gains) == 0 {
		return nil
	}
	guard.Ours, recall.Ours, gain.Ours = &worst, &least, ptr(mean(gains))
	return nil
}

func mean(v []float64) (m float64) {
	for _, x := range v {
		m += x / float64(len(v))
	}
	return m
}
