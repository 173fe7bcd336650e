package main

import (
	"archive/zip"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/mat"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store/bulk"
)

// dataSet is real data of a kind that a source takes.
type dataSet struct {
	path string // below --data
	spec source.Spec
	skip []string // columns that are labels or names, no content
}

// dataSets are all sets with a vector, image or table form.
func dataSets(data string) ([]dataSet, error) {
	outliers, err := fs.Glob(os.DirFS(data), "adbench/*.csv.gz")
	if err != nil {
		return nil, err
	}
	var out []dataSet
	for _, path := range outliers {
		out = append(out, dataSet{path, source.Table{}, []string{"label"}})
	}
	grey := source.Image{Width: 28, Height: 28, Channels: 1}
	return append(out,
		dataSet{"nsl_kdd/train20.csv.gz", source.Table{}, []string{"attack", "difficulty"}},
		dataSet{"tabular_mixed/titanic.csv", source.Table{}, []string{"PassengerId", "Name", "Ticket", "Cabin"}},
		dataSet{"tabular_mixed/bikeshare.csv", source.Table{}, []string{"datetime"}},
		dataSet{"sklearn_small/digits.csv", source.Table{}, []string{"target"}},
		dataSet{"sklearn_small/breast_cancer.csv", source.Table{}, []string{"target"}},
		dataSet{"fashion_mnist_900/images-idx3-ubyte", grey, nil},
		dataSet{"neardup_images/fashion_mnist_900_dups-idx3-ubyte", grey, nil},
		dataSet{"cifar10_jpeg/cifar10_5k.zip", source.Image{Width: 32, Height: 32, Channels: 3}, nil},
		dataSet{"emb_images/CIFAR10_0_resnet18_512.npy", source.Vector{}, nil},
		dataSet{"emb_text/20news_3_bert_768.npy", source.Vector{}, nil},
		dataSet{"emb_text/20news_3_roberta_768.npy", source.Vector{}, nil},
		dataSet{"openai3large_512/vectors.npy", source.Vector{}, nil},
		dataSet{"wordvec_glove100/vectors.npy", source.Vector{Unit: true}, nil}), nil
}

// featureRows are a set's rows as its source makes them.
type featureRows struct {
	fitted source.Fitted
	rows   blas32.General
}

// load reads a set; fs.ErrNotExist if it is not there.
func (s dataSet) load(data string) (*featureRows, error) {
	records, err := s.records(filepath.Join(data, filepath.FromSlash(s.path)))
	if err != nil {
		return nil, err
	}
	spec, err := s.spec.Resolve(records[:min(1000, len(records))])
	if err != nil {
		return nil, err
	}
	stored := make([][]byte, 0, len(records))
	for _, r := range records {
		b, err := spec.Marshal(r)
		if err != nil {
			return nil, err
		}
		stored = append(stored, b)
	}
	out := &featureRows{}
	if out.fitted, err = spec.Fit(each(stored)); err != nil {
		return nil, err
	}
	out.rows = embed.NewMatrix(len(stored), out.fitted.Width())
	for i, b := range stored {
		if err := out.fitted.Row(embed.Row(out.rows, i), b); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func each(stored [][]byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, b := range stored {
			if !yield(b, nil) {
				return
			}
		}
	}
}

// records reads a file that store/bulk takes, or a zip archive of images.
func (s dataSet) records(path string) ([]any, error) {
	if strings.HasSuffix(path, ".zip") {
		return zippedImages(path)
	}
	r, err := bulk.Open(path, bulk.Options{Payload: s.skip})
	if err != nil {
		return nil, err
	}
	var out []any
	for row, err := range r.Rows() {
		if err != nil {
			return nil, errors.Join(err, r.Close())
		}
		if row.Vector != nil {
			out = append(out, row.Vector)
		} else {
			out = append(out, row.Record)
		}
	}
	return out, r.Close()
}

func zippedImages(path string) ([]any, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, err
	}
	var out []any
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, ".jpg") && !strings.HasSuffix(f.Name, ".jpeg") {
			continue
		}
		in, err := f.Open()
		if err != nil {
			return nil, errors.Join(err, z.Close())
		}
		b, err := io.ReadAll(in)
		if err = errors.Join(err, in.Close()); err != nil {
			return nil, errors.Join(err, z.Close())
		}
		out = append(out, b)
	}
	if len(out) == 0 {
		err = fmt.Errorf("%s holds no JPEG images", path)
	}
	return out, errors.Join(err, z.Close())
}

// readDigits reads one of MNIST's files of images, a row each, from 0 to 1.
func readDigits(path string) (rows blas32.General, err error) {
	f, err := os.Open(path)
	if err != nil {
		return rows, err
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return rows, errors.Join(err, f.Close())
	}
	raw, err := io.ReadAll(z)
	if err := errors.Join(err, f.Close()); err != nil {
		return rows, err
	}
	if len(raw) < 16 || binary.BigEndian.Uint32(raw) != 0x803 || len(raw) != 16+784*int(binary.BigEndian.Uint32(raw[4:])) {
		return rows, fmt.Errorf("%s holds no images of MNIST", path)
	}
	rows = embed.NewMatrix(len(raw)/784, 784)
	for i, p := range raw[16:] {
		rows.Data[i] = float32(p) / 255
	}
	return rows, nil
}

// readLabels reads one of MNIST's files of labels.
func readLabels(path string) ([]int, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	raw, err := io.ReadAll(z)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(raw) < 8 || binary.BigEndian.Uint32(raw) != 0x801 {
		return nil, fmt.Errorf("%s holds no labels of MNIST", path)
	}
	labels := make([]int, len(raw)-8)
	for i, l := range raw[8:] {
		labels[i] = int(l)
	}
	return labels, nil
}

// writeRows writes matrices as little-endian float32, one row after another.
func writeRows(path string, matrices ...blas32.General) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	for _, m := range matrices {
		if err := binary.Write(f, binary.LittleEndian, m.Data[:m.Rows*m.Cols]); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}

// rowsAt copies some rows.
func rowsAt(rows blas32.General, at []int) blas32.General {
	out := embed.NewMatrix(len(at), rows.Cols)
	for i, r := range at {
		copy(embed.Row(out, i), embed.Row(rows, r))
	}
	return out
}

// rank is the rank of some rows, numerically; for rows wider than most it is
// taken to be full.
func rank(rows blas32.General) int {
	const widest, sample = 512, 2000
	n := min(rows.Rows, sample)
	if rows.Cols > widest {
		return min(rows.Rows, rows.Cols)
	}
	m := mat.NewDense(n, rows.Cols, nil)
	for i := range n {
		for j, x := range embed.Row(rows, i*rows.Rows/n) {
			m.Set(i, j, float64(x))
		}
	}
	var svd mat.SVD
	if !svd.Factorize(m, mat.SVDNone) {
		return min(rows.Rows, rows.Cols)
	}
	return svd.Rank(1e-5)
}
