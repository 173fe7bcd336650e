package store

import (
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
)

// A model may see more of a record than its feature row (source.Lifted). Only training and
// the calls of the model know of it: rows go in and rows come out. Before there is a model
// the index holds what tells likeness best (source.Likened), which is not always the row.

// modelLayout is the layout of what a front end's model sees.
func modelLayout(f source.Fitted) embed.Layout {
	if l, ok := f.(source.Lifted); ok {
		return l.ModelLayout()
	}
	return f.Layout()
}

// lifted is what a front end's model sees of feature rows: the rows themselves where that
// is all.
func lifted(f source.Fitted, rows blas32.General, workers int) blas32.General {
	l, ok := f.(source.Lifted)
	if !ok {
		return rows
	}
	width := l.ModelLayout().Width()
	if width == rows.Cols {
		return rows
	}
	out := embed.NewMatrix(rows.Rows, width)
	inParallel(workers, rows.Rows, func(i int) { l.Lift(embed.Row(out, i), embed.Row(rows, i)) })
	return out
}

// likens tells that the index holds other features than those of rows, without a model.
func (g *generation) likens() bool { return g.likeWidth() > 0 }

func (g *generation) likeWidth() int {
	if l, ok := g.fitted.(source.Likened); ok && g.model == nil {
		return l.LikeWidth()
	}
	return 0
}

// likened is what the index holds of feature rows without a model.
func (g *generation) likened(rows []float32) []float32 {
	width := g.likeWidth()
	if width == 0 {
		return rows
	}
	from := embed.MatrixOf(rows, g.fitted.Width())
	out, l := embed.NewMatrix(from.Rows, width), g.fitted.(source.Likened)
	for i := range from.Rows {
		l.Like(embed.Row(out, i), embed.Row(from, i))
	}
	return out.Data
}

// encodeRows writes the latents of feature rows.
func (g *generation) encodeRows(to, rows blas32.General) error {
	return g.model.Encode(to, lifted(g.fitted, rows, 1))
}

// decodeRows writes the feature rows that latents stand for.
func (g *generation) decodeRows(to, from blas32.General) error {
	if g.model.Features() == to.Cols {
		return g.model.Decode(to, from)
	}
	wide := embed.NewMatrix(from.Rows, g.model.Features())
	if err := g.model.Decode(wide, from); err != nil {
		return err
	}
	for i := range to.Rows {
		copy(embed.Row(to, i), embed.Row(wide, i))
	}
	return nil
}
