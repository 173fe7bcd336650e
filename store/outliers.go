package store

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/index"
)

const (
	// outlierNeighbours is the neighbour whose latent distance is scored, and
	// how many are shown beside a new record.
	outlierNeighbours = 10
	// outlierDeviations is how many robust standard deviations above the median
	// the suggested cut lies: Iglewicz and Hoaglin's customary 3.5.
	outlierDeviations = 3.5
	// residualFloor keeps features that held-out rows reconstruct perfectly from
	// drowning all others: no variance counts as less than this share of the
	// mean, nor less than a thousandth of a standard deviation squared.
	residualFloor    = 0.01
	residualVariance = 1e-6
)

// strangeness is the two raw measures of a point: the distance to its 10th
// neighbour in latent space, and its whitened residual (each feature's squared
// residual over what is usual for the feature). A point may be odd in either.
type strangeness struct {
	slot     uint32
	distance float64
	residual float64
}

// population is the raw measures of a whole collection, against which single
// points are scored.
type population struct {
	generation *generation
	seq        uint64
	points     []strangeness
	distance   logScale
	residual   logScale
	combined   []float64 // of all points, ascending
	cut        float64
}

// populationCache keeps the last population: it costs a search of every point.
type populationCache struct {
	mu   sync.Mutex
	last *population
}

