package store

import (
	"context"
	"math"

	"github.com/latentdb/latentdb/embed/source"
)

// Among latents the index finds by Euclidean distance, and the largest inner
// products are not the nearest where rows differ in length: ‖q - x‖² = ‖q‖² -
// 2q·x + ‖x‖². But which products are largest does not depend on the length of q,
// and the longer q is, the less ‖x‖² has to say. So a query of a collection that
// measures Dot is asked from far away.

// farAway is how many times as long as the longest row such a query is made.
const farAway = 16

// inputTarget is target for candidates that are scored anew in input space.
func (g *generation) inputTarget(dst []float32, m Metric, row []float32) ([]float32, error) {
	if g.model == nil || m != Dot || g.stats.Longest == 0 {
		return g.target(dst, row)
	}
	size := lengthOf(row)
	if size == 0 {
		return g.target(dst, row)
	}
	z, err := g.encodeTo(dst, scaled(row, min(farAway*g.stats.Longest, source.MaxVectorLength)/size))
	if err != nil {
		return nil, err
	}
	return withinReach(z, float64(g.model.CodeReach())), nil
}

// withinReach draws a latent in until no coordinate is beyond a reach. Codes clip
// each by itself, which would change the direction.
func withinReach(z []float32, reach float64) []float32 {
	var largest float64
	for _, v := range z {
		largest = max(largest, math.Abs(float64(v)))
	}
	if largest <= reach {
		return z
	}
	return scaled(z, reach/largest)
}

func scaled(row []float32, factor float64) []float32 {
	out := make([]float32, len(row))
	for i, v := range row {
		out[i] = float32(float64(v) * factor)
	}
	return out
}

// lengthOf is a row's Euclidean length.
func lengthOf(row []float32) float64 {
	var square float64
	for _, v := range row {
		square += float64(v) * float64(v)
	}
	return math.Sqrt(square)
}

// findLongest keeps how long the longest row is.
func (cal *calibration) findLongest(ctx context.Context) error {
	return cal.c.eachOriginal(ctx, cal.gen, nil, func(_ []storedPoint, rows []float32) error {
		for width := cal.rows.Cols; len(rows) > 0; rows = rows[width:] {
			cal.gen.stats.Longest = max(cal.gen.stats.Longest, lengthOf(rows[:width]))
		}
		return nil
	})
}
