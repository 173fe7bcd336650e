package embed

import (
	"context"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed/internal/vec"
)

// TrueNeighbours is the number of true neighbours that recall looks for.
const TrueNeighbours = 10

// Evaluation is how well latents keep what rows say, measured on held-out rows.
type Evaluation struct {
	// MSE is the mean squared error per feature in standardised units, and
	// MSEInput in the record's own. Both are of the record's own features.
	MSE, MSEInput float64
	// Recall10, 50 and 100 are the share of a row's true 10 nearest training
	// rows among its 10, 50 and 100 nearest in latent space. Of rows of two views
	// they are the share of rows whose one view finds the other, among those of all
	// held-out and training rows, as one of its 10, 50 and 100 nearest; the mean of
	// both ways.
	Recall10, Recall50, Recall100 float64
	// rank is the mean of 1/r where the other view is the r-th nearest; 0 of rows of
	// one view.
	rank   float64
	viewed bool
	// whole is MSE over all features: what training lowers.
	whole float64
}

// losesNothingTo tells whether e is no worse than base in error and in
// recall@50, or with two views in recall@10. An error that is not a number loses.
func (e Evaluation) losesNothingTo(base Evaluation) bool {
	if e.viewed {
		return e.whole <= base.whole && e.Recall10 >= base.Recall10
	}
	return e.whole <= base.whole && e.Recall50 >= base.Recall50
}

// betters tells whether an epoch is better than another: by its rank, of rows of two
// views, else by its error.
func (e Evaluation) betters(other Evaluation) bool {
	if e.rank != other.rank {
		return e.rank > other.rank
	}
	return e.whole < other.whole
}

// admits tells whether an epoch that scored s may be kept beside PCA's floor. Among
// few references both find nearly all neighbours in the first 50, and one or two
// that chance moved must not decide: a standard error is let pass if the first 10
// hold more of them. The final score decides without it, on other rows.
func (e *examiner) admits(s, floor Evaluation) bool {
	if s.losesNothingTo(floor) || s.viewed {
		return s.losesNothingTo(floor)
	}
	n := float64(len(e.truth) * TrueNeighbours)
	missed, allowed := math.Round((1-s.Recall50)*n), math.Round((1-floor.Recall50)*n)
	return s.whole <= floor.whole && s.Recall10 > floor.Recall10 && missed <= allowed+math.Sqrt(max(1, allowed))
}

// examiner scores models on fixed held-out rows against fixed reference rows.
type examiner struct {
	inputScale []float32
	own        int // how many of the first features are the record's own
	queries    blas32.General
	references blas32.General
	truth      [][]uint32 // per query, its nearest references, ascending ids
	workers    int
}

// newExaminer finds the true neighbours of queries among references by exact
// scan, in the standardised units of base: far from the origin, distances
// between rows as they come would drown in rounding. Cost: one
// queries×references product.
func newExaminer(ctx context.Context, base *Model, cfg *Config, queries, references blas32.General) (*examiner, error) {
	e := &examiner{inputScale: cfg.InputScale, own: cfg.Own, queries: queries, references: references, workers: cfg.Workers}
	if base.views != nil {
		return e, nil // the other view is the truth
	}
	u := NewMatrix(queries.Rows, queries.Cols)
	base.standardise(u, queries)
	buf := NewMatrix(min(scanChunk, references.Rows), references.Cols)
	lists, err := nearest(ctx, u, references.Rows, TrueNeighbours, func(lo, hi int) blas32.General {
		chunk := rowsOf(buf, 0, hi-lo)
		base.standardise(chunk, rowsOf(references, lo, hi))
		return chunk
	})
	if err != nil {
		return nil, err
	}
	for _, l := range lists {
		slices.Sort(l)
	}
	e.truth = lists
	return e, nil
}

