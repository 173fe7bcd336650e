package main

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/latentdb/latentdb/cmd/latentdb/internal/mnist"
	"github.com/latentdb/latentdb/store"
)

const (
	// demoEvery picks the digits that are asked about: one in ten.
	demoEvery = 10
	// demoVotes is how many neighbours tell a digit.
	demoVotes = 10
)

// demoResult is what the demo found out.
type demoResult struct {
	Points     int          `json:"points"`
	Features   int          `json:"features"`
	Dim        int          `json:"dim"`
	MSEInput   store.Versus `json:"mse_input"`
	RecallAt10 store.Versus `json:"recall_at_10"`
	RecallAt50 store.Versus `json:"recall_at_50"`
	// Accuracy is the share of Queries digits that their nearest others tell.
	Accuracy      demoAccuracy `json:"accuracy"`
	Queries       int          `json:"queries"`
	BytesPerPoint store.Bytes  `json:"bytes_per_point"`
	LatentBytes   float64      `json:"latent_bytes"`
	FitSeconds    float64      `json:"fit_seconds"`
	Seconds       float64      `json:"seconds"`
	Picture       string       `json:"picture"`
}

type demoAccuracy struct {
	Latent float64 `json:"latent"`
	Pixels float64 `json:"pixels"`
}

func measureDemo(ctx context.Context, coll *store.Collection, digits []mnist.Digit, r *store.Report) (*demoResult, error) {
	result := &demoResult{
		Points: r.Points, Features: r.Features, Dim: r.Dim,
		MSEInput: r.MSEInput, RecallAt10: r.RecallAt10, RecallAt50: r.RecallAt50,
		BytesPerPoint: r.BytesPerPoint, LatentBytes: r.BytesPerPoint.Input / r.Compression, FitSeconds: r.FitSeconds,
	}
	var right demoAccuracy
	byPixels := pixelNeighbours(digits)
	for i, neighbours := range byPixels {
		q := i * demoEvery
		hits, err := coll.Search(ctx, store.Query{ID: store.NumID(uint64(q)), Limit: demoVotes, Space: store.SpaceLatent})
		if err != nil {
			return nil, err
		}
		if vote(digits, neighbours) == digits[q].Label {
			right.Pixels++
		}
		if vote(digits, numbersOf(hits)) == digits[q].Label {
			right.Latent++
		}
	}
	result.Queries = len(byPixels)
	result.Accuracy = demoAccuracy{right.Latent / float64(len(byPixels)), right.Pixels / float64(len(byPixels))}
	return result, nil
}

// numbersOf are the digits that hits name.
func numbersOf(hits []store.Hit) []int {
	numbers := make([]int, len(hits))
	for i, h := range hits {
		numbers[i] = number(h.ID)
	}
	return numbers
}

// number is the digit that an id names.
func number(id store.ID) int {
	n, _ := id.Value().(uint64)
	return int(n)
}

// vote is the label most neighbours have; of equally many, that of the nearer.
func vote(digits []mnist.Digit, neighbours []int) uint8 {
	var votes [10]int
	for _, n := range neighbours {
		votes[digits[n].Label]++
	}
	best := digits[neighbours[0]].Label
	for _, n := range neighbours {
		if label := digits[n].Label; votes[label] > votes[best] {
			best = label
		}
	}
	return best
}

// pixelNeighbours are the nearest other digits of every tenth, by an exact scan
// of the pixels.
func pixelNeighbours(digits []mnist.Digit) [][]int {
	found := make([][]int, (len(digits)+demoEvery-1)/demoEvery)
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(found); i += workers {
				found[i] = nearestByPixels(digits, i*demoEvery)
			}
		})
	}
	wg.Wait()
	return found
}

func nearestByPixels(digits []mnist.Digit, query int) []int {
	type candidate struct{ digit, distance int }
	best := make([]candidate, 0, demoVotes+1)
	limit := int(^uint(0) >> 1)
	for i := range digits {
		d := squaredDistance(digits[query].Pixels, digits[i].Pixels, limit)
		if i == query || d >= limit {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, d, func(c candidate, d int) int { return c.distance - d })
		best = slices.Insert(best, at, candidate{i, d})
		if len(best) > demoVotes {
			best = best[:demoVotes]
		}
		if len(best) == demoVotes {
			limit = best[demoVotes-1].distance
		}
	}
	nearest := make([]int, len(best))
	for i, c := range best {
		nearest[i] = c.digit
	}
	return nearest
}

// squaredDistance gives up, with a number that is not below it, at limit.
func squaredDistance(a, b []byte, limit int) int {
	sum := 0
	for start := 0; start < len(a) && sum < limit; start += mnist.Side {
		x, y := a[start:start+mnist.Side], b[start:start+mnist.Side]
		for i := range x {
			d := int(x[i]) - int(y[i])
			sum += d * d
		}
	}
	return sum
}

func (a *app) printDemo(r *demoResult) error {
	if a.json {
		return a.printJSON(r)
	}
	if err := a.printf("\n%s handwritten digits, %d pixels each, as %d numbers each\n\n", thousands(r.Points), r.Features, r.Dim); err != nil {
		return err
	}
	t := &table{}
	t.row("", "latent", "PCA", "pixels")
	t.row("numbers per digit", r.Dim, r.Dim, r.Features)
	t.row("error per pixel (0 to 1, squared)", r.MSEInput.Model, r.MSEInput.PCA, 0)
	t.row("true 10 neighbours in top 10", percent(r.RecallAt10.Model), percent(r.RecallAt10.PCA), percent(1))
	t.row("true 10 neighbours in top 50", percent(r.RecallAt50.Model), percent(r.RecallAt50.PCA), percent(1))
	t.row("digit told by its 10 neighbours", percent(r.Accuracy.Latent), "", percent(r.Accuracy.Pixels))
	t.row("bytes per digit", r.LatentBytes, "", r.BytesPerPoint.Input)
	t.row("bytes per digit with the index, RAM", r.BytesPerPoint.RAM)
	if err := t.print(a.stdout); err != nil {
		return err
	}
	return a.printf("\nfitted in %.1f s, all done in %.1f s; the picture is %s\n", r.FitSeconds, r.Seconds, r.Picture)
}
