package embed

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed/internal/vec"
)

const (
	// crowdRows is how many reference rows tell how crowded it is around a row, of which
	// crowdShare are near, and crowdLeast at least.
	crowdRows, crowdShare, crowdLeast = 1000, .1, 50
	// suspectShare is how many of the rows, those in the emptiest places, are no reference
	// in the second pass.
	suspectShare = .15
	// trustedNearest is how many of the trusted rows count that are nearest to a new one.
	trustedNearest = 3
	// trustedRows and trustedValues bound the trusted rows, and their values in all.
	trustedRows, trustedValues = 16_384, 1 << 20
)

// Detector measures how strange rows are beside those it was fitted on. Two questions are
// told apart. Which of these rows are strange, some of them being so (outlier detection)?
// A row is where few others are, which is seen by the distance to the nearest tenth of a
// thousand references, without those that look strange themselves; and it lies far from
// where most are, which is seen by its distance to a robust Gaussian. And is a new row
// strange beside these, which are all trusted (novelty detection)? Then it is far from the
// nearest of them. Features are standardised by what most rows have.
//
// A Detector is immutable and safe for concurrent use.
type Detector struct {
	scale    *robustScale
	gaussian *robustGaussian
	crowd    reference
	trusted  reference
	// near is how many of the crowd are near.
	near int
	// trustedAt are the places of the trusted rows among those it was fitted on.
	trustedAt []int
}

// reference is rows that others are compared with.
type reference struct {
	rows  blas32.General
	norms []float32
}

func newReference(rows blas32.General) reference {
	r := reference{rows: rows, norms: make([]float32, rows.Rows)}
	for i := range r.norms {
		r.norms[i] = vec.Squares(Row(rows, i))
	}
	return r
}

// Strangeness is how strange a row is, by measures whose scale is their own: larger is
// stranger.
type Strangeness struct {
	// Crowd is the mean distance to the near references, Spread the distance to the
	// robust Gaussian.
	Crowd, Spread float32
}

// FitDetector fits a detector to rows (n×D), at least 3. Same rows and seed: same
// detector. Cost: two passes over the rows with a thousand distances each, and ten
// eigendecompositions of 128×128 at most.
func FitDetector(ctx context.Context, rows blas32.General, seed uint64, workers int) (*Detector, error) {
	if rows.Rows < MinRows || rows.Cols < 1 || !wellFormed(rows) {
		return nil, fmt.Errorf("%w: a detector needs at least %d rows of 1 value, has %d of %d", ErrData, MinRows, rows.Rows, rows.Cols)
	}
	if i := firstNotFinite(rows); i >= 0 {
		return nil, fmt.Errorf("%w: row %d is not finite", ErrData, i)
	}
	d := &Detector{scale: fitRobustScale(rows)}
	scaled := d.scale.applyAll(rows, workers)
	rng := rand.New(rand.NewPCG(seed, 0x6f646574))
	if err := d.fitCrowd(ctx, scaled, rng, workers); err != nil {
		return nil, err
	}
	var err error
	if d.gaussian, err = fitRobustGaussian(ctx, scaled, workers); err != nil {
		return nil, err
	}
	d.trustedAt = drawn(everyRow(scaled.Rows), min(trustedRows, max(1, trustedValues/scaled.Cols)), rng)
	d.trusted = newReference(gathered(scaled, d.trustedAt))
	return d, ctx.Err()
}

// fitCrowd draws references from all rows, and again from those that are not suspect.
func (d *Detector) fitCrowd(ctx context.Context, scaled blas32.General, rng *rand.Rand, workers int) error {
	candidates := everyRow(scaled.Rows)
	for pass := range 2 {
		if err := ctx.Err(); err != nil {
			return err
		}
		d.crowd = newReference(gathered(scaled, drawn(candidates, crowdRows, rng)))
		n := d.crowd.rows.Rows
		d.near = min(max(crowdLeast, int(crowdShare*float64(n))), max(1, n-1))
		if pass == 0 {
			distances := d.crowd.nearest(scaled, d.near, workers)
			candidates = leastOf(distances, max(MinRows, int((1-suspectShare)*float64(len(distances)))))
		}
	}
	return nil
}

