package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/index"
)

const (
	// watchedPoints and watchedValues bound what a detector is fitted to.
	watchedPoints, watchedValues = 20_000, 16 << 20
	// watchedNovelty is how many trusted points tell how far apart they are themselves.
	watchedNovelty = 4096
	// searchedNovelty is how many of them, where each takes a search.
	searchedNovelty = 1000
	// rowsWatched is the most features of vectors that are watched as they are.
	rowsWatched = 512
	// residualFloor keeps features that held-out rows reconstruct perfectly from
	// drowning all others: no variance counts as less than this share of the
	// mean, nor less than a thousandth of a standard deviation squared.
	residualFloor    = 0.01
	residualVariance = 1e-6
)

// measured is how strange a point is, by each measure; residual is its whitened residual
// (each feature's squared residual over what is usual for the feature), where it is asked.
type measured struct {
	slot                             uint32
	crowd, spread, nearest, residual float32
}

// watch is what tells strange points of a generation.
type watch struct {
	generation *generation
	detector   *embed.Detector
	// novelty ranks new records beside trusted points.
	novelty *ranking
	// all tells that all points are among the detector's trusted rows; else the index finds
	// those that are near.
	all bool
	// points is how many there were, and seq the last change.
	points int
	seq    uint64
}

// population is the measures of all points.
type population struct {
	watch     *watch
	seq       uint64
	strangest []measured
	ranking   *ranking
}

// populationCache keeps what was measured last.
type populationCache struct {
	mu    sync.Mutex
	watch *watch
	last  *population
}

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

// strangenessOf are the measures that points are ranked by, noveltyOf those of new records.
func (w *watch) strangenessOf(m measured) []float64 {
	return w.withResidual(m, float64(m.crowd), float64(m.spread))
}

func (w *watch) noveltyOf(m measured) []float64 { return w.withResidual(m, float64(m.nearest)) }

func (w *watch) withResidual(m measured, measures ...float64) []float64 {
	if w.generation.byRows() {
		return measures
	}
	return append(measures, float64(m.residual))
}

// watch fits what tells strange points, or gives what was fitted last if fewer than a
// tenth of the points have changed since.
func (c *Collection) watch(ctx context.Context, gen *generation) (*watch, error) {
	c.outlierCache.mu.Lock()
	defer c.outlierCache.mu.Unlock()
	return c.watchLocked(ctx, gen)
}

