package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
)

// quantised is what a quantiser of the peers finds of the true 10 neighbours.
type quantised struct {
	R10  float64 `json:"r10"`
	R100 float64 `json:"r100"`
}

// wideDim is the size of the latents that the peers' product quantiser codes, to
// tell what codes of fewer bits would keep.
const wideDim = 64

// codes measures what 8, 16 and 32 bytes a vector keep: int8 latents beside PCA
// with int8 and faiss's quantisers of as many bytes.
func (t *training) codes(ctx context.Context) error {
	if err := t.loadMNIST(); err != nil {
		return err
	}
	words, err := t.frequentWords()
	if err != nil {
		return err
	}
	sets := []struct {
		name string
		rows blas32.General
	}{{"mnist", t.rows}, {"words", words}, {"emb_images", t.imageEmbeddings()}}
	letter := 'a' // two figures for each set and size
	for _, s := range sets {
		for _, bytes := range []int{8, 16, 32} {
			if err := t.codesOf(ctx, letter, s.name, s.rows, bytes); err != nil {
				return err
			}
			letter += 2
		}
	}
	return nil
}

func (t *training) imageEmbeddings() blas32.General {
	set, err := dataSet{path: "emb_images/CIFAR10_0_resnet18_512.npy", spec: source.Vector{}}.load(t.data)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			t.logf("emb_images: %v", err)
		}
		return blas32.General{}
	}
	return set.rows
}

func (t *training) codesOf(ctx context.Context, letter rune, name string, rows blas32.General, bytes int) error {
	overPCA := figure{Name: "train.5" + string(letter), What: fmt.Sprintf("%s, %d bytes: recall@10 beside PCA with int8", name, bytes), Floor: ptr(1.0), Goal: ptr(1.0), Better: higher}
	best := figure{Name: "train.5" + string(letter+1), What: fmt.Sprintf("%s, %d bytes: recall@10 beside the best of faiss PQ, OPQ and residual", name, bytes), Better: higher}
	if bytes == 32 {
		best.Goal = ptr(1.0)
	}
	defer func() { t.add(overPCA); t.add(best) }()
	if rows.Rows == 0 {
		return nil
	}
	layout := embed.NumericLayout(rows.Cols)
	cfg := embed.Config{Encoder: embed.Deep, Dim: bytes, Workers: runtime.NumCPU()}
	ours, err := embed.Train(ctx, layout, rows, cfg)
	if err != nil {
		return err
	}
	cfg.Encoder = embed.PCA
	pca, err := embed.Train(ctx, layout, rows, cfg)
	if err != nil {
		return err
	}
	overPCA.Ours, overPCA.Peer = &ours.Int8.Recall10, &pca.Int8.Recall10
	best.Ours = &ours.Int8.Recall10
	t.logf("%s, %d bytes: int8 latents r@10 %.3f r@100 %.3f, PCA with int8 %.3f %.3f", name, bytes,
		ours.Int8.Recall10, ours.Int8.Recall100, pca.Int8.Recall10, pca.Int8.Recall100)
	if t.peer == nil || t.quick {
		return nil
	}
	found, err := t.quantise(rows, ours, bytes, nil)
	if err != nil {
		return err
	}
	most := 0.0
	if err := t.quantiseWide(ctx, name, rows, bytes); err != nil {
		return err
	}
	for _, kind := range []string{"pq", "opq", "rq"} {
		t.logf("%s, %d bytes: faiss %s r@10 %.3f r@100 %.3f", name, bytes, kind, found[kind].R10, found[kind].R100)
		most = max(most, found[kind].R10)
	}
	best.Peer = &most
	return nil
}

// quantiseWide says what a product quantiser of latents of 64 values finds.
func (t *training) quantiseWide(ctx context.Context, name string, rows blas32.General, bytes int) error {
	wide := t.wide[name]
	if wide == nil {
		var err error
		cfg := embed.Config{Encoder: embed.Deep, Dim: wideDim, Workers: runtime.NumCPU()}
		if wide, err = embed.Train(ctx, embed.NumericLayout(rows.Cols), rows, cfg); err != nil {
			return err
		}
		t.wide[name] = wide
	}
	found, err := t.quantise(rows, wide, bytes, wide.Model)
	if err == nil {
		t.logf("%s, %d bytes: faiss pq of our latents of %d r@10 %.3f r@100 %.3f", name, bytes, wideDim, found["pq"].R10, found["pq"].R100)
	}
	return err
}

// quantise has the peers code the rows that ours learned from, and look for the
// neighbours of those it was examined on; with a model, its latents are coded by
// the product quantiser alone.
func (t *training) quantise(rows blas32.General, ours *embed.Result, bytes int, coded *embed.Model) (found map[string]quantised, err error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	held := make(map[int]bool, len(ours.Held))
	for _, i := range ours.Held {
		held[i] = true
	}
	var base []int
	for i := range rows.Rows {
		if !held[i] {
			base = append(base, i)
		}
	}
	paths := map[string][]int{"base": base, "queries": ours.Examined}
	latents := ""
	for name, at := range paths {
		picked := rowsAt(rows, at)
		if err := writeRows(filepath.Join(dir, name), picked); err != nil {
			return nil, err
		}
		if coded == nil {
			continue
		}
		z := embed.NewMatrix(len(at), coded.Dim())
		if err := coded.Encode(z, picked); err != nil {
			return nil, err
		}
		if err := writeRows(filepath.Join(dir, name+latentFiles), z); err != nil {
			return nil, err
		}
		latents = latentFiles
	}
	err = t.peer.ask(map[string]any{"call": "quantise", "base": filepath.Join(dir, "base"), "queries": filepath.Join(dir, "queries"),
		"width": rows.Cols, "size": bytes, "latents": latents}, &found)
	return found, err
}

// latentFiles is what the names of files of latents end on.
const latentFiles = ".latents"
