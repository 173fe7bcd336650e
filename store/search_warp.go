package store

import (
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/index"
)

// warpCandidates is how many candidates are scored by warped distance when not told.
const warpCandidates = 50

// planned is the query as the plan is made for it: for as many hits as are to be warped.
func (s *search) planned() Query {
	q := s.q
	if q.Warp {
		q.Limit = max(q.Limit, q.warped()-q.Offset)
	}
	if q.Warp && !s.rescored() {
		q.Rerank = 0
	}
	return q
}

// warped is how many candidates are scored by warped distance.
func (q *Query) warped() int {
	n := warpCandidates
	if q.Rerank > 0 {
		n = q.Rerank
	}
	return max(n, q.Offset+q.Limit)
}

// warp scores candidates anew by their records' rows, where the query asks for that.
func (s *search) warp(hits []index.Hit) ([]index.Hit, error) {
	if !s.q.Warp {
		return hits, nil
	}
	hits = hits[:min(len(hits), s.wanted())]
	top := index.NewTopK(max(1, len(hits)))
	err := s.scoreStored(top, hits, s.distance)
	s.warped = len(hits)
	return top.AppendTo(hits[:0]), err
}

// orderedBy is the distance that orders the hits of an answer. That of warped rows is
// squared, as the index has those of its metric.
func (s *search) orderedBy() (func(a, b []float32) float32, error) {
	if !s.q.Warp {
		return s.metric().Kernel(), nil
	}
	warper, ok := s.gen.fitted.(source.Warper)
	if !ok {
		return nil, invalid("warp", "goes with records that run in time, which those of kind %s do not", s.c.Config().Source.Kind())
	}
	return func(a, b []float32) float32 {
		d := warper.Warp(a, b)
		return d * d
	}, nil
}
