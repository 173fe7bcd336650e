package main

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
)

// trainSuite measures training: its matrix products beside OpenBLAS, its epochs
// and encoding beside PyTorch, and what it learns of MNIST beside PCA.
func trainSuite(ctx context.Context, b *bench) error {
	p, err := b.startPeer(ctx, trainPeers)
	if err != nil && !errors.Is(err, errNoPeer) {
		return err
	}
	if p == nil {
		b.logf("%v: figures beside peers are null", err)
	}
	t := &training{bench: b, peer: p, wide: make(map[string]*embed.Result)}
	for _, part := range []struct {
		number string
		run    func(context.Context) error
	}{{"1", t.products}, {"2", t.epochs}, {"2d", t.cores}, {"3", t.quality}, {"4", t.wordSets}, {"5", t.codes}, {"6", t.sets}, {"7", t.large}} {
		if !b.wants(part.number) && !b.wants(part.number[:1]) {
			continue
		}
		if err := part.run(ctx); err != nil {
			return err
		}
	}
	if p != nil {
		return p.stop()
	}
	return nil
}

type training struct {
	*bench
	peer *peer
	rows blas32.General           // MNIST's training images; empty without --mnist
	wide map[string]*embed.Result // models of 64 values, by the set they learned
}

// repeats is how many interleaved runs a median is taken of.
func (b *bench) repeats() int {
	if b.quick {
		return 3
	}
	return 7
}

// product is the shape of one matrix product of training.
type product struct {
	m, n, k int
	ta, tb  bool
}

// products are those of one step of 784-512-256-32 and its mirror at batch 256:
// forward, gradients of weights, gradients of inputs.
func trainingProducts() []product {
	var out []product
	sizes := []int{784, 512, 256, 32}
	for i := range 3 {
		in, o := sizes[i], sizes[i+1]
		out = append(out,
			product{m: 256, n: o, k: in}, product{m: in, n: o, k: 256, ta: true}, product{m: 256, n: in, k: o, tb: true},
			product{m: 256, n: in, k: o}, product{m: o, n: in, k: 256, ta: true}, product{m: 256, n: o, k: in, tb: true})
	}
	return out
}

func (t *training) products(context.Context) error {
	runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(runtime.NumCPU())
	var flops, ours, theirs float64
	worst := math.Inf(1)
	for _, s := range trainingProducts() {
		work := 2 * float64(s.m) * float64(s.n) * float64(s.k)
		reps := max(1, int(2e9/work))
		var a, b []float64
		for range t.repeats() {
			a = append(a, s.seconds(reps))
			if t.peer != nil {
				var v float64
				if err := t.peer.ask(map[string]any{"call": "gemm", "m": s.m, "n": s.n, "k": s.k,
					"trans_a": s.ta, "trans_b": s.tb, "reps": reps}, &v); err != nil {
					return err
				}
				b = append(b, v)
			}
		}
		mine := median(a)
		flops, ours = flops+work, ours+mine
		if t.peer != nil {
			other := median(b)
			theirs += other
			worst = min(worst, other/mine)
			t.logf("%d×%d×%d %v %v: %.1f GFLOP/s, OpenBLAS %.1f, ratio %.2f", s.m, s.n, s.k, s.ta, s.tb, work/mine/1e9, work/other/1e9, other/mine)
		}
	}
	all := figure{Name: "train.1a", What: "Sgemm, GFLOP/s over the shapes of a step, beside OpenBLAS", Ours: ptr(flops / ours / 1e9), Floor: ptr(.82), Goal: ptr(.95), Better: higher}
	least := figure{Name: "train.1b", What: "Sgemm, the worst shape's ratio to OpenBLAS", Floor: ptr(.55), Goal: ptr(.80), Better: higher}
	if t.peer != nil {
		all.Peer, least.Ours = ptr(flops/theirs/1e9), &worst
	}
	t.add(all)
	t.add(least)
	return nil
}

