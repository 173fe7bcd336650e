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
	watched, _, err := g.watchedAndFeatures(chunk, workers, false)
	return watched, err
}

// watchedAndFeatures are the rows that points are watched by and, where they are wanted or
// made on the way, their feature rows.
func (g *generation) watchedAndFeatures(chunk []storedPoint, workers int, wanted bool) (watched, features []float32, err error) {
	if g.latentOnly {
		if watched, err = g.latentsOf(chunk, workers); err == nil && wanted {
			features, err = g.decode(watched, workers)
		}
		return watched, features, err
	}
	if linear, ok := g.fitted.(source.Linear); ok {
		return g.linearRows(linear, chunk, workers, wanted)
	}
	if features, err = g.originals(chunk, workers); err != nil || g.byRows() {
		return features, features, err
	}
	watched, err = g.encode(features) // not rounded: int8 codes would clip just what is strange
	return watched, features, err
}

// linearRows are the rows of points with numbers on a linear scale and, where they are
// wanted, their feature rows.
func (g *generation) linearRows(linear source.Linear, chunk []storedPoint, workers int, wanted bool) (rows, features []float32, err error) {
	width := g.fitted.Width()
	rows, errs := make([]float32, width*len(chunk)), make([]error, len(chunk))
	if wanted {
		features = make([]float32, width*len(chunk))
	}
	inParallel(workers, len(chunk), func(i int) {
		var feature []float32
		if wanted {
			feature = features[i*width : (i+1)*width]
		}
		if err := linear.LinearRow(rows[i*width:(i+1)*width], feature, chunk[i].data); err != nil {
			errs[i] = fmt.Errorf("store: record of id %s: %w", chunk[i].id, err)
		}
	})
	return rows, features, errors.Join(errs...)
}

// newWatchedRows are those of records that are not stored, whose feature rows are given,
// and what they would be stored as.
func (g *generation) newWatchedRows(stored [][]byte, rows []float32) ([]float32, error) {
	if !g.byRows() {
		return g.encode(rows)
	}
	linear, ok := g.fitted.(source.Linear)
	if !ok {
		return rows, nil
	}
	width := g.fitted.Width()
	out := make([]float32, len(rows))
	for i, record := range stored {
		if err := linear.LinearRow(out[i*width:(i+1)*width], nil, record); err != nil {
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

// nearby are the points that were found near a row.
type nearby struct {
	shown []Neighbour // as answers have them
	// features are their rows as points are scored by in input space, watched as they are
	// watched by, one after another.
	features, watched []float32
}

// nearbyOf reads what hits are of, but for points that are gone; what they are watched by
// where that is wanted.
func (c *Collection) nearbyOf(g *ground, gen *generation, hits []index.Hit, wantWatched bool) (out nearby, err error) {
	_, linear := gen.fitted.(source.Linear)
	plain := gen.byRows() && !linear // one row serves for all
	metric := gen.metric(c.Config())
	out.shown = make([]Neighbour, 0, len(hits))
	var points []storedPoint
	for _, h := range hits {
		var e slotEntry
		var ok bool
		if e, ok, err = g.entry(h.Slot); err != nil {
			return out, err
		}
		if !ok {
			continue
		}
		out.shown = append(out.shown, Neighbour{ID: e.id, Score: scoreOf(metric, h.Distance)})
		if plain {
			out.features, err = gen.appendFeature(out.features, g, h.Slot, e)
		} else {
			var p storedPoint
			p, err = g.content(h.Slot, e)
			points = append(points, p)
		}
		if err != nil {
			return out, err
		}
	}
	switch {
	case plain:
		out.watched = out.features
	case wantWatched:
		out.watched, out.features, err = gen.watchedAndFeatures(points, 1, true)
	default:
		out.features, err = gen.featureRows(points, 1)
	}
	return out, err
}

// appendFeature appends the feature row of a slot that holds a point, from memory where it is
// kept.
func (g *generation) appendFeature(dst []float32, gr *ground, slot uint32, e slotEntry) ([]float32, error) {
	n, width := len(dst), g.fitted.Width()
	dst = slices.Grow(dst, width)
	if g.keptRow(dst[n:n+width], slot) {
		return dst[:n+width], nil
	}
	p, err := gr.content(slot, e)
	if err != nil {
		return dst, err
	}
	row, err := g.originals([]storedPoint{p}, 1)
	return append(dst, row...), err
}
