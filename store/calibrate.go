package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/index"
)

const (
	// calibrationK is the number of neighbours recall is calibrated at.
	calibrationK = 10
	// calibrationQueries is how many held-out points are asked.
	calibrationQueries = 300
	// truthTies is how far beyond the 10th neighbour equal distances are followed.
	truthTies = 64
	// newQueryShortfall is how much more of the true neighbours new queries are
	// taken to miss than held-out points do.
	newQueryShortfall = 1.5
	// oodFactor is how far above the largest held-out error a query counts as
	// out of distribution.
	oodFactor = 1.25
)

// searchWidths are the values of ef and of rerank that are measured.
var searchWidths = []int{10, 13, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128, 160, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072}

// calibration measures a generation's search on points held out of training.
type calibration struct {
	c     *Collection
	gen   *generation
	slots []uint32       // the queries' own points, which do not answer
	rows  blas32.General // their feature rows
	z     blas32.General // their latents, as stored
	// targets are what is asked for their neighbours in input space.
	targets [][]float32
	// truthInput and truthLatent are the slots at most as far as the true 10th
	// neighbour, in either space.
	truthInput, truthLatent []map[uint32]bool
	// off are queries that lie off the points.
	off      []stepQuery
	perQuery float64 // true neighbours per query
	// decoded are, by query, the distances that candidates are scored by where
	// originals are dropped.
	decoded []decodedDistances
}

// measure decides which engine serves, and what each recall costs.
func (c *Collection) measure(ctx context.Context, gen *generation, sample *fitSample) error {
	if err := errors.Join(gen.measureResiduals(sample), c.weighHybrid(ctx, gen, sample)); err != nil {
		return err
	}
	cal, err := newCalibration(ctx, c, gen, sample)
	if err != nil {
		return err
	}
	if err := cal.chooseEngine(ctx); err != nil {
		return err
	}
	latent, err := cal.curve(ctx, gen.index, SpaceLatent)
	if err != nil {
		return err
	}
	input, err := cal.curve(ctx, gen.index, SpaceInput)
	gen.report.Calibration = slices.Concat(latent, input)
	if err != nil {
		return err
	}
	return c.measureHybrid(ctx, gen, sample)
}

// measureResiduals keeps how well held-out rows are reconstructed.
func (g *generation) measureResiduals(sample *fitSample) error {
	sum := make([]float64, g.fitted.Width())
	held := sample.rows.Rows
	all := make([]float64, held)
	for i := range held {
		_, residual, err := g.residual(embed.Row(sample.rows, i))
		if err != nil {
			return err
		}
		e := meanSquare(residual)
		all[i] = e
		g.stats.HeldOutMSE += e / float64(held)
		g.stats.MaxHeldOutMSE = max(g.stats.MaxHeldOutMSE, e)
		for j, x := range residual {
			sum[j] += float64(x) * float64(x) / float64(held)
		}
	}
	if slices.Sort(all); held > 0 {
		g.stats.UsualMSE = all[(held-1)*99/100]
	}
	g.stats.ResidualVariance = make([]float32, len(sum))
	for j, v := range sum {
		g.stats.ResidualVariance[j] = float32(v)
	}
	return nil
}

func newCalibration(ctx context.Context, c *Collection, gen *generation, sample *fitSample) (*calibration, error) {
	n := min(sample.rows.Rows, calibrationQueries)
	cal := &calibration{c: c, gen: gen, slots: sample.slots[:n], rows: sample.rows}
	cal.rows.Rows = n
	z, err := gen.indexRows(slices.Clone(cal.rows.Data[:n*cal.rows.Stride]))
	if err != nil {
		return nil, err
	}
	cal.z = embed.MatrixOf(z, gen.model.Dim())
	if c.Config().Metric == Dot {
		if err := cal.findLongest(ctx); err != nil {
			return nil, err
		}
	}
	for q := range n {
		target, err := gen.inputTarget(nil, c.Config().Metric, embed.Row(cal.rows, q))
		if err != nil {
			return nil, err
		}
		cal.targets = append(cal.targets, target)
	}
	return cal, cal.findTruth(ctx)
}

// ask searches an index for a query's neighbours other than itself.
func (cal *calibration) ask(ctx context.Context, idx index.Index, space Space, q int, p index.Params) ([]index.Hit, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.K++
	target := embed.Row(cal.z, q)
	if space == SpaceInput {
		target, p.Rough = cal.targets[q], true // as a search does
	}
	hits, err := idx.Search(nil, target, p)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	slices.SortFunc(hits, index.Hit.Compare) // as a search that wants fewer of them would choose
	hits = slices.DeleteFunc(hits, func(h index.Hit) bool { return h.Slot == cal.slots[q] })
	return hits[:min(len(hits), p.K-1)], nil
}

