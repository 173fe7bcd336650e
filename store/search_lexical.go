package store

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/latentdb/latentdb/index"
	"github.com/latentdb/latentdb/index/lexical"
)

const (
	// hybridFirst is how many candidates of either kind a hybrid search begins with for
	// each hit that is wanted, hybridLeast the least of them.
	hybridFirst, hybridLeast = 4, 64
	// hybridRounds is how often it doubles them at most.
	hybridRounds = 4
	// engineLexical is the inverted index's name in explanations.
	engineLexical = lexical.Engine
)

// byTerms tells whether the query's terms are part of the score.
func (s *search) byTerms() bool { return s.q.Space == SpaceLexical || s.q.Space == SpaceHybrid }

// latentShare is what of the score is the latents', the rest the terms'.
func (s *search) latentShare() float64 {
	if s.q.Space != SpaceHybrid || s.gen.model == nil || s.gen.report.Hybrid == nil {
		return 0
	}
	return s.gen.report.Hybrid.LatentShare
}

// checkSpace refuses a space that the collection's records have not.
func (c *Collection) checkSpace(space Space) error {
	if c.lexicon == nil && (space == SpaceLexical || space == SpaceHybrid) {
		return invalid("space", "%s goes with records that have terms, which those of kind %s have not", space, c.Config().Source.Kind())
	}
	return nil
}

// queryTerms are the terms of the query's record, stored or new.
func (s *search) queryTerms() ([]lexical.Term, error) {
	if s.q.ID.IsZero() {
		stored, err := s.c.Config().Source.Marshal(s.q.content())
		if err != nil {
			return nil, invalidCause("query", err)
		}
		return s.c.lexicon.terms(stored)
	}
	var terms []lexical.Term
	err := s.c.view(func(g *ground) error {
		slots, err := g.slotsOf([]ID{s.q.ID})
		if err != nil {
			return err
		}
		p, ok, err := g.point(slots[0])
		if err != nil || !ok {
			return errors.Join(err, fmt.Errorf("%w: no point with id %s", ErrNotFound, s.q.ID))
		}
		terms, err = s.c.lexicon.terms(p.data)
		return err
	})
	return terms, err
}

// lexicalCandidates are the nearest by terms, and by latents where those have a share.
func (s *search) lexicalCandidates() ([]index.Hit, error) {
	if err := s.c.lexicon.whole(); err != nil {
		return nil, err
	}
	terms, err := s.queryTerms()
	if err != nil {
		return nil, err
	}
	s.memory.scores = s.c.lexicon.index.Scores(s.memory.scores, terms)
	share := s.latentShare()
	if share == 0 {
		s.plan.exact, s.plan.expected = true, 1
		s.memory.best = lexical.Nearest(s.memory.best[:0], s.memory.scores, s.wanted(), s.allow)
		return s.memory.best, nil
	}
	h := hybrid{search: s, share: float32(share), length: length(s.target), latent: make([]float32, len(s.target))}
	if s.plan.exact {
		return h.scan(), nil
	}
	return h.candidates()
}

// explainTerms says what of an answer was by terms.
func (s *search) explainTerms(info *SearchInfo) {
	share := s.latentShare()
	info.Space, info.LatentShare = SpaceHybrid, &share
	if share > 0 && !s.plan.exact {
		info.ExpectedRecall = s.gen.report.Hybrid.RecallAt10
	}
	if share == 0 {
		info.Space, info.Engine, info.ExpectedRecall = SpaceLexical, engineLexical, 1
	}
}

// hybrid scores points by terms and latents together: the cosine between TF-IDF vectors,
// and that between latents.
type hybrid struct {
	*search
	share, length float32
	latent        []float32 // room for one
}

// score is a slot's; false for one that is gone.
func (h *hybrid) score(slot uint32) (score float32, there bool) {
	if int(slot) >= len(h.memory.scores) || h.memory.scores[slot] < 0 || !h.gen.latentInMemory(h.latent, slot) {
		return 0, false
	}
	return h.combined(h.cosine(), h.memory.scores[slot]), true
}

func (h *hybrid) combined(cosine, terms float32) float32 { return h.share*cosine + (1-h.share)*terms }

// cosine is that between the query's latent and the one in room.
func (h *hybrid) cosine() float32 {
	var product, square float32
	for i, v := range h.latent {
		product += v * h.target[i]
		square += v * v
	}
	if square == 0 || h.length == 0 {
		return 0
	}
	return product / h.length / float32(math.Sqrt(float64(square)))
}

func length(v []float32) float32 {
	var square float64
	for _, x := range v {
		square += float64(x) * float64(x)
	}
	return float32(math.Sqrt(square))
}

// scan scores all points that may answer.
func (h *hybrid) scan() []index.Hit {
	top := &h.memory.top
	top.Reset(h.wanted())
	for slot := range h.memory.scores {
		h.offer(top, uint32(slot))
	}
	h.memory.best = top.AppendTo(h.memory.best[:0])
	return h.memory.best
}

func (h *hybrid) offer(top *index.TopK, slot uint32) {
	if h.allow != nil && !h.allow.Has(slot) {
		return
	}
	if score, there := h.score(slot); there {
		top.Push(index.Hit{Slot: slot, Distance: 1 - score})
	}
}

// candidates scores the nearest by terms and the nearest by latents, more of them until
// what is not among them could not be among the nearest by both (Fagin, Lotem and Naor,
// "Optimal aggregation algorithms for middleware", 2003), latents being found as the
// index finds them.
func (h *hybrid) candidates() ([]index.Hit, error) {
	top := &h.memory.top
	for round, n := 0, max(hybridLeast, hybridFirst*h.wanted()); ; round, n = round+1, 2*n {
		byTerms := lexical.Nearest(nil, h.memory.scores, n, h.allow)
		byLatent, err := h.nearest(index.Params{K: n, EF: max(h.plan.ef, n), Allow: h.allow})
		if err != nil {
			return nil, err
		}
		slots := make([]uint32, 0, len(byTerms)+len(byLatent))
		for _, list := range [][]index.Hit{byTerms, byLatent} {
			for _, hit := range list {
				slots = append(slots, hit.Slot)
			}
		}
		slices.Sort(slots)
		top.Reset(h.wanted())
		for _, slot := range slices.Compact(slots) {
			h.offer(top, slot)
		}
		if round == hybridRounds || len(byTerms) < n || len(byLatent) < n || h.settled(top, byTerms[n-1], byLatent[n-1]) {
			h.plan.ef, h.plan.rerank = max(h.plan.ef, n), len(slots)
			h.memory.best = top.AppendTo(h.memory.best[:0])
			return h.memory.best, nil
		}
	}
}

// settled tells that nothing beyond the last candidates scores better than what is kept.
func (h *hybrid) settled(top *index.TopK, byTerms, byLatent index.Hit) bool {
	farthest, _ := top.Farthest()
	if !top.Full() || !h.gen.latentInMemory(h.latent, byLatent.Slot) {
		return false
	}
	return 1-farthest.Distance >= h.combined(h.cosine(), 1-byTerms.Distance)
}
