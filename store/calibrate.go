package store

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
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
	perQuery                float64 // true neighbours per query
}

// measure decides which engine serves, and what each recall costs.
func (c *Collection) measure(ctx context.Context, gen *generation, sample *fitSample) error {
	if err := gen.measureResiduals(sample); err != nil {
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
	return err
}

// measureResiduals keeps how well held-out rows are reconstructed.
func (g *generation) measureResiduals(sample *fitSample) error {
	sum := make([]float64, g.fitted.Width())
	held := sample.rows.Rows
	errors := make([]float64, held)
	for i := range held {
		_, residual, err := g.residual(embed.Row(sample.rows, i))
		if err != nil {
			return err
		}
		e := meanSquare(residual)
		errors[i] = e
		g.stats.HeldOutMSE += e / float64(held)
		g.stats.MaxHeldOutMSE = max(g.stats.MaxHeldOutMSE, e)
		for j, x := range residual {
			sum[j] += float64(x) * float64(x) / float64(held)
		}
	}
	if slices.Sort(errors); held > 0 {
		g.stats.UsualMSE = errors[(held-1)*99/100]
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

// findTruth finds the true neighbours of all queries: in input space by one scan
// of all points, in latent space by the index's exact scan.
func (cal *calibration) findTruth(ctx context.Context) error {
	n := len(cal.slots)
	tops := make([]*index.TopK, n)
	for i := range tops {
		tops[i] = index.NewTopK(calibrationK + truthTies + 1)
	}
	if err := cal.scanAll(ctx, tops); err != nil {
		return err
	}
	reach := make(map[Space][]reached)
	for q := range n {
		mse, err := cal.gen.errorOf(embed.Row(cal.rows, q))
		if err != nil {
			return err
		}
		own := func(h index.Hit) bool { return h.Slot == cal.slots[q] }
		hits, err := cal.ask(ctx, cal.gen.index, SpaceLatent, q, index.Params{K: calibrationK + truthTies, Exact: true})
		if err != nil {
			return err
		}
		nearest := slices.DeleteFunc(tops[q].AppendTo(nil), own)
		cal.truthInput = append(cal.truthInput, trueSlots(nearest))
		cal.truthLatent = append(cal.truthLatent, trueSlots(hits))
		for space, found := range map[Space][]index.Hit{SpaceInput: nearest, SpaceLatent: hits} {
			if len(found) >= calibrationK {
				reach[space] = append(reach[space], reached{found[calibrationK-1].Distance, mse})
			}
		}
	}
	cal.keepReach(reach)
	cal.perQuery = float64(min(calibrationK, max(1, cal.gen.index.Len()-1)))
	return nil
}

// reached is how far the 10th neighbour of a held-out point is, and the point's error.
type reached struct {
	far float32
	mse float64
}

// keepReach keeps how far the 10th neighbours of held-out points are.
func (cal *calibration) keepReach(reach map[Space][]reached) {
	stats := &cal.gen.stats
	stats.Reach, stats.Spread, stats.Strange = make(map[Space]float32), make(map[Space]distanceSpread), make(map[Space]float64)
	for space, points := range reach {
		slices.SortFunc(points, func(a, b reached) int { return cmp.Compare(a.far, b.far) })
		last := len(points) - 1
		// Where each point has ten copies, there is no telling what is far.
		half := points[last/2].far
		if half == 0 {
			continue
		}
		stats.Reach[space] = points[last*99/100].far
		stats.Spread[space] = distanceSpread{Half: half, Most: points[last*85/100].far}
		if stats.UsualMSE > 0 {
			strange := make([]float64, len(points))
			for i, p := range points {
				strange[i] = stats.strangeness(space, p.far, p.mse)
			}
			slices.Sort(strange)
			stats.Strange[space] = strange[last*99/100]
		}
	}
}

// scanAll pushes all points to each query's neighbours in input space: by the rows
// that are kept, else by the stored records.
func (cal *calibration) scanAll(ctx context.Context, tops []*index.TopK) error {
	gen, workers := cal.gen, cal.c.opts.Workers
	if gen.rows != nil && !gen.lossy() && gen.rows.Len() == gen.index.Len() {
		var missed atomic.Bool
		inParallel(workers, len(tops), func(q int) {
			if ctx.Err() == nil && !gen.scanRows(tops[q], embed.Row(cal.rows, q), nil) {
				missed.Store(true)
			}
		})
		if err := ctx.Err(); err != nil || !missed.Load() {
			return err
		}
	}
	for _, t := range tops {
		t.Reset(calibrationK + truthTies + 1)
	}
	distance := cal.c.Config().Metric.Kernel()
	return cal.c.eachRow(ctx, gen, nil, func(chunk []storedRecord, rows []float32) error {
		width := cal.rows.Cols
		inParallel(workers, len(tops), func(q int) {
			row := embed.Row(cal.rows, q)
			for i, r := range chunk {
				tops[q].Push(index.Hit{Slot: r.slot, Distance: distance(row, rows[i*width:(i+1)*width])})
			}
		})
		return nil
	})
}

// trueSlots are the slots no farther than the 10th: any 10 of them are right.
func trueSlots(hits []index.Hit) map[uint32]bool {
	out := make(map[uint32]bool)
	for _, h := range hits {
		if h.Distance <= hits[min(calibrationK, len(hits))-1].Distance {
			out[h.Slot] = true
		}
	}
	return out
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
		if p.Promised <= best {
			return true
		}
		best = p.Promised
		return false
	})
	for i := range points {
		if space == SpaceInput {
			var err error
			if points[i].Late, err = cal.lateFinds(ctx, idx, points[i]); err != nil {
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
	places := make([][]int, len(cal.slots)) // of the true neighbours among the hits
	var total index.Work
	began := time.Now()
	for q := range places {
		hits, err := cal.ask(ctx, idx, space, q, index.Params{K: k, EF: ef, Work: &total})
		if err != nil {
			return nil, err
		}
		places[q] = found(truth[q], hits)
	}
	asked := float64(max(1, len(places)))
	micros := float64(time.Since(began).Microseconds()) / asked
	point := func(rerank int) CalibrationPoint {
		shares := make([]float64, len(places))
		for q, at := range places {
			n := len(at)
			if rerank > 0 {
				n, _ = slices.BinarySearch(at, rerank)
			}
			shares[q] = float64(n) / cal.perQuery
		}
		mean, promised := promise(shares)
		return CalibrationPoint{Space: space, Recall: mean, Promised: promised, EF: ef, Rerank: rerank,
			Microseconds: micros, Cost: cal.gen.cost(total, asked, ef, rerank)}
	}
	if space == SpaceLatent {
		return []CalibrationPoint{point(0)}, nil
	}
	var out []CalibrationPoint
	for _, r := range widths {
		if r <= ef {
			out = append(out, point(r))
		}
	}
	return out, nil
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
