package store

import (
	"context"
	"fmt"
	"math"

	"github.com/latentdb/latentdb/index"
)

const (
	// graphPoints is how many points there are at least before EngineAuto builds a
	// graph: below, scanning cells was faster on all data that was measured, and
	// building a graph takes longer than training.
	graphPoints = 100_000
	// hysteresis is by how much another engine must be cheaper than that of the
	// generation before to take its place.
	hysteresis = 0.1
)

// chooseEngine measures the engines there are, and lets the cheapest serve of those
// whose recall in latent space is the collection's: the exact scan at least.
func (cal *calibration) chooseEngine(ctx context.Context) error {
	gen := cal.gen
	candidates, err := cal.candidates(ctx)
	if err != nil {
		return err
	}
	var best *candidate
	for _, c := range candidates {
		if err := cal.examine(ctx, c); err != nil {
			return err
		}
		if c.meets && (best == nil || c.price < best.price) {
			best = c
		}
	}
	if best.idx == nil {
		if best.idx, err = cal.flat(ctx, math.MaxInt); err != nil {
			return err
		}
	}
	gen.index, gen.report.Engine = best.idx, best.report.Name
	gen.report.Engines = nil
	for _, c := range candidates {
		c.explain(best, cal.c.Config().Recall)
		gen.report.Engines = append(gen.report.Engines, c.report)
	}
	if cal.c.Config().Engine == EngineAuto && gen.index.Len() < graphPoints {
		gen.report.Engines = append(gen.report.Engines, EngineReport{Name: EngineHNSW,
			Reason: fmt.Sprintf("not built: below %d points, cells are faster", graphPoints)})
	}
	return nil
}

// candidate is an engine that may serve.
type candidate struct {
	// idx is nil for an exact scan that would have to be built.
	idx    index.Index
	report EngineReport
	meets  bool
	price  float64 // its cost, less what a change of engine must gain
}

// candidates are the index that the fit built, a graph beside it where the engine
// is to be chosen among many points, and the exact scan.
func (cal *calibration) candidates(ctx context.Context) ([]*candidate, error) {
	gen := cal.gen
	out := []*candidate{{idx: gen.index}}
	if cal.c.Config().Engine == EngineAuto && gen.index.Len() >= graphPoints {
		graph, err := cal.rebuilt(ctx, index.HNSW, math.MaxInt)
		if err != nil {
			return nil, err
		}
		out = append(out, &candidate{idx: graph})
	}
	if gen.index.Engine() != EngineFlat {
		out = append(out, &candidate{})
	}
	return out, nil
}

// examine measures a candidate.
func (cal *calibration) examine(ctx context.Context, c *candidate) error {
	if c.idx == nil {
		return cal.examineScan(ctx, c)
	}
	widest := searchWidths[len(searchWidths)-1]
	c.report = EngineReport{Name: c.idx.Engine(), BytesPerPoint: bytesPerPoint(c.idx)}
	points, err := cal.atWidth(ctx, c.idx, SpaceLatent, widest, nil)
	if err != nil {
		return err
	}
	target := cal.c.Config().Recall
	at := points[0]
	c.report.Recall, c.meets = at.Recall, at.Recall >= target || c.report.Name == EngineFlat
	space := cal.c.Config().indexedSpace()
	curve, err := cal.curve(ctx, c.idx, space)
	if err != nil {
		return err
	}
	if p, ok := cal.gen.setting(curve, space, target); ok {
		at = p
	} else if len(curve) > 0 {
		at = curve[len(curve)-1]
	}
	c.report.Microseconds, c.report.Cost = at.Microseconds, at.Cost
	c.setPrice(cal.c.active.Load())
	return nil
}

// examineScan measures the exact scan by that of the index there is, and what an
// index for it would take by a small one: a large one only to be measured would
// be a good part of a fit's memory.
func (cal *calibration) examineScan(ctx context.Context, c *candidate) error {
	small, err := cal.flat(ctx, flatSample)
	if err != nil {
		return err
	}
	scan := exactly{cal.gen.index}
	measured := &candidate{idx: scan}
	if err := cal.examine(ctx, measured); err != nil {
		return err
	}
	*c = *measured
	c.idx, c.report.BytesPerPoint = nil, bytesPerPoint(small)
	c.setPrice(cal.c.active.Load())
	return nil
}

// flatSample is how many points tell what the exact index takes for each.
const flatSample = 10_000

// exactly is the exact scan of an index, under the exact engine's name.
type exactly struct{ index.Index }

func (exactly) Engine() string { return EngineFlat }

func (e exactly) Search(dst []index.Hit, query []float32, p index.Params) ([]index.Hit, error) {
	p.Exact = true
	return e.Index.Search(dst, query, p)
}

// setPrice favours the engine that served before.
func (c *candidate) setPrice(before *generation) {
	if c.price = c.report.Cost; before.report != nil && before.report.Engine == c.report.Name {
		c.price *= 1 - hysteresis
	}
}

// explain says why a candidate serves or does not.
func (c *candidate) explain(best *candidate, target float64) {
	switch {
	case c == best:
		c.report.Chosen = true
		c.report.Reason = fmt.Sprintf("the cheapest that meets the recall of %.3g", target)
	case !c.meets:
		c.report.Reason = fmt.Sprintf("recall %.3f at its widest search is below %.3g: not used", c.report.Recall, target)
	case c.report.Cost < best.report.Cost:
		c.report.Reason = fmt.Sprintf("cheaper than %s by less than %.0f %%, which served before", best.report.Name, 100*hysteresis)
	default:
		c.report.Reason = fmt.Sprintf("a search costs more than by %s", best.report.Name)
	}
}

func bytesPerPoint(idx index.Index) float64 {
	return math.Round(float64(idx.Bytes())/float64(max(1, idx.Len()))*10) / 10
}

// flat makes the exact index of the first most of the rows there are.
func (cal *calibration) flat(ctx context.Context, most int) (index.Index, error) {
	return cal.rebuilt(ctx, index.Flat, most)
}

// rebuilt is an index by another engine of the first most of the rows there are.
func (cal *calibration) rebuilt(ctx context.Context, engine index.Engine, most int) (index.Index, error) {
	gen := cal.gen
	out, err := cal.c.newIndex(gen, engine)
	if err != nil {
		return nil, err
	}
	var slots []uint32
	var rows []float32
	width := gen.width()
	flush := func() error {
		err := putRows(ctx, out, slots, rows, cal.c.opts.Workers)
		slots, rows = slots[:0], rows[:0]
		return err
	}
	row := make([]float32, width)
	for slot := range gen.index.Slots() {
		if out.Len()+len(slots) >= most {
			break
		}
		if gen.index.Row(row, slot) {
			slots, rows = append(slots, slot), append(rows, row...)
		}
		if len(slots) == bulkRows {
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	return out, inOrder(ctx, out)
}

// inOrder lets an index that was just built put its rows where searches find them
// near each other.
func inOrder(ctx context.Context, idx index.Index) error {
	if c, ok := idx.(index.Compacter); ok {
		return c.Compact(ctx)
	}
	return nil
}

// bulkRows is how many rows an index is given at a time.
const bulkRows = 1 << 16

// putRows puts rows into an index, many at once where it takes them so.
func putRows(ctx context.Context, idx index.Index, slots []uint32, rows []float32, workers int) error {
	if bulk, ok := idx.(index.Bulk); ok {
		return bulk.UpsertMany(ctx, slots, rows, workers)
	}
	width := idx.Dim()
	for i, slot := range slots {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := idx.Upsert(slot, rows[i*width:(i+1)*width]); err != nil {
			return err
		}
	}
	return nil
}
