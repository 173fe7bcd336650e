package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

// sampleTask is a table that is sampled, and the column that is told from the others by
// what learns from samples.
type sampleTask struct {
	path, target string
	skip         []string // labels, names, and what adds up to other columns
	oneHot       []string // columns of numbers that stand for categories
	times        []string
	split        uint64 // which halves of the rows
}

var sampleTasks = []sampleTask{
	{path: "adbench/27_PageBlocks.csv.gz", target: "x9", skip: []string{"label"}},
	{path: "adbench/30_satellite.csv.gz", target: "x35", skip: []string{"label"}},
	{path: "adbench/2_annthyroid.csv.gz", target: "x5", skip: []string{"label"}},
	{path: "tabular_mixed/titanic.csv", target: "Survived", skip: []string{"PassengerId", "Name", "Ticket", "Cabin"},
		oneHot: []string{"Survived", "Pclass"}},
	{path: "tabular_mixed/bikeshare.csv", target: "count", skip: []string{"casual", "registered"},
		oneHot: []string{"season", "holiday", "workingday", "weather"}, times: []string{"datetime"}},
}

// tuneTasks are what settings were chosen by; --quick measures these.
var tuneTasks = []sampleTask{
	{path: "adbench/6_cardio.csv.gz", target: "x20", skip: []string{"label"}},
	{path: "adbench/28_pendigits.csv.gz", target: "x15", skip: []string{"label"}},
	{path: "adbench/10_cover.csv.gz", target: "x9", skip: []string{"label"}},
	{path: "adbench/47_yeast.csv.gz", target: "x0", skip: []string{"label"}},
	{path: "adbench/32_shuttle.csv.gz", target: "x8", skip: []string{"label"}},
	{path: "tabular_mixed/titanic.csv", target: "Survived", skip: []string{"PassengerId", "Name", "Ticket", "Cabin"},
		oneHot: []string{"Survived", "Pclass"}, split: 1},
	{path: "tabular_mixed/bikeshare.csv", target: "count", skip: []string{"casual", "registered"},
		oneHot: []string{"season", "holiday", "workingday", "weather"}, times: []string{"datetime"}, split: 1},
}

// sampleSplits are the halves of each table that samples are measured on, none of which
// settings were chosen by: one draw of one half says little of a small table.
var sampleSplits = []uint64{2, 3, 4, 10, 11, 12}

// sampleScores are what the peer finds of samples beside rows of the other half.
type sampleScores struct {
	Shapes, Pairs, Told, Learned, Closer float64
}

// samples are figures of synthetic records.
func (a *answers) samples(ctx context.Context) error {
	if a.peer == nil {
		return fmt.Errorf("samples are judged by scikit-learn and sdmetrics: %w", os.ErrNotExist)
	}
	var tasks []sampleTask
	for _, split := range sampleSplits {
		for _, t := range sampleTasks {
			t.split = split
			tasks = append(tasks, t)
		}
	}
	if a.quick {
		tasks = tuneTasks
	}
	var mean, real, copula sampleScores
	for _, t := range tasks {
		got, err := a.sampledTable(ctx, t)
		if err != nil {
			return fmt.Errorf("%s: %w", t.path, err)
		}
		for name, to := range map[string]*sampleScores{"ours": &mean, "real": &real, "copula": &copula} {
			to.add(got[name], len(tasks))
		}
	}
	pairs, ahead, learned := mean.Pairs-real.Pairs, copula.Told-mean.Told, real.Learned-mean.Learned
	a.add(figure{Name: "answers.4a", What: "columns of samples as of rows held out (1 less Kolmogorov's or the total variation), mean of 5 tables in 6 halves each; a Gaussian copula's as peer",
		Ours: &mean.Shapes, Peer: &copula.Shapes, Better: higher})
	a.add(figure{Name: "answers.4b", What: "trends of pairs of columns (sdmetrics), less those of the rows learned from", Ours: &pairs, Floor: ptr(-.01), Better: higher})
	a.add(figure{Name: "answers.4c", What: "samples told from rows held out by boosted trees, mean AUROC", Ours: &mean.Told, Floor: ptr(.72), Goal: ptr(.62), Better: lower})
	a.add(figure{Name: "answers.4d", What: "the same, how far below samples of a Gaussian copula", Ours: &ahead, Floor: ptr(.1), Better: higher})
	a.add(figure{Name: "answers.4e", What: "what boosted trees predict of a column (accuracy or R²), lost by learning from samples", Ours: &learned, Floor: ptr(.02), Better: lower})
	a.add(figure{Name: "answers.4f", What: "samples closer to rows learned from than to as many held out, mean share", Ours: &mean.Closer, Floor: ptr(.55), Better: lower})
	return a.sampledDigits(ctx)
}

func (s *sampleScores) add(more sampleScores, n int) {
	s.Shapes += more.Shapes / float64(n)
	s.Pairs += more.Pairs / float64(n)
	s.Told += more.Told / float64(n)
	s.Learned += more.Learned / float64(n)
	s.Closer += more.Closer / float64(n)
}