// found are the places among hits of the true neighbours, the first 10 of them.
func found(truth map[uint32]bool, hits []index.Hit) (places []int) {
	for i, h := range hits {
		if truth[h.Slot] && len(places) < calibrationK {
			places = append(places, i)
		}
	}
	return places
}

// curve measures recall over settings of a space's search, cheapest first,
// keeping those that nothing cheaper matches.
func (cal *calibration) curve(ctx context.Context, idx index.Index, space Space) ([]CalibrationPoint, error) {
	var points []CalibrationPoint
	widths := slices.DeleteFunc(slices.Clone(searchWidths), func(w int) bool {
		return w > 16 && w > 2*idx.Len()
	})
	for _, ef := range cal.efs(idx, widths) {
		got, err := cal.atWidth(ctx, idx, space, ef, widths)
		if err != nil {
			return nil, err
		}
		points = append(points, got...)
	}
	slices.SortStableFunc(points, func(a, b CalibrationPoint) int { return cmp.Compare(a.Cost, b.Cost) })
	best := -1.0
	points = slices.DeleteFunc(points, func(p CalibrationPoint) bool {
		value := p.Promised
		if cal.rescoresDecoded(space) {
			value = p.Recall // which settings are compared by
		}
		if value <= best {
			return true
		}
		best = value
		return false
	})
	for i := range points {
		if space == SpaceInput && !cal.gen.latentOnly {
			if err := cal.setLate(ctx, idx, &points[i]); err != nil {
				return nil, err
			}
		}
	}
	return points, nil
}

// efs are the widths that an index is measured at: an exact scan has but one.
func (cal *calibration) efs(idx index.Index, widths []int) []int {
	if idx.Engine() == EngineFlat {
		return widths[len(widths)-1:]
	}
	return widths
}

// atWidth measures one ef, with every rerank up to it in input space.
func (cal *calibration) atWidth(ctx context.Context, idx index.Index, space Space, ef int, widths []int) ([]CalibrationPoint, error) {
	k, truth := calibrationK, cal.truthLatent
	if space == SpaceInput {
		k, truth = ef, cal.truthInput
	}
	lists := make([][]index.Hit, len(cal.slots))
	var total index.Work
	began := time.Now()
	for q := range lists {
		hits, err := cal.ask(ctx, idx, space, q, index.Params{K: k, EF: ef, Work: &total})
		if err != nil {
			return nil, err
		}
		lists[q] = hits
	}
	asked := float64(max(1, len(lists)))
	micros := float64(time.Since(began).Microseconds()) / asked
	reranks := []int{0}
	if space == SpaceInput {
		reranks = slices.DeleteFunc(slices.Clone(widths), func(r int) bool { return r > ef })
	}
	if cal.rescoresDecoded(space) {
		if err := cal.measureDecoded(ctx, lists); err != nil {
			return nil, err
		}
	}
	counts := make([][]int, len(lists)) // of the true neighbours that each rerank finds
	for q, hits := range lists {
		counts[q] = cal.countFound(space, q, truth[q], hits, reranks)
	}
	out := make([]CalibrationPoint, len(reranks))
	for i, rerank := range reranks {
		shares := make([]float64, len(counts))
		for q := range counts {
			shares[q] = float64(counts[q][i]) / cal.perQuery
		}
		mean, promised := promise(shares)
		out[i] = CalibrationPoint{Space: space, Recall: mean, Promised: promised, EF: ef, Rerank: rerank,
			Microseconds: micros, Cost: cal.gen.cost(total, asked, ef, rerank)}
	}
	return out, nil
}

// rescoresDecoded tells that candidates are scored by decoded rows.
func (cal *calibration) rescoresDecoded(space Space) bool {
	return cal.gen.latentOnly && space == SpaceInput
}

// countFound counts the true neighbours that a query's first hits lead to, as many hits as
// each rerank says; 0 is all of them.
func (cal *calibration) countFound(space Space, q int, truth map[uint32]bool, hits []index.Hit, reranks []int) []int {
	if cal.rescoresDecoded(space) {
		return cal.foundDecoded(q, hits, reranks)
	}
	places, out := found(truth, hits), make([]int, len(reranks))
	for i, r := range reranks {
		if out[i] = len(places); r > 0 {
			out[i], _ = slices.BinarySearch(places, r)
		}
	}
	return out
}

// promise is the mean recall over queries, and the part of it that is promised:
// short of 1 by half as much again, and by a standard error. Held-out points are
// of the collection; the queries to come are new, and miss more.
func promise(shares []float64) (mean, promised float64) {
	var square float64
	for _, x := range shares {
		mean += x
	}
	n := float64(len(shares))
	mean /= n
	for _, x := range shares {
		square += (x - mean) * (x - mean)
	}
	standardError := math.Sqrt(square / max(1, n-1) / n)
	return mean, max(0, 1-newQueryShortfall*(1-mean)-standardError)
}
