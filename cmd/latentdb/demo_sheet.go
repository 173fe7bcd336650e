package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"runtime"
	"slices"
	"strconv"

	"github.com/latentdb/latentdb/cmd/latentdb/internal/mnist"
	"github.com/latentdb/latentdb/cmd/latentdb/internal/sheet"
	"github.com/latentdb/latentdb/store"
)

// How much of each answer the picture shows: full rows of it.
const (
	shownColumns    = 18
	shownNeighbours = 10
	shownSamples    = 3 * shownColumns
)

// drawDemo asks the collection for everything the picture shows, and draws it.
func drawDemo(ctx context.Context, coll *store.Collection, digits []mnist.Digit, r *demoResult, out string) error {
	d := drawing{ctx, coll, digits}
	s := sheet.Sheet{
		Title:    fmt.Sprintf("%s handwritten digits, %d numbers each", thousands(r.Points), r.Dim),
		Subtitle: "Learned by LatentDB from the pixels alone: no labels, no pretrained model, no GPU.",
		Facts: []sheet.Fact{
			{Value: fmt.Sprintf("%d → %d", r.Features, r.Dim), Label: "numbers per digit"},
			{Value: fmt.Sprintf("%.4f", r.MSEInput.Model), Label: fmt.Sprintf("squared error a pixel (PCA %.4f)", r.MSEInput.PCA)},
			{Value: percent(r.RecallAt10.Model), Label: fmt.Sprintf("of neighbours in top 10 (PCA %s)", percent(r.RecallAt10.PCA))},
			{Value: percent(r.Accuracy.Latent), Label: fmt.Sprintf("told by neighbours (pixels %s)", percent(r.Accuracy.Pixels))},
			{Value: fmt.Sprintf("%.0f s", r.FitSeconds), Label: fmt.Sprintf("to learn, on %d cores", runtime.GOMAXPROCS(0))},
		},
	}
	for _, section := range []func() (sheet.Section, error){
		d.neighbours, d.reconstructions, d.strangest, d.duplicates, d.samples,
	} {
		drawn, err := section()
		if err != nil {
			return err
		}
		s.Sections = append(s.Sections, drawn)
	}
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	return errors.Join(s.WritePNG(file), file.Close())
}

// drawing turns answers of the collection into sections.
type drawing struct {
	ctx    context.Context
	coll   *store.Collection
	digits []mnist.Digit
}

func (d drawing) tile(n int) sheet.Tile { return sheet.Tile{Image: d.digits[n].Image()} }

// firsts are the first digits of the collection that show 0, 1, … 9, then the
// second ones, and so on.
func (d drawing) firsts(count int) []int {
	var found []int
	byLabel := map[uint8][]int{}
	for i := range d.digits {
		byLabel[d.digits[i].Label] = append(byLabel[d.digits[i].Label], i)
	}
	for i := range count {
		found = append(found, byLabel[uint8(i%10)][i/10])
	}
	return found
}

func (d drawing) neighbours() (sheet.Section, error) {
	s := sheet.Section{
		Title: "Query and its nearest neighbours",
		Note:  "framed: the query; underlined in red: a neighbour that shows another digit",
	}
	for _, q := range d.firsts(10) {
		hits, err := d.coll.Search(d.ctx, store.Query{ID: store.NumID(uint64(q)), Limit: shownNeighbours, Space: store.SpaceLatent})
		if err != nil {
			return s, err
		}
		asked := d.tile(q)
		asked.Mark = sheet.Asked
		group := sheet.Group{Tiles: []sheet.Tile{asked}}
		for _, n := range numbersOf(hits) {
			tile := d.tile(n)
			if d.digits[n].Label != d.digits[q].Label {
				tile.Mark = sheet.Wrong
			}
			group.Tiles = append(group.Tiles, tile)
		}
		s.Groups = append(s.Groups, group)
	}
	return s, nil
}

