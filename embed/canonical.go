package embed

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/mat"
)

// Canonical correlation (Hotelling, 1936) finds the directions of two views that
// correlate most. It is to rows of two views what PCA is to others: the linear model
// that training starts from and must not lose to.

const (
	// directWidth is the width up to which a view's covariance is inverted; of a wider
	// view that of its leading components is, reducedWidth at most.
	directWidth, reducedWidth = 1024, 512
	// reducingIterations and canonicalIterations are enough: what ranks high is what
	// matters, and not to how many digits.
	reducingIterations, canonicalIterations = 6, 20
	// decoderRidge keeps decoders finite where a latent's values depend on each other.
	decoderRidge = 1e-3
)

// canonical is the regularised canonical correlation of the views of rows.
type canonical struct {
	layout Layout
	rows   blas32.General
	sides  [2]canonicalSide
}

// canonicalSide is one view: its features are standardised by model and, where there
// are many, projected on basis (D×r). directions (r×k) are the canonical ones, the most
// correlated first, by which they are weighted.
type canonicalSide struct {
	view
	basis      *blas32.General
	covariance *mat.SymDense
	directions *mat.Dense
}

// fitCanonical finds up to k directions in rows (n×D) that have both views.
func fitCanonical(ctx context.Context, layout Layout, rows blas32.General, k int) (*canonical, error) {
	c := &canonical{layout: layout, rows: rows}
	at := 0
	for i, l := range layout.Views() {
		s := &c.sides[i]
		s.lo, s.at = at, at+l.Width()
		at = s.at + 1
		var err error
		if s.Model, err = centred(l, s.of(rows), 1); err != nil {
			return nil, fmt.Errorf("view %d: %w", i, err)
		}
		if err := s.reduce(ctx, rows); err != nil {
			return nil, err
		}
	}
	return c, c.correlate(ctx, k)
}

// reduce finds the leading components of a wide view.
func (s *canonicalSide) reduce(ctx context.Context, rows blas32.General) error {
	if s.Features() <= directWidth {
		return nil
	}
	apply := func(q *mat.Dense) (*mat.Dense, error) { return applyCovariance(ctx, s.Model, s.of(rows), q) }
	k := min(reducedWidth, max(1, rows.Rows/2)) // more of few rows would only be noise
	_, vectors, err := subspaceIteration(ctx, apply, s.Features(), k, reducingIterations)
	if err == nil {
		basis := toMatrix(vectors)
		s.basis = &basis
	}
	return err
}

// width is the number of features, or of components in their place.
func (s *canonicalSide) width() int {
	if s.basis != nil {
		return s.basis.Cols
	}
	return s.Features()
}

// batches yields the rows' views in standardised, projected batches, in order.
func (c *canonical) batches(ctx context.Context, f func(left, right blas32.General)) error {
	var u, x [2]blas32.General
	size := min(1024, c.rows.Rows)
	for i := range c.sides {
		u[i] = NewMatrix(size, c.sides[i].Features())
		if x[i] = u[i]; c.sides[i].basis != nil {
			x[i] = NewMatrix(size, c.sides[i].width())
		}
	}
	for lo := 0; lo < c.rows.Rows; lo += size {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(size, c.rows.Rows-lo)
		for i := range c.sides {
			s, part := &c.sides[i], rowsOf(u[i], 0, n)
			s.standardise(part, s.of(rowsOf(c.rows, lo, lo+n)))
			if s.basis != nil {
				gemm(blas.NoTrans, blas.NoTrans, 1, part, *s.basis, 0, rowsOf(x[i], 0, n))
			}
		}
		f(rowsOf(x[0], 0, n), rowsOf(x[1], 0, n))
	}
	return nil
}

