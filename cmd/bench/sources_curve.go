package main

import (
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
	"github.com/latentdb/latentdb/store/bulk"
)

// curveSet is records of one kind, of which neighbours tell the label.
type curveSet struct {
	name string
	spec source.Spec
	read func(*sources) (records []any, labels []any, err error) // labels nil where there are none
	// number tells that labels are numbers.
	number bool
}

var curveSets = []curveSet{
	{name: "bikeshare", spec: source.Table{}, read: tableTasks[1].curve, number: true},
	{name: "NSL-KDD", spec: source.Table{}, read: tableTasks[2].curve},
	{name: "Fashion", spec: source.Image{Width: 28, Height: 28, Channels: 1}, read: fashionCurve},
	{name: "MNIST", spec: source.Image{Width: 28, Height: 28, Channels: 1}, read: digitsCurve},
	{name: "CIFAR-10", spec: source.Image{Width: 32, Height: 32, Channels: 3}, read: photosCurve},
	{name: "ResNet-18", spec: source.Vector{}, read: resnetCurve},
	{name: "GloVe", spec: source.Vector{Unit: true}, read: wordsCurve},
}

// curveSizes are how many records are stored, and in how many draws of them.
var curveSizes = []struct{ n, draws int }{{200, 12}, {1000, 3}, {5000, 1}}

// curve is sources.5: what a collection serves by itself is hardly ever worse than the
// better of its front end and PCA, at 200, 1,000 and 5,000 records.
func (s *sources) curve(ctx context.Context) error {
	for i, size := range curveSizes {
		var gains []float64
		for _, set := range curveSets {
			records, labels, err := set.read(s)
			if err != nil {
				s.logf("sources.5: %s: %v: not measured", set.name, err)
				continue
			}
			gain, ok, err := s.curveAt(ctx, set, records, labels, size.n, size.draws)
			if err != nil {
				return fmt.Errorf("%s: %w", set.name, err)
			}
			if ok {
				gains = append(gains, gain)
			}
		}
		if len(gains) > 0 {
			s.add(figure{Name: "sources.5" + string(rune('a'+i)), Better: higher, Ours: ptr(slices.Min(gains)), Floor: ptr(-.005), Goal: ptr(0.),
				What: fmt.Sprintf("served at %d records less the better of front end and PCA, the worst of %d sets", size.n, len(gains))})
		}
	}
	return nil
}

// curveAt is by how much what is served is better than both others, each in the mean of
// some draws; not ok if the records are too few.
func (s *sources) curveAt(ctx context.Context, set curveSet, records, labels []any, n, draws int) (gain float64, ok bool, err error) {
	order := rand.New(rand.NewPCG(5, 5)).Perm(len(records))
	held := min(1000, len(records)/3)
	test, pool := order[:held], order[held:]
	if n > len(pool) && n*4/5 <= len(pool) {
		n = n * 4 / 5 // of CIFAR-10
	}
	var means [3]float64
	draws = min(draws, len(pool)/n)
	for k := range draws {
		scores, served, err := set.scores(ctx, records, labels, pool[k*n:(k+1)*n], test)
		if err != nil {
			return 0, false, err
		}
		for i, score := range scores {
			means[i] += score / float64(draws)
		}
		if k == draws-1 {
			s.logf("sources.5 %s, %d records, %d draws: front end %.4f, PCA %.4f, served %.4f (%s)", set.name, n, draws, means[0], means[1], means[2], served)
		}
	}
	return means[2] - max(means[0], means[1]), draws > 0, nil
}

