package main

import (
	"archive/zip"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"image"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

// imageVotes is how many neighbours name a picture.
const imageVotes = 10

// images measures what latents of pictures are worth: to name what is shown, and to find
// copies that were edited.
func (s *sources) images(ctx context.Context) error {
	for _, part := range []func(context.Context) error{s.fashion, s.smallDigits, s.manyDigits, s.editedCopies, s.photographs} {
		if err := part(ctx); errors.Is(err, os.ErrNotExist) {
			s.logf("sources.2: %v: not measured", err)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// pictures are labelled pictures; the first ones are stored.
type pictures struct {
	records []any
	labels  []int
	stored  int
}

func (s *sources) fashion(ctx context.Context) error {
	p, err := s.clothes("fashion_mnist_900/images-idx3-ubyte")
	if err != nil {
		return err
	}
	labels, err := os.ReadFile(filepath.Join(s.data, "fashion_mnist_900/labels-idx1-ubyte"))
	if err != nil {
		return err
	}
	for _, l := range labels[8:] {
		p.labels = append(p.labels, int(l))
	}
	latent, pixels, err := s.named(ctx, p, source.Image{Width: 28, Height: 28}, 32)
	if err != nil {
		return err
	}
	s.add(figure{Name: "sources.2a", What: fmt.Sprintf("900 pictures of clothes, named by their 10 nearest others (by pixels %.3f)", pixels),
		Ours: &latent, Floor: ptr(0.84), Goal: ptr(0.86), Better: higher})
	return nil
}

// clothes reads grey pictures of a file of arrays.
func (s *sources) clothes(name string) (*pictures, error) {
	records, err := dataSet{}.records(filepath.Join(s.data, filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	return &pictures{records: records, stored: len(records)}, nil
}

// smallDigits: pictures of 8 by 8 pixels of 17 levels.
func (s *sources) smallDigits(ctx context.Context) error {
	f, err := os.Open(filepath.Join(s.data, "sklearn_small/digits.csv"))
	if err != nil {
		return err
	}
	lines, err := csv.NewReader(f).ReadAll()
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	p := &pictures{stored: len(lines) - 1}
	for _, line := range lines[1:] {
		numbers := make([]float64, len(line))
		for i, field := range line {
			if numbers[i], err = strconv.ParseFloat(field, 64); err != nil {
				return err
			}
		}
		grey := image.NewGray(image.Rect(0, 0, 8, 8))
		for i, v := range numbers[:64] {
			grey.Pix[i] = byte(v * 255 / 16)
		}
		p.records, p.labels = append(p.records, grey), append(p.labels, int(numbers[64]))
	}
	latent, pixels, err := s.named(ctx, p, source.Image{Width: 8, Height: 8}, 0)
	if err != nil {
		return err
	}
	s.add(figure{Name: "sources.2b", What: fmt.Sprintf("digits of 8 by 8 pixels, named by their 10 nearest others (by pixels %.3f)", pixels),
		Ours: &latent, Floor: ptr(0.98), Better: higher})
	return nil
}

func (s *sources) manyDigits(ctx context.Context) error {
	p := &pictures{}
	for _, part := range []string{"train", "t10k"} {
		rows, err := readDigits(filepath.Join(s.mnist, part+"-images-idx3-ubyte.gz"))
		if err != nil {
			return err
		}
		labels, err := readLabels(filepath.Join(s.mnist, part+"-labels-idx1-ubyte.gz"))
		if err != nil {
			return err
		}
		if part == "train" {
			p.stored = rows.Rows
		}
		p.records, p.labels = append(p.records, greys(rows, 28)...), append(p.labels, labels...)
	}
	latent, pixels, err := s.named(ctx, p, source.Image{Width: 28, Height: 28, Likeness: source.LikeShape}, 32)
	if err != nil {
		return err
	}
	s.add(figure{Name: "sources.2c", What: fmt.Sprintf("MNIST by shape at 32 bytes, 10,000 test digits named by their 10 nearest (by pixels %.3f)", pixels),
		Ours: &latent, Floor: ptr(0.973), Goal: ptr(0.985), Better: higher})
	return nil
}

// greys are rows as square pictures.
func greys(rows blas32.General, side int) []any {
	out := make([]any, rows.Rows)
	for i := range out {
		grey := image.NewGray(image.Rect(0, 0, side, side))
		for j, v := range embed.Row(rows, i) {
			grey.Pix[j] = byte(v*255 + 0.5)
		}
		out[i] = grey
	}
	return out
}

func (s *sources) photographs(ctx context.Context) error {
	z, err := zip.OpenReader(filepath.Join(s.data, "cifar10_jpeg/cifar10_5k.zip"))
	if err != nil {
		return err
	}
	byClass := make(map[string][]any)
	for _, f := range z.File {
		if path.Ext(f.Name) != ".jpg" {
			continue
		}
		in, err := f.Open()
		if err != nil {
			return errors.Join(err, z.Close())
		}
		encoded, err := io.ReadAll(in)
		if err = errors.Join(err, in.Close()); err != nil {
			return errors.Join(err, z.Close())
		}
		class := path.Base(path.Dir(f.Name))
		byClass[class] = append(byClass[class], encoded)
	}
	if err := z.Close(); err != nil {
		return err
	}
	p, classes := &pictures{}, slices.Sorted(maps.Keys(byClass))
	for i, more := 0, true; more; i++ { // one of each in turn, so that the last ask of all
		more = false
		for label, class := range classes {
			if i < len(byClass[class]) {
				p.records, p.labels, more = append(p.records, byClass[class][i]), append(p.labels, label), true
			}
		}
	}
	p.stored = len(p.records) * 4 / 5
	latent, pixels, err := s.named(ctx, p, source.Image{Width: 32, Height: 32, Channels: 3}, 0)
	if err != nil {
		return err
	}
	s.add(figure{Name: "sources.2e", What: fmt.Sprintf("colour photographs named by their 10 nearest: latents (%.3f) less pixels (%.3f)", latent, pixels),
		Ours: ptr(latent - pixels), Floor: ptr(0.18), Goal: ptr(0.25), Better: higher})
	return nil
}

// collectionOf stores and fits pictures.
func (s *sources) collectionOf(ctx context.Context, db *store.DB, p *pictures, spec source.Image, dim int) (*store.Collection, error) {
	coll, err := db.CreateCollection(ctx, "pictures", store.Config{Source: spec, Dim: dim, Rows: store.RowsMemory})
	if err != nil {
		return nil, err
	}
	points := make([]store.Point, p.stored)
	for i := range points {
		points[i] = store.Point{ID: store.NumID(uint64(i)), Record: p.records[i]}
	}
	for batch := range slices.Chunk(points, 1000) {
		if err := coll.Upsert(ctx, batch...); err != nil {
			return nil, err
		}
	}
	report, err := coll.Fit(ctx, nil)
	if err != nil {
		return nil, err
	}
	s.logf("%d pictures: %s of %d numbers (%s), error a pixel %.5f beside PCA's %.5f, neighbours in the top 50 %.4f beside %.4f, %.0f s",
		report.Points, report.Encoder, report.Dim, report.Settings.DimReason, report.MSEInput.Model, report.MSEInput.PCA,
		report.RecallAt50.Model, report.RecallAt50.PCA, report.FitSeconds)
	return coll, nil
}

// named is which share of pictures their neighbours name rightly, in latent space and by
// pixels: those that are not stored, or all others of each that is.
func (s *sources) named(ctx context.Context, p *pictures, spec source.Image, dim int) (latent, pixels float64, err error) {
	db, err := store.OpenTemp(&store.Options{NoAutoFit: true})
	if err != nil {
		return 0, 0, err
	}
	coll, err := s.collectionOf(ctx, db, p, spec, dim)
	if err != nil {
		return 0, 0, errors.Join(err, db.Close())
	}
	const mostByPixels = 1000 // exact scans of all pixels take long
	latent, err = p.namedIn(ctx, coll, store.Query{Space: store.SpaceLatent}, len(p.records))
	if err == nil {
		pixels, err = p.namedIn(ctx, coll, store.Query{Space: store.SpaceInput, Exact: true}, mostByPixels)
	}
	return latent, pixels, errors.Join(err, db.Close())
}

func (p *pictures) namedIn(ctx context.Context, coll *store.Collection, q store.Query, most int) (float64, error) {
	from := p.stored % len(p.records) // all, where all are stored
	to := min(len(p.records), from+most)
	right := 0
	for i := from; i < to; i++ {
		q.Limit, q.Record, q.ID = imageVotes, p.records[i], store.ID{}
		if i < p.stored {
			q.Record, q.ID = nil, store.NumID(uint64(i))
		}
		hits, err := coll.Search(ctx, q)
		if err != nil {
			return 0, err
		}
		if p.vote(hits) == p.labels[i] {
			right++
		}
	}
	return float64(right) / float64(to-from), nil
}

// vote is the label most hits have; of equally many, that of the nearer.
func (p *pictures) vote(hits []store.Hit) int {
	votes := make(map[int]int)
	labels := make([]int, len(hits))
	for i, h := range hits {
		n, _ := h.ID.Value().(uint64)
		labels[i] = p.labels[n]
		votes[labels[i]]++
	}
	best := -1
	for _, l := range labels {
		if votes[l] > votes[best] {
			best = l
		}
	}
	return best
}

// editedCopies: pairs of pictures of which one, or both, are edited copies.
func (s *sources) editedCopies(ctx context.Context) error {
	p, err := s.clothes("neardup_images/fashion_mnist_900_dups-idx3-ubyte")
	if err != nil {
		return err
	}
	f, err := os.Open(filepath.Join(s.data, "neardup_images/fashion_mnist_900_dups.csv"))
	if err != nil {
		return err
	}
	lines, err := csv.NewReader(f).ReadAll()
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	group, size, wanted := make([]string, p.stored), make(map[string]int), 0
	for _, line := range lines[1:] {
		row, err := strconv.Atoi(line[0])
		if err != nil {
			return err
		}
		group[row] = line[1]
		wanted += size[line[1]]
		size[line[1]]++
	}
	db, err := store.OpenTemp(&store.Options{NoAutoFit: true})
	if err != nil {
		return err
	}
	coll, err := s.collectionOf(ctx, db, p, source.Image{Width: 28, Height: 28}, 32)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	best, suggested, err := s.copiesFound(ctx, coll, group, wanted)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	s.add(figure{Name: "sources.2d", What: fmt.Sprintf("edited copies among 1,695 pictures: F1 of pairs at the best threshold (as suggested %.3f)", suggested),
		Ours: &best, Floor: ptr(0.85), Goal: ptr(0.88), Better: higher})
	return nil
}

// copiesFound is the F1 of pairs at the best threshold and at the suggested one.
func (s *sources) copiesFound(ctx context.Context, coll *store.Collection, group []string, wanted int) (best, suggested float64, err error) {
	byDefault, err := coll.Duplicates(ctx, store.DuplicateQuery{})
	if err != nil {
		return 0, 0, err
	}
	all, err := coll.Duplicates(ctx, store.DuplicateQuery{Threshold: ptr(1e9)})
	if err != nil {
		return 0, 0, err
	}
	var pairs []store.DuplicatePair
	for _, g := range all.Groups {
		pairs = append(pairs, g.Pairs...)
	}
	slices.SortFunc(pairs, func(a, b store.DuplicatePair) int { return cmp.Compare(a.Distance, b.Distance) })
	right := 0
	for i, p := range pairs {
		a, _ := p.A.Value().(uint64)
		b, _ := p.B.Value().(uint64)
		if group[a] == group[b] {
			right++
		}
		f1 := 2 * float64(right) / float64(i+1+wanted)
		if i+1 < len(pairs) && pairs[i+1].Distance == p.Distance {
			continue
		}
		best = max(best, f1)
		if p.Distance <= byDefault.Threshold {
			suggested = f1
		}
	}
	s.logf("%d pairs told, %d of %d right among them", len(pairs), right, wanted)
	return best, suggested, nil
}
