package store

import (
	"context"
	"fmt"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/index"
)

// DefaultMapPoints is how many points a map shows when not told.
const DefaultMapPoints = 2000

// Map is a picture of a collection: its points in two dimensions.
type Map struct {
	Generation uint64     `json:"generation"`
	Points     []MapPoint `json:"points"`
}

// MapPoint is one point of a map.
type MapPoint struct {
	ID      ID      `json:"id"`
	X       float32 `json:"x"`
	Y       float32 `json:"y"`
	Payload Payload `json:"payload,omitempty"`
}

// Map projects the latents of a uniform sample of points, 1 to MaxLimit of them (0:
// DefaultMapPoints), on their two principal components. The same points while nothing
// changes. ErrNotFitted before any fit.
func (c *Collection) Map(ctx context.Context, limit int) (*Map, error) {
	gen, err := c.fittedGeneration(ctx)
	if err != nil {
		return nil, err
	}
	setDefault(&limit, DefaultMapPoints)
	if limit < 1 || limit > MaxLimit {
		return nil, invalid("limit", "is %d; it must be 1 to %d", limit, MaxLimit)
	}
	slots, err := c.sampleSlots(ctx, limit, 1)
	if err != nil {
		return nil, err
	}
	out := &Map{Generation: gen.number, Points: []MapPoint{}}
	var latents []float32
	err = c.eachPoint(ctx, index.NewBitmap(slots...), func(chunk []storedPoint) error {
		z, err := gen.latentsOf(chunk, c.opts.Workers)
		latents = append(latents, z...)
		for _, p := range chunk {
			out.Points = append(out.Points, MapPoint{ID: p.id})
			slots[len(out.Points)-1] = p.slot
		}
		return err
	})
	if err != nil || len(out.Points) == 0 {
		return out, err
	}
	// Points that are all the same lie in one place.
	if flat, err := embed.Project(ctx, embed.MatrixOf(latents, gen.model.Dim()), 2); err == nil {
		for i := range out.Points {
			out.Points[i].X, out.Points[i].Y = embed.Row(flat, i)[0], embed.Row(flat, i)[1]
		}
	} else if ctx.Err() != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return out, c.view(func(g *ground) error {
		for i := range out.Points {
			if out.Points[i].Payload, err = g.payload(slots[i]); err != nil {
				return err
			}
		}
		return nil
	})
}
