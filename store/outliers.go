package store

import (
	"context"
	"errors"
	"slices"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/index"
)

// outlierNeighbours is how many of the nearest points are shown beside a record.
const outlierNeighbours = 10

// Outliers scores every point of the collection and returns the strangest that the filter
// selects: which of the points are unlike the others, some of them being so. A point is
// strange where few others are, even without those that are strange themselves, and far
// from where most are (embed.Detector), measured on the rows of tables and vectors; of
// other kinds on latents, and by how badly the model gives it back besides. Score is the
// share of the collection that is less strange. Cost: about a thousand distances a point
// once, and then of the points that changed.
func (c *Collection) Outliers(ctx context.Context, q OutlierQuery) (out *Outliers, err error) {
	return out, c.whileOriginals(ctx, func(gen *generation) error {
		out, err = c.outliers(ctx, gen, q)
		return err
	})
}

// whileOriginals calls f with the generation that points are watched by, again if the
// records went with it meanwhile.
func (c *Collection) whileOriginals(ctx context.Context, f func(gen *generation) error) error {
	for attempt := 0; ; attempt++ {
		gen, err := c.watchedGeneration(ctx)
		if err != nil {
			return err
		}
		if err = f(gen); !errors.Is(err, ErrNoOriginals) || c.active.Load() == gen || attempt == 3 {
			return err
		}
	}
}

