package main

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

// families are collections of one model and one form of rows, by each engine, whose
// searches the model of costs is fitted to, or judged by. One epoch will do: how well
// a model serves changes what must be asked, and not what that costs.
var families = []struct {
	set    string
	rows   int
	judges bool
	config store.Config
}{
	{"mnist", 20_000, false, store.Config{Encoder: embed.Linear, Dim: 32, Rows: store.RowsMemory}},
	{"words", 100_000, false, store.Config{Encoder: embed.Deep, Dim: 64, Rows: store.RowsMemory}},
	{"cifar", 4_000, false, store.Config{Encoder: embed.Deep, Dim: 16, Rows: store.RowsDisk}},
	{"words", 20_000, false, store.Config{Encoder: embed.PCA, Dim: 96, Rows: store.RowsHalf}},
	{"million", 1_000_000, false, store.Config{Encoder: embed.PCA, Dim: 32, Rows: store.RowsMemory, M: 12}},
	{"words", 100_000, true, store.Config{Encoder: embed.Linear, Dim: 64, Rows: store.RowsHalf}},
	{"mnist", 60_000, true, store.Config{Encoder: embed.Deep, Dim: 64, Rows: store.RowsDisk}},
	{"cifar", 4_000, true, store.Config{Encoder: embed.Linear, Dim: 64, Rows: store.RowsMemory}},
	{"million", 300_000, true, store.Config{Encoder: embed.Linear, Dim: 16, Rows: store.RowsMemory}},
}

const (
	// costQueries is how many queries a setting is timed by, and costRounds how often.
	costQueries, costRounds = 200, 7
	// costRecall is the recall at which engines are compared.
	costRecall = .95
)

// costed is a setting of a collection: what it did and what that took.
type costed struct {
	family   int
	engine   string
	what     string
	query    store.Query
	of       *contender
	asked    blas32.General
	terms    [len(costTerms)]float64
	expected float64 // microseconds, by the model
	recall   float64
	took     []float64 // microseconds
}

// costs fits the model of what searches cost, and checks the one that is in use.
func (s *searching) costs(ctx context.Context) (err error) {
	var all []*costed
	var open []*contender
	defer func() {
		for _, c := range open {
			err = errors.Join(err, c.close())
		}
	}()
	sets := make(map[string]*searchSet)
	for i, f := range families {
		if _, known := sets[f.set]; !known {
			if sets[f.set], err = searchSets[f.set](ctx, s.bench); err != nil {
				return err
			}
		}
		if sets[f.set] == nil {
			continue
		}
		members, settings, err := s.family(ctx, i, sets[f.set])
		if open = append(open, members...); err != nil {
			return err
		}
		all = append(all, settings...)
	}
	settle()
	for range costRounds {
		for _, c := range all {
			if err := c.time(ctx); err != nil {
				return err
			}
		}
	}
	errorOf := figure{Name: "search.11a", What: "cost of a search by the model beside the clock, but for one factor: median error over settings",
		Floor: ptr(.3), Goal: ptr(.15), Better: lower}
	choice := figure{Name: "search.11b", What: "the engine and setting that the model chooses at recall 0.95 beside the fastest: time, at worst",
		Floor: ptr(1.2), Goal: ptr(1.1), Better: lower}
	if len(all) > 0 {
		errorOf.Ours, choice.Ours = s.judge(all)
	}
	s.addAll([]figure{errorOf, choice})
	return nil
}

// family opens the collections of a family, and says what their settings do.
func (s *searching) family(ctx context.Context, i int, set *searchSet) (open []*contender, out []*costed, err error) {
	f, cut := families[i], *set
	cut.base = pick(set.base, 0, f.rows, 1)
	if s.quick {
		cut.base = pick(set.base, 0, 4000, 1)
	}
	queries := pick(set.tune, 0, costQueries, 1)
	truth := exactNeighbours(cut.base, queries, neighbours)
	a := &arena{bench: s.bench, set: &cut}
	for _, engine := range []string{store.EngineCells, store.EngineHNSW, store.EngineFlat} {
		cfg := f.config
		cfg.Source, cfg.Metric, cfg.Engine = source.Vector{}, set.metric, engine
		name := fmt.Sprintf("cost of %d, %s %d, %s, rows %s", cut.base.Rows, cfg.Encoder, cfg.Dim, engine, cfg.Rows)
		member, _, err := a.open(ctx, name, cfg, &store.FitOptions{Epochs: 1})
		if err != nil {
			return open, nil, err
		}
		open = append(open, member)
		settle() // until all rows are in memory
		for _, q := range costSettings(engine) {
			c := &costed{family: i, engine: engine, query: q, of: member, asked: queries,
				what: fmt.Sprintf("%s, %s, %s ef %d rerank %d", f.set, name, q.Space, q.EF, q.Rerank)}
			if err := c.explain(ctx, truth); err != nil {
				return open, nil, err
			}
			out = append(out, c)
		}
	}
	return open, out, nil
}

