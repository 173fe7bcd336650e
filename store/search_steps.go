package store

import "github.com/latentdb/latentdb/index"

// What is calibrated is calibrated on points like those that are stored. A query that
// lies between the points has more of them about as near as its nearest, and a setting
// finds less for it. Whether one is such a query is seen in the search itself: what its
// latter half still finds of the nearest tells how much there is left to find. So a
// search goes on, with twice the work each time, for as long as it finds as many of them
// late as calibrate_steps.go says.

const (
	// mostSteps bounds a search: half of what is planned, all, twice as much, 4 and 8
	// times.
	mostSteps = 5
	// usualSteps is how many the searches of nearly all held-out points take at most.
	usualSteps = 3
	// stepCandidates is how many candidates a search by steps scores at least for each
	// neighbour that is wanted: of fewer, any half has some of the nearest.
	stepCandidates = 3.2
)

// steps tells whether the search goes by steps.
func (s *search) steps() bool { return s.plan.late > 0 && s.gen.rows != nil }

// inSteps is a search by steps.
func inSteps(p index.Params, wanted int, next func([]index.Hit) bool) index.Params {
	p.K = max(p.K, int(stepCandidates*float64(wanted)))
	p.EF, p.Next = max(p.EF, p.K), next
	return p
}

// step scores candidates and tells whether to go on.
func (s *search) step(found []index.Hit) bool {
	known := s.gen.rescore(found, s.row)
	s.byRow += known
	for _, h := range found[:known] {
		s.memory.top.Push(h)
	}
	s.memory.unscored = append(s.memory.unscored, found[known:]...)
	if s.stepped++; s.stepped < 2 {
		return true
	}
	if s.stepped > 2 {
		s.plan.ef, s.plan.rerank = min(2*s.plan.ef, maxSearchWidth), min(2*s.plan.rerank, maxSearchWidth)
	}
	if s.stepped == mostSteps || s.plan.ef == maxSearchWidth {
		return false
	}
	farthest, any := s.memory.top.Farthest()
	if !any || !s.memory.top.Full() {
		return len(s.memory.unscored) == 0 // else it is not known what was found
	}
	late := 0
	for _, h := range found[:known] {
		if h.Distance <= farthest.Distance {
			late++
		}
	}
	return late*calibrationK >= s.plan.late*s.wanted()
}