func (c *Collection) outliers(ctx context.Context, gen *generation, q OutlierQuery) (*Outliers, error) {
	setDefault(&q.Limit, DefaultLimit)
	if q.Limit < 1 || q.Limit > MaxLimit {
		return nil, invalid("limit", "is %d; it must be 1 to %d", q.Limit, MaxLimit)
	}
	allow, err := c.selection(ctx, q.Filter)
	if err != nil {
		return nil, err
	}
	if c.points.Load() == 0 {
		return &Outliers{SuggestedCut: 1, Outliers: []Outlier{}}, nil
	}
	pop, err := c.population(ctx, gen, q.Progress)
	if err != nil {
		return nil, err
	}
	out := &Outliers{SuggestedCut: pop.ranking.cut, Outliers: []Outlier{}}
	return out, c.view(func(g *ground) error {
		for _, s := range pop.strangest {
			if len(out.Outliers) == q.Limit {
				break
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if allow != nil && !allow.Has(s.slot) {
				continue
			}
			o, ok, err := c.outlier(g, pop, s, !q.OmitParts)
			if err != nil {
				return err
			}
			if ok {
				out.Outliers = append(out.Outliers, o)
			}
		}
		return nil
	})
}

// outlier describes one scored point; ok is false if it is gone by now.
func (c *Collection) outlier(g *ground, pop *population, s measured, explained bool) (o Outlier, ok bool, err error) {
	e, ok, err := g.entry(s.slot)
	if err != nil || !ok {
		return o, false, err
	}
	o.ID = e.id
	o.Score, o.PValue = pop.ranking.score(pop.watch.strangenessOf(s))
	if o.Payload, err = g.payload(s.slot); err != nil {
		return o, false, err
	}
	if !explained {
		o.Parts, o.Nearest = []Part{}, []Neighbour{}
		return o, true, nil
	}
	o.Parts, o.Nearest, err = c.explainStored(g, pop.watch, s)
	return o, true, err
}

// explainStored says what makes a stored point strange, and which others are nearest.
func (c *Collection) explainStored(g *ground, w *watch, s measured) (parts []Part, nearest []Neighbour, err error) {
	gen := w.generation
	p, ok, err := g.point(s.slot)
	if err != nil || !ok {
		return nil, nil, err
	}
	row, z, err := gen.rowsOf([]storedPoint{p}, 1, true)
	if err == nil && !gen.latentOnly {
		z, err = gen.placeOf(row)
	}
	if err != nil {
		return nil, nil, err
	}
	hits, err := c.neighbours(gen, z, s.slot)
	if err != nil {
		return nil, nil, err
	}
	watched, err := gen.watchedRows([]storedPoint{p}, 1)
	if err != nil {
		return nil, nil, err
	}
	if !gen.byRows() { // its nearest too
		again, err := c.measureTrusted(g, w, []storedPoint{p})
		if err != nil {
			return nil, nil, err
		}
		s.nearest = again[0].nearest
	}
	found, err := c.nearbyOf(g, gen, hits, false)
	if err != nil {
		return nil, nil, err
	}
	parts, err = w.explain(strangeRow{row, watched, s, gen.latentOnly}, found)
	return parts, found.shown, err
}

// watchedGeneration is the active one, fitted unless points are watched by their rows.
func (c *Collection) watchedGeneration(ctx context.Context) (*generation, error) {
	gen, err := c.fittedGeneration(ctx)
	if errors.Is(err, ErrNotFitted) {
		if zero := c.active.Load(); zero.fitted != nil && (zero.model != nil || zero.byRows()) {
			return zero, nil
		}
	}
	return gen, err
}

// placeOf is what the index is asked for a row's neighbours: not rounded, for int8 codes
// would clip just what is strange.
func (g *generation) placeOf(row []float32) ([]float32, error) {
	if g.model == nil {
		return g.indexRows(row)
	}
	return g.encode(row)
}

// nearbyEF is how wide a search for a strange point's neighbours is: as calibrated for the
// collection's recall, where latents are, and else the index's own.
func (c *Collection) nearbyEF(gen *generation) int {
	if gen.model == nil {
		return 0
	}
	p, _ := gen.setting(gen.report.Calibration, SpaceLatent, c.Config().Recall)
	return p.EF
}

// neighbours are the points nearest to a latent, other than the one in a slot.
func (c *Collection) neighbours(gen *generation, z []float32, slot uint32) ([]index.Hit, error) {
	hits, err := gen.nearest(nil, z, index.Params{K: outlierNeighbours + 1, EF: c.nearbyEF(gen)}, c)
	hits = slices.DeleteFunc(hits, func(h index.Hit) bool { return h.Slot == slot })
	return hits[:min(len(hits), outlierNeighbours)], err
}

// ScoreRecords tells whether new records are strange beside the collection, all of whose
// points are trusted: how far the nearest of them are, and of kinds that are measured on
// latents how badly the model gives it back besides. Score is the share of the stored
// points that are less strange, so measured. Cost, for each record: one search, and the
// records it finds are read; of collections of 16,384 points and a million values at most
// the distances to all points. The collection's own points are looked at once, and again
// when a tenth of them have changed.
func (c *Collection) ScoreRecords(ctx context.Context, records ...any) (out *RecordScores, err error) {
	return out, c.whileOriginals(ctx, func(gen *generation) error {
		out, err = c.scoreRecords(ctx, gen, records)
		return err
	})
}

func (c *Collection) scoreRecords(ctx context.Context, gen *generation, records []any) (*RecordScores, error) {
	rows, stored, err := c.newStored(gen, records)
	if err != nil {
		return nil, err
	}
	w, err := c.watch(ctx, gen)
	if err != nil {
		return nil, err
	}
	watched, err := gen.newWatchedRows(stored, rows)
	if err != nil {
		return nil, err
	}
	out := &RecordScores{SuggestedCut: w.novelty.cut, Scores: make([]RecordScore, len(records))}
	for i := range records {
		row := strangeRow{row: embed.Row(embed.MatrixOf(rows, gen.fitted.Width()), i), watched: embed.Row(gen.watchedMatrix(watched), i)}
		if out.Scores[i], err = c.recordScore(w, row); err != nil {
			return nil, err
		}
	}
	return out, ctx.Err()
}

func (c *Collection) recordScore(w *watch, r strangeRow) (RecordScore, error) {
	gen := w.generation
	var out RecordScore
	z, err := gen.placeOf(r.row)
	if err != nil {
		return out, invalidCause("records", err)
	}
	hits, err := gen.nearest(nil, z, index.Params{K: outlierNeighbours, EF: c.nearbyEF(gen)}, c)
	if err != nil {
		return out, err
	}
	return out, c.view(func(g *ground) error {
		found, err := c.nearbyOf(g, gen, hits, !w.all)
		if err != nil {
			return err
		}
		if r.measured, err = w.measureNew(r.row, r.watched, found); err != nil {
			return err
		}
		values := w.noveltyOf(r.measured)
		out.Score, out.PValue = w.novelty.score(values)
		out.Outlier = w.novelty.strange(values)
		if out.Parts, err = w.explain(r, found); err != nil {
			return err
		}
		out.Nearest = found.shown
		return nil
	})
}