func everyRow(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// drawn are n of the rows that are named, or all of them, in their order.
func drawn(from []int, n int, rng *rand.Rand) []int {
	if len(from) <= n {
		return from
	}
	from = slices.Clone(from)
	rng.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
	from = from[:n]
	slices.Sort(from)
	return from
}

func gathered(rows blas32.General, from []int) blas32.General {
	out := NewMatrix(len(from), rows.Cols)
	gather(out, rows, from)
	return out
}

// Measure measures rows (n×D) among the others: Crowd and Spread.
func (d *Detector) Measure(rows blas32.General, workers int) ([]Strangeness, error) {
	scaled, err := d.scaled(rows, workers)
	if err != nil {
		return nil, err
	}
	out := make([]Strangeness, rows.Rows)
	reduced, err := d.gaussian.reduce(scaled)
	if err != nil {
		return nil, err
	}
	for i, v := range d.gaussian.distances(reduced, workers) {
		out[i].Spread = v
	}
	for i, v := range d.crowd.nearest(scaled, d.near, workers) {
		out[i].Crowd = v
	}
	return out, nil
}

// Novelty is the mean distance of each row (n×D) to the nearest trusted rows. stored tells
// that the rows are among the trusted ones: then those that are the same do not count as
// near, as often as once.
func (d *Detector) Novelty(rows blas32.General, stored bool, workers int) ([]float32, error) {
	scaled, err := d.scaled(rows, workers)
	if err != nil {
		return nil, err
	}
	out := make([]float32, rows.Rows)
	d.trusted.eachDistances(scaled, workers, func(i int, squares []float32) {
		out[i] = meanOfNearest(squares, trustedNearest, stored)
	})
	return out, nil
}

// NoveltyAmong is Novelty of one row beside rows that are given, the nearest among them.
func (d *Detector) NoveltyAmong(row []float32, trusted blas32.General) (float32, error) {
	one, err := d.scaled(MatrixOf(row, len(row)), 1)
	if err != nil {
		return 0, err
	}
	others, err := d.scaled(trusted, 1)
	if err != nil {
		return 0, err
	}
	squares := make([]float32, others.Rows)
	for i := range squares {
		squares[i] = float32(squaredDistance(one.Data, Row(others, i)))
	}
	return meanOfNearest(squares, trustedNearest, false), nil
}

func (d *Detector) scaled(rows blas32.General, workers int) (blas32.General, error) {
	if rows.Cols != len(d.scale.center) || !wellFormed(rows) {
		return rows, fmt.Errorf("%w: rows have %d values, want %d", ErrData, rows.Cols, len(d.scale.center))
	}
	return d.scale.applyAll(rows, workers), nil
}

// TrustedAt are the places of the trusted rows among those that the detector was fitted
// on, ascending. They must not be changed.
func (d *Detector) TrustedAt() []int { return d.trustedAt }

// nearest is the mean distance of each row to the k nearest references.
func (r reference) nearest(rows blas32.General, k, workers int) []float32 {
	out := make([]float32, rows.Rows)
	r.eachDistances(rows, workers, func(i int, squares []float32) { out[i] = meanOfNearest(squares, k, false) })
	return out
}

// distanceRows is how many rows are compared at once.
const distanceRows = 64

// eachDistances calls f with the squared distances of each row to all references, which f
// may reorder.
func (r reference) eachDistances(rows blas32.General, workers int, f func(i int, squares []float32)) {
	if r.rows.Rows == 0 {
		return
	}
	parallel(workers, rows.Rows, distanceRows, func(from, to int) {
		buf := NewMatrix(min(distanceRows, to-from), r.rows.Rows)
		for lo := from; lo < to; lo += distanceRows {
			hi := min(lo+distanceRows, to)
			squares := rowsOf(buf, 0, hi-lo)
			gemm(blas.NoTrans, blas.Trans, -2, rowsOf(rows, lo, hi), r.rows, 0, squares)
			for i := lo; i < hi; i++ {
				vec.AddNorms(Row(squares, i-lo), r.norms, vec.Squares(Row(rows, i)))
				f(i, Row(squares, i-lo))
			}
		}
	})
}

// meanOfNearest is the mean of the roots of the k least squares. It reorders them.
func meanOfNearest(squares []float32, k int, butSelf bool) float32 {
	if butSelf {
		k++
	}
	k = min(k, len(squares))
	selectLeast(squares, k)
	least := squares[:k]
	var sum float64
	lowest := math.Inf(1)
	for _, s := range least {
		root := math.Sqrt(max(0, float64(s)))
		sum += root
		lowest = min(lowest, root)
	}
	if butSelf && k > 1 {
		return float32((sum - lowest) / float64(k-1))
	}
	return float32(sum / float64(max(1, k)))
}

// selectLeast puts the k least values first, in no order: Hoare's quickselect.
func selectLeast(v []float32, k int) {
	lo, hi := 0, len(v)-1
	for lo < hi && k > 0 && k <= len(v) {
		pivot := v[lo+(hi-lo)/2]
		i, j := lo, hi
		for i <= j {
			for v[i] < pivot {
				i++
			}
			for v[j] > pivot {
				j--
			}
			if i <= j {
				v[i], v[j] = v[j], v[i]
				i++
				j--
			}
		}
		switch {
		case k-1 <= j:
			hi = j
		case k-1 >= i:
			lo = i
		default:
			return
		}
	}
}
