package embed

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed/internal/vec"
)

// Head maps rows to points on a sphere, so that what a row's edits give lies near what
// the row gives, and far from what others give: a second latent of a model, for telling
// copies. It is W u + MLP(u) of the standardised row u, made of length one. It is
// immutable and safe for concurrent use.
type Head struct {
	mean     []float32
	scale    float32
	straight *linear // D×d
	network  *mlp    // D to a hidden layer to d
}

// The recipe of a head: InfoNCE (van den Oord and others, 2018) between two views of
// each row of a batch, as SimCLR has it (Chen and others, 2020).
const (
	headHidden      = 128
	headBatch       = 128
	headTemperature = 0.1
	headRate        = 2e-3
	headDecay       = 0.1
	// headStart is how many rows the PCA is of that W starts from.
	headStart = 2000
	// HeadSteps is how many steps a head is trained for by default.
	HeadSteps = 500
	// LeastHeadRows is how many rows a head is trained on at least.
	LeastHeadRows = headBatch + 1
)

// HeadConfig says what to train.
type HeadConfig struct {
	// Dim is the size of what the head gives. Default 32.
	Dim int
	// Steps of 128 rows each; default HeadSteps.
	Steps int
	// Seed fixes everything drawn. Default 1.
	Seed uint64
	// Workers bounds the goroutines; it changes no result. Default 1.
	Workers int
}

// Views gives rows of width D: row i as it is, and row i edited, as a generator says.
// Both may be called from many goroutines.
type Views interface {
	Rows() int
	Width() int
	Plain(dst []float32, i int)
	Edited(dst []float32, i int, rng *rand.Rand)
}

// TrainHead trains a head. It returns ErrData for fewer than LeastHeadRows rows.
//
// Cost: Steps·256 views, half of them and a quarter edited, and about
// Steps·1,500·D·(h+d) operations.
func TrainHead(ctx context.Context, views Views, cfg HeadConfig) (*Head, error) {
	if cfg.Dim == 0 {
		cfg.Dim = 32
	}
	if cfg.Steps == 0 {
		cfg.Steps = HeadSteps
	}
	if cfg.Seed == 0 {
		cfg.Seed = 1
	}
	cfg.Workers = max(1, cfg.Workers)
	switch n, d := views.Rows(), views.Width(); {
	case n < LeastHeadRows:
		return nil, fmt.Errorf("%w: %d rows, a head needs %d", ErrData, n, LeastHeadRows)
	case d < 1 || d > maxFeatures:
		return nil, fmt.Errorf("%w: %d features", ErrConfig, d)
	case cfg.Dim < 1 || cfg.Dim > maxWidth || cfg.Steps < 1:
		return nil, fmt.Errorf("%w: a head of %d numbers in %d steps", ErrConfig, cfg.Dim, cfg.Steps)
	}
	t := &headTrainer{views: views, cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 0x4ead))}
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	for step := range cfg.Steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		t.draw()
		t.gradients()
		t.optimiser.update(oneCycle(headRate, step, cfg.Steps), cfg.Workers)
	}
	for _, p := range t.head.params() {
		if !vec.Finite(p.value) {
			return nil, fmt.Errorf("%w: the head's training diverged", ErrData)
		}
	}
	return t.head, nil
}

// headTrainer is the state of a head's training. Of its 2B rows the first B are one view
// of the batch and the others the other.
type headTrainer struct {
	views     Views
	cfg       HeadConfig
	rng       *rand.Rand
	head      *Head
	optimiser *adam

	u       blas32.General // 2B×D
	z, dz   blas32.General // 2B×d: of length one; gradient
	lengths []float32      // 2B: before
	s       blas32.General // B×B
	tape    *tape
}

// begin makes the head that training starts with: PCA of some rows as they are.
func (t *headTrainer) begin(ctx context.Context) error {
	n, width := t.views.Rows(), t.views.Width()
	sample := NewMatrix(min(n, headStart), width)
	order := t.rng.Perm(n)
	parallel(t.cfg.Workers, sample.Rows, 16, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			t.views.Plain(Row(sample, i), order[i])
		}
	})
	if i := firstNotFinite(sample); i >= 0 {
		return fmt.Errorf("%w: row %d is not finite", ErrData, order[i])
	}
	pca, err := fitPCA(ctx, NumericLayout(width), sample, t.cfg.Dim)
	if err != nil {
		return err
	}
	t.head = &Head{mean: pca.mean, scale: pca.scale, straight: pca.enc, network: newMLP([]int{width, headHidden, t.cfg.Dim}, t.rng)}
	vec.Scale(pca.enc.w.Data, pca.enc.w.Data, 1/pca.sigma)
	t.optimiser = newAdam(t.head.params(), headDecay)
	t.u, t.z, t.dz = NewMatrix(2*headBatch, width), NewMatrix(2*headBatch, t.cfg.Dim), NewMatrix(2*headBatch, t.cfg.Dim)
	t.lengths, t.s, t.tape = make([]float32, 2*headBatch), NewMatrix(headBatch, headBatch), t.head.network.newTape(2*headBatch)
	return nil
}

