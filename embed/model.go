package embed

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed/internal/vec"
)

// encodeBatch is how many rows go through the network at once outside training.
const encodeBatch = 256

// Model is a trained encoder and decoder. It is immutable once Train or
// UnmarshalModel returned it, and safe for concurrent use.
type Model struct {
	layout  Layout
	encoder Encoder // PCA, Linear or Deep; never Auto
	dim     int

	mean  []float32 // D
	scale float32   // one for all features
	sigma float32   // scale of a latent coordinate

	enc, dec   *linear // E: D×d, G: d×D
	mlpE, mlpD *mlp    // nil for PCA; mlpE nil for Linear too

	// views are models of their own of the views of a row, whose layout and tensors
	// they hold in place of those above; nil where a row is one view. See views.go.
	views []view

	// int8Step is the latent distance of one step of the int8 code; 0 where
	// latents are kept as float32.
	int8Step float32

	settings Settings
	scratch  sync.Pool // *scratch
}

// Layout is the feature rows' layout.
func (m *Model) Layout() Layout { return m.layout }

// Features is the width D of a feature row.
func (m *Model) Features() int {
	if m.views != nil {
		return m.views[len(m.views)-1].at + 1
	}
	return len(m.mean)
}

// Dim is the size d of a latent.
func (m *Model) Dim() int { return m.dim }

// Encoder is PCA, Linear or Deep.
func (m *Model) Encoder() Encoder { return m.encoder }

// Scale is the factor from standardised units to a feature row's.
func (m *Model) Scale() float32 { return m.scale }

// EncoderWeights is how many weights a row is multiplied with to be encoded.
func (m *Model) EncoderWeights() int {
	n := 0
	for _, p := range m.parts() {
		n += weightsOf(p.enc, p.mlpE)
	}
	return n
}

// DecoderWeights is how many weights a latent is multiplied with to be decoded.
func (m *Model) DecoderWeights() int {
	n := 0
	for _, p := range m.parts() {
		n += weightsOf(p.dec, p.mlpD)
	}
	return n
}

func weightsOf(straight *linear, network *mlp) int {
	n := len(straight.w.Data)
	if network != nil {
		for _, l := range network.layers {
			n += len(l.w.Data)
		}
	}
	return n
}

// Settings are what the model was trained under.
func (m *Model) Settings() Settings { return m.settings }

// scratch is one goroutine's workspace for up to encodeBatch rows.
type scratch struct {
	u, y         blas32.General
	tapeE, tapeD *tape
}

func (m *Model) getScratch() *scratch {
	if s, ok := m.scratch.Get().(*scratch); ok {
		return s
	}
	s := &scratch{u: NewMatrix(encodeBatch, m.Features()), y: NewMatrix(encodeBatch, m.dim)}
	if m.mlpE != nil {
		s.tapeE = m.mlpE.newTape(encodeBatch)
	}
	if m.mlpD != nil {
		s.tapeD = m.mlpD.newTape(encodeBatch)
	}
	return s
}

// Encode writes the latents of rows (n×D) to dst (n×d). It refuses, with
// ErrData, matrices of other widths and rows that are not finite or so large
// that their latents are not. Cost: one pass through the encoder, in batches of
// 256. A row's latent depends on the size of its batch by rounding only.
func (m *Model) Encode(dst, rows blas32.General) error {
	if err := m.checkShapes("row", rows, m.Features(), "latent", dst, m.dim); err != nil {
		return err
	}
	if m.views != nil {
		return m.encodeViews(dst, rows)
	}
	s := m.getScratch()
	defer m.scratch.Put(s)
	for lo := 0; lo < rows.Rows; lo += encodeBatch {
		hi := min(lo+encodeBatch, rows.Rows)
		u := rowsOf(s.u, 0, hi-lo)
		if i := m.standardise(u, rowsOf(rows, lo, hi)); i >= 0 {
			return fmt.Errorf("%w: row %d is not finite", ErrData, lo+i)
		}
		z := rowsOf(dst, lo, hi)
		m.encodeInto(z, u, s.tapeE, 1)
		if i := firstNotFinite(z); i >= 0 {
			return fmt.Errorf("%w: row %d is too large: its latent is not finite", ErrData, lo+i)
		}
	}
	return nil
}

// Decode writes the rows that latents (n×d) stand for to dst (n×D). Binary and
// one-hot features come out as probabilities, except from a PCA model, whose
// features are the linear reconstruction.
func (m *Model) Decode(dst, latents blas32.General) error {
	if err := m.checkShapes("latent", latents, m.dim, "row", dst, m.Features()); err != nil {
		return err
	}
	for lo := 0; lo < latents.Rows; lo += encodeBatch {
		hi := min(lo+encodeBatch, latents.Rows)
		z, out := rowsOf(latents, lo, hi), rowsOf(dst, lo, hi)
		if i := firstNotFinite(z); i >= 0 {
			return fmt.Errorf("%w: latent %d is not finite", ErrData, lo+i)
		}
		m.decodeBatch(out, z)
		if i := firstNotFinite(out); i >= 0 {
			return fmt.Errorf("%w: latent %d is too large: its row is not finite", ErrData, lo+i)
		}
	}
	return nil
}