// scores are those of the front end, of PCA and of what is served.
func (set curveSet) scores(ctx context.Context, records, labels []any, stored, test []int) (scores [3]float64, served string, err error) {
	db, err := store.OpenTemp(&store.Options{NoAutoFit: true})
	if err != nil {
		return scores, "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	cfg := store.Config{Source: set.spec}
	c, err := db.CreateCollection(ctx, "set", cfg)
	if err != nil {
		return scores, "", err
	}
	mine := make([]any, len(stored))
	for i, at := range stored {
		mine[i] = records[at]
	}
	if err := upsertRecords(ctx, c, mine); err != nil {
		return scores, "", err
	}
	queries := make([]any, len(test))
	for i, at := range test {
		queries[i] = records[at]
	}
	truth, err := neighboursOf(ctx, c, queries)
	if err != nil {
		return scores, "", err
	}
	judge := func(near [][]int) float64 {
		if labels == nil {
			return shareOf(near, truth)
		}
		return set.judge(near, stored, test, labels)
	}
	// The front end itself is what unlabelled records are judged by.
	if scores[0] = judge(truth); labels == nil {
		scores[0] = math.Inf(-1)
	}
	scores[2], served = judge(truth), "the front end"
	opts := &store.FitOptions{Encoder: embed.PCA}
	if len(stored) >= c.Config().AutoFit.MinPoints {
		report, err := c.Fit(ctx, nil)
		if err != nil {
			return scores, "", err
		}
		near, err := neighboursOf(ctx, c, queries)
		if err != nil {
			return scores, "", err
		}
		scores[2], served = judge(near), fmt.Sprintf("%s, dim %d", report.Encoder, report.Dim)
		opts.Dim = report.Dim
	}
	if _, err := c.Fit(ctx, opts); err != nil {
		return scores, "", err
	}
	near, err := neighboursOf(ctx, c, queries)
	scores[1] = judge(near)
	return scores, served, err
}

func neighboursOf(ctx context.Context, c *store.Collection, queries []any) ([][]int, error) {
	out := make([][]int, len(queries))
	for i, q := range queries {
		var err error
		if out[i], err = nearestTen(ctx, c, q); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func shareOf(near, truth [][]int) float64 {
	found, all := 0, 0
	for i, t := range truth {
		all += len(t)
		for _, at := range near[i] {
			if slices.Contains(t, at) {
				found++
			}
		}
	}
	return float64(found) / float64(all)
}

// judge is the score of labels told by neighbours.
func (set curveSet) judge(near [][]int, stored, test []int, labels []any) float64 {
	task := tableTask{number: set.number}
	known := make([]any, len(stored))
	for i, at := range stored {
		known[i] = labels[at]
	}
	var predicted, truth []any
	for i, at := range test {
		predicted, truth = append(predicted, task.vote(known, near[i])), append(truth, labels[at])
	}
	return task.score(predicted, truth)
}

func (t tableTask) curve(s *sources) (records, labels []any, err error) {
	rows, err := t.read(s.data)
	for _, r := range rows.records {
		records = append(records, r)
	}
	return records, rows.targets, err
}

func fashionCurve(s *sources) (records, labels []any, err error) {
	dir := filepath.Join(s.data, "fashion_mnist_900")
	return arrayCurve(filepath.Join(dir, "images-idx3-ubyte"), filepath.Join(dir, "labels-idx1-ubyte"))
}

func digitsCurve(s *sources) (records, labels []any, err error) {
	if s.mnist == "" {
		return nil, nil, os.ErrNotExist
	}
	return arrayCurve(filepath.Join(s.mnist, "t10k-images-idx3-ubyte.gz"), filepath.Join(s.mnist, "t10k-labels-idx1-ubyte.gz"))
}

func wordsCurve(s *sources) (records, labels []any, err error) {
	records, _, err = arrayCurve(filepath.Join(s.data, "wordvec_glove100", "vectors.npy"), "")
	return records, nil, err
}

// resnetCurve are vectors of which the label tells whether they are of another class.
func resnetCurve(s *sources) (records, labels []any, err error) {
	dir := filepath.Join(s.data, "emb_images")
	if records, _, err = arrayCurve(filepath.Join(dir, "CIFAR10_0_resnet18_512.npy"), ""); err != nil {
		return nil, nil, err
	}
	f, err := os.Open(filepath.Join(dir, "CIFAR10_0_label.txt"))
	if err != nil {
		return nil, nil, err
	}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		labels = append(labels, lines.Text())
	}
	if err := errors.Join(lines.Err(), f.Close()); err != nil {
		return nil, nil, err
	}
	if len(labels) != len(records) {
		return nil, nil, fmt.Errorf("%d labels of %d vectors", len(labels), len(records))
	}
	return records, labels, nil
}

// arrayCurve reads an array and, where named, its labels.
func arrayCurve(file, labelFile string) (records, labels []any, err error) {
	r, err := bulk.Open(file, bulk.Options{Labels: labelFile})
	if err != nil {
		return nil, nil, err
	}
	for row, err := range r.Rows() {
		if err != nil {
			return nil, nil, errors.Join(err, r.Close())
		}
		labels = append(labels, row.Payload["label"])
		if row.Vector != nil {
			records = append(records, row.Vector)
		} else {
			records = append(records, row.Record)
		}
	}
	return records, labels, r.Close()
}

// photosCurve reads JPEGs from folders named after what they show.
func photosCurve(s *sources) (records, labels []any, err error) {
	z, err := zip.OpenReader(filepath.Join(s.data, "cifar10_jpeg", "cifar10_5k.zip"))
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, z.Close()) }()
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, ".jpg") {
			continue
		}
		in, err := f.Open()
		if err != nil {
			return nil, nil, err
		}
		b, err := io.ReadAll(in)
		if err = errors.Join(err, in.Close()); err != nil {
			return nil, nil, err
		}
		records, labels = append(records, b), append(labels, path.Dir(f.Name))
	}
	return records, labels, nil
}
