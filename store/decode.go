package store

import (
	"errors"
	"fmt"
	"slices"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/index"
)

// decodePiece is how many latents a worker decodes at a time.
const decodePiece = 256

// decode maps latents to the rows that points are scored by.
func (g *generation) decode(z []float32, workers int) ([]float32, error) {
	rows, err := g.decodeRaw(z, workers)
	if err != nil || !g.unit() {
		return rows, err
	}
	for row := range slices.Chunk(rows, g.fitted.Width()) {
		if err := index.Cosine.Prepare(row, row); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
	}
	return rows, nil
}

// unit tells whether feature rows are of length one.
func (g *generation) unit() bool {
	v, ok := g.fitted.Spec().(source.Vector)
	return ok && v.Unit
}

// decodeRaw maps latents to rows as the model gives them.
func (g *generation) decodeRaw(z []float32, workers int) ([]float32, error) {
	from := embed.MatrixOf(z, g.model.Dim())
	to := embed.NewMatrix(from.Rows, g.fitted.Width())
	pieces := (from.Rows + decodePiece - 1) / decodePiece
	errs := make([]error, pieces)
	inParallel(workers, pieces, func(i int) {
		errs[i] = g.decodePiece(part(to, i), part(from, i))
	})
	return to.Data, errors.Join(errs...)
}

func part(m blas32.General, i int) blas32.General {
	lo, hi := i*decodePiece, min((i+1)*decodePiece, m.Rows)
	return embed.MatrixOf(m.Data[lo*m.Stride:hi*m.Stride], m.Cols)
}

// decodePiece decodes some latents. Every latent that is stored has a row, as every row has
// a latent: one that lies so far out that its row overflows is drawn in.
func (g *generation) decodePiece(to, from blas32.General) error {
	err := g.decodeRows(to, from)
	if errors.Is(err, embed.ErrData) {
		err = drawnIn(to, from, g.decodeRows)
	}
	return err
}

// latentInMemory copies the latent of a slot, as searches see it, and tells whether there
// is one.
func (g *generation) latentInMemory(dst []float32, slot uint32) bool {
	if row, known := g.tail.row(slot); known { // first: what leaves it is in the index by then
		return copy(dst, row) > 0
	}
	return g.index.Row(dst, slot)
}

// recordsOf are the records that points' latents decode to, in the form users give them,
// and the latents, one after another.
func (g *generation) recordsOf(points []storedPoint, workers int) (records []any, latents []float32, err error) {
	features, latents, err := g.rowsOf(points, workers, true)
	if err != nil {
		return nil, nil, err
	}
	width := g.fitted.Width()
	records = make([]any, len(points))
	for i := range records {
		if records[i], err = g.fitted.Record(features[i*width : (i+1)*width]); err != nil {
			return nil, nil, fmt.Errorf("store: %w", err)
		}
	}
	return records, latents, nil
}

// decodePoints fills in what is asked for of points whose records are dropped.
func (g *generation) decodePoints(points []Point, stored []storedPoint, with With, workers int) error {
	records, latents, err := g.recordsOf(stored, workers)
	if err != nil {
		return err
	}
	d := g.model.Dim()
	for i, record := range records {
		if v, ok := record.([]float32); ok {
			points[i].Vector = v
			continue
		}
		if with.Record {
			points[i].Record = record
		}
		if with.Vector {
			points[i].Vector = latents[i*d : (i+1)*d : (i+1)*d]
		}
	}
	return nil
}
