package store

import (
	"context"
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
var searchWidths = []int{10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024}

// calibration measures a generation's search on points held out of training.
type calibration struct {
	c     *Collection
	gen   *generation
	slots []uint32       // the queries' own points, which do not answer
	rows  blas32.General // their feature rows
	z     blas32.General // their latents, as stored
	// truthInput and truthLatent are the slots at most as far as the true 10th
	// neighbour, in either space.
	truthInput, truthLatent []map[uint32]bool
	perQuery                float64 // true neighbours per query
}

// measure decides which engine serves, and what each recall costs. An engine
// whose recall in latent space stays below the collection's is not used: the
// exact scan takes its place.
func (c *Collection) measure(ctx context.Context, gen *generation, sample *fitSample) error {
	if err := gen.measureResiduals(sample); err != nil {
		return err
	}
	cal, err := newCalibration(ctx, c, gen, sample)
	if err != nil {
		return err
	}
	if err := cal.engines(ctx); err != nil {
		return err
	}
	latent, err := cal.curve(ctx, SpaceLatent)
	if err != nil {
		return err
	}
	input, err := cal.curve(ctx, SpaceInput)
	gen.report.Calibration = slices.Concat(latent, input)
	return err
}

// measureResiduals keeps how well held-out rows are reconstructed.
func (g *generation) measureResiduals(sample *fitSample) error {
	sum := make([]float64, g.fitted.Width())
	held := sample.rows.Rows
	for i := range held {
		_, residual, err := g.residual(embed.Row(sample.rows, i))
		if err != nil {
			return err
		}
		e := meanSquare(residual)
		g.stats.HeldOutMSE += e / float64(held)
		g.stats.MaxHeldOutMSE = max(g.stats.MaxHeldOutMSE, e)
		for j, x := range residual {
			sum[j] += float64(x) * float64(x) / float64(held)
		}
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
	if err := cal.findTruth(ctx); err != nil {
		return nil, err
	}
	return cal, nil
}

// findTruth scans all points once for the true neighbours of all queries in
// input space, and asks the index's exact scan for those in latent space.
func (cal *calibration) findTruth(ctx context.Context) error {
	n := len(cal.slots)
	tops := make([]*index.TopK, n)
	for i := range tops {
		tops[i] = index.NewTopK(calibrationK + truthTies)
	}
	distance := cal.c.Config().Metric.Kernel()
	err := cal.c.eachRow(ctx, cal.gen, nil, func(chunk []storedRecord, rows []float32) error {
		width := cal.rows.Cols
		inParallel(cal.c.opts.Workers, n, func(q int) {
			row := embed.Row(cal.rows, q)
			for i, r := range chunk {
				if r.slot != cal.slots[q] {
					tops[q].Push(index.Hit{Slot: r.slot, Distance: distance(row, rows[i*width:(i+1)*width])})
				}
			}
		})
		return nil
	})
	if err != nil {
		return err
	}
	for q := range n {
		hits, err := cal.ask(ctx, q, index.Params{K: calibrationK + truthTies, Exact: true})
		if err != nil {
			return err
		}
		cal.truthInput = append(cal.truthInput, trueSlots(tops[q].AppendTo(nil)))
		cal.truthLatent = append(cal.truthLatent, trueSlots(hits))
	}
	cal.perQuery = float64(min(calibrationK, max(1, cal.gen.index.Len()-1)))
	return nil
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

// ask searches the index for a query's neighbours other than itself.
func (cal *calibration) ask(ctx context.Context, q int, p index.Params) ([]index.Hit, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.K++
	hits, err := cal.gen.index.Search(nil, embed.Row(cal.z, q), p)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	hits = slices.DeleteFunc(hits, func(h index.Hit) bool { return h.Slot == cal.slots[q] })
	return hits[:min(len(hits), p.K-1)], nil
}

// found is how many of the true neighbours are among hits, at most 10.
func found(truth map[uint32]bool, hits []index.Hit) float64 {
	n := 0
	for _, h := range hits {
		if truth[h.Slot] {
			n++
		}
	}
	return float64(min(n, calibrationK))
}

// engines measures the index that was built, and puts the exact scan in its
// place if it falls short.
func (cal *calibration) engines(ctx context.Context) error {
	gen, target := cal.gen, cal.c.Config().Recall
	rep, err := cal.engineReport(ctx)
	if err != nil {
		return err
	}
	name := gen.index.Engine()
	if rep.Recall >= target || name == EngineFlat {
		rep.Chosen, rep.Reason = true, fmt.Sprintf("meets the recall of %.3g", target)
		gen.report.Engines = []EngineReport{rep}
	} else {
		rep.Reason = fmt.Sprintf("recall %.3f at its widest search is below %.3g: not used", rep.Recall, target)
		gen.report.Engines = []EngineReport{rep}
	}
	gen.report.Engine = name
	if name == EngineFlat {
		return nil
	}
	flat, err := cal.flatReport(ctx)
	if err != nil {
		return err
	}
	if flat.Chosen = !rep.Chosen; flat.Chosen {
		flat.Reason = "the exact scan, for no other engine meets the recall"
		gen.report.Engine = EngineFlat
		if gen.index, err = cal.flat(ctx, math.MaxInt); err != nil {
			return err
		}
	} else {
		flat.Reason = "exact, but scans every latent"
	}
	gen.report.Engines = append(gen.report.Engines, flat)
	return nil
}

// flatSample is how many points tell what the exact index takes for each.
const flatSample = 10_000

// flatReport measures the exact scan by that of the index there is, and what an
// index for it would take by a small one: a large one only to be measured would
// be a good part of a fit's memory.
func (cal *calibration) flatReport(ctx context.Context) (EngineReport, error) {
	small, err := cal.flat(ctx, flatSample)
	if err != nil {
		return EngineReport{}, err
	}
	rep := EngineReport{Name: EngineFlat, Recall: 1, BytesPerPoint: bytesPerPoint(small)}
	began := time.Now()
	for q := range cal.slots {
		if _, err := cal.ask(ctx, q, index.Params{K: calibrationK, Exact: true}); err != nil {
			return rep, err
		}
	}
	rep.Microseconds = float64(time.Since(began).Microseconds()) / float64(len(cal.slots))
	return rep, nil
}

func bytesPerPoint(idx index.Index) float64 {
	return math.Round(float64(idx.Bytes())/float64(max(1, idx.Len()))*10) / 10
}

func (cal *calibration) engineReport(ctx context.Context) (EngineReport, error) {
	idx := cal.gen.index
	rep := EngineReport{Name: idx.Engine(), BytesPerPoint: bytesPerPoint(idx)}
	var sum float64
	began := time.Now()
	for q := range cal.slots {
		hits, err := cal.ask(ctx, q, index.Params{K: calibrationK, EF: searchWidths[len(searchWidths)-1]})
		if err != nil {
			return rep, err
		}
		sum += found(cal.truthLatent[q], hits)
	}
	n := float64(len(cal.slots))
	rep.Recall, rep.Microseconds = sum/n/cal.perQuery, float64(time.Since(began).Microseconds())/n
	return rep, nil
}

// flat makes the exact index of the rows that the present one holds, or of the
// first most of them.
func (cal *calibration) flat(ctx context.Context, most int) (index.Index, error) {
	gen := cal.gen
	flat, err := index.Flat.New(index.Config{Dim: gen.width(), Metric: Euclid})
	if err != nil {
		return nil, err
	}
	row := make([]float32, gen.width())
	for slot := range gen.index.Slots() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if flat.Len() == most {
			break
		}
		if gen.index.Row(row, slot) {
			if err := flat.Upsert(slot, row); err != nil {
				return nil, err
			}
		}
	}
	return flat, nil
}

// curve measures recall over settings of a space's search, cheapest first,
// keeping those that nothing cheaper matches.
func (cal *calibration) curve(ctx context.Context, space Space) ([]CalibrationPoint, error) {
	var points []CalibrationPoint
	widths := slices.DeleteFunc(slices.Clone(searchWidths), func(w int) bool {
		return w > 16 && w > 2*cal.gen.index.Len()
	})
	for _, ef := range widths {
		got, err := cal.atWidth(ctx, space, ef, widths)
		if err != nil {
			return nil, err
		}
		points = append(points, got...)
	}
	dim, features := float64(cal.gen.model.Dim()), float64(cal.rows.Cols)
	sortCalibration(points, func(p CalibrationPoint) float64 {
		// A step of the walk scores some 20 neighbours; a rerank fetches,
		// decodes and scores a record.
		return float64(p.EF)*20*dim + float64(p.Rerank)*(500+2*features)
	})
	best := -1.0
	return slices.DeleteFunc(points, func(p CalibrationPoint) bool {
		if p.Promised <= best {
			return true
		}
		best = p.Promised
		return false
	}), nil
}

// atWidth measures one ef, with every rerank up to it in input space.
func (cal *calibration) atWidth(ctx context.Context, space Space, ef int, widths []int) ([]CalibrationPoint, error) {
	began := time.Now()
	k, truth := calibrationK, cal.truthLatent
	if space == SpaceInput {
		k, truth = ef, cal.truthInput
	}
	lists := make([][]index.Hit, len(cal.slots))
	for q := range lists {
		var err error
		if lists[q], err = cal.ask(ctx, q, index.Params{K: k, EF: ef}); err != nil {
			return nil, err
		}
	}
	micros := float64(time.Since(began).Microseconds()) / float64(max(1, len(lists)))
	point := func(rerank int) CalibrationPoint {
		shares := make([]float64, len(lists))
		for q, l := range lists {
			if rerank > 0 {
				l = l[:min(rerank, len(l))]
			}
			shares[q] = found(truth[q], l) / cal.perQuery
		}
		mean, promised := promise(shares)
		return CalibrationPoint{Space: space, Recall: mean, Promised: promised, EF: ef, Rerank: rerank, Microseconds: micros}
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