// draw makes the views of a batch of different rows: one edited, the other so half of the
// time. Each has a generator of its own, so that they can be made at once.
func (t *headTrainer) draw() {
	n := t.views.Rows()
	chosen, seen := make([]int, 0, headBatch), make(map[int]bool, headBatch)
	for len(chosen) < headBatch {
		if i := t.rng.IntN(n); !seen[i] {
			seen[i], chosen = true, append(chosen, i)
		}
	}
	seed := t.rng.Uint64()
	parallel(t.cfg.Workers, 2*headBatch, 4, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			row := Row(t.u, i)
			if i < headBatch && rng.IntN(2) == 0 {
				t.views.Plain(row, chosen[i])
			} else {
				t.views.Edited(row, chosen[i%headBatch], rng)
			}
			vec.Standardise(row, row, t.head.mean, 1/t.head.scale)
		}
	})
}

// gradients leaves those of the batch's loss in the head's parameters: the mean, over
// rows and both ways, of the cross-entropy of telling a row's other view among all other
// views by their cosines over the temperature.
func (t *headTrainer) gradients() (loss float64) {
	h := t.head
	h.forward(t.z, t.u, t.tape, t.lengths, t.cfg.Workers)
	a, b := rowsOf(t.z, 0, headBatch), rowsOf(t.z, headBatch, 2*headBatch)
	gemm(blas.NoTrans, blas.Trans, 1/float32(headTemperature), a, b, 0, t.s)
	loss = infoNCE(t.s)
	da, db := rowsOf(t.dz, 0, headBatch), rowsOf(t.dz, headBatch, 2*headBatch)
	gemm(blas.NoTrans, blas.NoTrans, 1/float32(headTemperature), t.s, b, 0, da)
	gemm(blas.Trans, blas.NoTrans, 1/float32(headTemperature), t.s, a, 0, db)
	for i := range t.z.Rows { // through the length: only what is across z counts
		z, dz := Row(t.z, i), Row(t.dz, i)
		var along float32
		for k, v := range z {
			along += v * dz[k]
		}
		for k, v := range z {
			dz[k] = (dz[k] - along*v) / t.lengths[i]
		}
	}
	h.straight.backward(blas32.General{}, t.dz, t.u, false)
	h.network.backward(blas32.General{}, t.dz, t.u, t.tape, t.cfg.Workers)
	return loss
}

// infoNCE replaces a B×B matrix of scores, of which the diagonal is of pairs, by the
// gradient of the loss, and returns that.
func infoNCE(s blas32.General) (loss float64) {
	n := s.Rows
	rows, columns := make([]float64, n), make([]float64, n) // sums of exp
	var top float32
	for i := range n {
		for _, v := range Row(s, i) {
			top = max(top, v)
		}
	}
	for i := range n {
		for j, v := range Row(s, i) {
			e := math.Exp(float64(v - top))
			rows[i] += e
			columns[j] += e
		}
	}
	for i := range n {
		own := float64(Row(s, i)[i] - top)
		loss += (math.Log(rows[i])+math.Log(columns[i]))/2 - own
	}
	for i := range n {
		row := Row(s, i)
		for j, v := range row {
			e := math.Exp(float64(v - top))
			row[j] = float32((e/rows[i] + e/columns[j]) / 2 / float64(n))
		}
		row[i] -= 1 / float32(n)
	}
	return loss / float64(n)
}

// forward writes what the head gives for standardised rows, and their lengths before.
func (h *Head) forward(z, u blas32.General, t *tape, lengths []float32, workers int) {
	zero(z)
	h.network.forward(z, u, t, workers)
	h.straight.forward(z, u, true)
	for i := range z.Rows {
		row := Row(z, i)
		lengths[i] = float32(math.Sqrt(float64(vec.Squares(row)))) + 1e-12
		vec.Scale(row, row, 1/lengths[i])
	}
}

func (h *Head) params() []param {
	ps := h.straight.params()
	ps[0].decay = false // it starts at PCA, not at zero
	return append(ps, h.network.params()...)
}

// Features is the width D of a row.
func (h *Head) Features() int { return len(h.mean) }

// Dim is the size of what the head gives.
func (h *Head) Dim() int { return h.straight.w.Cols }

// Encode writes what the head gives for rows (n×D) to dst (n×d), each of length one.
// Rows that are not finite are refused with ErrData.
func (h *Head) Encode(dst, rows blas32.General) error {
	switch {
	case !wellFormed(dst) || !wellFormed(rows):
		return fmt.Errorf("%w: a matrix is shorter than its shape", ErrData)
	case rows.Cols != h.Features() || dst.Cols != h.Dim() || dst.Rows != rows.Rows:
		return fmt.Errorf("%w: %d×%d to %d×%d, the head makes %d of %d numbers", ErrData, rows.Rows, rows.Cols, dst.Rows, dst.Cols, h.Dim(), h.Features())
	}
	if i := firstNotFinite(rows); i >= 0 {
		return fmt.Errorf("%w: row %d is not finite", ErrData, i)
	}
	n := min(encodeBatch, rows.Rows)
	u, t, lengths := NewMatrix(n, rows.Cols), h.network.newTape(n), make([]float32, n)
	for lo := 0; lo < rows.Rows; lo += encodeBatch {
		hi := min(lo+encodeBatch, rows.Rows)
		part := rowsOf(u, 0, hi-lo)
		for i := range part.Rows {
			vec.Standardise(Row(part, i), Row(rows, lo+i), h.mean, 1/h.scale)
		}
		h.forward(rowsOf(dst, lo, hi), part, t, lengths, 1)
	}
	return nil
}
