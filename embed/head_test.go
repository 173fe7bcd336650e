package embed

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas/blas32"
)

// moved are views of rows whose edits add much along one direction and a little noise.
type moved struct {
	rows blas32.General
	by   []float32
}

func newMoved(n int) moved {
	rng := newRand(8)
	return moved{noise(rng, n, 12), noise(rng, 1, 12).Data}
}

func (m moved) Rows() int                  { return m.rows.Rows }
func (m moved) Width() int                 { return m.rows.Cols }
func (m moved) Plain(dst []float32, i int) { copy(dst, Row(m.rows, i)) }
func (m moved) Edited(dst []float32, i int, rng *rand.Rand) {
	far := float32(rng.NormFloat64())
	for j, v := range Row(m.rows, i) {
		dst[j] = v + far*m.by[j] + 0.1*float32(rng.NormFloat64())
	}
}

func mustHead(t testing.TB, v Views, cfg HeadConfig) *Head {
	t.Helper()
	h, err := TrainHead(context.Background(), v, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func headOf(t testing.TB, h *Head, rows blas32.General) blas32.General {
	t.Helper()
	z := NewMatrix(rows.Rows, h.Dim())
	if err := h.Encode(z, rows); err != nil {
		t.Fatal(err)
	}
	return z
}

// found is the share of edited rows whose nearest row is their own.
func found(t testing.TB, v moved, give func(blas32.General) blas32.General) float64 {
	t.Helper()
	edited := NewMatrix(v.Rows(), v.Width())
	for i := range edited.Rows {
		v.Edited(Row(edited, i), i, newRand(uint64(100+i)))
	}
	right := 0
	for i, l := range nearest64(give(edited), give(v.rows), 1) {
		if int(l[0]) == i {
			right++
		}
	}
	return float64(right) / float64(v.Rows())
}

// A head sees through the edits it was shown.
func TestHeadFindsEdits(t *testing.T) {
	v := newMoved(300)
	h := mustHead(t, v, HeadConfig{Dim: 8, Steps: 150, Workers: 2})
	plain := found(t, v, func(m blas32.General) blas32.General { return m })
	if got := found(t, v, func(m blas32.General) blas32.General { return headOf(t, h, m) }); got < 0.95 || got < plain+0.1 {
		t.Errorf("%.2f of edits are found, %.2f by rows", got, plain)
	}
	z := headOf(t, h, v.rows)
	for i := range z.Rows {
		if n := squaredDistance(Row(z, i), make([]float32, 8)); math.Abs(n-1) > 1e-5 {
			t.Fatalf("row %d has length %g", i, math.Sqrt(n))
		}
	}
}

// The number of workers changes nothing, and bytes hold all there is.
func TestHeadBytes(t *testing.T) {
	v := newMoved(200)
	h := mustHead(t, v, HeadConfig{Dim: 4, Steps: 5})
	data, err := h.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	again, err := mustHead(t, v, HeadConfig{Dim: 4, Steps: 5, Workers: 3}).MarshalBinary()
	if err != nil || !bytes.Equal(data, again) {
		t.Errorf("three workers train another head (%v)", err)
	}
	back, err := UnmarshalHead(data)
	if err != nil {
		t.Fatal(err)
	}
	want, got := headOf(t, h, v.rows), headOf(t, back, v.rows)
	for i := range want.Data {
		if got.Data[i] != want.Data[i] {
			t.Fatal("a head that was read gives something else")
		}
	}
	for at := range data {
		bad := bytes.Clone(data)
		bad[at] ^= 0x40
		if _, err := UnmarshalHead(bad); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
			t.Fatalf("byte %d changed: %v", at, err)
		}
	}
}

func TestHeadRefuses(t *testing.T) {
	few := newMoved(LeastHeadRows - 1)
	if _, err := TrainHead(context.Background(), few, HeadConfig{}); !errors.Is(err, ErrData) {
		t.Errorf("few rows: %v", err)
	}
	v := newMoved(200)
	for _, cfg := range []HeadConfig{{Dim: -1}, {Steps: -1}, {Dim: maxWidth + 1}} {
		if _, err := TrainHead(context.Background(), v, cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	h := mustHead(t, v, HeadConfig{Dim: 2, Steps: 1})
	row := NewMatrix(1, 12)
	row.Data[3] = float32(math.NaN())
	for _, err := range []error{
		h.Encode(NewMatrix(1, 2), row), h.Encode(NewMatrix(1, 3), NewMatrix(1, 12)), h.Encode(NewMatrix(2, 2), NewMatrix(1, 12)),
	} {
		if !errors.Is(err, ErrData) {
			t.Errorf("got %v, want ErrData", err)
		}
	}
	v.rows.Data[0] = float32(math.Inf(1))
	if _, err := TrainHead(context.Background(), v, HeadConfig{}); !errors.Is(err, ErrData) {
		t.Errorf("a row that is not finite: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := TrainHead(ctx, newMoved(200), HeadConfig{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// The gradient of the loss is that of differences.
func TestInfoNCEGradient(t *testing.T) {
	s := noise(newRand(6), 5, 5)
	grad := MatrixOf(copyOf(s.Data), 5)
	infoNCE(grad)
	for i := range s.Data {
		const h = 1e-2
		up, down := MatrixOf(copyOf(s.Data), 5), MatrixOf(copyOf(s.Data), 5)
		up.Data[i] += h
		down.Data[i] -= h
		if want := (infoNCE(up) - infoNCE(down)) / (2 * h); math.Abs(want-float64(grad.Data[i])) > 1e-3 {
			t.Errorf("score %d: gradient %g, want %g", i, grad.Data[i], want)
		}
	}
}

func copyOf(v []float32) []float32 { return append([]float32(nil), v...) }

// A step's gradients are those of its loss, through lengths and both layers.
func TestHeadGradient(t *testing.T) {
	tr := &headTrainer{views: newMoved(200), cfg: HeadConfig{Dim: 3, Workers: 1}, rng: newRand(4)}
	if err := tr.begin(context.Background()); err != nil {
		t.Fatal(err)
	}
	last := tr.head.network.layers[1].w.Data // it starts at zero
	for i := range last {
		last[i] = float32(i%7) / 20
	}
	tr.draw()
	tr.gradients()
	params := tr.head.params()
	for p := range params {
		grad := copyOf(params[p].grad)
		for i := 0; i < len(grad); i += max(1, len(grad)/7) {
			const h = 1e-2
			value := params[p].value
			was := value[i]
			value[i] = was + h
			up := tr.gradients()
			value[i] = was - h
			down := tr.gradients()
			value[i] = was
			if want := (up - down) / (2 * h); !agree(float64(grad[i]), want, 5e-3) {
				t.Errorf("tensor %d, value %d: gradient %g, want %g", p, i, grad[i], want)
			}
		}
	}
}

func FuzzUnmarshalHead(f *testing.F) {
	data, err := mustHead(f, newMoved(140), HeadConfig{Dim: 2, Steps: 1}).MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:headFixed+40])
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := UnmarshalHead(data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		if again, err := h.MarshalBinary(); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("bytes differ: %v", err)
		}
	})
}
