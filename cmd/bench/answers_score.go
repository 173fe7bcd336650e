package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

const (
	// scoredPoints is how large the collections are in which new records are scored, and
	// scoredRecords how many records are.
	scoredPoints, scoredRecords = 100_000, 2000
)

// scores are how long it takes to tell whether one new record is strange, beyond two
// searches for its neighbours.
func (a *answers) scores(ctx context.Context) error {
	for _, set := range []struct {
		letter, what string
		load         func(ctx context.Context, n int) ([]any, error)
		config       store.Config
	}{
		{"a", "vectors of 32 numbers", a.scoredVectors, store.Config{Source: source.Vector{}}},
		{"b", "rows of 41 columns", a.scoredRows, store.Config{Source: source.Table{}}},
	} {
		f := figure{Name: "answers.2" + set.letter, Floor: ptr(100.), Better: lower,
			What: fmt.Sprintf("one record scored in 100,000 %s, less two searches, CPU microseconds", set.what)}
		n := scoredPoints
		if a.quick {
			n /= 5
		}
		records, err := set.load(ctx, n)
		if err != nil {
			return err
		}
		if records != nil {
			if f.Ours, err = a.scoring(ctx, set.config, records[:n], records[n:]); err != nil {
				return fmt.Errorf("%s: %w", set.what, err)
			}
		}
		a.add(f)
	}
	return nil
}

// scoredVectors are those of search.3, as many as are needed.
func (a *answers) scoredVectors(ctx context.Context, n int) ([]any, error) {
	set, err := millionOf(ctx, a.bench, n)
	if err != nil || set == nil {
		return nil, err
	}
	var out []any
	for i := range set.base.Rows {
		out = append(out, embed.Row(set.base, i))
	}
	for i := range min(scoredRecords, set.report.Rows) {
		out = append(out, embed.Row(set.report, i))
	}
	return out, nil
}

// scoredRows are connections of NSL-KDD, and others like them whose numbers are a little off.
func (a *answers) scoredRows(_ context.Context, size int) ([]any, error) {
	set, err := loadLabelled(filepath.Join(a.data, "nsl_kdd", "train20.csv.gz"), "attack", "normal", "difficulty")
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(2, 5))
	out := set.records
	for n := len(out); len(out) < size+scoredRecords; {
		record := map[string]any{}
		for name, v := range out[rng.IntN(n)].(map[string]any) {
			if x, ok := v.(float64); ok {
				v = x * (1 + .1*rng.NormFloat64())
			}
			record[name] = v
		}
		out = append(out, record)
	}
	return out[:size+scoredRecords], nil
}

// scoring makes a collection of records and scores others: the median, less twice that of a
// search for the same record, each between two such searches.
func (a *answers) scoring(ctx context.Context, cfg store.Config, stored, others []any) (over *float64, err error) {
	points := make([]store.Point, len(stored))
	for i, record := range stored {
		points[i] = store.Point{ID: store.NumID(uint64(i)), Record: record}
	}
	db, c, err := storedPoints(ctx, cfg, points)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := c.Fit(ctx, a.fitOptions()); err != nil {
		return nil, err
	}
	if _, err := c.ScoreRecords(ctx, others[0]); err != nil { // what tells strange ones is learned once
		return nil, err
	}
	settle()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	runtime.GC()
	var searches, scores []float64
	search := func(record any) error {
		began := mark()
		_, err := c.Search(ctx, store.Query{Record: record})
		searches = append(searches, 1e6*began.since())
		return err
	}
	for _, record := range others {
		err := search(record)
		began := mark()
		_, failed := c.ScoreRecords(ctx, record)
		scores = append(scores, 1e6*began.since())
		if err := errors.Join(err, failed, search(record)); err != nil {
			return nil, err
		}
	}
	one, two := median(scores), 2*median(searches)
	a.logf("scoring takes %.1f CPU microseconds, two searches %.1f", one, two)
	return ptr(one - two), nil
}
