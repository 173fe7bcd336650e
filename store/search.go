package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/index"
)

// Search returns the points nearest to a query, nearest first: min(Limit,
// matching) of them, less what ScoreThreshold leaves out. Before any fit the
// answer is the exact one on feature rows.
func (c *Collection) Search(ctx context.Context, q Query) ([]Hit, error) {
	s, err := c.search(ctx, q, false)
	if err != nil {
		return nil, err
	}
	searchMemories.Put(s.memory)
	return s.hits, nil
}

// Explain is Search that also says how the answer was found. Cost: it decodes the
// query's latent, to tell how well the model fits it.
func (c *Collection) Explain(ctx context.Context, q Query) (*SearchResult, error) {
	s, err := c.search(ctx, q, true)
	if err != nil {
		return nil, err
	}
	result := &SearchResult{Hits: s.hits, Info: s.info()}
	searchMemories.Put(s.memory)
	return result, nil
}

// search runs a search to its end.
func (c *Collection) search(ctx context.Context, q Query, explain bool) (*search, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if c.stopped() {
		return nil, ErrClosed
	}
	q = q.withDefaults(c.Config())
	if err := errors.Join(q.validate(), c.checkSpace(q.Space)); err != nil {
		return nil, err
	}
	memory := searchMemories.Get().(*searchMemory)
	// Points that are replaced or deleted while the search runs are noticed
	// and dropped; if that leaves the answer short, ask again.
	for attempt := 0; ; attempt++ {
		s := &search{c: c, q: q, explain: explain, memory: memory, shown: c.showing.Load(), published: c.published.Load()}
		s.gen = c.active.Load() // after published: a newer one costs a rescore, an older one would miss changes
		err := s.run(ctx)
		if errors.Is(err, ErrNoOriginals) && c.active.Load() != s.gen && attempt < 3 {
			continue // they went with the generation that was asked
		}
		if err != nil || s.dropped == 0 || len(s.hits) >= q.Limit || attempt == 3 {
			return s, err
		}
	}
}

// searchMemory is what a search needs for as long as it runs: new memory for each would
// have to be fetched, and costs more than what is done in it.
type searchMemory struct {
	row, latent []float32
	found, best []index.Hit
	// unscored are candidates that no row is kept of.
	unscored []index.Hit
	top      index.TopK
	ids      []ID
	// scores are those by terms, of all slots.
	scores []float32
}

var searchMemories = sync.Pool{New: func() any { return new(searchMemory) }}

// search is one search in progress. It asks one generation only.
type search struct {
	c   *Collection
	q   Query
	gen *generation
	// explain tells that how the answer was found is asked for.
	explain bool
	memory  *searchMemory
	// published is the last change that this search must see; points that
	// changed after it are scored anew.
	published uint64
	// shown is what the collection's showing was when the search began.
	shown uint64

	row    []float32 // the query's feature row
	target []float32 // the query as the index holds rows
	byID   bool      // the query is a stored point, which does not answer
	// kept is that point's latent, where answers are made of latents alone, and mse how
	// badly it was reconstructed.
	kept  []float32
	mse   float64
	allow *index.Bitmap
	// selection is what the filter selected, allow its slots.
	selection selection
	plan      plan
	// distance is what orders the hits.
	distance func(a, b []float32) float32
	dropped  int
	// work is what the index did, if that is asked for; the others are how
	// many candidates were scored by rows that are kept, by records and by decoding.
	work                        index.Work
	byRow, byRecord, byDecoding int
	stepped                     int // how often candidates were scored, where that goes by steps
	// readStored tells that hits were scored by stored records, which may be of
	// changes that are committed and not visible yet.
	readStored bool
	hits       []Hit
	// strange tells that the query is unlike the points.
	strange bool
	// warped is how many candidates were scored by warped distance.
	warped int
}

