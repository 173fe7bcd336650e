package store

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
)

// indexRows maps feature rows to what the index holds of them, in place of a
// copy: the latents rounded to their int8 codes, or without a model what likens them.
func (g *generation) indexRows(rows []float32) ([]float32, error) { return g.indexRowsTo(nil, rows) }

// indexRowsTo is indexRows into the memory of dst, where that is enough and they are not the
// rows themselves.
func (g *generation) indexRowsTo(dst, rows []float32) ([]float32, error) {
	if g.model == nil {
		return g.likened(rows), nil
	}
	z, err := g.encodeTo(dst, rows)
	if err != nil {
		return nil, err
	}
	g.model.Round(z)
	return z, nil
}

// target is a query's feature row as the index is asked for it: rounded like
// what is stored, so that a record lies at distance 0 from its copy, unless the
// int8 codes do not reach that far. It lies in the memory of dst, where that is
// enough and it is not the row itself.
func (g *generation) target(dst, row []float32) ([]float32, error) {
	if g.model == nil {
		return g.indexRows(row)
	}
	z, err := g.encodeTo(dst, row)
	if err != nil {
		return nil, err
	}
	for _, v := range z {
		if math.Abs(float64(v)) > float64(g.model.CodeReach()) {
			return z, nil
		}
	}
	g.model.Round(z)
	return z, nil
}

// encode maps feature rows to latents. Every row has one. A model learns from a
// sample, and may be older than a point: what lies immensely far from all it saw
// would have a latent beyond float32, or one whose distances are. Refusing it
// would lose a point that is stored, keep a fit from ending or a database from
// opening; so its latent is drawn in, as int8 codes clip what they do not reach,
// and it stays farthest from everything.
func (g *generation) encode(rows []float32) ([]float32, error) { return g.encodeTo(nil, rows) }

// encodeTo is encode into the memory of dst, where that is enough.
func (g *generation) encodeTo(dst, rows []float32) ([]float32, error) {
	m := embed.MatrixOf(rows, g.fitted.Width())
	n := m.Rows * g.model.Dim()
	z := embed.MatrixOf(slices.Grow(dst[:0], n)[:n], g.model.Dim())
	err := g.encodeRows(z, m)
	if errors.Is(err, embed.ErrData) {
		err = drawnIn(z, m, g.encodeRows)
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	for i := range z.Rows {
		drawIn(embed.Row(z, i))
	}
	return z.Data, nil
}

// drawnIn runs f, which encodes or decodes, on rows one by one: those whose result
// overflows from a thousandth as far out, or a thousandth of that.
func drawnIn(to, from blas32.General, f func(to, from blas32.General) error) error {
	const steps = 30 // from the largest float32 to zero
	for i := range from.Rows {
		out, row := embed.MatrixOf(embed.Row(to, i), to.Cols), slices.Clone(embed.Row(from, i))
		err := f(out, embed.MatrixOf(row, from.Cols))
		for step := 0; errors.Is(err, embed.ErrData) && step < steps; step++ {
			for j := range row {
				row[j] /= 1000
			}
			err = f(out, embed.MatrixOf(row, from.Cols))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// drawIn scales a latent that is longer than a vector may be to that length:
// what holds for distances between vectors then holds between latents.
func drawIn(z []float32) {
	var square float64
	for _, v := range z {
		square += float64(v) * float64(v)
	}
	if length := math.Sqrt(square); length > source.MaxVectorLength {
		for i, v := range z {
			z[i] = float32(float64(v) / length * source.MaxVectorLength)
		}
	}
}