func (d drawing) reconstructions() (sheet.Section, error) {
	s := sheet.Section{
		Title: "Originals above reconstructions",
		Note:  fmt.Sprintf("each drawn again from its %d numbers; below, the error", demoDim),
	}
	var ids []store.ID
	for _, n := range d.firsts(2 * shownColumns)[shownColumns:] {
		ids = append(ids, store.NumID(uint64(n)))
	}
	all, err := d.coll.Reconstruct(d.ctx, ids...)
	if err != nil {
		return s, err
	}
	for _, r := range all {
		decoded, err := decodePicture(r.Record)
		if err != nil {
			return s, err
		}
		s.Groups = append(s.Groups, sheet.Group{
			Stacked: true,
			Tiles:   []sheet.Tile{d.tile(number(r.ID)), {Image: decoded}},
			Caption: fmt.Sprintf("%.3f", r.Error),
		})
	}
	return s, nil
}

func (d drawing) strangest() (sheet.Section, error) {
	s := sheet.Section{Title: "Strangest digits", Note: "the outliers of the collection; below, what they are meant to be"}
	odd, err := d.coll.Outliers(d.ctx, store.OutlierQuery{Limit: 2 * shownColumns})
	if err != nil {
		return s, err
	}
	for _, o := range odd.Outliers {
		n := number(o.ID)
		s.Groups = append(s.Groups, sheet.Group{
			Tiles:   []sheet.Tile{d.tile(n)},
			Caption: fmt.Sprintf("a %d", d.digits[n].Label),
		})
	}
	return s, nil
}

func (d drawing) duplicates() (sheet.Section, error) {
	s := sheet.Section{Title: "Nearest duplicates", Note: "the closest pair of each digit; below, how far apart they are"}
	for label := range 10 {
		p, err := d.closestPair(label)
		if err != nil {
			return s, err
		}
		s.Groups = append(s.Groups, sheet.Group{
			Tiles:   []sheet.Tile{d.tile(number(p.A)), d.tile(number(p.B))},
			Caption: fmt.Sprintf("%.2f", p.Distance),
		})
	}
	return s, nil
}

// closestPair is the closest pair among the digits with one label. The suggested
// threshold is widened until there is one: handwriting may hold no duplicates.
func (d drawing) closestPair(label int) (store.DuplicatePair, error) {
	const tries, widen = 20, 1.2
	q := store.DuplicateQuery{Filter: &store.Filter{
		Must: []store.Condition{{Key: "label", Match: &store.Match{Value: label}}},
	}}
	for range tries {
		found, err := d.coll.Duplicates(d.ctx, q)
		if err != nil {
			return store.DuplicatePair{}, err
		}
		var pairs []store.DuplicatePair
		for _, g := range found.Groups {
			pairs = append(pairs, g.Pairs...)
		}
		if len(pairs) > 0 {
			return slices.MinFunc(pairs, func(x, y store.DuplicatePair) int { return cmp.Compare(x.Distance, y.Distance) }), nil
		}
		wider := widen * found.Threshold
		q.Threshold = &wider
	}
	return store.DuplicatePair{}, fmt.Errorf("no two digits %d are near each other", label)
}

func (d drawing) samples() (sheet.Section, error) {
	s := sheet.Section{Title: "Sampled digits", Note: "new ones that nobody wrote, drawn from what the model learned"}
	drawn, err := d.coll.Sample(d.ctx, store.SampleQuery{N: shownSamples, Seed: 1})
	if err != nil {
		return s, err
	}
	for _, record := range drawn.Records {
		decoded, err := decodePicture(record)
		if err != nil {
			return s, err
		}
		s.Groups = append(s.Groups, sheet.Group{Tiles: []sheet.Tile{{Image: decoded}}})
	}
	return s, nil
}

func decodePicture(record any) (image.Image, error) {
	data, ok := record.([]byte)
	if !ok {
		return nil, fmt.Errorf("a record is a %T, not an image", record)
	}
	return png.Decode(bytes.NewReader(data))
}

// thousands writes a number with commas.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
