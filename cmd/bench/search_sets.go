package main

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

// searchSet is rows to search, and queries that are not among them: those that
// settings are chosen by, and those that figures are of.
type searchSet struct {
	name               string
	metric             store.Metric
	base, tune, report blas32.General
}

const (
	tuneQueries, reportQueries = 500, 2000
	millionSeed                = 11
)

// The sets by name; each returns nil where its data was not given.
var searchSets = map[string]func(context.Context, *bench) (*searchSet, error){
	"mnist":   digitSet,
	"words":   wordSet,
	"million": millionSet,
	"cifar":   fileSet("cifar", "emb_images/CIFAR10_0_resnet18_512.npy"),
	"openai":  fileSet("openai", "openai3large_512/vectors.npy"),
	"bert":    fileSet("bert", "emb_text/20news_3_bert_768.npy"),
}

// digitSet is MNIST's training digits, asked for its test digits, which are by
// other writers.
func digitSet(_ context.Context, b *bench) (*searchSet, error) {
	base, asked, err := b.digits()
	if err != nil || base.Rows == 0 {
		return nil, err
	}
	if b.quick {
		base = pick(base, 0, 5000, 1)
	}
	return &searchSet{"mnist", store.Euclid, base, pick(asked, 0, tuneQueries, 20), pick(asked, 1, reportQueries, 4)}, nil
}

func (b *bench) digits() (base, asked blas32.General, err error) {
	if b.mnist == "" {
		return
	}
	if base, err = readDigits(filepath.Join(b.mnist, "train-images-idx3-ubyte.gz")); err != nil {
		return
	}
	asked, err = readDigits(filepath.Join(b.mnist, "t10k-images-idx3-ubyte.gz"))
	return
}

// wordSet is 100,000 of the first words of the list, asked for others of them.
func wordSet(_ context.Context, b *bench) (*searchSet, error) {
	all, err := readWords(b.words)
	if err != nil || all.Rows == 0 {
		return nil, err
	}
	n := 100_000
	if b.quick {
		n = 5000
	}
	return split("words", store.Cosine, pick(all, 0, n+tuneQueries+reportQueries, 1), tuneQueries, reportQueries), nil
}

// fileSet is the vectors of a file of --data, some of them held back as queries.
func fileSet(name, path string) func(context.Context, *bench) (*searchSet, error) {
	return func(_ context.Context, b *bench) (*searchSet, error) {
		if b.data == "" {
			return nil, nil
		}
		set, err := dataSet{path: path, spec: source.Vector{}}.load(b.data)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		n := set.rows.Rows
		return split(name, store.Euclid, set.rows, n/24, n/12), nil
	}
}

// millionSet is a million rows between near neighbours among PCA's 32 numbers of
// MNIST's training digits, beside the line by chance, asked for the test digits.
func millionSet(ctx context.Context, b *bench) (*searchSet, error) {
	return millionOf(ctx, b, 1_000_000)
}

// millionOf is n rows made as those of millionSet are.
func millionOf(ctx context.Context, b *bench, n int) (*searchSet, error) {
	const dim, near, beside = 32, 10, 0.3
	base, asked, err := b.digits()
	if err != nil || base.Rows == 0 {
		return nil, err
	}
	if b.quick {
		base, n = pick(base, 0, 5000, 1), min(n, 20_000)
	}
	res, err := embed.Train(ctx, embed.NumericLayout(base.Cols), base, embed.Config{Encoder: embed.PCA, Dim: dim})
	if err != nil {
		return nil, err
	}
	z, queries := embed.NewMatrix(base.Rows, dim), embed.NewMatrix(asked.Rows, dim)
	if err := errors.Join(res.Model.Encode(z, base), res.Model.Encode(queries, asked)); err != nil {
		return nil, err
	}
	around := exactNeighbours(z, z, near+1) // itself among them
	rng := rand.New(rand.NewPCG(millionSeed, 1))
	rows := embed.NewMatrix(n, dim)
	for i := range n {
		at := rng.IntN(z.Rows)
		list := slices.DeleteFunc(slices.Clone(around[at]), func(id int32) bool { return int(id) == at })
		from, to := embed.Row(z, at), embed.Row(z, int(list[rng.IntN(len(list))]))
		t, apart := rng.Float32(), 0.0
		for j := range dim {
			apart += float64(to[j]-from[j]) * float64(to[j]-from[j])
		}
		jitter := beside * math.Sqrt(apart/dim)
		for j, out := 0, embed.Row(rows, i); j < dim; j++ {
			out[j] = from[j] + t*(to[j]-from[j]) + float32(jitter*rng.NormFloat64())
		}
	}
	return &searchSet{"million", store.Euclid, rows, pick(queries, 0, tuneQueries, 20), pick(queries, 1, reportQueries, 4)}, nil
}

// pick takes up to n rows, every step-th from one on; it copies them.
func pick(m blas32.General, from, n, step int) blas32.General {
	out := embed.NewMatrix(0, m.Cols)
	for i := from; i < m.Rows && out.Rows < n; i += step {
		out.Data = append(out.Data, embed.Row(m, i)...)
		out.Rows++
	}
	return out
}

// split holds rows back, drawn by chance, to ask for the others.
func split(name string, metric store.Metric, rows blas32.General, tune, report int) *searchSet {
	order := rand.New(rand.NewPCG(1, 1)).Perm(rows.Rows)
	return &searchSet{name, metric, rowsAt(rows, order[tune+report:]), rowsAt(rows, order[:tune]), rowsAt(rows, order[tune:tune+report])}
}