// sampledTable stores, fits and samples one half of a table's rows, and has the peer
// compare with the other: samples, the first half itself, and what a copula makes of it.
func (a *answers) sampledTable(ctx context.Context, t sampleTask) (out map[string]sampleScores, err error) {
	task := tableTask{path: t.path, skip: t.skip, oneHot: t.oneHot}
	all, err := task.read(a.data)
	if err != nil {
		return nil, err
	}
	rand.New(rand.NewPCG(1+t.split, 4)).Shuffle(len(all.records), func(i, j int) {
		all.records[i], all.records[j] = all.records[j], all.records[i]
	})
	half := len(all.records) / 2
	train, held := tableRows{records: all.records[:half]}, all.records[half:2*half]
	db, c, err := openTable(ctx, task.spec(train))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var records []any
	for _, r := range train.records {
		records = append(records, r)
	}
	if err := upsertRecords(ctx, c, records); err != nil {
		return nil, err
	}
	if _, err := c.Fit(ctx, nil); err != nil {
		return nil, err
	}
	began := cpuTime()
	drawn, err := c.Sample(ctx, store.SampleQuery{N: half, Seed: 1 + t.split})
	if err != nil {
		return nil, err
	}
	seconds := (cpuTime() - began).Seconds()
	var samples []map[string]any
	for _, r := range drawn.Records {
		record, _ := r.(map[string]any)
		samples = append(samples, record)
	}
	err = a.peer.ask(map[string]any{"call": "samples", "train": columnsOf(train.records, train), "held": columnsOf(held, train),
		"ours": columnsOf(samples, train), "categories": t.oneHot, "times": t.times, "target": t.target}, &out)
	for _, name := range []string{"real", "ours", "copula"} {
		a.logf("answers.4 %s, half %d, %s: %+v", t.path, t.split, name, out[name])
	}
	a.logf("answers.4 %s: %.1f CPU s for %d samples, reported %+v", t.path, seconds, half, drawn.Privacy)
	return out, err
}

func openTable(ctx context.Context, spec source.Table) (*store.DB, *store.Collection, error) {
	db, err := store.OpenTemp(&store.Options{NoAutoFit: true})
	if err != nil {
		return nil, nil, err
	}
	c, err := db.CreateCollection(ctx, "table", store.Config{Source: spec})
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, c, nil
}

// columnsOf are the values of each column.
func columnsOf(records []map[string]any, like tableRows) map[string][]any {
	out := map[string][]any{}
	for _, name := range columnNames(like) {
		for _, r := range records {
			v := r[name]
			if at, ok := v.(time.Time); ok {
				v = at.Format(time.DateTime)
			}
			out[name] = append(out[name], v)
		}
	}
	return out
}

// digitScores are Fréchet's distance to other writers' digits, and the share of these
// that samples cover.
type digitScores struct{ Distance, Recall float64 }

// sampledDigits draws digits, beside normal latents as far spread as the collection's.
func (a *answers) sampledDigits(ctx context.Context) (err error) {
	base, others, err := a.digits()
	if err != nil || base.Rows == 0 {
		return errors.Join(err, os.ErrNotExist)
	}
	base = pick(base, 0, 20_000, 1)
	db, err := store.OpenTemp(&store.Options{NoAutoFit: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c, err := db.CreateCollection(ctx, "digits", store.Config{Source: source.Vector{}, Dim: 32})
	if err != nil {
		return err
	}
	records := make([]any, base.Rows)
	for i := range records {
		records[i] = embed.Row(base, i)
	}
	if err := upsertRecords(ctx, c, records); err != nil {
		return err
	}
	if _, err := c.Fit(ctx, nil); err != nil {
		return err
	}
	const n = 5000
	drawn, err := c.Sample(ctx, store.SampleQuery{N: n, Seed: 1})
	if err != nil {
		return err
	}
	normal, err := normalDigits(ctx, c, records[:n])
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "digits")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	request := map[string]any{"call": "digits", "width": base.Cols}
	for name, rows := range map[string]blas32.General{"train": base, "others": others, "ours": matrixOf(drawn.Vectors), "normal": normal} {
		path := filepath.Join(dir, name)
		request[name] = path
		if err := writeFloats(path, rows.Data); err != nil {
			return err
		}
	}
	var got map[string]digitScores
	if err := a.peer.ask(request, &got); err != nil {
		return err
	}
	a.logf("answers.4 digits: %+v, reported %+v", got, drawn.Privacy)
	ours, theirs := got["ours"], got["normal"]
	a.add(figure{Name: "answers.4g", What: "Fréchet distance of drawn digits to other writers', 50 principal components; normal latents as peer",
		Ours: &ours.Distance, Peer: &theirs.Distance, Floor: ptr(.5), Better: lower})
	a.add(figure{Name: "answers.4h", What: "other writers' digits within the reach of a drawn one (5 neighbours), share", Ours: &ours.Recall, Peer: &theirs.Recall, Better: higher})
	return nil
}

// normalDigits decodes independent normal latents, each with the mean and deviation of
// the records'.
func normalDigits(ctx context.Context, c *store.Collection, records []any) (blas32.General, error) {
	_, latents, err := c.Encode(ctx, records...)
	if err != nil {
		return blas32.General{}, err
	}
	rng := rand.New(rand.NewPCG(1, 5))
	for j := range latents[0] {
		var mean, square float64
		for _, z := range latents {
			mean += float64(z[j]) / float64(len(latents))
			square += float64(z[j]) * float64(z[j]) / float64(len(latents))
		}
		for _, z := range latents {
			z[j] = float32(mean + math.Sqrt(max(0, square-mean*mean))*rng.NormFloat64())
		}
	}
	_, decoded, err := c.Decode(ctx, latents...)
	vectors := make([][]float32, len(decoded))
	for i := range vectors {
		vectors[i], _ = decoded[i].([]float32)
	}
	return matrixOf(vectors), err
}

func matrixOf(vectors [][]float32) blas32.General {
	return embed.MatrixOf(slices.Concat(vectors...), len(vectors[0]))
}

func writeFloats(path string, values []float32) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(binary.Write(f, binary.LittleEndian, values), f.Close())
}
