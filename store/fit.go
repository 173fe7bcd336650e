package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
)

// Bounds of the rows that training holds in memory.
const (
	maxSampleRows  = 200_000
	maxSampleBytes = 512 << 20
	// MaxEpochs is the most epochs a fit may be asked for.
	MaxEpochs = 1000
)

// fitState is the running fit of a collection, or how the last one ended.
type fitState struct {
	mu      sync.Mutex
	status  FitStatus
	current *fitRun
	running sync.WaitGroup
	// triedAt is how many points there were when a fit last began by itself.
	triedAt int
	drift   driftWatch
}

// fitRun is one fit.
type fitRun struct {
	c         *Collection
	opts      FitOptions
	automatic bool
	tries     int // how often it began and a crash ended it
	number    uint64
	began     time.Time
	cancel    context.CancelFunc
	cancelled <-chan struct{}
	done      chan struct{}
	report    *Report
	err       error
	// from is the generation whose model is tuned; nil begins with PCA.
	from *generation
	// told is closed when the last call of Progress so far has returned.
	told chan struct{}
}

// Fit trains a new generation on the points, indexes their latents, and
// switches to it; searches go on with the old one meanwhile. nil options mean
// the collection's own. It returns what was learned. ErrTooFew if there are
// fewer than 3 points or all are identical; ErrFitRunning if another caller's
// fit is running (one that began by itself gives way); ErrNoOriginals if the collection
// drops its originals and was fitted before. Cancelling the context
// leaves everything as it was.
func (c *Collection) Fit(ctx context.Context, opts *FitOptions) (*Report, error) {
	run, err := c.startFit(ctx, opts, false)
	if err != nil {
		return nil, err
	}
	<-run.done
	<-run.told // so that nothing of the caller's runs on
	return run.report, run.err
}

// StartFit is Fit in the background. It returns the number of the generation
// being made. WaitFit waits for it, FitStatus follows it.
func (c *Collection) StartFit(opts *FitOptions) (generation uint64, err error) {
	run, err := c.startFit(context.Background(), opts, false)
	if err != nil {
		return 0, err
	}
	return run.number, nil
}

// WaitFit waits until no fit runs, and returns how the last one ended.
func (c *Collection) WaitFit(ctx context.Context) (FitStatus, error) {
	for {
		c.fits.mu.Lock()
		run, status := c.fits.current, c.fits.status
		c.fits.mu.Unlock()
		if run == nil {
			return status, nil
		}
		select {
		case <-run.done:
		case <-ctx.Done():
			return c.FitStatus(), ctx.Err()
		}
	}
}

// FitStatus is the running fit, or how the last one ended.
func (c *Collection) FitStatus() FitStatus {
	c.fits.mu.Lock()
	defer c.fits.mu.Unlock()
	return c.fits.status
}

// CancelFit stops the running fit and tells whether there was one. It returns
// when it has stopped; the active generation stays.
func (c *Collection) CancelFit() bool {
	c.fits.mu.Lock()
	run := c.fits.current
	c.fits.mu.Unlock()
	if run == nil {
		return false
	}
	run.cancel()
	<-run.done
	return true
}

func (o *FitOptions) validate() error {
	switch {
	case o.Dim < 0 || o.Dim > MaxDim:
		return invalid("dim", "is %d; it must be 1 to %d, or 0 for the collection's own", o.Dim, MaxDim)
	case o.Epochs < 0 || o.Epochs > MaxEpochs:
		return invalid("epochs", "is %d; it must be 1 to %d, or 0 to choose", o.Epochs, MaxEpochs)
	case o.Encoder != "" && !o.Encoder.Valid():
		return invalid("encoder", "%q is not one of %v", o.Encoder, embed.Encoders())
	}
	return nil
}

func (c *Collection) startFit(ctx context.Context, opts *FitOptions, automatic bool) (*fitRun, error) {
	run := &fitRun{automatic: automatic}
	if opts != nil {
		run.opts = *opts
	}
	return run, c.launch(ctx, run)
}