// decodeBatch decodes up to encodeBatch latents.
func (m *Model) decodeBatch(out, z blas32.General) {
	if m.views != nil {
		m.decodeViews(out, z)
		return
	}
	s := m.getScratch()
	defer m.scratch.Put(s)
	m.decodeInto(out, z, rowsOf(s.y, 0, z.Rows), s.tapeD, 1)
	m.restore(out)
}

func (m *Model) checkShapes(inName string, in blas32.General, inCols int, outName string, out blas32.General, outCols int) error {
	switch {
	case !wellFormed(in) || !wellFormed(out):
		return fmt.Errorf("%w: a matrix of %ss or %ss is shorter than its shape", ErrData, inName, outName)
	case in.Cols != inCols:
		return fmt.Errorf("%w: %s has %d values, the model takes %d", ErrData, inName, in.Cols, inCols)
	case out.Cols != outCols || out.Rows != in.Rows:
		return fmt.Errorf("%w: destination is %d×%d, not %d×%d (%s)", ErrData, out.Rows, out.Cols, in.Rows, outCols, outName)
	}
	return nil
}

// firstNotFinite is the first row of m that is not finite, or -1.
func firstNotFinite(m blas32.General) int {
	for i := range m.Rows {
		if !vec.Finite(Row(m, i)) {
			return i
		}
	}
	return -1
}

// standardise writes u = (x − mean)/scale and returns the first row that is
// not finite, or -1.
func (m *Model) standardise(u, rows blas32.General) int {
	for i := range rows.Rows {
		if src := Row(rows, i); vec.Finite(src) {
			vec.Standardise(Row(u, i), src, m.mean, 1/m.scale)
		} else {
			return i
		}
	}
	return -1
}

// encodeInto computes z = E u + σ·MLPe(u).
func (m *Model) encodeInto(z, u blas32.General, t *tape, workers int) {
	if m.mlpE == nil {
		m.enc.forward(z, u, false)
		return
	}
	// The perceptron's output is in units of σ: compute it first, scale, and
	// add the linear part on top.
	zero(z)
	m.mlpE.forward(z, u, t, workers)
	scaleRows(z, z, m.sigma)
	m.enc.forward(z, u, true)
}

// decodeInto computes û = G z + MLPd(z/σ); y receives z/σ.
func (m *Model) decodeInto(u, z, y blas32.General, t *tape, workers int) {
	m.dec.forward(u, z, false)
	if m.mlpD == nil {
		return
	}
	scaleRows(y, z, 1/m.sigma)
	m.mlpD.forward(u, y, t, workers)
}

// restore turns standardised outputs into feature rows, in place: back to the
// row's units, then each block's own decoding.
func (m *Model) restore(u blas32.General) {
	for i := range u.Rows {
		row := Row(u, i)
		for j := range row {
			row[j] = row[j]*m.scale + m.mean[j]
		}
		if m.encoder != PCA {
			m.layout.activate(row)
		}
	}
}

func zero(m blas32.General) {
	for i := range m.Rows {
		clear(Row(m, i))
	}
}

// params lists the trained tensors.
func (m *Model) params() []param {
	var ps []param
	for _, part := range m.parts() {
		for _, l := range []*linear{part.enc, part.dec} {
			for _, p := range l.params() {
				p.decay = false // they start at PCA, not at zero
				ps = append(ps, p)
			}
		}
		for _, p := range []*mlp{part.mlpE, part.mlpD} {
			if p != nil {
				ps = append(ps, p.params()...)
			}
		}
	}
	return ps
}

// withNetworks gives a copy of a PCA model the perceptrons of an encoder,
// random inside and zero at the end.
func (m *Model) withNetworks(encoder Encoder, hidden []int, rng *rand.Rand) *Model {
	out := m.clone()
	out.encoder = encoder
	if m.views != nil {
		out.views = m.eachView(func(v *Model) *Model { return v.withNetworks(encoder, hidden, rng) })
		return out
	}
	reversed := make([]int, 0, len(hidden))
	for i := len(hidden) - 1; i >= 0; i-- {
		reversed = append(reversed, hidden[i])
	}
	if encoder == Deep {
		out.mlpE = newMLP(append(append([]int{m.Features()}, hidden...), m.dim), rng)
	}
	out.mlpD = newMLP(append(append([]int{m.dim}, reversed...), m.Features()), rng)
	return out
}

// asLinear is a copy without the encoder's perceptron.
func (m *Model) asLinear() *Model {
	out := m.clone()
	out.encoder, out.mlpE = Linear, nil
	return out
}

// clone copies the model and its weights.
func (m *Model) clone() *Model {
	return &Model{
		layout: m.layout, encoder: m.encoder, dim: m.dim,
		mean: m.mean, scale: m.scale, sigma: m.sigma, int8Step: m.int8Step, settings: m.settings,
		enc: m.enc.clone(), dec: m.dec.clone(), mlpE: m.mlpE.clone(), mlpD: m.mlpD.clone(),
		views: m.eachView((*Model).clone),
	}
}

func (l *linear) clone() *linear {
	if l == nil {
		return nil
	}
	c := newLinear(l.w.Rows, l.w.Cols, l.b != nil)
	copy(c.w.Data, l.w.Data)
	copy(c.b, l.b)
	return c
}

func (m *mlp) clone() *mlp {
	if m == nil {
		return nil
	}
	c := &mlp{}
	for _, l := range m.layers {
		c.layers = append(c.layers, l.clone())
	}
	return c
}
