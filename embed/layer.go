package embed

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed/internal/vec"
)

// param is one trained tensor with its gradient.
type param struct {
	value, grad []float32
	// decay tells that weight decay applies: to matrices, not to biases.
	decay bool
}

// linear is y = x·W + b, with W of in×out and b of out (nil for none).
type linear struct {
	w blas32.General
	b []float32

	gradW blas32.General
	gradB []float32
}

// newLinear makes a layer of zeros.
func newLinear(in, out int, bias bool) *linear {
	l := &linear{w: NewMatrix(in, out)}
	if bias {
		l.b = make([]float32, out)
	}
	return l
}

// randomise draws weights from N(0, 2/in), He's initialisation (2015).
func (l *linear) randomise(rng *rand.Rand) {
	std := math.Sqrt(2 / float64(l.w.Rows))
	for i := range l.w.Data {
		l.w.Data[i] = float32(rng.NormFloat64() * std)
	}
}

// params lists the trained tensors, making their gradients on first use.
func (l *linear) params() []param {
	if l.gradW.Data == nil {
		l.gradW = NewMatrix(l.w.Rows, l.w.Cols)
		l.gradB = make([]float32, len(l.b))
	}
	ps := []param{{l.w.Data, l.gradW.Data, true}}
	if l.b != nil {
		ps = append(ps, param{l.b, l.gradB, false})
	}
	return ps
}

// forward computes y = x·W + b; x is B×in, y is B×out. Where add is set, the
// product is added to y (which then holds another branch's output).
func (l *linear) forward(y, x blas32.General, add bool) {
	var beta float32
	if add {
		beta = 1
	}
	gemm(blas.NoTrans, blas.NoTrans, 1, x, l.w, beta, y)
	l.addBias(y, 0, y.Rows)
}

// addBias adds b to rows lo to hi of y.
func (l *linear) addBias(y blas32.General, lo, hi int) {
	if l.b == nil {
		return
	}
	for i := lo; i < hi; i++ {
		vec.Add(Row(y, i), l.b)
	}
}

// backward takes dy (B×out) and x (B×in), sets the gradients of W and b, and
// writes dx (B×in; skipped where it has no data, added to where add is set).
func (l *linear) backward(dx, dy, x blas32.General, add bool) {
	gemm(blas.Trans, blas.NoTrans, 1, x, dy, 0, l.gradW)
	clear(l.gradB)
	if l.b != nil {
		for i := range dy.Rows {
			vec.Add(l.gradB, Row(dy, i))
		}
	}
	if dx.Data == nil {
		return
	}
	var beta float32
	if add {
		beta = 1
	}
	gemm(blas.NoTrans, blas.Trans, 1, dy, l.w, beta, dx)
}

// mlp is linear layers with GELU between them, none after the last.
type mlp struct {
	layers []*linear
}

// newMLP makes a perceptron through the given sizes. Its last layer is zero,
// so that it starts as the zero function.
func newMLP(sizes []int, rng *rand.Rand) *mlp {
	m := &mlp{}
	for i := range len(sizes) - 1 {
		l := newLinear(sizes[i], sizes[i+1], true)
		if i < len(sizes)-2 && rng != nil {
			l.randomise(rng)
		}
		m.layers = append(m.layers, l)
	}
	return m
}

func (m *mlp) params() []param {
	var ps []param
	for _, l := range m.layers {
		ps = append(ps, l.params()...)
	}
	return ps
}

// tape holds what a forward pass leaves for the backward pass, and the
// backward pass's own scratch. It serves batches of up to its capacity.
type tape struct {
	pre  []blas32.General // pre[i]: B×out of layer i, before GELU; not for the last
	post []blas32.General // after GELU
	grad []blas32.General // gradient of post
}

func (m *mlp) newTape(batch int) *tape {
	t := &tape{}
	for _, l := range m.layers[:len(m.layers)-1] {
		t.pre = append(t.pre, NewMatrix(batch, l.w.Cols))
		t.post = append(t.post, NewMatrix(batch, l.w.Cols))
		t.grad = append(t.grad, NewMatrix(batch, l.w.Cols))
	}
	return t
}

// forward adds the perceptron's output for x (B×in) to y (B×out).
func (m *mlp) forward(y, x blas32.General, t *tape, workers int) {
	for i, l := range m.layers[:len(m.layers)-1] {
		pre, post := rowsOf(t.pre[i], 0, x.Rows), rowsOf(t.post[i], 0, x.Rows)
		gemm(blas.NoTrans, blas.NoTrans, 1, x, l.w, 0, pre)
		parallel(workers, pre.Rows, 16, func(lo, hi int) {
			l.addBias(pre, lo, hi)
			for i := lo; i < hi; i++ {
				vec.GELU(Row(post, i), Row(pre, i))
			}
		})
		x = post
	}
	m.layers[len(m.layers)-1].forward(y, x, true)
}

// backward takes dy (B×out) and the x of the forward pass, sets all gradients,
// and adds the gradient of x to dx where that has data.
func (m *mlp) backward(dx, dy, x blas32.General, t *tape, workers int) {
	for i := len(m.layers) - 1; i > 0; i-- {
		post, grad := rowsOf(t.post[i-1], 0, x.Rows), rowsOf(t.grad[i-1], 0, x.Rows)
		m.layers[i].backward(grad, dy, post, false)
		pre := rowsOf(t.pre[i-1], 0, x.Rows)
		each(workers, grad, func(lo, hi int) { vec.GELUBackward(grad.Data[lo:hi], pre.Data[lo:hi]) })
		dy = grad
	}
	m.layers[0].backward(dx, dy, x, true)
}

// each runs f over the elements of a packed matrix in parallel pieces.
func each(workers int, m blas32.General, f func(lo, hi int)) {
	parallelElements(workers, m.Rows*m.Cols, f)
}