func (s *search) run(ctx context.Context) error {
	if s.gen.fitted == nil {
		return s.runEmpty()
	}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	hits, err := s.candidates(ctx)
	if err != nil {
		return err
	}
	if s.widen(hits) {
		before := slotsAmong(hits)
		if hits, err = s.candidates(ctx); err != nil {
			return err
		}
		s.strange = newAmong(hits, before) >= manyNew
	}
	if s.explain {
		s.strange = s.strange || s.isStrange(hits)
	}
	if hits, err = s.warp(hits); err != nil {
		return err
	}
	if s.fromMemory(hits) {
		return nil
	}
	return s.c.view(func(g *ground) error {
		if hits, err = s.refresh(g, hits); err != nil {
			return err
		}
		s.hits, err = s.materialise(g, hits)
		return err
	})
}

// runEmpty answers for a collection that never held a point, or whose points no
// front end could be fitted to.
func (s *search) runEmpty() error {
	if s.gen.broken != nil {
		return s.gen.broken
	}
	if !s.q.ID.IsZero() {
		return fmt.Errorf("%w: no point with id %s", ErrNotFound, s.q.ID)
	}
	if v := s.q.content(); v != nil {
		if _, err := s.c.marshalNew(v); err != nil {
			return invalidCause("query", err)
		}
	}
	s.hits, s.plan = []Hit{}, plan{exact: true, expected: 1}
	return nil
}

// marshalNew checks a new record under a source that may not be decided yet.
func (c *Collection) marshalNew(record any) ([]byte, error) {
	spec, err := c.Config().Source.Resolve([]any{record})
	if err != nil {
		return nil, err
	}
	return spec.Marshal(record)
}

// prepare finds the query's rows, the points that may answer, and the plan.
func (s *search) prepare(ctx context.Context) error {
	var err error
	if s.distance, err = s.orderedBy(); err != nil {
		return err
	}
	if err := s.prepareTarget(); err != nil {
		return err
	}
	if s.q.Filter, err = s.q.Filter.prepared(); err != nil {
		return err
	}
	if s.selection, err = s.c.selected(ctx, s.q.Filter); err != nil {
		return err
	}
	s.allow = s.selection.slots
	s.plan = s.gen.plan(s.planned())
	return nil
}

// prepareTarget finds the query's row and what the index is asked for.
func (s *search) prepareTarget() (err error) {
	s.byID = !s.q.ID.IsZero()
	if s.byTerms() && s.latentShare() == 0 {
		return nil // neither is looked at
	}
	if s.row, err = s.queryRow(); err != nil {
		return err
	}
	switch farAway := s.rescored() && s.metric() == Dot; {
	case s.kept != nil && !farAway:
		s.target = s.kept
	case s.rescored():
		s.target, err = s.gen.inputTarget(s.memory.latent[:0], s.c.Config().Metric, s.row)
	default:
		s.target, err = s.gen.target(s.memory.latent[:0], s.row)
	}
	if s.gen.model != nil { // else it is the row itself
		s.memory.latent = s.target
	}
	return err
}

func (s *search) queryRow() ([]float32, error) {
	if s.q.ID.IsZero() {
		row, err := s.newRow()
		if err != nil {
			return nil, invalidCause("query", err)
		}
		return row, nil
	}
	var row []float32
	err := s.c.view(func(g *ground) error {
		slots, err := g.slotsOf([]ID{s.q.ID})
		if err != nil {
			return err
		}
		p, ok, err := g.point(slots[0])
		if err != nil || !ok {
			return errors.Join(err, fmt.Errorf("%w: no point with id %s", ErrNotFound, s.q.ID))
		}
		if !s.gen.latentOnly {
			row, err = s.gen.originals([]storedPoint{p}, 1)
			return err
		}
		row, s.kept, err = s.gen.rowsOf([]storedPoint{p}, 1, true)
		if err == nil && s.explain {
			var found []fidelity
			if found, err = s.gen.fidelities([]storedPoint{p}, s.kept, 1); err == nil {
				s.mse = float64(found[0].mse)
			}
		}
		return err
	})
	return row, err
}

// newRow is the feature row of a record that is not stored.
func (s *search) newRow() ([]float32, error) {
	if direct, ok := s.gen.fitted.(source.Direct); ok {
		width := s.gen.fitted.Width()
		s.memory.row = slices.Grow(s.memory.row[:0], width)[:width]
		return s.memory.row, direct.RowOf(s.memory.row, s.q.content())
	}
	stored, err := s.c.Config().Source.Marshal(s.q.content())
	if err != nil {
		return nil, err
	}
	return s.gen.featureRow(stored)
}

