package store

import (
	"context"
	"fmt"
	"sync"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/index"
)

const (
	// watchedPoints and watchedValues bound what a detector is fitted to.
	watchedPoints, watchedValues = 20_000, 16 << 20
	// watchedNovelty is how many trusted points tell how far apart they are themselves.
	watchedNovelty = 4096
	// searchedNovelty is how many of them, where each takes a search.
	searchedNovelty = 1000
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
	// explainer tells the parts of rows that are watched as they are; else nil.
	explainer *embed.Explainer
	// novelty ranks new records beside trusted points.
	novelty *ranking
	// usual is what parts of records usually have in explanations; nil where rows are not
	// watched as they are.
	usual map[string]usualPart
	// all tells that all points are among the detector's trusted rows; else the index finds
	// those that are near.
	all bool
	// points is how many there were, and seq the last change.
	points int
	seq    uint64
}

// populationCache keeps what was measured last.
type populationCache struct {
	mu    sync.Mutex
	watch *watch
	last  *population
}

// strangenessOf are the measures that points are ranked by, noveltyOf those of new records.
func (w *watch) strangenessOf(m measured) measures {
	if w.generation.byRows() {
		return measuresOf(float64(m.crowd), float64(m.spread))
	}
	return measuresOf(float64(m.crowd), float64(m.spread), float64(m.residual))
}

func (w *watch) noveltyOf(m measured) measures {
	if w.generation.byRows() {
		return measuresOf(float64(m.nearest))
	}
	return measuresOf(float64(m.nearest), float64(m.residual))
}

// watch fits what tells strange points, or gives what was fitted last if fewer than a
// tenth of the points have changed since.
func (c *Collection) watch(ctx context.Context, gen *generation) (*watch, error) {
	c.outlierCache.mu.Lock()
	defer c.outlierCache.mu.Unlock()
	return c.watchLocked(ctx, gen, nil)
}

func (c *Collection) watchLocked(ctx context.Context, gen *generation, told func(Progress)) (*watch, error) {
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
	err = c.eachChunk(ctx, index.NewBitmap(slots...), counted(told, stageLearn, len(slots)), func(chunk []storedPoint) error {
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
	if err := w.learnUsualParts(gen.watchedMatrix(rows)); err != nil {
		return nil, err
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
	var found []measures
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
			more, err := c.measureTrusted(g, w, chunk)
			for _, m := range more {
				found = append(found, w.noveltyOf(m))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	w.novelty = newRanking(found)
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
		found, err := c.nearbyOf(g, w.generation, hits, true)
		if err != nil {
			return err
		}
		if out[i].nearest, err = w.noveltyAmong(embed.Row(watched, i), found); err != nil {
			return err
		}
	}
	return nil
}

// noveltyAmong is how far the nearest of the points that were found are from a row.
func (w *watch) noveltyAmong(watched []float32, found nearby) (float32, error) {
	near, err := w.detector.NoveltyAmong(watched, embed.MatrixOf(found.watched, len(watched)))
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	return near, nil
}

// measureNew measures a record that is not stored beside the trusted points; found are the
// nearest that the index finds.
func (w *watch) measureNew(row, watched []float32, found nearby) (m measured, err error) {
	if !w.all {
		m.nearest, err = w.noveltyAmong(watched, found)
	} else {
		var distances []float32
		if distances, err = w.detector.Novelty(embed.MatrixOf(watched, len(watched)), false, 1); err == nil {
			m.nearest = distances[0]
		}
	}
	if err != nil || w.generation.byRows() {
		return m, err
	}
	_, _, residual, err := w.generation.whiten(row)
	m.residual = bounded(residual)
	return m, err
}
