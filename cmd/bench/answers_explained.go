package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"github.com/latentdb/latentdb/store"
)

// explained measures whether the field in which a record was made strange is named first.
func (a *answers) explained(ctx context.Context) error {
	var beyond, swapped share
	for _, t := range []struct{ path, label, usual string }{
		{"tabular_mixed/titanic.csv", "PassengerId", ""}, {"tabular_mixed/bikeshare.csv", "datetime", ""},
		{"adbench/6_cardio.csv.gz", "label", "0"}, {"adbench/2_annthyroid.csv.gz", "label", "0"},
		{"adbench/27_PageBlocks.csv.gz", "label", "0"}, {"adbench/30_satellite.csv.gz", "label", "0"},
	} {
		set, err := loadLabelled(filepath.Join(a.data, filepath.FromSlash(t.path)), t.label, t.usual)
		if err != nil {
			return err
		}
		var far, moved share
		if err := set.plant(ctx, &far, &moved); err != nil {
			return fmt.Errorf("%s: %w", t.path, err)
		}
		a.logf("answers.5 %s: beyond the range %.3f, of another record %.3f", t.path, far.value(), moved.value())
		beyond.of, beyond.n = beyond.of+far.of, beyond.n+far.n
		swapped.of, swapped.n = swapped.of+moved.of, swapped.n+moved.n
	}
	a.add(figure{Name: "answers.5a", What: "a number beyond its column's range is named first, of 6 tables", Ours: ptr(beyond.value()), Floor: ptr(.9), Better: higher})
	a.add(figure{Name: "answers.5b", What: "a value of another record is", Ours: ptr(swapped.value()), Better: higher})
	return nil
}

// share is how many of some.
type share struct{ of, n int }

func (s share) value() float64 { return float64(s.of) / float64(max(1, s.n)) }

func (s *share) count(yes bool) {
	if s.n++; yes {
		s.of++
	}
}

// planted is how many records of a table are made strange.
const planted = 150

// plant stores half of the table, and makes one field of other records strange: a number
// twice the range beyond the largest, or any value that of another record.
func (l *labelled) plant(ctx context.Context, beyond, swapped *share) (err error) {
	var stored, rest []int
	for i := range l.records {
		if i%2 == 0 {
			stored = append(stored, i)
		} else {
			rest = append(rest, i)
		}
	}
	db, c, err := l.stored(ctx, stored)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := c.Fit(ctx, nil); err != nil {
		return err
	}
	ranges := l.ranges()
	rng := rand.New(rand.NewPCG(5, 5))
	for range planted {
		record := maps.Clone(l.records[rest[rng.IntN(len(rest))]].(map[string]any))
		field := slices.Sorted(maps.Keys(record))[rng.IntN(len(record))]
		own := record[field]
		if r, number := ranges[field]; number && r[1] > r[0] {
			record[field] = r[1] + 2*(r[1]-r[0])
			if err := named(ctx, c, record, field, beyond); err != nil {
				return err
			}
		}
		other := l.records[rest[rng.IntN(len(rest))]].(map[string]any)[field]
		if record[field] = other; other != own {
			if err := named(ctx, c, record, field, swapped); err != nil {
				return err
			}
		}
	}
	return nil
}

func named(ctx context.Context, c *store.Collection, record map[string]any, field string, into *share) error {
	got, err := c.ScoreRecords(ctx, record)
	if err != nil {
		return err
	}
	parts := got.Scores[0].Parts
	into.count(len(parts) > 0 && parts[0].Name == field)
	return nil
}

// ranges are the least and the largest value of columns of numbers.
func (l *labelled) ranges() map[string][2]float64 {
	out := make(map[string][2]float64)
	for _, r := range l.records {
		for name, v := range r.(map[string]any) {
			var x float64
			switch v := v.(type) {
			case float64:
				x = v
			case int64:
				x = float64(v)
			default:
				continue
			}
			known, ok := out[name]
			if !ok {
				known = [2]float64{x, x}
			}
			out[name] = [2]float64{min(known[0], x), max(known[1], x)}
		}
	}
	return out
}