// seconds is the CPU time of one product by our kernels.
func (s product) seconds(reps int) float64 {
	rng := rand.New(rand.NewPCG(1, 1))
	fill := func(rows, cols int) blas32.General {
		m := embed.NewMatrix(rows, cols)
		for i := range m.Data {
			m.Data[i] = rng.Float32()
		}
		return m
	}
	a, b, c := fill(s.m, s.k), fill(s.k, s.n), embed.NewMatrix(s.m, s.n)
	ta, tb := blas.NoTrans, blas.NoTrans
	if s.ta {
		ta, a = blas.Trans, fill(s.k, s.m)
	}
	if s.tb {
		tb, b = blas.Trans, fill(s.n, s.k)
	}
	run := func() {
		embed.Kernels().Sgemm(ta, tb, s.m, s.n, s.k, 1, a.Data, a.Stride, b.Data, b.Stride, 0, c.Data, c.Stride)
	}
	run()
	start := cpuTime()
	for range reps {
		run()
	}
	return (cpuTime() - start).Seconds() / float64(reps)
}

// epochs measures CPU time of training and of encoding beside PyTorch's.
func (t *training) epochs(ctx context.Context) error {
	epoch := figure{Name: "train.2a", What: "CPU seconds an epoch of MNIST, beside PyTorch", Floor: ptr(.90), Goal: ptr(.75), Better: lower}
	many := figure{Name: "train.2b", What: "rows encoded a CPU second, batch 256, beside PyTorch", Floor: ptr(.9), Goal: ptr(1.1), Better: higher}
	one := figure{Name: "train.2c", What: "rows encoded a CPU second, one at a time, beside PyTorch", Floor: ptr(1.5), Goal: ptr(2.5), Better: higher}
	defer func() {
		for _, f := range []figure{epoch, many, one} {
			t.add(f)
		}
	}()
	if err := t.loadMNIST(); err != nil || t.rows.Rows == 0 {
		return err
	}
	runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(runtime.NumCPU())
	// Training holds out a tenth, at most 2,000: steps of 256 of the others.
	rows := t.rows
	if t.quick {
		rows = embed.MatrixOf(rows.Data[:10_000*784], 784)
	}
	steps := (rows.Rows - min(2000, rows.Rows/10)) / 256
	if t.peer != nil {
		var about map[string]string
		if err := t.peer.ask(map[string]any{"call": "load", "path": t.mnist, "hidden": []int{512, 256}, "dim": 32, "batch": 256}, &about); err != nil {
			return err
		}
		t.logf("peer: PyTorch %s", about["torch"])
	}
	var ours, theirs []float64
	repeats := t.repeats()
	var last cpuMark
	result, err := embed.Train(ctx, embed.NumericLayout(784), rows, embed.Config{
		Encoder: embed.Deep, Dim: 32, Epochs: repeats,
		Progress: func(p embed.Progress) {
			if !p.Scored {
				ours = append(ours, last.since())
				if t.peer != nil {
					var v float64
					if err := t.peer.ask(map[string]any{"call": "epoch", "steps": steps}, &v); err == nil {
						theirs = append(theirs, v)
					}
				}
			}
			last = mark()
		},
	})
	if err != nil {
		return err
	}
	epoch.Ours = ptr(median(ours))
	if len(theirs) == len(ours) {
		epoch.Peer = ptr(median(theirs))
	}
	for _, e := range []struct {
		f            *figure
		batch, calls int
	}{{&many, 256, 30}, {&one, 1, 2000}} {
		if err := t.encode(result.Model, e.f, e.batch, e.calls); err != nil {
			return err
		}
	}
	return nil
}

func (t *training) encode(m *embed.Model, f *figure, batch, calls int) error {
	var ours, theirs []float64
	z := embed.NewMatrix(batch, m.Dim())
	for range t.repeats() {
		start := mark()
		for i := range calls {
			rows := embed.MatrixOf(t.rows.Data[i*batch*784:(i+1)*batch*784], 784)
			if err := m.Encode(z, rows); err != nil {
				return err
			}
		}
		ours = append(ours, float64(batch*calls)/start.since())
		if t.peer != nil {
			var v float64
			if err := t.peer.ask(map[string]any{"call": "encode", "batch": batch, "calls": calls}, &v); err != nil {
				return err
			}
			theirs = append(theirs, float64(batch*calls)/v)
		}
	}
	f.Ours = ptr(median(ours))
	if len(theirs) > 0 {
		f.Peer = ptr(median(theirs))
	}
	return nil
}

