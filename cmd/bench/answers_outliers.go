package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
	"github.com/latentdb/latentdb/store/bulk"
)

// labelled is a table whose rows are labelled strange or not.
type labelled struct {
	name    string
	records []any
	strange []bool
}

// loadLabelled reads a table; column holds the label, usual the value of rows that are not
// strange; skip are other columns that are no content.
func loadLabelled(path, column, usual string, skip ...string) (*labelled, error) {
	r, err := bulk.Open(path, bulk.Options{Payload: append([]string{column}, skip...)})
	if err != nil {
		return nil, err
	}
	out := &labelled{name: filepath.Base(path)}
	for row, err := range r.Rows() {
		if err != nil {
			return nil, errors.Join(err, r.Close())
		}
		out.records = append(out.records, row.Record)
		out.strange = append(out.strange, fmt.Sprint(row.Payload[column]) != usual)
	}
	return out, r.Close()
}

// outliers are figures of strange points: among them, and beside trusted ones.
func (a *answers) outliers(ctx context.Context) error {
	paths, err := fs.Glob(os.DirFS(a.data), "adbench/*.csv.gz")
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return fmt.Errorf("adbench: %w", fs.ErrNotExist)
	}
	var among, precision, beside float64
	theirs := make(detectors)
	var seconds float64
	for _, path := range paths {
		set, err := loadLabelled(filepath.Join(a.data, path), "label", "0")
		if err != nil {
			return err
		}
		began := cpuTime()
		scores, err := set.among(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", set.name, err)
		}
		seconds += (cpuTime() - began).Seconds()
		first, second := areaUnder(scores, set.strange)
		trusted, rest := set.split(1)
		scores, err = set.beside(ctx, trusted, rest)
		if err != nil {
			return fmt.Errorf("%s: %w", set.name, err)
		}
		third, _ := areaUnder(scores, picked(set.strange, rest))
		n := float64(len(paths))
		among, precision, beside = among+first/n, precision+second/n, beside+third/n
		a.logf("%s: among %.4f, precision %.4f, beside the trusted %.4f", set.name, first, second, third)
		if a.peer != nil {
			var got map[string][]float64
			if err := a.peer.ask(map[string]any{"call": "detectors", "path": filepath.Join(a.data, path), "trusted": trusted, "rest": rest}, &got); err != nil {
				return err
			}
			theirs.add(got)
		}
	}
	a.logf("%.1f CPU s over all sets", seconds)
	theirs.log(a.bench, len(paths))
	a.addAbsolute(figure{Name: "answers.1a", What: "strange rows among others, mean AUROC of 22 tables; the best of pyod's as peer", Ours: &among, Floor: ptr(.79), Goal: ptr(.815), Better: higher}, theirs.best(0, len(paths)))
	a.add(figure{Name: "answers.1b", What: "the same, mean average precision", Ours: &precision, Better: higher})
	a.addAbsolute(figure{Name: "answers.1c", What: "new rows beside trusted ones, mean AUROC of 22 tables; the best of pyod's as peer", Ours: &beside, Floor: ptr(.855), Goal: ptr(.88), Better: higher}, theirs.best(1, len(paths)))
	if d := theirs["AutoEncoder"]; d != nil && d.sets == len(paths) {
		a.add(figure{Name: "answers.1e", What: "CPU seconds over all sets, beside pyod's AutoEncoder", Ours: &seconds, Peer: &d.sums[2], Floor: ptr(1.), Better: lower})
	}
	return a.intrusions(ctx)
}

// detectors are pyod's, by name: over how many sets each ran, and the sums of its areas,
// among all rows and beside trusted ones, and of its CPU seconds.
type detectors map[string]*detectorSums

type detectorSums struct {
	sets int
	sums [3]float64
}

func (d detectors) add(got map[string][]float64) {
	for name, v := range got {
		if d[name] == nil {
			d[name] = new(detectorSums)
		}
		d[name].sets++
		for i := range d[name].sums {
			d[name].sums[i] += v[i]
		}
	}
}

func (d detectors) log(b *bench, sets int) {
	for _, name := range slices.Sorted(maps.Keys(d)) {
		n, sums := float64(d[name].sets), d[name].sums
		b.logf("%s on %d of %d sets: %.4f among, %.4f beside, %.1f s", name, d[name].sets, sets, sums[0]/n, sums[1]/n, sums[2])
	}
}

// best is the best mean area of those that ran on all sets; nil if none did.
func (d detectors) best(i, sets int) *float64 {
	var best *float64
	for _, v := range d {
		if mean := v.sums[i] / float64(sets); v.sets == sets && (best == nil || mean > *best) {
			best = &mean
		}
	}
	return best
}

