package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

const ours = "latentdb"

// configurations are the collections that are tried, in the sets they are for;
// each figure is of the fastest within its bound of memory. Source and metric are
// the set's.
var configurations = []struct {
	name   string
	sets   []string
	config store.Config
}{
	{"linear 32, cells", []string{"mnist"}, store.Config{Encoder: embed.Linear, Dim: 32, Engine: store.EngineCells, Rows: store.RowsMemory}},
	{"pca 32, cells", []string{"million"}, store.Config{Encoder: embed.PCA, Dim: 32, Engine: store.EngineCells, Rows: store.RowsMemory}},
	{"pca 32, graph", []string{"million"}, store.Config{Encoder: embed.PCA, Dim: 32, Engine: store.EngineHNSW, M: 12, Rows: store.RowsMemory}},
	{"linear 32, cells, rows on disk", []string{"mnist"}, store.Config{Encoder: embed.Linear, Dim: 32, Engine: store.EngineCells, Rows: store.RowsDisk}},
	{"deep 32, cells, rows on disk", []string{"mnist"}, store.Config{Encoder: embed.Deep, Dim: 32, Engine: store.EngineCells, Rows: store.RowsDisk}},
	{"linear 64, cells, half rows", []string{"words"}, store.Config{Encoder: embed.Linear, Dim: 64, Engine: store.EngineCells, Rows: store.RowsHalf}},
	{"deep 64, cells, half rows", []string{"words"}, store.Config{Encoder: embed.Deep, Dim: 64, Engine: store.EngineCells, Rows: store.RowsHalf}},
	{"linear 64, cells", []string{"words", "cifar"}, store.Config{Encoder: embed.Linear, Dim: 64, Engine: store.EngineCells, Rows: store.RowsMemory}},
	{"as it comes", []string{"words", "cifar", "openai", "bert"}, store.Config{}},
}

// few is how many rows are scanned exactly in no time.
const few = 1000

// setKnobs names what is tried: the recalls asked for, then ef and rerank as told,
// and the exact scan of few rows. Where a recall asked for ends in an exact scan of
// many, which would take all day, that is told and left out.
func (c *contender) setKnobs(ctx context.Context, a *arena) (qs []store.Query, err error) {
	add := func(name string, q store.Query) { c.knobs, qs = append(c.knobs, name), append(qs, q) }
	for _, r := range promised {
		res, err := c.collection.Explain(ctx, store.Query{Vector: embed.Row(a.set.tune, 0), Recall: r})
		if err != nil {
			return nil, err
		}
		if name := fmt.Sprintf("recall %.2f", r); res.Info.Exact && a.set.base.Rows > few {
			a.logf("%s, %s: %s is the exact scan", a.set.name, c.name, name)
		} else {
			add(name, store.Query{Recall: r})
		}
	}
	c.promises = len(qs)
	for _, ef := range []int{12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768} {
		for _, rerank := range []int{12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 192, 256} {
			if rerank <= ef {
				add(fmt.Sprintf("ef %d, rerank %d", ef, rerank), store.Query{EF: ef, Rerank: rerank})
			}
		}
	}
	if a.set.base.Rows <= few {
		add("exact", store.Query{Exact: true})
	}
	return qs, nil
}

// promised are the recalls that users ask for.
var promised = []float64{.90, .95, .99}

// collections are all configurations for the set, fitted and tuned; they are opened
// once.
func (a *arena) collections(ctx context.Context) ([]*contender, error) {
	if a.ours != nil {
		return a.ours, nil
	}
	for _, cfg := range configurations {
		if !slices.Contains(cfg.sets, a.set.name) || a.quick && len(a.ours) > 0 {
			continue
		}
		cfg.config.Source, cfg.config.Metric = source.Vector{}, a.set.metric
		c, err := a.collection(ctx, cfg.name, cfg.config)
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", a.set.name, cfg.name, err)
		}
		a.ours = append(a.ours, c)
		if err := a.tune(ctx, c); err != nil {
			return nil, err
		}
	}
	return a.ours, nil
}

// quickest is the one of ours that is fastest at the first target; nil where there
// is no data, or nothing finds enough.
func (s *searching) quickest(ctx context.Context, set string) (*arena, *contender, error) {
	a, err := s.arena(ctx, set)
	if a == nil || err != nil {
		return nil, nil, err
	}
	mine, err := a.collections(ctx)
	return a, best(mine, ours, unbounded, targets)[0], err
}

// collection opens one, with all it may be asked.
func (a *arena) collection(ctx context.Context, name string, cfg store.Config) (*contender, error) {
	c, before, err := a.open(ctx, name, cfg, a.fitOptions())
	if err != nil {
		return nil, err
	}
	col := c.collection
	qs, err := c.setKnobs(ctx, a)
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	c.ask = func(ctx context.Context, knob int, q queries) ([]int32, float64, error) {
		return askOurs(ctx, col, qs[knob], q)
	}
	settle()
	if _, _, err := c.ask(ctx, c.promises, a.tuning); err != nil { // what searches keep is held from here on
		return nil, errors.Join(err, c.close())
	}
	c.bytes = float64(heldBytes()-before) / float64(a.set.base.Rows)
	report, err := col.Quality()
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	a.logf("%s, %s: %s of %d numbers, engine %s, %.0f bytes a point (by its report %.0f)", a.set.name, name,
		report.Encoder, report.Dim, report.Engine, c.bytes, report.BytesPerPoint.RAM)
	return c, nil
}

