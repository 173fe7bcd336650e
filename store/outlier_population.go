package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/latentdb/latentdb/index"
)

// population is the measures of all points.
type population struct {
	watch     *watch
	seq       uint64
	strangest []measured
	ranking   *ranking
}

// population measures every point, or those that changed since it was asked last.
func (c *Collection) population(ctx context.Context, gen *generation, told func(Progress)) (*population, error) {
	c.outlierCache.mu.Lock()
	defer c.outlierCache.mu.Unlock()
	w, err := c.watchLocked(ctx, gen, told)
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
	} else {
		pop.strangest = make([]measured, 0, c.points.Load())
	}
	err = c.eachChunk(ctx, allow, counted(told, stageMeasure, c.selectedPoints(allow)), func(chunk []storedPoint) error {
		got, err := c.measureChunk(w, chunk)
		pop.strangest = append(pop.strangest, got...)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
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
	found := make([]measures, len(p.strangest))
	for i, m := range p.strangest {
		found[i] = p.watch.strangenessOf(m)
	}
	p.ranking = newRanking(found)
	type ranked struct {
		mean float64
		m    measured
	}
	order := make([]ranked, len(found))
	for i, m := range found {
		order[i] = ranked{p.ranking.mean(m), p.strangest[i]}
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