// correlate solves for the directions: with C = LL' the views' regularised
// covariances, they are L'⁻¹ times the singular vectors of L₁⁻¹ C₁₂ L₂'⁻¹.
func (c *canonical) correlate(ctx context.Context, k int) error {
	l, r := &c.sides[0], &c.sides[1]
	ll, rr, lr := newProduct(l.width(), l.width()), newProduct(r.width(), r.width()), newProduct(l.width(), r.width())
	err := c.batches(ctx, func(left, right blas32.General) {
		ll.add(left, left)
		rr.add(right, right)
		lr.add(left, right)
	})
	if err != nil {
		return err
	}
	var roots [2]mat.TriDense
	for i, p := range []*product{ll, rr} {
		s := &c.sides[i]
		s.covariance = mat.NewSymDense(s.width(), p.mean(c.rows.Rows).RawMatrix().Data)
		if err := s.root(&roots[i], c.rows.Rows); err != nil {
			return fmt.Errorf("view %d: %w", i, err)
		}
	}
	var half, between mat.Dense // L₁⁻¹ C₁₂, and its transpose L₂⁻¹ C₂₁ L₁'⁻¹
	if err := half.Solve(&roots[0], lr.mean(c.rows.Rows)); err != nil {
		return fmt.Errorf("%w: canonical correlation: %w", ErrData, err)
	}
	if err := between.Solve(&roots[1], half.T()); err != nil {
		return fmt.Errorf("%w: canonical correlation: %w", ErrData, err)
	}
	k = min(k, l.width(), r.width())
	apply := func(q *mat.Dense) (*mat.Dense, error) {
		var there, back mat.Dense
		there.Mul(&between, q)
		back.Mul(between.T(), &there)
		return &back, nil
	}
	squares, left, err := subspaceIteration(ctx, apply, l.width(), k, canonicalIterations)
	if err != nil {
		return err
	}
	dropRankless(squares, left)
	fixSigns(left)
	var right mat.Dense
	right.Mul(&between, left) // singular vectors times singular values
	for j, v := range squares {
		scale := 0.0
		if v > 0 {
			scale = 1 / math.Sqrt(v)
		}
		for i := range r.width() {
			right.Set(i, j, right.At(i, j)*scale)
		}
	}
	for i, vectors := range []*mat.Dense{left, &right} {
		s := &c.sides[i]
		s.directions = &mat.Dense{}
		if err := s.directions.Solve(roots[i].T(), vectors); err != nil {
			return fmt.Errorf("%w: canonical correlation: %w", ErrData, err)
		}
		for j, v := range squares {
			for row := range s.width() {
				s.directions.Set(row, j, s.directions.At(row, j)*math.Sqrt(v))
			}
		}
	}
	return nil
}

// root is the lower triangle L of the covariance plus a ridge. The ridge is the mean
// variance times √(r/n): of the rules that were tried it served from a hundred pairs to
// thousands.
func (s *canonicalSide) root(dst *mat.TriDense, n int) error {
	r := s.width()
	ridge := mat.Trace(s.covariance) / float64(r) * math.Sqrt(float64(r)/float64(n))
	sum := mat.NewSymDense(r, nil)
	sum.CopySym(s.covariance)
	for i := range r {
		sum.SetSym(i, i, sum.At(i, i)+ridge)
	}
	var chol mat.Cholesky
	if !chol.Factorize(sum) {
		return fmt.Errorf("%w: covariance is not finite", ErrData)
	}
	chol.LTo(dst)
	return nil
}

// model is the linear model of the first d directions.
func (c *canonical) model(ctx context.Context, d int) (*Model, error) {
	models := make([]*Model, len(c.sides))
	for i := range c.sides {
		models[i] = c.sides[i].model(d)
	}
	m := newViewModel(c.layout, models)
	return m, c.fitDecoders(ctx, m)
}