// addAbsolute adds a figure whose floor is of its own value, and that must not be below
// its peer's either.
func (a *answers) addAbsolute(f figure, peer *float64) {
	beside := f
	a.add(f)
	if peer != nil {
		beside.Name, beside.Peer, beside.Floor, beside.Goal = f.Name+"'", peer, ptr(1.), nil
		a.add(beside)
	}
}

func (a *answers) intrusions(ctx context.Context) error {
	set, err := loadLabelled(filepath.Join(a.data, "nsl_kdd", "train20.csv.gz"), "attack", "normal", "difficulty")
	if err != nil {
		return err
	}
	trusted, rest := set.split(1)
	scores, err := set.beside(ctx, trusted, rest)
	if err != nil {
		return err
	}
	area, _ := areaUnder(scores, picked(set.strange, rest))
	a.add(figure{Name: "answers.1d", What: "attacks beside trusted connections (NSL-KDD), AUROC", Ours: &area, Floor: ptr(.97), Goal: ptr(.99), Better: higher})
	return nil
}

// split draws half of the usual rows, to be trusted; the rest are asked about.
func (l *labelled) split(seed uint64) (trusted, rest []int) {
	var usual []int
	for i, s := range l.strange {
		if !s {
			usual = append(usual, i)
		}
	}
	rand.New(rand.NewPCG(seed, 1)).Shuffle(len(usual), func(i, j int) { usual[i], usual[j] = usual[j], usual[i] })
	trusted = usual[:len(usual)/2]
	in := make([]bool, len(l.strange))
	for _, i := range trusted {
		in[i] = true
	}
	for i := range l.strange {
		if !in[i] {
			rest = append(rest, i)
		}
	}
	slices.Sort(trusted)
	return trusted, rest
}

// stored makes a collection of some of the rows.
func (l *labelled) stored(ctx context.Context, rows []int) (*store.DB, *store.Collection, error) {
	db, err := store.OpenTemp(&store.Options{NoAutoFit: true, Workers: 1})
	if err != nil {
		return nil, nil, err
	}
	c, err := db.CreateCollection(ctx, "rows", store.Config{Source: source.Table{}})
	points := make([]store.Point, len(rows))
	for i, r := range rows {
		points[i] = store.Point{ID: store.NumID(uint64(r)), Record: l.records[r]}
	}
	if err == nil {
		err = c.Upsert(ctx, points...)
	}
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, c, nil
}

// among scores all rows by the collection of them.
func (l *labelled) among(ctx context.Context) (scores []float64, err error) {
	all := make([]int, len(l.records))
	for i := range all {
		all[i] = i
	}
	db, c, err := l.stored(ctx, all)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	found, err := c.Outliers(ctx, store.OutlierQuery{Limit: store.MaxLimit, OmitParts: true})
	if err != nil {
		return nil, err
	}
	scores = make([]float64, len(all))
	for _, o := range found.Outliers {
		n, err := strconv.Atoi(o.ID.String())
		if err != nil {
			return nil, err
		}
		scores[n] = o.Score
	}
	return scores, nil
}

// beside scores rows beside trusted ones.
func (l *labelled) beside(ctx context.Context, trusted, rest []int) (scores []float64, err error) {
	db, c, err := l.stored(ctx, trusted)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for part := range slices.Chunk(rest, 1000) {
		records := make([]any, len(part))
		for i, r := range part {
			records[i] = l.records[r]
		}
		got, err := c.ScoreRecords(ctx, records...)
		if err != nil {
			return nil, err
		}
		for _, s := range got.Scores {
			scores = append(scores, s.Score)
		}
	}
	return scores, nil
}

func picked[T any](values []T, at []int) []T {
	out := make([]T, len(at))
	for i, j := range at {
		out[i] = values[j]
	}
	return out
}

// areaUnder is the area under the ROC curve, ties counted half, and the average precision.
func areaUnder(scores []float64, positive []bool) (area, precision float64) {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	var wins, hits, misses float64
	for lo := 0; lo < len(order); {
		hi := lo
		var p, n float64
		for hi < len(order) && scores[order[hi]] == scores[order[lo]] {
			if positive[order[hi]] {
				p++
			} else {
				n++
			}
			hi++
		}
		wins += n * (hits + p/2)
		hits, misses = hits+p, misses+n
		precision += p * hits / (hits + misses)
		lo = hi
	}
	return wins / (hits * misses), precision / hits
}