// score evaluates a model. With int8 set, the latents are rounded to their int8
// codes first.
func (e *examiner) score(ctx context.Context, m *Model, int8 bool) (Evaluation, error) {
	if m.views != nil {
		return e.scoreViews(ctx, m, int8)
	}
	zq, zr, err := e.encode(ctx, m)
	if err != nil {
		return Evaluation{}, err
	}
	if int8 {
		m.Round(zq.Data)
		m.Round(zr.Data)
	}
	var out Evaluation
	if err := e.measureError(m, zq, &out); err != nil {
		return out, err
	}
	lists, err := nearest(ctx, zq, zr.Rows, 100, func(lo, hi int) blas32.General { return rowsOf(zr, lo, hi) })
	if err != nil {
		return out, err
	}
	for _, cut := range []struct {
		r   int
		dst *float64
	}{{10, &out.Recall10}, {50, &out.Recall50}, {100, &out.Recall100}} {
		found, wanted := 0, 0
		for i, truth := range e.truth {
			wanted += len(truth)
			for _, r := range lists[i][:min(cut.r, len(lists[i]))] {
				if contains(truth, r) {
					found++
				}
			}
		}
		*cut.dst = float64(found) / float64(max(1, wanted))
	}
	return out, nil
}

// encode gives the latents of queries and references.
func (e *examiner) encode(ctx context.Context, m *Model) (zq, zr blas32.General, err error) {
	zq, zr = NewMatrix(e.queries.Rows, m.dim), NewMatrix(e.references.Rows, m.dim)
	if err = encodeParallel(ctx, m, zq, e.queries, e.workers); err == nil {
		err = encodeParallel(ctx, m, zr, e.references, e.workers)
	}
	return zq, zr, err
}

func contains(ascending []uint32, v uint32) bool {
	_, found := slices.BinarySearch(ascending, v)
	return found
}

// measureError decodes the latents and compares them with the queries' rows.
func (e *examiner) measureError(m *Model, z blas32.General, out *Evaluation) error {
	decoded := NewMatrix(z.Rows, m.Features())
	if err := m.Decode(decoded, z); err != nil {
		return err
	}
	residual := make([]float32, decoded.Cols)
	for i := range decoded.Rows {
		want, got := Row(e.queries, i), Row(decoded, i)
		m.Residual(residual, want, got)
		for j, r := range residual {
			square := float64(r) * float64(r)
			out.whole += square
			if j >= e.own {
				continue
			}
			out.MSE += square
			d := float64(got[j]) - float64(want[j])
			if e.inputScale != nil {
				d *= float64(e.inputScale[j])
			}
			out.MSEInput += d * d
		}
	}
	out.whole /= float64(decoded.Rows * (decoded.Cols - len(m.views)))
	n := float64(decoded.Rows * (min(e.own, decoded.Cols) - len(m.views)))
	out.MSE /= n
	out.MSEInput /= n
	return nil
}

// encodeParallel is Encode over workers, with cancellation. It cuts where Encode
// does, so that the number of workers does not change a rounding.
func encodeParallel(ctx context.Context, m *Model, dst, rows blas32.General, workers int) error {
	batches := (rows.Rows + encodeBatch - 1) / encodeBatch
	errs := make([]error, batches)
	parallel(workers, batches, 1, func(from, to int) {
		for b := from; b < to; b++ {
			if errs[b] = ctx.Err(); errs[b] != nil {
				return
			}
			lo, hi := b*encodeBatch, min((b+1)*encodeBatch, rows.Rows)
			errs[b] = m.Encode(rowsOf(dst, lo, hi), rowsOf(rows, lo, hi))
		}
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// scanChunk is how many references are compared with all queries at once.
const scanChunk = 1024

// nearest lists, per query, the k nearest of count references by Euclidean
// distance, nearest first, equal distances by ascending row. chunk gives
// references lo to hi, valid until its next call.
func nearest(ctx context.Context, queries blas32.General, count, k int, chunk func(lo, hi int) blas32.General) ([][]uint32, error) {
	found := make([]smallest, queries.Rows)
	dist, norms := make([]float32, queries.Rows*scanChunk), make([]float32, scanChunk)
	for lo := 0; lo < count; lo += scanChunk {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		references := chunk(lo, min(lo+scanChunk, count))
		for j := range references.Rows {
			norms[j] = vec.Squares(Row(references, j))
		}
		// ‖q‖² is the same for all of a query's references: leave it out.
		d := MatrixOf(dist[:queries.Rows*references.Rows], references.Rows)
		gemm(blas.NoTrans, blas.Trans, -2, queries, references, 0, d)
		for i := range d.Rows {
			for j, v := range Row(d, i) {
				found[i].offer(k, candidate{v + norms[j], uint32(lo + j)})
			}
		}
	}
	out := make([][]uint32, queries.Rows)
	for i := range found {
		out[i] = found[i].ascending()
	}
	return out, nil
}