// model is a view's encoder by its first d directions, of latents of length one on
// average. Directions beyond those there are are zero.
func (s *canonicalSide) model(d int) *Model {
	_, have := s.directions.Dims()
	used := s.directions.Slice(0, s.width(), 0, min(d, have))
	var spread, projected mat.Dense
	projected.Mul(s.covariance, used)
	spread.Mul(used.T(), &projected)
	scale := 1 / math.Sqrt(max(mat.Trace(&spread), 1e-12))
	weights := NewMatrix(s.width(), d)
	for i := range weights.Rows {
		for j := range min(d, have) {
			weights.Data[i*d+j] = float32(scale * used.At(i, j))
		}
	}
	m := &Model{
		layout: s.layout, encoder: PCA, dim: d, mean: s.mean, scale: s.scale, sigma: float32(1 / math.Sqrt(float64(d))),
		enc: newLinear(s.Features(), d, false), dec: newLinear(d, s.Features(), false),
	}
	if s.basis == nil {
		m.enc.w = weights
	} else {
		gemm(blas.NoTrans, blas.NoTrans, 1, *s.basis, weights, 0, m.enc.w)
	}
	return m
}

// fitDecoders finds the linear decoders that are off least from the latents of either
// view and of both, by ridge regression.
func (c *canonical) fitDecoders(ctx context.Context, m *Model) error {
	d := m.dim
	gram, sides := newProduct(d, d), [2]*product{}
	for i, v := range m.views {
		sides[i] = newProduct(d, v.Features())
	}
	size := min(1024, c.rows.Rows)
	z := [3]blas32.General{NewMatrix(size, d), NewMatrix(size, d), NewMatrix(size, d)}
	u := [2]blas32.General{}
	for i, v := range m.views {
		u[i] = NewMatrix(size, v.Features())
	}
	for lo := 0; lo < c.rows.Rows; lo += size {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(size, c.rows.Rows-lo)
		rows := rowsOf(c.rows, lo, lo+n)
		both := rowsOf(z[2], 0, n)
		zero(both)
		for i, v := range m.views {
			own := rowsOf(z[i], 0, n)
			zero(own)
			for from := 0; from < n; from += encodeBatch {
				to := min(from+encodeBatch, n)
				v.addLatents(rowsOf(own, from, to), rowsOf(rows, from, to))
			}
			addRows(both, own, 0.5)
			v.standardise(rowsOf(u[i], 0, n), v.of(rows))
		}
		for _, latents := range z {
			latents = rowsOf(latents, 0, n)
			gram.add(latents, latents)
			for i := range sides {
				sides[i].add(latents, rowsOf(u[i], 0, n))
			}
		}
	}
	g := gram.mean(1)
	ridge := decoderRidge * max(mat.Trace(g)/float64(d), 1e-12)
	for i := range d {
		g.Set(i, i, g.At(i, i)+ridge)
	}
	for i, v := range m.views {
		var w mat.Dense
		if err := w.Solve(g, sides[i].mean(1)); err != nil {
			return fmt.Errorf("%w: decoder of view %d: %w", ErrData, i, err)
		}
		v.dec.w = toMatrix(&w)
	}
	return nil
}

// addRows adds factor·src to dst.
func addRows(dst, src blas32.General, factor float32) {
	for i := range src.Rows {
		addScaled(Row(dst, i), Row(src, i), factor)
	}
}

// product sums a'b over batches, multiplied in float32 and summed in float64.
type product struct {
	sum  []float64
	part blas32.General
}

func newProduct(rows, cols int) *product {
	return &product{make([]float64, rows*cols), NewMatrix(rows, cols)}
}

func (p *product) add(a, b blas32.General) {
	gemm(blas.Trans, blas.NoTrans, 1, a, b, 0, p.part)
	for i, v := range p.part.Data {
		p.sum[i] += float64(v)
	}
}

// mean is the sum over n; it takes p's memory.
func (p *product) mean(n int) *mat.Dense {
	for i := range p.sum {
		p.sum[i] /= float64(n)
	}
	return mat.NewDense(p.part.Rows, p.part.Cols, p.sum)
}

func toMatrix(d *mat.Dense) blas32.General {
	rows, cols := d.Dims()
	out := NewMatrix(rows, cols)
	for i := range rows {
		for j := range cols {
			out.Data[i*cols+j] = float32(d.At(i, j))
		}
	}
	return out
}
