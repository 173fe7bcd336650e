package main

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

// million is what questions about all of a million points cost, beside searching every
// point for its neighbours, and the memory they take beside that of the open collection.
func (a *answers) million(ctx context.Context) (err error) {
	const ratio, most = 1.5, 600
	figures := []figure{
		{Name: "answers.6a", What: "duplicates of 1,000,000 x 32: CPU seconds beside searching every point once", Floor: ptr(ratio), Better: lower},
		{Name: "answers.6b", What: "outliers of 1,000,000 x 32: CPU seconds beside searching every point once", Floor: ptr(ratio), Better: lower},
		{Name: "answers.6c", What: "duplicates: MiB at most beyond the open collection", Floor: ptr(float64(most)), Better: lower},
		{Name: "answers.6d", What: "outliers: MiB at most beyond the open collection", Floor: ptr(float64(most)), Better: lower},
	}
	c, err := a.openMillion(ctx)
	if err != nil {
		return err
	}
	if c != nil {
		defer func() { err = errors.Join(err, c.close()) }()
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		s := &selfSearch{collection: c.collection}
		settle()
		base := held()
		// A third of the search comes before, between and after the others.
		if err := s.third(ctx, 0); err != nil {
			return err
		}
		outliers, err := a.atMost(base, func() error {
			_, err := c.collection.Outliers(ctx, store.OutlierQuery{})
			return err
		})
		if err := errors.Join(err, s.third(ctx, 1)); err != nil {
			return err
		}
		duplicates, err := a.atMost(base, func() error {
			found, err := c.collection.Duplicates(ctx, store.DuplicateQuery{})
			if err == nil {
				a.logf("%d groups within %.4g", len(found.Groups), found.Threshold)
			}
			return err
		})
		if err := errors.Join(err, s.third(ctx, 2)); err != nil {
			return err
		}
		a.logf("CPU seconds: searching %.1f, duplicates %.1f, outliers %.1f; recall is meant to be %.3f", s.seconds, duplicates.seconds, outliers.seconds, s.expected)
		for i, took := range []taken{duplicates, outliers} {
			figures[i].Ours, figures[i].Peer = ptr(took.seconds), &s.seconds
			figures[2+i].Ours = ptr(took.mebibytes)
		}
	}
	a.addAll(figures)
	return nil
}

// openMillion opens the collection as search.3 has it; nil where there is no data.
func (a *answers) openMillion(ctx context.Context) (*contender, error) {
	set, err := millionSet(ctx, a.bench)
	if err != nil || set == nil {
		return nil, err
	}
	on := &arena{bench: a.bench, set: set}
	for _, cfg := range configurations {
		if cfg.name == "pca 32, cells" {
			cfg.config.Source, cfg.config.Metric = source.Vector{}, set.metric
			c, _, err := on.open(ctx, cfg.name, cfg.config, on.fitOptions())
			return c, err
		}
	}
	return nil, errors.New("no configuration for the million")
}

// selfSearch searches every point of a collection once.
type selfSearch struct {
	collection *store.Collection
	seconds    float64
	expected   float64 // recall
}

// third searches every third point, as a user would who has it at hand.
func (s *selfSearch) third(ctx context.Context, from int) error {
	const batch = 4096
	q := store.Query{Recall: .95}
	var rows blas32.General
	search := func() error {
		_, seconds, err := askOurs(ctx, s.collection, q, queries{rows: rows, rounds: 1})
		s.seconds += seconds
		rows.Rows, rows.Data = 0, rows.Data[:0]
		return err
	}
	at := 0
	for p, err := range s.collection.Scroll(ctx, store.ScrollQuery{With: store.With{Vector: true}}) {
		if err != nil {
			return err
		}
		if at++; at%3 != from {
			continue
		}
		rows = embed.MatrixOf(append(rows.Data, p.Vector...), len(p.Vector))
		if rows.Rows == batch {
			if err := search(); err != nil {
				return err
			}
		}
	}
	res, err := s.collection.Explain(ctx, store.Query{Vector: embed.Row(rows, 0), Recall: .95})
	if err != nil {
		return err
	}
	s.expected = res.Info.ExpectedRecall
	return search()
}

// taken is what something took.
type taken struct{ seconds, mebibytes float64 }

// atMost runs f and tells its CPU seconds, and the memory that the program had of the
// system at most beyond what it held before.
func (a *answers) atMost(base uint64, f func() error) (taken, error) {
	debug.FreeOSMemory()
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		most := uint64(0)
		for {
			most = max(most, ofSystem())
			select {
			case <-stop:
				peak <- most
				return
			case <-tick.C:
			}
		}
	}()
	began := mark()
	err := f()
	seconds := began.since()
	close(stop)
	return taken{seconds, float64(int64(<-peak)-int64(base)) / (1 << 20)}, err
}

// held is the memory the program has of the system when it has given back all it can.
func held() uint64 {
	debug.FreeOSMemory()
	return ofSystem()
}

// ofSystem is the memory that the program has of the system, garbage and free memory that
// was not given back among it, but for files that are mapped.
func ofSystem() uint64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() - samples[1].Value.Uint64()
}