// Outliers scores every point of the collection and returns the strangest that
// the filter selects. Score is a point's rank by the mean of two measures, each
// standardised: distance to its neighbours in latent space and whitened residual.
// Cost: one search and one reconstruction of every point, once per state of the
// collection.
func (c *Collection) Outliers(ctx context.Context, q OutlierQuery) (*Outliers, error) {
	gen, err := c.fittedGeneration(ctx)
	if err != nil {
		return nil, err
	}
	setDefault(&q.Limit, DefaultLimit)
	if q.Limit < 1 || q.Limit > MaxLimit {
		return nil, invalid("limit", "is %d; it must be 1 to %d", q.Limit, MaxLimit)
	}
	allow, err := c.selection(ctx, q.Filter)
	if err != nil {
		return nil, err
	}
	pop, err := c.population(ctx, gen)
	if err != nil {
		return nil, err
	}
	out := &Outliers{SuggestedCut: pop.cut, Outliers: []Outlier{}}
	return out, c.view(func(g *ground) error {
		for _, s := range pop.strangest() {
			if len(out.Outliers) == q.Limit {
				break
			}
			if allow != nil && !allow.Has(s.slot) {
				continue
			}
			o, ok, err := c.outlier(g, pop, s)
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
func (c *Collection) outlier(g *ground, pop *population, s strangeness) (o Outlier, ok bool, err error) {
	e, ok, err := g.entry(s.slot)
	if err != nil || !ok {
		return o, false, err
	}
	o.ID = e.id
	o.Score, o.PValue = pop.score(s)
	if o.Payload, err = g.payload(s.slot); err != nil {
		return o, false, err
	}
	gen := pop.generation
	row, z, err := gen.rowsOfSlot(g, s.slot, true)
	if err == nil && !gen.latentOnly {
		z, err = gen.encode(row) // not rounded: int8 codes would clip just what is strange
	}
	if err != nil {
		return o, false, err
	}
	hits, err := c.neighbours(gen, z, s.slot)
	if err != nil {
		return o, false, err
	}
	o.Parts, err = c.explain(g, pop, row, s, hits, !gen.latentOnly)
	return o, true, err
}

// neighbours are the points nearest to a latent, other than the one in a slot.
func (c *Collection) neighbours(gen *generation, z []float32, slot uint32) ([]index.Hit, error) {
	hits, err := gen.nearest(nil, z, index.Params{K: outlierNeighbours + 1}, c)
	hits = slices.DeleteFunc(hits, func(h index.Hit) bool { return h.Slot == slot })
	return hits[:min(len(hits), outlierNeighbours)], err
}

// ScoreRecords scores new records against the collection, as Outliers scores
// its points. Cost: one search and one reconstruction of each, after the
// collection's own points were scored once.
func (c *Collection) ScoreRecords(ctx context.Context, records ...any) (*RecordScores, error) {
	gen, err := c.fittedGeneration(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := c.newRows(gen, records)
	if err != nil {
		return nil, err
	}
	pop, err := c.population(ctx, gen)
	if err != nil {
		return nil, err
	}
	out := &RecordScores{SuggestedCut: pop.cut, Scores: make([]RecordScore, len(records))}
	width := gen.fitted.Width()
	for i := range records {
		if out.Scores[i], err = c.scoreRow(pop, rows[i*width:(i+1)*width]); err != nil {
			return nil, err
		}
	}
	return out, ctx.Err()
}

func (c *Collection) scoreRow(pop *population, row []float32) (RecordScore, error) {
	gen := pop.generation
	var out RecordScore
	// Not rounded: int8 codes would clip just what is strange.
	z, err := gen.encode(row)
	if err != nil {
		return out, invalidCause("records", err)
	}
	hits, err := gen.nearest(nil, z, index.Params{K: outlierNeighbours}, c)
	if err != nil {
		return out, err
	}
	s := strangeness{distance: farthest(hits)}
	if _, _, s.residual, err = gen.whiten(row); err != nil {
		return out, err
	}
	out.Score, out.PValue = pop.score(s)
	out.Outlier = out.Score > pop.cut
	out.Nearest = []Neighbour{}
	return out, c.view(func(g *ground) error {
		var err error
		if out.Parts, err = c.explain(g, pop, row, s, hits, true); err != nil {
			return err
		}
		for _, h := range hits {
			e, ok, err := g.entry(h.Slot)
			if err != nil {
				return err
			}
			if ok {
				out.Nearest = append(out.Nearest, Neighbour{ID: e.id, Score: scoreOf(Euclid, h.Distance)})
			}
		}
		return nil
	})
}

func farthest(hits []index.Hit) float64 {
	if len(hits) == 0 {
		return math.Inf(1)
	}
	return distanceOf(Euclid, hits[len(hits)-1].Distance)
}

// population measures every point, or returns the measures taken last if
// nothing changed since.
func (c *Collection) population(ctx context.Context, gen *generation) (*population, error) {
	c.outlierCache.mu.Lock()
	defer c.outlierCache.mu.Unlock()
	seq := c.published.Load()
	if p := c.outlierCache.last; p != nil && p.generation == gen && p.seq == seq {
		return p, nil
	}
	pop := &population{generation: gen, seq: seq}
	variance := gen.flooredVariance()
	err := c.eachPoint(ctx, nil, func(chunk []storedPoint) error {
		got, err := c.measureChunk(gen, variance, chunk)
		pop.points = append(pop.points, got...)
		return err
	})
	if err != nil {
		return nil, err
	}
	pop.rank()
	c.outlierCache.last = pop
	return pop, nil
}

// measureChunk takes the raw measures of some points.
func (c *Collection) measureChunk(gen *generation, variance []float32, chunk []storedPoint) ([]strangeness, error) {
	z, residuals, err := c.whitenedResiduals(gen, variance, chunk)
	if err != nil {
		return nil, err
	}
	d := gen.model.Dim()
	out, errs := make([]strangeness, len(chunk)), make([]error, len(chunk))
	inParallel(c.opts.Workers, len(chunk), func(i int) {
		s := strangeness{slot: chunk[i].slot, residual: residuals[i]}
		var hits []index.Hit
		hits, errs[i] = c.neighbours(gen, z[i*d:(i+1)*d], s.slot)
		s.distance = farthest(hits)
		out[i] = s
	})
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
	}
	return out, nil
}

// whitenedResiduals are the latents of some points, and the whitened residual of each.
func (c *Collection) whitenedResiduals(gen *generation, variance []float32, chunk []storedPoint) (z []float32, residuals []float64, err error) {
	residuals = make([]float64, len(chunk))
	if gen.latentOnly {
		if z, err = gen.latentsOf(chunk, c.opts.Workers); err != nil {
			return nil, nil, err
		}
		found, err := gen.fidelities(chunk, z, c.opts.Workers)
		for i, f := range found {
			residuals[i] = float64(f.whitened)
		}
		return z, residuals, err
	}
	rows, err := gen.originals(chunk, c.opts.Workers)
	if err != nil {
		return nil, nil, err
	}
	if z, err = gen.encode(rows); err != nil {
		return nil, nil, err
	}
	width := gen.fitted.Width()
	decoded := embed.NewMatrix(len(chunk), width)
	if err := gen.model.Decode(decoded, embed.MatrixOf(z, gen.model.Dim())); err != nil {
		return nil, nil, err
	}
	inParallel(c.opts.Workers, len(chunk), func(i int) {
		for j, r := range gen.residualOf(rows[i*width:(i+1)*width], embed.Row(decoded, i)) {
			residuals[i] += float64(r) * float64(r) / float64(variance[j]) / float64(width)
		}
	})
	return z, residuals, nil
}

// logScale standardises a positive measure: how many robust standard deviations
// its logarithm lies above the collection's median. A rank would not tell a
// gross outlier from a mild one. Below a hundredth of what is usual nothing is
// told apart, and no deviation counts as less than a tenth: rounding noise of
// records that the model knows exactly is not strange.
type logScale struct{ usual, median, deviation float64 }

func newLogScale(values []float64, usual float64) logScale {
	s := logScale{usual: max(usual, math.SmallestNonzeroFloat64)}
	logs := make([]float64, len(values))
	for i, v := range values {
		logs[i] = s.log(v)
	}
	s.median, s.deviation = medianAndDeviation(logs)
	s.deviation = max(s.deviation, 0.1)
	return s
}

func (s logScale) log(v float64) float64 { return math.Log(0.01 + min(v/s.usual, math.MaxFloat64)) }

func (s logScale) of(v float64) float64 { return (s.log(v) - s.median) / s.deviation }

// rank scores every point and sets the cut.
func (p *population) rank() {
	distances, residuals := make([]float64, len(p.points)), make([]float64, len(p.points))
	for i, s := range p.points {
		distances[i], residuals[i] = s.distance, s.residual
	}
	usual := 1.0
	if positive := slices.DeleteFunc(slices.Clone(distances), func(d float64) bool { return !(d > 0) }); len(positive) > 0 {
		usual = middle(positive)
	}
	p.distance, p.residual = newLogScale(distances, usual), newLogScale(residuals, 1) // whitened: 1 is usual
	for _, s := range p.points {
		p.combined = append(p.combined, p.combine(s))
	}
	median, deviation := medianAndDeviation(slices.Clone(p.combined))
	slices.Sort(p.combined)
	// A new point stranger than all is above the cut even if no stored one is.
	n := float64(max(1, len(p.combined)))
	p.cut = min(rankIn(p.combined, median+outlierDeviations*deviation), 1-0.5/n)
}

// combine is the mean of a point's two standardised measures.
func (p *population) combine(s strangeness) float64 {
	return (p.distance.of(s.distance) + p.residual.of(s.residual)) / 2
}

// rankIn is the share of sorted values below v, ties counted half.
func rankIn(sorted []float64, v float64) float64 {
	lo, _ := slices.BinarySearch(sorted, v)
	hi := lo
	for hi < len(sorted) && sorted[hi] == v {
		hi++
	}
	return (float64(lo) + float64(hi)) / 2 / float64(max(1, len(sorted)))
}

// score is a point's rank in [0,1] by combined measure, and the share of the
// collection at least as strange.
func (p *population) score(s strangeness) (score, pValue float64) {
	combined := p.combine(s)
	at, _ := slices.BinarySearch(p.combined, combined)
	return rankIn(p.combined, combined), min(1, float64(len(p.combined)-at+1)/float64(len(p.combined)+1))
}

// strangest is the points, the strangest first, equal ones by slot.
func (p *population) strangest() []strangeness {
	out := slices.Clone(p.points)
	slices.SortFunc(out, func(a, b strangeness) int {
		return cmp.Or(-cmp.Compare(p.combine(a), p.combine(b)), cmp.Compare(a.slot, b.slot))
	})
	return out
}
