package embed

import (
	"context"
	"fmt"
	"slices"
)

// dims are the latent sizes tried where none is asked for.
var dims = []int{8, 16, 32, 64, 128, 256}

// chooseDim picks the latent size by PCA's recall, a floor for the model's.
func (t *trainer) chooseDim(ctx context.Context) (int, string, error) {
	if t.cfg.Dim > 0 {
		return t.cfg.Dim, "asked for", nil
	}
	if t.layout.Views() != nil {
		return t.choosePairDim(ctx)
	}
	fitting := dimsWithin(t.train.Cols)
	if !t.cfg.Reranked && t.train.Cols >= answeringFeatures {
		fitting = slices.DeleteFunc(fitting, func(d int) bool { return d < answeringDim })
	}
	widest := fitting[len(fitting)-1]
	pca, err := fitPCA(ctx, t.layout, t.train, widest)
	if err != nil {
		return 0, "", err
	}
	exam, err := t.quickExaminer(ctx, pca)
	if err != nil {
		return 0, "", err
	}
	var recall float64
	first := 50
	if t.cfg.Exacting {
		first = TrueNeighbours
	}
	for _, d := range fitting {
		score, err := exam.score(ctx, pca.truncated(d), false)
		if err != nil {
			return 0, "", err
		}
		if recall = score.Recall50; t.cfg.Exacting {
			recall = score.Recall10
		}
		if recall >= t.cfg.Recall {
			return d, fmt.Sprintf("smallest size at which PCA's recall@%d (%.3f) meets %.2f", first, recall, t.cfg.Recall), nil
		}
	}
	return widest, fmt.Sprintf("largest size tried; PCA's recall@%d there is %.3f, short of %.2f", first, recall, t.cfg.Recall), nil
}

// answeringDim is the least latent size of rows of answeringFeatures and more where latents
// answer by themselves: the first 50 may hold the true neighbours in fewer numbers, but in
// an order that nothing mends. Of 5,000 digits with their edges, 16 numbers told .956 of
// new ones by 10 neighbours, 32 told .966 and the rows themselves .967.
const answeringDim, answeringFeatures = 32, 256

// dimsWithin are the latent sizes that are tried where there are so many features.
func dimsWithin(features int) []int {
	fitting := slices.DeleteFunc(slices.Clone(dims), func(d int) bool { return d > features })
	if features <= narrow && !slices.Contains(fitting, features) {
		fitting = append(fitting, features)
	}
	return fitting
}

// truncated is a PCA model's first d components.
func (m *Model) truncated(d int) *Model {
	out := &Model{layout: m.layout, encoder: PCA, dim: d, mean: m.mean, scale: m.scale, sigma: m.sigma,
		enc: newLinear(m.Features(), d, false), dec: newLinear(d, m.Features(), false)}
	for j := range m.Features() {
		copy(Row(out.enc.w, j), Row(m.enc.w, j)[:d])
	}
	for k := range d {
		copy(Row(out.dec.w, k), Row(m.dec.w, k))
	}
	return out
}