// wanted is how many hits are needed before those of the offset, the query's
// own point and a threshold are taken off, and to tell how far the 10th is.
func (s *search) wanted() int {
	k := max(s.q.Offset+s.q.Limit, calibrationK)
	if s.q.Warp {
		k = max(k, s.q.warped())
	}
	if s.byID {
		k++
	}
	return k
}

// rescored tells whether latent candidates are scored anew in input space.
func (s *search) rescored() bool {
	return s.q.Space == SpaceInput && (s.gen.model != nil || s.gen.likens())
}

// metric is what the hits' distances are measured by.
func (s *search) metric() Metric {
	switch {
	case s.rescored():
		return s.c.Config().Metric
	case s.byTerms():
		return Cosine
	}
	return s.gen.metric(s.c.Config())
}

func (s *search) candidates(ctx context.Context) ([]index.Hit, error) {
	if s.byTerms() {
		return s.lexicalCandidates()
	}
	if !s.rescored() {
		return s.nearest(index.Params{K: s.wanted(), EF: s.plan.ef, Allow: s.allow, Exact: s.plan.exact})
	}
	if s.plan.exact {
		return s.scanInput(ctx)
	}
	if s.scansMatching() {
		top := &s.memory.top
		if done, err := s.scanKept(top); done || err != nil {
			s.memory.best = top.AppendTo(s.memory.best[:0])
			s.plan.exact, s.plan.expected = !s.gen.lossy(), s.gen.exactRecall(SpaceInput)
			return s.memory.best, err
		}
	}
	s.memory.top.Reset(s.wanted())
	p := index.Params{K: max(s.wanted(), s.plan.rerank), EF: s.plan.ef, Allow: s.allow, Rough: true}
	if s.steps() {
		s.memory.unscored = s.memory.unscored[:0]
		p = inSteps(p, s.wanted(), s.step)
		s.plan.ef, s.plan.rerank = p.EF, p.K
	}
	found, err := s.nearest(p)
	if err != nil {
		return nil, err
	}
	if s.stepped > 0 {
		found = append(found, s.memory.unscored...)
		s.memory.found = found
	}
	return s.rerank(found)
}

func (s *search) nearest(p index.Params) (hits []index.Hit, err error) {
	if s.explain {
		p.Work = &s.work
	}
	s.memory.found, err = s.gen.nearest(s.memory.found[:0], s.target, p, s.c)
	return s.memory.found, err
}

// fewMasked is how many slots of the tail are left out of what the index finds; more are
// kept from being found by a bitmap, which takes longer to make.
const fewMasked = 64

// nearest appends to dst what the index and the tail find. What the tail holds, it
// alone answers for.
func (g *generation) nearest(dst []index.Hit, row []float32, p index.Params, c *Collection) ([]index.Hit, error) {
	var top index.TopK
	top.Reset(p.K)
	masked := g.tail.search(&top, g.index.Metric(), row, p.Allow)
	switch {
	case len(masked) > fewMasked:
		p.Allow = c.without(masked, p.Allow)
	case masked != nil:
		p.K += len(masked)
		if next := p.Next; next != nil {
			p.Next = func(found []index.Hit) bool {
				return next(slices.DeleteFunc(found, func(h index.Hit) bool { return masked[h.Slot] }))
			}
		}
	}
	hits, err := g.index.Search(dst, row, p)
	if err != nil {
		return dst, invalidCause("query", err)
	}
	if masked == nil {
		return hits, nil
	}
	for _, h := range hits[len(dst):] {
		if !masked[h.Slot] {
			top.Push(h)
		}
	}
	return top.AppendTo(dst), nil
}

// without is all slots, or those allowed, but for some.
func (c *Collection) without(masked map[uint32]bool, allow *index.Bitmap) *index.Bitmap {
	var rest *index.Bitmap
	if allow == nil {
		rest = new(index.Bitmap)
		rest.FillTo(int(c.slots.Load()))
	} else {
		rest = allow.Clone()
	}
	for slot := range masked {
		rest.Clear(slot)
	}
	return rest
}
