package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

// promises measures what queries get that ask for a recall: those of every set,
// and others that are unlike its rows, but for those that the answer itself says
// so of; kinds of queries of which next to none is left say nothing.
func (s *searching) promises(ctx context.Context) error {
	var usual, strange [3]*float64
	for _, name := range []string{"mnist", "words", "million", "cifar", "openai", "bert"} {
		a, err := s.arena(ctx, name)
		if err != nil {
			return err
		}
		if a == nil {
			continue
		}
		odd, err := a.oddQueries()
		if err != nil {
			return err
		}
		mine, err := a.collections(ctx)
		if err != nil {
			return err
		}
		for _, c := range mine {
			for i, asked := range promised {
				got, n, err := a.kept(ctx, c, asked, a.reported)
				if err != nil {
					return err
				}
				usual[i] = least(usual[i], got-asked)
				a.logf("%s, %s: asked for %.2f, got %.4f of %d that are not said to be out of distribution", name, c.name, asked, got, n)
				for kind, q := range odd {
					got, n, err := a.kept(ctx, c, asked, q)
					if err != nil {
						return err
					}
					a.logf("%s, %s, %s: asked for %.2f, got %.4f of %d that are not said to be out of distribution", name, c.name, kind, asked, got, n)
					if n >= fewest {
						strange[i] = least(strange[i], got-asked)
					}
				}
			}
		}
	}
	for i, asked := range promised {
		s.add(figure{Name: "search.9" + "abc"[i:i+1], What: fmt.Sprintf("asked for recall %.2f: what is found more, at worst over sets", asked),
			Ours: usual[i], Floor: ptr(-.01), Goal: ptr(0.0), Better: higher})
	}
	for i, asked := range promised {
		s.add(figure{Name: "search.9" + "def"[i:i+1], What: fmt.Sprintf("asked for recall %.2f with queries unlike the rows and not said to be so: what is found more, at worst", asked),
			Ours: strange[i], Floor: ptr(-.01), Goal: ptr(0.0), Better: higher})
	}
	return nil
}

// fewest is how many queries a mean recall is of at least.
const fewest = 10

func least(v *float64, x float64) *float64 {
	if v == nil {
		return &x
	}
	return ptr(min(*v, x))
}

// kept is the recall of the queries that are not said to be out of distribution,
// and how many they are.
func (a *arena) kept(ctx context.Context, c *contender, want float64, q queries) (recall float64, n int, err error) {
	for i := range q.rows.Rows {
		res, err := c.collection.Explain(ctx, store.Query{Vector: embed.Row(q.rows, i), Limit: neighbours, Recall: want, OmitPayload: true})
		if err != nil {
			return 0, 0, err
		}
		if res.Info.OutOfDistribution {
			continue
		}
		n++
		recall += recallOf(q.truth[i:i+1], hitIDs(nil, res.Hits), neighbours)
		if res.Info.Exact && a.set.base.Rows > few && n >= 20 {
			break // the others would take all day, and find all too
		}
	}
	return recall / float64(max(1, n)), n, nil
}

// oddQueries are rows unlike the set's: with noise of half and all the rows' own
// deviation, and for digits pictures of clothes.
func (a *arena) oddQueries() (map[string]queries, error) {
	const most = 300
	out := make(map[string]queries)
	add := func(kind string, rows blas32.General) {
		out[kind] = queries{rows: rows, truth: exactNeighbours(a.set.base, rows, neighbours), rounds: 1}
	}
	deviation := deviation(a.set.base)
	for _, share := range []float64{.5, 1} {
		rng := rand.New(rand.NewPCG(5, 5))
		rows := pick(a.set.report, 0, most, 1)
		for i := range rows.Data {
			rows.Data[i] += float32(share * deviation * rng.NormFloat64())
		}
		if a.set.metric == store.Cosine {
			toUnit(rows)
		}
		add(fmt.Sprintf("noise of %.1f", share), rows)
	}
	if a.set.name != "mnist" || a.data == "" {
		return out, nil
	}
	clothes, err := dataSet{path: "fashion_mnist_900/images-idx3-ubyte", spec: source.Image{Width: 28, Height: 28, Channels: 1}}.load(a.data)
	if errors.Is(err, fs.ErrNotExist) {
		a.logf("no pictures of clothes in --data: left out")
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	add("clothes", pick(clothes.rows, 0, most, 1))
	return out, nil
}

// deviation is the standard deviation of a row's numbers about their means.
func deviation(rows blas32.General) float64 {
	sum, square := make([]float64, rows.Cols), 0.0
	for i := range rows.Rows {
		for j, x := range embed.Row(rows, i) {
			sum[j] += float64(x)
			square += float64(x) * float64(x)
		}
	}
	n := float64(rows.Rows)
	for _, s := range sum {
		square -= s * s / n
	}
	return math.Sqrt(square / n / float64(rows.Cols))
}

func toUnit(rows blas32.General) {
	for i := range rows.Rows {
		row, sum := embed.Row(rows, i), 0.0
		for _, x := range row {
			sum += float64(x) * float64(x)
		}
		for j := range row {
			row[j] = float32(float64(row[j]) / math.Sqrt(sum))
		}
	}
}