// quality measures what is learned of MNIST on rows that training never saw.
func (t *training) quality(ctx context.Context) error {
	for _, q := range []struct {
		dim                       int
		name, letters             string // letters of error, recall@10 and recall@50
		mseFloor, mseGoal         float64
		r10Floor, r10Goal         float64
		r50Floor, r50Goal         float64
		measureR10, measureR50mse bool
	}{
		{16, "16", "a-b", .0124, .0110, 0, 0, .962, .975, false, true},
		{32, "32", "ced", .0080, .0065, .74, .78, .995, .998, true, true},
		{64, "64", "-f-", 0, 0, .83, .86, 0, 0, true, false},
	} {
		if err := t.loadMNIST(); err != nil {
			return err
		}
		mse := figure{Name: "train.3" + q.letters[0:1], What: "MNIST at " + q.name + " numbers, squared error a pixel", Better: lower}
		r10 := figure{Name: "train.3" + q.letters[1:2], What: "MNIST at " + q.name + " numbers, true 10 neighbours in the latent top 10", Better: higher}
		r50 := figure{Name: "train.3" + q.letters[2:3], What: "MNIST at " + q.name + " numbers, true 10 neighbours in the latent top 50", Better: higher}
		if t.rows.Rows > 0 && !t.quick {
			res, err := embed.Train(ctx, embed.NumericLayout(784), t.rows, embed.Config{Encoder: embed.Deep, Dim: q.dim, Workers: runtime.NumCPU()})
			if err != nil {
				return err
			}
			t.logf("MNIST, %d numbers: %+v, PCA %+v", q.dim, res.Learned, res.PCA)
			mse.Ours, r10.Ours, r50.Ours = &res.Learned.MSEInput, &res.Learned.Recall10, &res.Learned.Recall50
		}
		if q.measureR50mse {
			mse.Floor, mse.Goal = &q.mseFloor, &q.mseGoal
			r50.Floor, r50.Goal = &q.r50Floor, &q.r50Goal
			t.add(mse)
			t.add(r50)
		}
		if q.measureR10 {
			r10.Floor, r10.Goal = &q.r10Floor, &q.r10Goal
			t.add(r10)
		}
	}
	return nil
}

// cores measures what a second core brings to training, where a spin test in
// the same run says that there is one.
func (t *training) cores(ctx context.Context) error {
	if err := t.loadMNIST(); err != nil {
		return err
	}
	f := figure{Name: "train.2d", What: "epochs a second on two cores, beside one", Floor: ptr(1.5), Goal: ptr(1.8), Better: higher}
	defer func() { t.add(f) }()
	if t.rows.Rows == 0 || runtime.NumCPU() < 2 {
		return nil
	}
	rows := embed.MatrixOf(t.rows.Data[:10_000*784], 784)
	perSecond := func(cores int) (float64, error) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
		var took []float64
		var last wallMark
		_, err := embed.Train(ctx, embed.NumericLayout(784), rows, embed.Config{Encoder: embed.Deep, Dim: 32, Epochs: 3, Workers: cores,
			Progress: func(p embed.Progress) {
				if !p.Scored {
					took = append(took, last.since())
				}
				last = now()
			}})
		if err != nil {
			return 0, err
		}
		return 1 / median(took), nil
	}
	var one, two, spin []float64
	for range t.repeats() {
		for _, m := range []struct {
			cores int
			dst   *[]float64
		}{{1, &one}, {2, &two}} {
			v, err := perSecond(m.cores)
			if err != nil {
				return err
			}
			*m.dst = append(*m.dst, v)
		}
		spin = append(spin, spinRatio())
	}
	t.logf("a spin test gets %.2f cores of 2", median(spin))
	f.Ours, f.Peer = ptr(median(two)), ptr(median(one))
	if median(spin) < 1.8 {
		f.Floor = nil // the machine does not give two cores
	}
	return nil
}

// spinRatio is how many times the work of one goroutine two get done at once.
func spinRatio() float64 {
	work := func() uint64 {
		x := uint64(1)
		for range 200_000_000 {
			x = x*6364136223846793005 + 1442695040888963407
		}
		return x
	}
	start := now()
	sink := work()
	alone := start.since()
	start = now()
	var wg sync.WaitGroup
	var out [2]uint64
	for i := range out {
		wg.Go(func() { out[i] = work() })
	}
	wg.Wait()
	if sink+out[0]+out[1] == 0 {
		return 0
	}
	return 2 * alone / start.since()
}

func (t *training) loadMNIST() error {
	if t.mnist == "" {
		t.logf("no --mnist: its figures are null")
		return nil
	}
	if t.rows.Rows > 0 {
		return nil
	}
	var err error
	t.rows, err = readDigits(filepath.Join(t.mnist, "train-images-idx3-ubyte.gz"))
	return err
}