// open opens a collection, and fits it where it is not kept from another run. before
// is the memory that the program held then.
func (a *arena) open(ctx context.Context, name string, cfg store.Config, opts *store.FitOptions) (c *contender, before int64, err error) {
	root, remove := a.keep, func() error { return nil }
	if root == "" {
		if root, err = os.MkdirTemp("", "bench"); err != nil {
			return nil, 0, err
		}
		remove = func() error { return os.RemoveAll(root) }
	}
	dir := filepath.Join(root, a.set.name+"-"+strings.NewReplacer(", ", "-", " ", "-").Replace(name))
	c = &contender{name: name, library: ours, config: cfg, remove: remove}
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		if c.seconds, err = a.fit(ctx, dir, name, cfg, opts); err != nil {
			return nil, 0, errors.Join(err, os.RemoveAll(dir), remove())
		}
	}
	before = heldBytes()
	if c.db, err = store.Open(dir, &store.Options{NoAutoFit: true}); err != nil {
		return nil, 0, errors.Join(err, remove())
	}
	if c.collection, err = c.db.Collection(name); err != nil {
		return nil, 0, errors.Join(err, c.close())
	}
	return c, before, nil
}

// fit makes the collection, and gives the CPU seconds of encoding and indexing.
func (a *arena) fit(ctx context.Context, dir, name string, cfg store.Config, opts *store.FitOptions) (building float64, err error) {
	db, err := store.Open(dir, &store.Options{NoAutoFit: true})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	col, err := db.CreateCollection(ctx, name, cfg)
	if err != nil {
		return 0, err
	}
	if err := upsertRows(ctx, col, a.set.base, 0); err != nil {
		return 0, err
	}
	stage, last := "read", mark()
	next := func(to string) {
		seconds := last.since()
		a.logf("%s, %s: fit, %s: %.1f CPU seconds", a.set.name, name, stage, seconds)
		if stage == "encode" || stage == "index" {
			building += seconds
		}
		stage, last = to, mark()
	}
	opts.Progress = func(s store.FitStatus) {
		if s.Stage != stage && s.Stage != "" {
			next(s.Stage)
		}
	}
	_, err = col.Fit(ctx, opts)
	next("done")
	return building, err
}

func (b *bench) fitOptions() *store.FitOptions {
	if b.quick {
		return &store.FitOptions{Epochs: 3}
	}
	return &store.FitOptions{}
}

func (c *contender) close() error { return errors.Join(c.db.Close(), c.remove()) }

// payloadKey is a payload's only key, which holds the point's number modulo
// payloadValues: what filters select by.
const payloadKey, payloadValues = "n", 1000

// upsertRows writes points numbered from one on.
func upsertRows(ctx context.Context, col *store.Collection, rows blas32.General, from int) error {
	const batch = 5000
	for lo := 0; lo < rows.Rows; lo += batch {
		points := make([]store.Point, 0, batch)
		for i := lo; i < min(rows.Rows, lo+batch); i++ {
			points = append(points, store.Point{ID: store.NumID(uint64(from + i)), Vector: embed.Row(rows, i),
				Payload: store.Payload{payloadKey: (from + i) % payloadValues}})
		}
		if err := col.Upsert(ctx, points...); err != nil {
			return err
		}
	}
	return nil
}

// askOurs searches as a user does, one query after another, on one thread.
func askOurs(ctx context.Context, col *store.Collection, ask store.Query, q queries) (ids []int32, seconds float64, err error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	ask.Limit, ask.OmitPayload = neighbours, true
	ids = make([]int32, 0, q.rows.Rows*neighbours)
	start := mark()
	for range q.rounds {
		ids = ids[:0]
		for i := range q.rows.Rows {
			ask.Vector = embed.Row(q.rows, i)
			hits, err := col.Search(ctx, ask)
			if err != nil {
				return nil, 0, err
			}
			ids = hitIDs(ids, hits)
		}
	}
	return ids, start.since(), nil
}

// hitIDs appends the ids of an answer, -1 where one is missing.
func hitIDs(ids []int32, hits []store.Hit) []int32 {
	for i := range neighbours {
		n := uint64(math.MaxUint64)
		if i < len(hits) {
			n, _ = hits[i].ID.Value().(uint64)
		}
		ids = append(ids, int32(n))
	}
	return ids
}

// settle waits until nothing works in the background: an open collection reads its
// rows into memory there.
func settle() {
	const look, quiet = 100 * time.Millisecond, 2 * time.Millisecond
	for still := 0; still < 5; {
		before := cpuTime()
		time.Sleep(look)
		if still++; cpuTime()-before > quiet {
			still = 0
		}
	}
}

// heldBytes is the memory that the program holds on to.
func heldBytes() int64 {
	runtime.GC()
	runtime.GC() // pools give up what they keep at the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// unbounded is a bound of memory that everything meets.
var unbounded = math.Inf(1)
