package store

import (
	"math"
	"slices"

	"github.com/latentdb/latentdb/index"
)

// fromMemory answers without a look at the ground state, where nothing but ids and
// scores is asked for and nothing that was found changed meanwhile: a transaction costs
// more than the rest of a search.
func (s *search) fromMemory(hits []index.Hit) bool {
	if s.readStored || !s.q.OmitPayload || s.q.WithRecord || s.q.WithVector || s.allow != nil && s.selection.seq != s.published {
		return false
	}
	ids, ok := s.c.ids.of(s.memory.ids[:0], hits)
	s.memory.ids = ids
	if !ok || !s.unaffected(hits) {
		return false
	}
	s.hits = make([]Hit, 0, min(len(hits), s.q.Limit))
	skip := s.q.Offset
	for i, h := range hits {
		if s.byID && ids[i] == s.q.ID {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if len(s.hits) == s.q.Limit {
			break
		}
		if score := scoreOf(s.metric(), h.Distance); s.passes(score) {
			s.hits = append(s.hits, Hit{Point: Point{ID: ids[i]}, Score: score})
		}
	}
	return true
}

// unchanged tells that no change became visible since the search began.
func (s *search) unchanged() bool { return s.shown%2 == 0 && s.c.showing.Load() == s.shown }

// unaffected tells that no change of what was found became visible meanwhile.
func (s *search) unaffected(hits []index.Hit) bool {
	now := s.c.showing.Load()
	if s.shown%2 != 0 || now%2 != 0 {
		return false
	}
	return now == s.shown || s.c.recent.spare(hits, s.published) && s.c.showing.Load() == now
}

// passes tells whether a score is as good as is asked for.
func (s *search) passes(score float64) bool {
	return s.q.ScoreThreshold == nil || betterScore(s.metric(), score, *s.q.ScoreThreshold)
}

const (
	// widening is the power by which a search grows with how far the query's neighbours
	// are, counted in squares: what lies between the points has more of them about as
	// near as its nearest.
	widening = 1.5
	// mostWidening bounds it.
	mostWidening = 8
	// nearlyAll is the recall from which on every query is searched again, for near ones
	// lie off the points too: leastForNearlyAll times as widely at least, and
	// mostForNearlyAll times at most.
	nearlyAll, leastForNearlyAll, mostForNearlyAll = .98, 4, 16
)

// widen makes the plan wider for a query whose 10th neighbour is farther than most, where
// the search does not go by steps. It tells whether the search is due again.
func (s *search) widen(hits []index.Hit) bool {
	if s.stepped > 0 || s.plan.exact || s.q.EF > 0 || s.q.Rerank > 0 {
		return false
	}
	far, known := s.reach(hits)
	usual, kept := s.gen.stats.Spread[s.q.Space]
	limit, least, most := usual.Most, 1., float64(mostWidening)
	if s.q.Recall >= nearlyAll {
		limit, least, most = 0, leastForNearlyAll, mostForNearlyAll
	}
	if !known || !kept || far <= limit {
		return false
	}
	power := widening
	if s.metric() == Manhattan {
		power *= 2
	}
	factor := max(least, min(math.Pow(float64(far/usual.Half), power), most))
	s.plan.ef = min(int(factor*float64(s.plan.ef)), maxSearchWidth)
	s.plan.rerank = min(int(factor*float64(s.plan.rerank)), maxSearchWidth)
	return true
}

// manyNew is how many of the nearest a wider search has to find anew to tell that the
// query is unlike the points.
const manyNew = 3

// slotsAmong are the slots of the nearest hits.
func slotsAmong(hits []index.Hit) (slots [calibrationK]uint32) {
	for i, h := range hits[:min(len(hits), calibrationK)] {
		slots[i] = h.Slot
	}
	return slots
}

// newAmong is how many of the nearest hits were not among those before.
func newAmong(hits []index.Hit, before [calibrationK]uint32) (n int) {
	for _, h := range hits[:min(len(hits), calibrationK)] {
		if !slices.Contains(before[:], h.Slot) {
			n++
		}
	}
	return n
}

// reach is how far the 10th neighbour is, where that can be compared with held-out
// points': a filter leaves neighbours out, so do many points that are gone, and a product
// is no distance.
func (s *search) reach(hits []index.Hit) (float32, bool) {
	at := calibrationK - 1
	if s.byID {
		at++
	}
	thinned := 10*int(s.c.points.Load()) < 9*s.gen.stats.Points
	if s.gen.model == nil || s.allow != nil || s.metric() == Dot || len(hits) <= at || thinned {
		return 0, false
	}
	return hits[at].Distance, true
}

// isStrange tells whether the query is unlike nearly all held-out points: farther from
// the points, worse reconstructed, or both taken together, or one whose search went on
// more than once.
func (s *search) isStrange(hits []index.Hit) bool {
	if s.stepped > usualSteps {
		return true
	}
	if s.row == nil {
		return false // nothing was asked of the model
	}
	stats, mse := &s.gen.stats, 0.0
	if s.gen.model != nil {
		var err error
		if mse, err = s.error(); err != nil {
			return false
		}
	}
	limit := stats.UsualMSE
	if limit == 0 { // of a generation that kept none
		limit = oodFactor * stats.MaxHeldOutMSE
	}
	if far, known := s.reach(hits); known {
		if reach, kept := stats.Reach[s.q.Space]; kept && far > reach {
			return true
		}
		if strange, kept := stats.Strange[s.q.Space]; kept && stats.strangeness(s.q.Space, far, mse) > strange {
			return true
		}
	}
	return s.gen.model != nil && mse > limit
}

// strangeness is how far and how badly reconstructed a query is, in shares of what
// nearly all held-out points stay below.
func (f *fitStats) strangeness(space Space, far float32, mse float64) float64 {
	return float64(far/f.Reach[space]) + mse/f.UsualMSE
}

// refresh drops hits whose point is gone, and scores anew those whose point
// changed after the search began.
func (s *search) refresh(g *ground, hits []index.Hit) ([]index.Hit, error) {
	out, changed := hits[:0], false
	// Slots may have other points or payloads than when the filter ran.
	overtaken := s.selection.slots != nil && g.number(keySeq) != s.selection.seq
	for _, h := range hits {
		e, ok, err := g.entry(h.Slot)
		if err != nil {
			return nil, err
		}
		if !ok {
			s.dropped++
			continue
		}
		if s.byID && e.id == s.q.ID {
			continue
		}
		if overtaken {
			if fits, err := g.fits(s.q.Filter, e.id, h.Slot); err != nil {
				return nil, err
			} else if !fits {
				s.dropped++
				continue
			}
		}
		if e.seq > s.published && s.byTerms() { // its terms may not be those that were scored
			s.dropped++
			continue
		}
		if e.seq > s.published {
			row, query, err := s.currentRow(g, h.Slot)
			if err != nil {
				return nil, err
			}
			h.Distance, changed = s.distance(query, row), true
		}
		out = append(out, h)
	}
	if changed {
		slices.SortFunc(out, index.Hit.Compare)
	}
	return out, nil
}

// currentRow is a slot's row as it is now, beside the query's row of the same kind.
func (s *search) currentRow(g *ground, slot uint32) (row, query []float32, err error) {
	if s.rescored() || s.q.Warp {
		row, err = s.gen.featureOfSlot(g, slot)
		return row, s.row, err
	}
	row, err = s.gen.rowOfSlot(g, slot)
	return row, s.target, err
}

// materialise turns hits into points and scores.
func (s *search) materialise(g *ground, hits []index.Hit) ([]Hit, error) {
	hits = hits[min(s.q.Offset, len(hits)):]
	hits = hits[:min(s.q.Limit, len(hits))]
	out := make([]Hit, 0, len(hits))
	slots := make([]uint32, 0, len(hits))
	with := With{Payload: !s.q.OmitPayload, Record: s.q.WithRecord, Vector: s.q.WithVector}
	for _, h := range hits {
		score := scoreOf(s.metric(), h.Distance)
		if !s.passes(score) {
			continue
		}
		out, slots = append(out, Hit{Score: score}), append(slots, h.Slot)
	}
	points, err := s.c.readPoints(g, slots, with, s.gen)
	for i, p := range points {
		out[i].Point = p
	}
	return out, err
}

// error is how badly the model gives the query back.
func (s *search) error() (float64, error) {
	if s.kept != nil {
		return s.mse, nil
	}
	return s.gen.errorOf(s.row)
}

func (s *search) info() SearchInfo {
	info := SearchInfo{
		Generation: s.gen.number, Space: s.q.Space,
		Exact: s.plan.exact, ExpectedRecall: s.plan.expected, EF: s.plan.ef, Rerank: s.plan.rerank,
		Filter: s.selection.info,
	}
	if s.plan.exact {
		info.Engine, info.ExpectedRecall, info.EF, info.Rerank = EngineFlat, s.gen.exactRecall(s.q.Space), 0, 0
	} else {
		info.Engine = s.gen.index.Engine()
	}
	if s.gen.fitted == nil {
		return info
	}
	info.Decoded = s.rescored() && s.gen.latentOnly
	if s.gen.model == nil && !s.gen.likens() {
		info.Space = SpaceInput
	}
	if s.byTerms() {
		s.explainTerms(&info)
	}
	info.OutOfDistribution, info.Warped = s.strange, s.warped
	info.Work = s.gen.work(s.work, 1, s.plan.ef, max(s.wanted(), s.plan.rerank))
	s.gen.score(&info.Work, float64(s.byRow), float64(s.byRecord), float64(s.byDecoding))
	info.Cost = info.Work.cost()
	return info
}
