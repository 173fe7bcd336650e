package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// searchSuite measures search beside hnswlib and others at equal recall of the
// exact answer in input space, through the API that users embed: the encoding of
// the query and the reading of the answer's ids are part of it.
func searchSuite(ctx context.Context, b *bench) (err error) {
	s := &searching{bench: b, arenas: make(map[string]*arena)}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, part := range []struct {
		number string
		run    func(context.Context) error
	}{{"1", s.digitSpeed}, {"2", s.wordSpeed}, {"3", s.millionSpeed}, {"4", s.smallSpeed}, {"5", s.others}, {"6", s.raw},
		{"7", s.filters}, {"8", s.churn}, {"9", s.promises}, {"10", s.cores}, {"11", s.costs}} {
		if !b.wants(part.number) {
			continue
		}
		if err := part.run(ctx); err != nil {
			return err
		}
	}
	return nil
}

type searching struct {
	*bench
	arenas map[string]*arena
}

// arena is a set with all that is compared on it.
type arena struct {
	*bench
	set              *searchSet
	tuning, reported queries
	ours             []*contender
	libraries        *libraries
}

// arena prepares a set, once; nil where its data was not given.
func (s *searching) arena(ctx context.Context, name string) (*arena, error) {
	if a, known := s.arenas[name]; known {
		return a, nil
	}
	set, err := searchSets[name](ctx, s.bench)
	if err != nil || set == nil {
		s.logf("%s: not given, its figures are null", name)
		return nil, err
	}
	a := &arena{bench: s.bench, set: set}
	s.arenas[name] = a
	a.tuning, a.reported = queries{rows: set.tune}, queries{rows: set.report, lo: set.tune.Rows}
	for _, q := range []*queries{&a.tuning, &a.reported} {
		q.truth, q.rounds = exactNeighbours(set.base, q.rows, neighbours), 1+400/q.rows.Rows
	}
	s.logf("%s: %d rows of %d, %d queries to tune and %d to report", name, set.base.Rows, set.base.Cols, set.tune.Rows, set.report.Rows)
	return a, a.startLibraries(ctx)
}

func (s *searching) close() error {
	var errs []error
	for _, a := range s.arenas {
		for _, c := range a.ours {
			errs = append(errs, c.close())
		}
		errs = append(errs, a.libraries.stop())
	}
	return errors.Join(errs...)
}

// targets are the recalls at which speed is compared.
var targets = []float64{.95, .99}

// fastest is the best of a library at each target, measured; nil where there is
// none.
type fastest [2]*contender

func (f fastest) rate(i int) *float64 {
	if f[i] == nil {
		return nil
	}
	return rateAt(f[i].curve(), targets[i])
}

// race measures the best of ours within each bound of memory, and of each
// library, interleaved.
func (a *arena) race(ctx context.Context, bounds []float64, libraries ...string) (us, them []fastest, err error) {
	var all []*contender
	add := func(from []*contender, library string, most float64) fastest {
		f := fastest(best(from, library, most, targets))
		for _, c := range f {
			if c != nil && !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
		return f
	}
	mine, err := a.collections(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, bound := range bounds {
		if a.quick {
			bound = unbounded // few points bear what a collection costs by itself
		}
		us = append(us, add(mine, ours, bound))
	}
	for _, name := range libraries {
		built, err := a.libraries.of(ctx, a, name)
		if err != nil {
			return nil, nil, err
		}
		them = append(them, add(built, name, unbounded))
	}
	return us, them, a.measure(ctx, all, targets...)
}

// speeds are two figures, the queries a second of ours beside a peer's at either
// target.
func speeds(number string, letters string, what string, us, peer fastest, floors, goals [2]*float64) []figure {
	out := make([]figure, 2)
	for i, target := range targets {
		out[i] = figure{Name: number + letters[i:i+1], What: fmt.Sprintf("%s: queries a CPU second at recall %.2f", what, target),
			Ours: us.rate(i), Peer: peer.rate(i), Floor: floors[i], Goal: goals[i], Better: higher}
	}
	return out
}

// memory is the figure of the bytes a point of the collections that speed was
// measured of.
func (b *bench) memory(name, what string, f fastest, most float64) figure {
	out := figure{Name: name, What: what + ": bytes of memory a point", Floor: &most, Better: lower}
	for _, c := range f {
		if c != nil && !b.quick {
			out.Ours = ptr(max(c.bytes, deref(out.Ours)))
		}
	}
	return out
}

func deref(v *float64) float64 {
	if v == nil {
		return 0
	}
	return *v
}
