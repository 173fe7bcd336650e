package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/index"
	"github.com/latentdb/latentdb/index/lexical"
)

const (
	// minHybridPoints is the fewest points whose latents have a share: of fewer, what was
	// learned of words is no help.
	minHybridPoints = 1000
	// halvedRecords is how many held-out records are cut in half.
	halvedRecords = 400
	// leastHalved is the fewest that tell anything.
	leastHalved = 50
	// usualShare is the latents' where records cannot tell.
	usualShare = .3
)

// latentShares are those that are tried.
var latentShares = []float64{0, .1, .2, .3, .4, .5}

// weighHybrid decides how much of a hybrid score is the latents': so much that halves of
// held-out records find their other halves best.
func (c *Collection) weighHybrid(ctx context.Context, gen *generation, sample *fitSample) error {
	if c.lexicon == nil {
		return nil
	}
	r := &HybridReport{}
	gen.report.Hybrid = r
	if n := c.points.Load(); n < minHybridPoints {
		r.Reason = fmt.Sprintf("lexical: %d points, latents count from %d on", n, minHybridPoints)
		return nil
	}
	a, b, err := c.halves(gen, sample)
	if err != nil {
		return err
	}
	if len(a) < leastHalved {
		r.LatentShare, r.Reason = usualShare, fmt.Sprintf("%d held-out records are long enough to be cut in half, too few to tell", len(a))
		return nil
	}
	cosines, scores, err := c.compareHalves(ctx, gen, a, b)
	if err != nil {
		return err
	}
	best := -1.
	for _, share := range latentShares {
		found := foundHalves(cosines, scores, float32(share))
		r.Found = append(r.Found, ShareReport{share, found})
		if found > best {
			best, r.LatentShare = found, share
		}
	}
	r.Reason = fmt.Sprintf("halves of %d held-out records find their other halves best", len(a))
	return nil
}

// halves cuts held-out records in half.
func (c *Collection) halves(gen *generation, sample *fitSample) (a, b [][]byte, err error) {
	spec, ok := gen.fitted.Spec().(source.Halved)
	if !ok {
		return nil, nil, nil
	}
	err = c.view(func(g *ground) error {
		for _, slot := range sample.slots {
			p, there, err := g.point(slot)
			if err != nil {
				return err
			}
			if x, y, long := spec.Halves(p.data); there && long && len(a) < halvedRecords {
				a, b = append(a, x), append(b, y)
			}
		}
		return nil
	})
	return a, b, err
}

// compareHalves gives the cosines between the latents of all first halves and all second
// ones, and those between their terms.
func (c *Collection) compareHalves(ctx context.Context, gen *generation, a, b [][]byte) (cosines, scores [][]float32, err error) {
	za, err := gen.encodeRecords(a)
	if err != nil {
		return nil, nil, err
	}
	zb, err := gen.encodeRecords(b)
	if err != nil {
		return nil, nil, err
	}
	halves := lexical.New()
	documents := make([]lexical.Document, len(b))
	for i := range b {
		documents[i].Slot = uint32(i)
		if documents[i].Terms, err = c.lexicon.terms(b[i]); err != nil {
			return nil, nil, err
		}
	}
	halves.Put(documents...)
	for i := range a {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		terms, err := c.lexicon.terms(a[i])
		if err != nil {
			return nil, nil, err
		}
		scores = append(scores, halves.Scores(nil, terms))
		row := make([]float32, len(b))
		for j := range row {
			row[j] = 1 - index.Cosine.Distance(za[i], zb[j])
		}
		cosines = append(cosines, row)
	}
	return cosines, scores, nil
}

// encodeRecords gives the latents of records, as they are stored.
func (g *generation) encodeRecords(records [][]byte) ([][]float32, error) {
	width := g.fitted.Width()
	rows := make([]float32, width*len(records))
	for i, record := range records {
		if err := g.fitted.Row(rows[i*width:(i+1)*width], record); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
	}
	z, err := g.indexRows(rows)
	if err != nil {
		return nil, err
	}
	m := embed.MatrixOf(z, g.model.Dim())
	out := make([][]float32, m.Rows)
	for i := range out {
		out[i] = embed.Row(m, i)
	}
	return out, nil
}

// foundHalves is the mean of one by the rank of each record's other half.
func foundHalves(cosines, scores [][]float32, share float32) float64 {
	var sum float64
	for i := range cosines {
		combined := func(j int) float32 { return share*cosines[i][j] + (1-share)*scores[i][j] }
		own, rank := combined(i), 1
		for j := range cosines[i] {
			if j != i && combined(j) >= own {
				rank++
			}
		}
		sum += 1 / float64(rank)
	}
	return sum / float64(len(cosines))
}

// recallQueries is how many held-out records tell what a hybrid search finds.
const recallQueries = 100

// measureHybrid finds which share of held-out records' nearest by the exact scan a hybrid
// search finds, once the index is made.
func (c *Collection) measureHybrid(ctx context.Context, gen *generation, sample *fitSample) error {
	r := gen.report.Hybrid
	if r == nil || r.LatentShare == 0 {
		return nil
	}
	var found, nearest float64
	for _, slot := range sample.slots[:min(len(sample.slots), recallQueries)] {
		if err := ctx.Err(); err != nil {
			return err
		}
		usual, err := c.hybridSlots(gen, slot, false)
		if err != nil {
			return err
		}
		exact, err := c.hybridSlots(gen, slot, true)
		if err != nil {
			return err
		}
		nearest += float64(len(exact))
		for _, s := range exact {
			if slices.Contains(usual, s) {
				found++
			}
		}
	}
	if nearest > 0 {
		r.RecallAt10 = found / nearest
	}
	return nil
}

// hybridSlots are the slots of the 10 nearest to the record of a slot, itself among them.
func (c *Collection) hybridSlots(gen *generation, slot uint32, exact bool) ([]uint32, error) {
	var record any
	err := c.view(func(g *ground) error {
		p, there, err := g.point(slot)
		if err == nil && there {
			record, err = gen.fitted.Spec().Unmarshal(p.data)
		}
		return err
	})
	if err != nil || record == nil {
		return nil, err
	}
	q := Query{Record: record, Space: SpaceHybrid, Exact: exact}
	s := &search{c: c, q: q.withDefaults(c.Config()), gen: gen, memory: new(searchMemory)}
	if err := s.prepareTarget(); err != nil {
		return nil, err
	}
	s.plan = gen.plan(s.q)
	hits, err := s.lexicalCandidates()
	slots := make([]uint32, min(len(hits), calibrationK))
	for i := range slots {
		slots[i] = hits[i].Slot
	}
	return slots, err
}
