package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/latentdb/latentdb/embed"
)

// MaxSteps is the most records of one path.
const MaxSteps = 1000

// PathEnd is where a path begins or ends: a stored point, or a new record in the form the
// source takes ([]float32 for vectors). Exactly one of the two is set.
type PathEnd struct {
	ID     ID
	Record any
}

// Path is decoded records on the way from one to another.
type Path struct {
	Generation uint64 `json:"generation"`
	// Records are in the source's own form; Vectors take their place for vector collections.
	Records []any       `json:"records,omitempty"`
	Vectors [][]float32 `json:"vectors,omitempty"`
}

// Interpolate decodes records on the straight line between the latents of two, at equal
// distances: steps of them, 2 to MaxSteps, of which the first and the last are what the
// ends themselves decode to. Cost: two records encoded, and one decoded for each step.
// ErrNotFound names an id that is not stored.
func (c *Collection) Interpolate(ctx context.Context, from, to PathEnd, steps int) (*Path, error) {
	gen, err := c.fittedGeneration(ctx)
	if err != nil {
		return nil, err
	}
	if steps < 2 || steps > MaxSteps {
		return nil, invalid("steps", "is %d; it must be 2 to %d", steps, MaxSteps)
	}
	a, err := c.latentOf(gen, from, "from")
	if err != nil {
		return nil, err
	}
	b, err := c.latentOf(gen, to, "to")
	if err != nil {
		return nil, err
	}
	z, rows := embed.NewMatrix(steps, gen.model.Dim()), embed.NewMatrix(steps, gen.fitted.Width())
	for i := range steps {
		t := float64(i) / float64(steps-1)
		for j, row := 0, embed.Row(z, i); j < len(row); j++ {
			row[j] = float32((1-t)*float64(a[j]) + t*float64(b[j]))
		}
	}
	if err := gen.decodeRows(rows, z); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	out := &Path{Generation: gen.number}
	out.Records, out.Vectors, err = gen.shown(rows)
	return out, err
}

// latentOf is the latent of an end of a path.
func (c *Collection) latentOf(gen *generation, end PathEnd, field string) ([]float32, error) {
	if (end.Record != nil) != end.ID.IsZero() {
		return nil, invalid(field, "needs exactly one of an id and a record")
	}
	if end.Record == nil {
		return c.storedLatent(gen, end.ID)
	}
	row, err := c.newRows(gen, []any{end.Record})
	if err != nil {
		var invalid *InvalidError
		if errors.As(err, &invalid) {
			return nil, &InvalidError{Field: field, Reason: invalid.Reason, Err: invalid.Err}
		}
		return nil, err
	}
	return gen.encode(row)
}

// storedLatent is the latent of a stored point: encoded, or where its record is dropped the
// one that is kept.
func (c *Collection) storedLatent(gen *generation, id ID) (z []float32, err error) {
	err = c.view(func(g *ground) error {
		slots, err := g.slotsOf([]ID{id})
		if err != nil {
			return err
		}
		p, ok, err := g.point(slots[0])
		if err != nil || !ok {
			return errors.Join(err, fmt.Errorf("%w: no point with id %s", ErrNotFound, id))
		}
		if gen.latentOnly {
			z, err = gen.latentsOf([]storedPoint{p}, 1)
			return err
		}
		row, err := gen.originals([]storedPoint{p}, 1)
		if err == nil {
			z, err = gen.encode(row)
		}
		return err
	})
	return z, err
}