// launch begins a fit in the background.
func (c *Collection) launch(ctx context.Context, run *fitRun) error {
	run.c, run.began, run.done, run.told = c, time.Now(), make(chan struct{}), make(chan struct{})
	close(run.told)
	if c.active.Load().latentOnly {
		return fmt.Errorf("%w: the collection was fitted, and has nothing left to learn from", ErrNoOriginals)
	}
	if err := errors.Join(ctx.Err(), run.opts.validate(), c.checkTuning(run.opts)); err != nil {
		return err
	}
	if n := c.points.Load(); n < minFitPoints {
		return fmt.Errorf("%w: %d points, a fit needs at least %d", ErrTooFew, n, minFitPoints)
	}
	for {
		c.fits.mu.Lock()
		other := c.fits.current
		if other == nil {
			break // with the lock held
		}
		c.fits.mu.Unlock()
		if run.automatic || !other.automatic {
			return ErrFitRunning
		}
		other.cancel()
		<-other.done
	}
	defer c.fits.mu.Unlock()
	if c.stopped() {
		return ErrClosed
	}
	if c.active.Load().latentOnly { // by the fit that gave way
		return ErrNoOriginals
	}
	var err error
	if run.number, err = c.noteFit(run); err != nil {
		return err
	}
	ctx, run.cancel = context.WithCancel(ctx)
	run.cancelled = ctx.Done()
	c.fits.current = run
	c.fits.status = FitStatus{State: FitRunning, Generation: run.number, Stage: "read"}
	c.fits.running.Add(1)
	go run.run(ctx)
	return nil
}

func (r *fitRun) run(ctx context.Context) {
	c := r.c
	defer c.fits.running.Done()
	defer r.cancel()
	c.holds.Add(1)
	r.report, r.err = r.make(ctx)
	c.holds.Add(-1)
	if r.err != nil {
		if err := os.RemoveAll(c.generationDir(r.number)); err != nil {
			c.log.Warn("removing an unfinished generation", "generation", r.number, "error", err)
		}
		c.forgetFit(r.number)
	}
	r.update(func(s *FitStatus) {
		s.Stage, s.ETASeconds = "", 0
		switch {
		case r.err == nil:
			s.State = FitDone
		case errors.Is(r.err, ctx.Err()): // by CancelFit, or by the caller's own, at its deadline too
			s.State = FitCancelled
		default:
			s.State, s.Error = FitFailed, r.err.Error()
		}
		c.log.Info("fit ended", "generation", r.number, "state", s.State, "error", s.Error, "seconds", s.Seconds)
	})
	c.fits.mu.Lock()
	c.fits.current = nil
	if r.err == nil {
		c.fits.triedAt = 0
	}
	c.fits.mu.Unlock()
	close(r.done)
	if r.err == nil {
		c.maybeAutoFit() // points may have come in plenty meanwhile
	}
}

// update changes the fit's status and tells whoever follows it.
func (r *fitRun) update(f func(*FitStatus)) {
	r.c.fits.mu.Lock()
	s := &r.c.fits.status
	s.Seconds = time.Since(r.began).Seconds()
	f(s)
	status := *s
	r.c.fits.mu.Unlock()
	if r.opts.Progress != nil {
		r.tell(status)
	}
}

// tell calls Progress after the calls before have returned, and waits for it
// unless the fit is cancelled: Progress may cancel the fit or close the database
// itself, which in turn wait for the fit to end.
func (r *fitRun) tell(status FitStatus) {
	before, told := r.told, make(chan struct{})
	r.told = told
	go func() {
		defer close(told)
		<-before
		r.opts.Progress(status)
	}()
	select {
	case <-told:
	case <-r.cancelled:
	}
}