func (c *Collection) watchLocked(ctx context.Context, gen *generation) (*watch, error) {
	seq := c.published.Load()
	if w := c.outlierCache.watch; w != nil && w.generation == gen && 10*(seq-w.seq) <= uint64(w.points) {
		return w, nil
	}
	w := &watch{generation: gen, seq: seq, points: int(c.points.Load())}
	width := gen.watchedMatrix(nil).Cols
	slots, err := c.sampleSlots(ctx, min(watchedPoints, max(embed.MinRows, watchedValues/width)), 1)
	if err != nil {
		return nil, err
	}
	var rows []float32
	var sample []uint32
	err = c.eachPoint(ctx, index.NewBitmap(slots...), func(chunk []storedPoint) error {
		more, err := gen.watchedRows(chunk, c.opts.Workers)
		rows = append(rows, more...)
		for _, p := range chunk {
			sample = append(sample, p.slot)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(sample) < embed.MinRows {
		return nil, fmt.Errorf("%w: %d points, strange ones are told from %d on", ErrTooFew, len(sample), embed.MinRows)
	}
	if w.detector, err = embed.FitDetector(ctx, gen.watchedMatrix(rows), 1, c.opts.Workers); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	w.all = len(w.detector.TrustedAt()) >= w.points
	if err := c.learnNovelty(ctx, w, sample); err != nil {
		return nil, err
	}
	c.outlierCache.watch, c.outlierCache.last = w, nil
	return w, nil
}

// learnNovelty measures how far apart trusted points are themselves.
func (c *Collection) learnNovelty(ctx context.Context, w *watch, sample []uint32) error {
	most := watchedNovelty
	if !w.all {
		most = searchedNovelty
	}
	trusted := w.detector.TrustedAt()
	n := min(len(trusted), most)
	var measures [][]float64
	const step = 256 // slots a transaction
	for lo := 0; lo < n; lo += step {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := c.view(func(g *ground) error {
			var chunk []storedPoint
			for i := lo; i < min(lo+step, n); i++ {
				p, ok, err := g.point(sample[trusted[i*len(trusted)/n]])
				if err != nil {
					return err
				}
				if ok {
					chunk = append(chunk, p)
				}
			}
			found, err := c.measureTrusted(g, w, chunk)
			for _, m := range found {
				measures = append(measures, w.noveltyOf(m))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	w.novelty = newRanking(measures)
	return nil
}

// measureTrusted measures how near the others are to stored points.
func (c *Collection) measureTrusted(g *ground, w *watch, chunk []storedPoint) ([]measured, error) {
	gen := w.generation
	rows, err := gen.watchedRows(chunk, c.opts.Workers)
	if err != nil {
		return nil, err
	}
	out := make([]measured, len(chunk))
	m := gen.watchedMatrix(rows)
	if w.all {
		found, err := w.detector.Novelty(m, true, c.opts.Workers)
		if err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		for i, v := range found {
			out[i].nearest = v
		}
	} else if err := c.measureSearched(g, w, chunk, m, out); err != nil {
		return nil, err
	}
	return out, c.addResiduals(gen, rows, chunk, out)
}

// measureSearched is measureTrusted by the nearest that the index finds.
func (c *Collection) measureSearched(g *ground, w *watch, chunk []storedPoint, watched blas32.General, out []measured) error {
	for i, p := range chunk {
		_, z, err := w.generation.rowsOf([]storedPoint{p}, 1, false)
		if err != nil {
			return err
		}
		hits, err := c.neighbours(w.generation, z, p.slot)
		if err != nil {
			return err
		}
		if out[i].nearest, err = c.noveltyAmong(g, w, embed.Row(watched, i), hits); err != nil {
			return err
		}
	}
	return nil
}

// noveltyAmong is how far the nearest of the points that were found are from a row.
func (c *Collection) noveltyAmong(g *ground, w *watch, watched []float32, hits []index.Hit) (float32, error) {
	var found []storedPoint
	for _, h := range hits {
		p, ok, err := g.point(h.Slot)
		if err != nil {
			return 0, err
		}
		if ok {
			found = append(found, p)
		}
	}
	rows, err := w.generation.watchedRows(found, 1)
	if err != nil {
		return 0, err
	}
	near, err := w.detector.NoveltyAmong(watched, embed.MatrixOf(rows, len(watched)))
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	return near, nil
}

// population measures every point, or those that changed since it was asked last.
func (c *Collection) population(ctx context.Context, gen *generation) (*population, error) {
	c.outlierCache.mu.Lock()
	defer c.outlierCache.mu.Unlock()
	w, err := c.watchLocked(ctx, gen)
	if err != nil {
		return nil, err
	}
	last := c.outlierCache.last
	pop := &population{watch: w, seq: c.published.Load()}
	if last != nil && last.seq == pop.seq {
		return last, nil
	}
	changed, known, err := c.changedSince(last)
	if err != nil {
		return nil, err
	}
	var allow *index.Bitmap // all
	if known {
		allow = changed
		pop.strangest = slices.DeleteFunc(slices.Clone(last.strangest), func(m measured) bool { return changed.Has(m.slot) })
	}
	err = c.eachPoint(ctx, allow, func(chunk []storedPoint) error {
		got, err := c.measureChunk(w, chunk)
		pop.strangest = append(pop.strangest, got...)
		return err
	})
	if err != nil {
		return nil, err
	}
	pop.rank()
	c.outlierCache.last = pop
	return pop, nil
}

// changedSince are the slots that changed since a population was measured; known is false
// where the change log does not tell.
func (c *Collection) changedSince(last *population) (changed *index.Bitmap, known bool, err error) {
	changed = new(index.Bitmap)
	if last == nil {
		return changed, false, nil
	}
	err = c.view(func(g *ground) error {
		if g.checkLog(last.seq) != nil {
			return nil
		}
		changes, err := g.changesAfter(last.seq, last.watch.points)
		known = len(changes) < last.watch.points
		for _, ch := range changes {
			changed.Set(ch.slot)
		}
		return err
	})
	return changed, known, err
}

// rank orders the points, the strangest first, equal ones by slot.
func (p *population) rank() {
	measures := make([][]float64, len(p.strangest))
	for i, m := range p.strangest {
		measures[i] = p.watch.strangenessOf(m)
	}
	p.ranking = newRanking(measures)
	type ranked struct {
		mean float64
		m    measured
	}
	order := make([]ranked, len(measures))
	for i, v := range measures {
		order[i] = ranked{p.ranking.mean(v), p.strangest[i]}
	}
	slices.SortFunc(order, func(a, b ranked) int {
		return cmp.Or(-cmp.Compare(a.mean, b.mean), cmp.Compare(a.m.slot, b.m.slot))
	})
	for i, r := range order {
		p.strangest[i] = r.m
	}
}

// measureChunk measures some points among the others.
func (c *Collection) measureChunk(w *watch, chunk []storedPoint) ([]measured, error) {
	gen := w.generation
	rows, err := gen.watchedRows(chunk, c.opts.Workers)
	if err != nil {
		return nil, err
	}
	found, err := w.detector.Measure(gen.watchedMatrix(rows), c.opts.Workers)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	out := make([]measured, len(found))
	for i, s := range found {
		out[i] = measured{slot: chunk[i].slot, crowd: s.Crowd, spread: s.Spread}
	}
	return out, c.addResiduals(gen, rows, chunk, out)
}

// addResiduals adds how badly points are reconstructed, where that counts.
func (c *Collection) addResiduals(gen *generation, rows []float32, chunk []storedPoint, out []measured) error {
	if gen.byRows() {
		return nil
	}
	residuals, err := c.whitenedResiduals(gen, rows, chunk)
	for i, r := range residuals {
		out[i].residual = r
	}
	return err
}

// measureNew measures a record that is not stored beside the trusted points; hits are the
// nearest that the index finds.
func (c *Collection) measureNew(g *ground, w *watch, row, watched []float32, hits []index.Hit) (m measured, err error) {
	if !w.all {
		m.nearest, err = c.noveltyAmong(g, w, watched, hits)
	} else {
		var found []float32
		if found, err = w.detector.Novelty(embed.MatrixOf(watched, len(watched)), false, 1); err == nil {
			m.nearest = found[0]
		}
	}
	if err != nil || w.generation.byRows() {
		return m, err
	}
	_, _, residual, err := w.generation.whiten(row)
	m.residual = bounded(residual)
	return m, err
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
