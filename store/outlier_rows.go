package store

import (
	"errors"
	"fmt"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
)

// rowsWatched is the most features of vectors that are watched as they are.
const rowsWatched = 512

// byRows tells that points are watched by their rows. Latents lose just what is strange,
// so where they are watched the residual counts too.
func (g *generation) byRows() bool {
	if g.latentOnly {
		return false
	}
	_, linear := g.fitted.(source.Linear)
	return linear || g.fitted.Spec().Kind() == "vector" && g.fitted.Width() <= rowsWatched
}

// watchedRows are the rows that points are watched by.
func (g *generation) watchedRows(chunk []storedPoint, workers int) ([]float32, error) {
	linear, ok := g.fitted.(source.Linear)
	switch {
	case !g.byRows() && g.latentOnly:
		return g.latentsOf(chunk, workers)
	case !g.byRows():
		rows, err := g.originals(chunk, workers)
		if err != nil {
			return nil, err
		}
		return g.encode(rows) // not rounded: int8 codes would clip just what is strange
	case !ok:
		return g.originals(chunk, workers)
	}
	width := g.fitted.Width()
	rows, errs := make([]float32, width*len(chunk)), make([]error, len(chunk))
	inParallel(workers, len(chunk), func(i int) {
		if err := linear.LinearRow(rows[i*width:(i+1)*width], chunk[i].data); err != nil {
			errs[i] = fmt.Errorf("store: record of id %s: %w", chunk[i].id, err)
		}
	})
	return rows, errors.Join(errs...)
}

// newWatchedRows are those of records that are not stored, whose feature rows are given.
func (c *Collection) newWatchedRows(g *generation, records []any, rows []float32) ([]float32, error) {
	if !g.byRows() {
		return g.encode(rows)
	}
	linear, ok := g.fitted.(source.Linear)
	if !ok {
		return rows, nil
	}
	width := g.fitted.Width()
	out := make([]float32, len(rows))
	for i, r := range records {
		stored, err := c.Config().Source.Marshal(r)
		if err == nil {
			err = linear.LinearRow(out[i*width:(i+1)*width], stored)
		}
		if err != nil {
			return nil, invalidCause(fmt.Sprintf("records[%d]", i), err)
		}
	}
	return out, nil
}

func (g *generation) watchedMatrix(rows []float32) blas32.General {
	if g.byRows() {
		return embed.MatrixOf(rows, g.fitted.Width())
	}
	return embed.MatrixOf(rows, g.model.Dim())
}

// whitenedResiduals are those of points whose latents are given.
func (c *Collection) whitenedResiduals(gen *generation, z []float32, chunk []storedPoint) ([]float32, error) {
	var found []fidelity
	var err error
	if gen.latentOnly {
		found, err = gen.fidelities(chunk, z, c.opts.Workers)
	} else {
		var rows []float32
		if rows, err = gen.originals(chunk, c.opts.Workers); err == nil {
			found, err = gen.fidelitiesOf(rows, z, c.opts.Workers)
		}
	}
	out := make([]float32, len(found))
	for i, f := range found {
		out[i] = f.whitened
	}
	return out, err
}
