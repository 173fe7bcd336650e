package store

import (
	"context"
	"slices"

	"github.com/latentdb/latentdb/index"
)

// What is calibrated is calibrated on points like those that are stored. A query that
// lies between the points has more of them about as near as its nearest, and a setting
// finds less for it. Whether one is such a query is seen in the search itself: what its
// latter half still finds of the nearest tells how much there is left to find. So a
// search goes on, with twice the work each time, for as long as it finds more of them
// late than nearly all held-out points do.

const (
	// lateShare is the share of held-out points whose searches may go on.
	lateShare = .01
	// mostSteps bounds a search: half of what is planned, all, twice as much, 4 and 8
	// times.
	mostSteps = 5
	// stepCandidates is how many candidates a search by steps scores at least for each
	// neighbour that is wanted: of fewer, any half has some of the nearest.
	stepCandidates = 2.4
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
	if s.stepped == mostSteps {
		return false
	}
	farthest, any := s.memory.top.Farthest()
	if !any || !s.memory.top.Full() {
		return true
	}
	late := 0
	for _, h := range found[:known] {
		if h.Distance <= farthest.Distance {
			late++
		}
	}
	return late*calibrationK >= s.plan.late*s.wanted()
}

// lateFinds is how many of the nearest the latter half of a search finds for all but
// lateShare of the held-out points, and one more; 0 where the engine does not go by
// steps.
func (cal *calibration) lateFinds(ctx context.Context, idx index.Index, p CalibrationPoint) (int, error) {
	late := make([]int, len(cal.slots))
	stepped := 0
	for q := range late {
		half := true
		_, err := cal.ask(ctx, idx, SpaceInput, q, inSteps(index.Params{K: p.Rerank, EF: p.EF}, calibrationK, func(found []index.Hit) bool {
			if !half {
				stepped++
				for _, h := range found {
					if cal.truthInput[q][h.Slot] {
						late[q]++
					}
				}
			}
			more := half
			half = false
			return more
		}))
		if err != nil {
			return 0, err
		}
	}
	if stepped < len(late) || stepped == 0 {
		return 0, nil
	}
	slices.Sort(late)
	return 1 + late[int(float64(len(late)-1)*(1-lateShare))], nil
}
