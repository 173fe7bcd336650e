package embed

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed/internal/vec"
)

// A row of two views (a sentence and its translation) is encoded view by view, each by
// an encoder of its own and to length one, and its latent is the mean of the views that
// are there:
//
//	y_v = E_v u_v + σ_v·MLPe_v(u_v)    z_v = y_v / |y_v|    z = mean of z_v
//
// Every view has a decoder of its own, all of them of the one z, so a row of which one
// view is there decodes to both. Of latents of length one the Euclidean distance ranks
// as the cosine does.

// view is the model of one view of a row: features lo to at, and at tells whether they
// are there.
type view struct {
	*Model
	lo, at int
}

// present is the value of a feature of kind Presence whose view is there.
const present = 1

// Views are the layouts of the views of a row, nil where it is one view.
func (l Layout) Views() []Layout {
	var out []Layout
	from := 0
	for i, b := range l {
		if b.Kind == Presence {
			out = append(out, l[from:i:i])
			from = i + 1
		}
	}
	return out
}

func (l Layout) validateViews() error {
	views := l.Views()
	if len(views) == 0 {
		return nil
	}
	if len(views) != 2 || l[len(l)-1].Kind != Presence {
		return fmt.Errorf("%w: layout has %d views, not two that are all of it", ErrConfig, len(views))
	}
	for i, v := range views {
		if len(v) == 0 {
			return fmt.Errorf("%w: layout has no features in view %d", ErrConfig, i)
		}
	}
	for i, b := range l {
		if b.Kind == Presence && b.Width != 1 {
			return fmt.Errorf("%w: layout block %d ends a view with %d features, not 1", ErrConfig, i, b.Width)
		}
	}
	return nil
}

// newViewModel joins models of the views of a layout.
func newViewModel(layout Layout, models []*Model) *Model {
	first := models[0]
	m := &Model{layout: layout, encoder: first.encoder, dim: first.dim, scale: 1, sigma: 1}
	at := 0
	for _, v := range models {
		m.views = append(m.views, view{v, at, at + v.Features()})
		at += v.Features() + 1
	}
	return m
}

// parts are the models that hold the tensors: the views', or the model itself.
func (m *Model) parts() []*Model {
	if m.views == nil {
		return []*Model{m}
	}
	out := make([]*Model, len(m.views))
	for i, v := range m.views {
		out[i] = v.Model
	}
	return out
}

// eachView maps the models of the views, nil where there are none.
func (m *Model) eachView(f func(*Model) *Model) []view {
	var out []view
	for _, v := range m.views {
		out = append(out, view{f(v.Model), v.lo, v.at})
	}
	return out
}

// of is the view's features of rows.
func (v view) of(rows blas32.General) blas32.General { return colsOf(rows, v.lo, v.at) }

// in tells whether the view of a row is there.
func (v view) in(row []float32) bool { return row[v.at] == present }

// Residual writes what a row's features are off what its latent decodes to, in
// standardised units; all three have length D. Of a view that is not there nothing is.
func (m *Model) Residual(dst, row, decoded []float32) {
	for _, v := range m.views {
		if clear(dst[v.lo : v.at+1]); v.in(row) {
			v.Residual(dst[v.lo:v.at], row[v.lo:v.at], decoded[v.lo:v.at])
		}
	}
	if m.views != nil {
		return
	}
	inv := 1 / m.scale
	for j, x := range row {
		dst[j] = (x - decoded[j]) * inv
	}
}

// encodeViews is Encode of a model with views.
func (m *Model) encodeViews(dst, rows blas32.General) error {
	for lo := 0; lo < rows.Rows; lo += encodeBatch {
		hi := min(lo+encodeBatch, rows.Rows)
		x, z := rowsOf(rows, lo, hi), rowsOf(dst, lo, hi)
		zero(z)
		for _, v := range m.views {
			if i := v.addLatents(z, x); i >= 0 {
				return fmt.Errorf("%w: row %d is not finite", ErrData, lo+i)
			}
		}
		for i := range z.Rows {
			there := 0
			for _, v := range m.views {
				if v.in(Row(x, i)) {
					there++
				}
			}
			if there == 0 {
				return fmt.Errorf("%w: row %d has no view", ErrData, lo+i)
			}
			vec.Scale(Row(z, i), Row(z, i), 1/float32(there))
		}
		if i := firstNotFinite(z); i >= 0 {
			return fmt.Errorf("%w: row %d is too large: its latent is not finite", ErrData, lo+i)
		}
	}
	return nil
}

// addLatents adds the view's latents of rows to z, where the view is there, and returns
// the first row that is not finite, or -1.
func (v view) addLatents(z, rows blas32.General) int {
	s := v.getScratch()
	defer v.scratch.Put(s)
	u, y := rowsOf(s.u, 0, rows.Rows), rowsOf(s.y, 0, rows.Rows)
	if i := v.standardise(u, v.of(rows)); i >= 0 {
		return i
	}
	v.encodeInto(y, u, s.tapeE, 1)
	for i := range y.Rows {
		if v.in(Row(rows, i)) {
			unit(Row(y, i), Row(y, i))
			vec.Add(Row(z, i), Row(y, i))
		}
	}
	return -1
}

// unit writes src scaled to length one to dst and returns the length it had. No latent
// counts as shorter than leastLength, so that zero stays zero. Squares are summed in
// float64, where those of no float32 overflow.
func unit(dst, src []float32) float64 {
	var squares float64
	for _, x := range src {
		squares += float64(x) * float64(x)
	}
	length := max(leastLength, math.Sqrt(squares))
	for i, x := range src {
		dst[i] = float32(float64(x) / length)
	}
	return length
}

const leastLength = 1e-6

// decodeViews decodes up to encodeBatch latents; every view is there.
func (m *Model) decodeViews(out, z blas32.General) {
	for _, v := range m.views {
		v.decodeBatch(v.of(out), z)
		for i := range out.Rows {
			Row(out, i)[v.at] = present
		}
	}
}

// startName is what people call the linear model that training starts from.
func (m *Model) startName() string {
	if m.views != nil {
		return "canonical correlation"
	}
	return "PCA"
}

// criterion is what chooses among the epochs.
func (e *examiner) criterion() string {
	if e.truth == nil {
		return "best rank of the other view"
	}
	return "least held-out error"
}
