package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/store"
)

// neighbours is how many are asked for, and what recall is counted over.
const neighbours = 10

// contender is an index over a set's rows, and the settings it can be asked with.
type contender struct {
	name, library string
	knobs         []string
	// promises is how many of the knobs, the first, are a recall asked for. They
	// are always measured, and are no part of the curve.
	promises int
	// ask answers the queries one after another with one of the knobs: the ids of
	// the neighbours, -1 where one is missing, and CPU seconds.
	ask func(ctx context.Context, knob int, q queries) (ids []int32, seconds float64, err error)
	// bytes of memory a point, and CPU seconds of building; 0 if not known.
	bytes, seconds float64

	// Of ours: what is open, and how its files are removed once it is closed.
	db         *store.DB
	collection *store.Collection
	config     store.Config
	remove     func() error

	tuned    []point // on tuning queries
	measured []point // on those that are reported
}

// queries are some of a set's, with their true neighbours.
type queries struct {
	rows   blas32.General
	truth  [][]int32
	lo     int // position among all queries of the set
	rounds int // how often they are asked, where they are few
}

// point is what one knob measured.
type point struct {
	knob        int
	recall, qps float64
}

// tune measures the knobs on the tuning queries, up to where three one after
// another find more than any figure asks for; and those that no other beats twice
// more, for the median.
func (a *arena) tune(ctx context.Context, c *contender) error {
	const ample = .998
	for knob, times := c.promises, 0; knob < len(c.knobs) && times < 3; knob++ {
		p, err := c.at(ctx, knob, a.tuning)
		if err != nil {
			return err
		}
		if times++; p.recall < ample {
			times = 0
		}
		c.tuned = append(c.tuned, p)
	}
	c.tuned = front(c.tuned)
	for i, p := range c.tuned {
		rates := []float64{p.qps}
		for range 2 {
			again, err := c.at(ctx, p.knob, a.tuning)
			if err != nil {
				return err
			}
			rates = append(rates, again.qps)
		}
		c.tuned[i].qps = median(rates)
	}
	for _, p := range c.tuned {
		a.logf("  %s, %s: %s: recall %.4f, %.0f a second", a.set.name, c.name, c.knobs[p.knob], p.recall, p.qps)
	}
	return nil
}

func (c *contender) at(ctx context.Context, knob int, q queries) (point, error) {
	ids, seconds, err := c.ask(ctx, knob, q)
	if err != nil {
		return point{}, fmt.Errorf("%s, %s: %w", c.name, c.knobs[knob], err)
	}
	return point{knob, recallOf(q.truth, ids, neighbours), float64(q.rounds*q.rows.Rows) / seconds}, nil
}

// measure asks the queries that are reported: of every contender the knobs around
// the targets, all in turn, and that again; what counts is each one's median.
func (a *arena) measure(ctx context.Context, contenders []*contender, targets ...float64) error {
	type run struct {
		c    *contender
		knob int
	}
	var runs []run
	for _, c := range contenders {
		for knob := range c.promises {
			runs = append(runs, run{c, knob})
		}
		knobs := around(c.tuned, targets)
		if widest := len(c.knobs) - 1; a.set.base.Rows <= few && !slices.Contains(knobs, widest) {
			knobs = append(knobs, widest) // few queries tell little of others
		}
		for _, knob := range knobs {
			runs = append(runs, run{c, knob})
		}
		c.measured = nil
	}
	points, rates := make([]point, len(runs)), make([][]float64, len(runs))
	for range a.repeats() {
		for i, r := range runs {
			p, err := r.c.at(ctx, r.knob, a.reported)
			if err != nil {
				return err
			}
			points[i], rates[i] = p, append(rates[i], p.qps)
		}
	}
	for i, r := range runs {
		points[i].qps = median(rates[i])
		r.c.measured = append(r.c.measured, points[i])
		a.logf("%s, %s: %s: recall %.4f, %.0f a second (%.0f to %.0f)", a.set.name, r.c.name, r.c.knobs[r.knob],
			points[i].recall, points[i].qps, rates[i][0], rates[i][len(rates[i])-1])
	}
	return nil
}

// front are the points that no other beats in both, by ascending recall.
func front(points []point) []point {
	points = slices.Clone(points)
	slices.SortFunc(points, func(a, b point) int {
		return cmp.Or(cmp.Compare(b.recall, a.recall), cmp.Compare(b.qps, a.qps))
	})
	var out []point
	for _, p := range points {
		if len(out) == 0 || p.qps > out[len(out)-1].qps {
			out = append(out, p)
		}
	}
	slices.Reverse(out)
	return out
}

// around are the knobs of the two points below and the five above each target: other
// queries may find a little more or less.
func around(curve []point, targets []float64) []int {
	var out []int
	for _, t := range targets {
		above, _ := slices.BinarySearchFunc(curve, t, func(p point, t float64) int { return cmp.Compare(p.recall, t) })
		for _, p := range curve[max(0, above-2):min(len(curve), above+5)] {
			if !slices.Contains(out, p.knob) {
				out = append(out, p.knob)
			}
		}
	}
	return out
}

// rateAt is the queries a second at a recall: between the neighbouring points,
// linear in its logarithm. Where every point finds more, the fastest of them; nil
// where none finds enough.
func rateAt(points []point, recall float64) *float64 {
	curve := front(points)
	above, _ := slices.BinarySearchFunc(curve, recall, func(p point, t float64) int { return cmp.Compare(p.recall, t) })
	switch {
	case above == len(curve):
		return nil
	case above == 0:
		return &curve[0].qps
	}
	lo, hi := curve[above-1], curve[above]
	t := (recall - lo.recall) / (hi.recall - lo.recall)
	return ptr(math.Exp((1-t)*math.Log(lo.qps) + t*math.Log(hi.qps)))
}

// curve is the measured points of the knobs that are no promise.
func (c *contender) curve() []point {
	return slices.DeleteFunc(slices.Clone(c.measured), func(p point) bool { return p.knob < c.promises })
}

// best are, for each target, the contender of a library that is fastest there on
// the tuning queries, among those within a bound of memory; nil where none is.
func best(contenders []*contender, library string, most float64, targets []float64) []*contender {
	out := make([]*contender, len(targets))
	for i, t := range targets {
		fastest := 0.0
		for _, c := range contenders {
			if c.library != library || c.bytes > most {
				continue
			}
			if rate := rateAt(c.tuned, t); rate != nil && *rate > fastest {
				out[i], fastest = c, *rate
			}
		}
	}
	return out
}