// make trains, encodes, indexes, measures and switches.
func (r *fitRun) make(ctx context.Context) (_ *Report, err error) {
	c := r.c
	gen := &generation{number: r.number, tail: newTail()}
	defer func() {
		if err != nil {
			c.release(gen)
		}
	}()
	gen.stats.Seq = c.published.Load()
	if r.opts.FineTune {
		r.from = c.active.Load()
		if err := c.checkTuning(r.opts); err != nil {
			return nil, err // another generation was activated meanwhile
		}
	}
	sample, err := r.sample(ctx, gen)
	if err != nil {
		return nil, err
	}
	result, err := r.train(ctx, gen, sample)
	if err != nil {
		return nil, err
	}
	gen.model = result.Model
	if err := errors.Join(r.trainHead(ctx, gen, sample), gen.seal()); err != nil {
		return nil, err
	}
	gen.latentOnly = c.Config().DropOriginals
	gen.report = r.firstReport(gen, result, sample)
	gen.stats.take(result, sample)
	sample.keepHeld(result.Held)
	engine := c.Config().Engine
	if engine == EngineAuto {
		engine = EngineCells
	}
	if err := errors.Join(c.freshIndex(gen, engine), c.makeRows(gen, sample)); err != nil {
		return nil, err
	}
	if err := r.encode(ctx, gen); err != nil {
		return nil, err
	}
	r.update(func(s *FitStatus) { s.Stage, s.ETASeconds = "calibrate", 0 })
	if err := c.measure(ctx, gen, sample); err != nil {
		return nil, err
	}
	if err := c.persist(gen); err != nil {
		return nil, err
	}
	if err := c.saveRows(gen); err != nil {
		return nil, errors.Join(err, ctx.Err()) // it may be that the collection closes
	}
	if err := r.finishReport(gen); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.switchMu.Lock()
	defer c.switchMu.Unlock()
	return gen.report, c.switchTo(gen, true)
}

func (r *fitRun) train(ctx context.Context, gen *generation, sample *fitSample) (*embed.Result, error) {
	cfg := r.c.Config()
	tc := embed.Config{
		Encoder: cfg.Encoder, Dim: cfg.Dim, Recall: cfg.Recall, Epochs: r.opts.Epochs, Seed: r.seed(),
		Workers: r.c.opts.Workers, InputScale: gen.fitted.InputScale(), Reranked: cfg.defaultSpace() == SpaceInput && !cfg.DropOriginals,
	}
	if r.opts.Encoder != "" {
		tc.Encoder = r.opts.Encoder
	}
	if r.opts.Dim != 0 {
		tc.Dim = r.opts.Dim
	}
	if r.opts.AutoDim {
		tc.Dim = 0
	}
	if r.from != nil {
		tc.From, tc.Dim, tc.Encoder = r.from.model, 0, embed.Auto // its own
	}
	_, exacting := gen.fitted.(source.Exacting)
	tc.Exacting = exacting && !tc.Reranked
	tc.Weigh = r.weighing(gen, sample)
	began := time.Now()
	tc.Progress = func(p embed.Progress) {
		if !p.Scored {
			return
		}
		r.update(func(s *FitStatus) {
			s.Stage, s.Epoch, s.Epochs, s.Loss, s.RecallAt50 = "train", p.Epoch, p.Epochs, p.Loss, p.Recall50
			if p.Epoch > 0 {
				s.ETASeconds = time.Since(began).Seconds() / float64(p.Epoch) * float64(p.Epochs-p.Epoch)
			}
		})
	}
	rows := lifted(gen.fitted, sample.rows, tc.Workers)
	if rows.Cols > sample.rows.Cols {
		tc.Own = sample.rows.Cols
	}
	result, err := embed.Train(ctx, modelLayout(gen.fitted), rows, tc)
	if errors.Is(err, embed.ErrData) {
		return nil, fmt.Errorf("%w: %w", ErrTooFew, err)
	}
	return result, err
}

// seal gives the generation the hash of what it has learned.
func (g *generation) seal() error {
	b, err := g.learned()
	g.hash = hashOf(b.model, b.fitted, b.head)
	return err
}

func (r *fitRun) encode(ctx context.Context, gen *generation) error {
	total, began := int(r.c.points.Load()), time.Now()
	err := r.c.encodeAll(ctx, gen, func(done int) {
		r.update(func(s *FitStatus) {
			s.Stage = "index"
			s.ETASeconds = time.Since(began).Seconds() / float64(done) * float64(max(0, total-done))
		})
	})
	if err != nil {
		return err
	}
	return inOrder(ctx, gen.index)
}
