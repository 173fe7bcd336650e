package embed

import (
	"gonum.org/v1/gonum/blas/blas32"
)

// contrastWeight is the weight of the contrast beside the reconstruction.
const contrastWeight = 0.1

// pairDescent is a run for rows of two views, both there. The loss is the contrast
// between the views' latents and the reconstruction of both views. That is of one row in
// four from the first view alone and of one from the second alone, so that decoders learn
// to tell the one from the other, and of two from both.
type pairDescent struct {
	x         blas32.General // B×D
	views     [2]pairView
	z, dz     blas32.General // B×d: the latents that are decoded, gradient
	contrast  *contrast
	optimiser *adam
	workers   int
}

// pairView is one of the views.
type pairView struct {
	*pass
	features float32        // its share of all features
	unit     blas32.General // B×d: latents of length one
	lengths  []float64      // B: those they had
	grad     blas32.General // B×d: gradient of unit, then of the latents
}

func newPairDescent(m *Model, r recipe, workers int) *pairDescent {
	d := &pairDescent{
		x: NewMatrix(r.batch, m.Features()), z: NewMatrix(r.batch, m.dim), dz: NewMatrix(r.batch, m.dim),
		contrast: newContrast(r.batch), optimiser: newAdam(m.params(), weightDecay), workers: workers,
	}
	total := float32(m.Features() - len(m.views))
	for i, v := range m.views {
		d.views[i] = pairView{
			pass: newPass(v.Model, v.of(d.x), workers), features: float32(v.Features()) / total,
			unit: NewMatrix(r.batch, m.dim), lengths: make([]float64, r.batch), grad: NewMatrix(r.batch, m.dim),
		}
	}
	return d
}

func (d *pairDescent) batch() blas32.General { return d.x }

func (d *pairDescent) step(rate float64) { d.optimiser.update(rate, d.workers) }

func (d *pairDescent) gradients() float64 {
	for i := range d.views {
		v := &d.views[i]
		v.encode()
		for row := range v.z.Rows {
			v.lengths[row] = unit(Row(v.unit, row), Row(v.z, row))
		}
		zero(v.grad)
	}
	loss := d.contrast.backward(d.views[0].grad, d.views[1].grad, d.views[0].unit, d.views[1].unit, contrastWeight)
	zero(d.z)
	zero(d.dz)
	for i := range d.views {
		for row := range d.z.Rows {
			addScaled(Row(d.z, row), Row(d.views[i].unit, row), shown(row, i))
		}
	}
	for i := range d.views {
		loss += d.views[i].decode(d.dz, d.z, d.views[i].features)
	}
	for i := range d.views {
		v := &d.views[i]
		for row := range v.z.Rows {
			addScaled(Row(v.grad, row), Row(d.dz, row), shown(row, i))
			unitBackward(Row(v.grad, row), Row(v.unit, row), v.lengths[row])
		}
		v.backward(v.grad)
	}
	return loss
}

// shown is the weight of a view in the latent that a row of a batch is decoded from.
// Batches are drawn, so a row's place in one is as good as a draw.
func shown(row, view int) float32 {
	switch row % 4 {
	case view:
		return 1
	case 1 - view:
		return 0
	}
	return 0.5
}

func addScaled(dst, src []float32, factor float32) {
	for i, x := range src {
		dst[i] += factor * x
	}
}

// unitBackward turns the gradient of z = y/|y| into that of y, in place.
func unitBackward(grad, z []float32, length float64) {
	var along float64
	for i, g := range grad {
		along += float64(g) * float64(z[i])
	}
	for i, g := range grad {
		grad[i] = float32((float64(g) - along*float64(z[i])) / length)
	}
}