// costSettings are what a collection is asked.
func costSettings(engine string) (out []store.Query) {
	widths := []int{16, 32, 64, 128, 256, 512, 1024}
	if engine == store.EngineFlat {
		widths = []int{1024}
	}
	for _, ef := range widths {
		out = append(out, store.Query{Space: store.SpaceLatent, EF: ef})
		for _, rerank := range []int{16, 32, 64, 128, 256, 512} {
			if rerank <= ef && rerank*8 >= ef {
				out = append(out, store.Query{Space: store.SpaceInput, EF: ef, Rerank: rerank})
			}
		}
	}
	return out
}

// explain asks what a setting finds and does.
func (c *costed) explain(ctx context.Context, truth [][]int32) error {
	c.query.Limit, c.query.OmitPayload = neighbours, true
	var ids []int32
	n := float64(c.asked.Rows)
	for i := range c.asked.Rows {
		c.query.Vector = embed.Row(c.asked, i)
		res, err := c.of.collection.Explain(ctx, c.query)
		if err != nil {
			return err
		}
		ids = hitIDs(ids, res.Hits)
		for i, t := range termsOf(res.Info.Work) {
			c.terms[i] += t / n
		}
		c.expected += res.Info.Cost / n
	}
	c.recall = recallOf(truth, ids, neighbours)
	return nil
}

// time asks all queries once more, on one thread.
func (c *costed) time(ctx context.Context) error {
	_, seconds, err := askOurs(ctx, c.of.collection, c.query, queries{rows: c.asked, rounds: 1})
	c.took = append(c.took, 1e6*seconds/float64(c.asked.Rows))
	return err
}

// judge tells how far the model is from the clock, and what its choices of engines
// cost, and prints the constants that this run would have.
func (s *searching) judge(all []*costed) (errorOf, choice *float64) {
	var fit, judged []*costed
	for _, c := range all {
		c.took[0] = median(c.took)
		if families[c.family].judges {
			judged = append(judged, c)
		} else {
			fit = append(fit, c)
		}
	}
	constants := fitCosts(fit)
	for i, name := range costTerms {
		s.logf("\t%-17s = %.3g", name, constants[i])
	}
	fitted := func(c *costed) float64 { return constants.of(c.terms) }
	inUse := func(c *costed) float64 { return c.expected }
	s.logf("fitted now: median error %.3f where fitted, %.3f where judged; in use: %.3f and %.3f",
		costError(fit, fit, fitted), costError(fit, judged, fitted), costError(fit, fit, inUse), costError(fit, judged, inUse))
	for _, c := range all {
		s.logf("  %s: recall %.3f, %.1f µs, in use %.1f, fitted %.1f", c.what, c.recall, c.took[0], c.expected, fitted(c))
	}
	return ptr(costError(fit, judged, inUse)), s.choices(all)
}

// costError is the median of |expected/took - 1| over settings, but for the factor
// between this machine and the model's, which is that of other settings.
func costError(scaledBy, of []*costed, expected func(*costed) float64) float64 {
	ratios := func(cs []*costed) (out []float64) {
		for _, c := range cs {
			out = append(out, expected(c)/c.took[0])
		}
		return out
	}
	factor := median(ratios(scaledBy))
	errs := ratios(of)
	for i, r := range errs {
		errs[i] = math.Abs(r/factor - 1)
	}
	return median(errs)
}

// choices lets the model choose each family's engine and setting, as a fit does: the
// cheapest that finds enough.
func (s *searching) choices(all []*costed) *float64 {
	var worst *float64
	for i := range families {
		var chosen, fastest *costed
		for _, c := range all {
			if c.family != i || c.query.Space != store.SpaceInput || c.recall < costRecall {
				continue
			}
			if chosen == nil || c.expected < chosen.expected {
				chosen = c
			}
			if fastest == nil || c.took[0] < fastest.took[0] {
				fastest = c
			}
		}
		if chosen == nil {
			continue
		}
		ratio := chosen.took[0] / fastest.took[0]
		s.logf("chosen: %s; fastest: %s: %.2f", chosen.what, fastest.what, ratio)
		worst = ptr(max(ratio, deref(worst)))
	}
	return worst
}
