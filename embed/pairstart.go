package embed

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// start is the linear model that training begins with: PCA, or canonical correlation.
func (t *trainer) start(ctx context.Context, dim int) (*Model, error) {
	if t.layout.Views() == nil {
		return fitPCA(ctx, t.layout, t.train, dim)
	}
	if t.canonical == nil {
		var err error
		if t.canonical, err = fitCanonical(ctx, t.layout, t.train, dim); err != nil {
			return nil, err
		}
	}
	return t.canonical.model(ctx, dim)
}

// choosePairDim picks the latent size of rows of two views: the largest that finds the
// other view about as well as any. Held-out pairs are few, and where they are all found
// at several sizes, more numbers tell pairs apart that none of them was like.
func (t *trainer) choosePairDim(ctx context.Context) (int, string, error) {
	narrowest := t.train.Rows
	for _, v := range t.layout.Views() {
		narrowest = min(narrowest, v.Width())
	}
	fitting := dimsWithin(narrowest)
	found, best := make([]float64, len(fitting)), 0.0
	queries := 0
	if _, err := t.start(ctx, fitting[len(fitting)-1]); err != nil { // all directions at once
		return 0, "", err
	}
	for i, d := range fitting {
		start, err := t.start(ctx, d)
		if err != nil {
			return 0, "", err
		}
		exam, err := t.quickExaminer(ctx, start)
		if err != nil {
			return 0, "", err
		}
		score, err := exam.score(ctx, start, false)
		if err != nil {
			return 0, "", err
		}
		found[i], best, queries = score.rank, max(best, score.rank), 2*exam.queries.Rows
	}
	slack := math.Sqrt(best * (1 - best) / float64(queries))
	for i, d := range slices.Backward(fitting) {
		if found[i] >= best-slack {
			return d, fmt.Sprintf("largest size at which the linear start ranks the other side at a mean reciprocal of %.3f, within a standard error of the best of all sizes, %.3f", found[i], best), nil
		}
	}
	return 0, "", fmt.Errorf("%w: the linear start ranks nothing", ErrData)
}
