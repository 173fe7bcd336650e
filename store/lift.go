package store

import (
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
)

// A model may see more of a record than its feature row (source.Lifted). Only training and
// the calls of the model know of it: rows go in and rows come out. Before there is a model
// the index holds what it would see, for that tells likeness better than the row does.

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

// lifts tells that the index holds more than feature rows, without a model.
func (g *generation) lifts() bool {
	return g.model == nil && g.fitted != nil && modelLayout(g.fitted).Width() != g.fitted.Width()
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
