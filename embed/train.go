package embed

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed/internal/vec"
)

// MinRows is the fewest rows a model can be trained on.
const MinRows = 3

const (
	// narrow is how few features a row has for a latent of as many to be worth trying:
	// half of them may be too few, and all cost little.
	narrow = 32
	// deepRows is the number of rows below which Auto keeps to PCA: measured
	// on several data sets, a network does not beat it there.
	deepRows = 1000
	// neighbourWeight is the weight of the neighbour loss.
	neighbourWeight = 0.1
	// weightDecay is Adam's decoupled decay of the perceptrons' matrices. As
	// much as this lowers the held-out error, and raises recall by more.
	weightDecay = 1
	// Bounds of what one epoch's score looks at, and of the final one. The first
	// half of the held-out rows at most chooses the checkpoint, and the others
	// are what is reported. References are many, for among few a recall near 1
	// tells no model from another.
	epochQueries, epochReferences = 512, 20_000
	finalQueries                  = 1000
	maxHeldOut                    = 2000
)

// Config says what to train. The zero value chooses everything.
type Config struct {
	// Encoder is Auto, Deep, Linear or PCA. Default Auto.
	Encoder Encoder
	// Dim is the latent size. Default 0: the smallest of 8, 16, 32, 64, 128
	// and 256 at which PCA already meets Recall on held-out rows (the trained
	// model never has fewer neighbours than PCA), or the largest of them;
	// sizes above the number of features are not tried, and that number is where it
	// is 32 or less. At most 65,536.
	Dim int
	// Recall is the share of true neighbours, among the first 50 in latent
	// space, that Dim is chosen by. Default 0.95.
	Recall float64
	// Exacting tells that no feature is like another and latents answer by themselves:
	// Dim is chosen by the true neighbours among the first 10, not by those among the
	// first 50.
	Exacting bool
	// Epochs is the most passes over the rows; training ends before where the
	// held-out error has stopped falling. Default: about 2,800 steps, 8 to 60
	// epochs.
	Epochs int
	// Seed fixes everything drawn. Default 1.
	Seed uint64
	// From is a model that training goes on from, at a third of the learning rate
	// and, where Epochs is 0, for a quarter of the epochs: its layout must be that
	// of the rows, and its size and encoder are kept. Nil begins with PCA.
	From *Model
	// Workers bounds the goroutines of everything but matrix products, which
	// use up to GOMAXPROCS; it changes no result. Default 1.
	Workers int
	// Reranked tells that latents only pick candidates, which are then scored by the
	// rows: their code is judged by the true neighbours among the first 50, not by
	// those among the first 10.
	Reranked bool
	// Weigh, if set, lets Auto serve Linear in place of Deep, and weighs them by what
	// searches cost. Time: about a sixth of Deep's training more.
	Weigh *Weighing
	// InputScale, per feature, turns errors into the record's own units; nil is 1.
	InputScale []float32
	// Own is how many of the first features are the record's own, all of them numeric;
	// the others are made of them, to say what is alike. Errors are reported of the former, beside
	// PCA of those alone, which decodes them best; neighbours are those by all. Default
	// 0: all, of whatever kind.
	Own int
	// Progress is called after every epoch, if set; never for the encoder PCA,
	// which has none.
	Progress func(Progress)
}

// Progress is where training stands: after an epoch's steps, and again once the
// epoch is scored. Epoch 0 is PCA, and has no steps. Where a linear encoder is trained
// to be weighed, its epochs are counted after those of the deep one.
type Progress struct {
	Epoch, Epochs int
	// Scored tells that MSE and Recall50 are those of this epoch.
	Scored   bool
	Loss     float64 // reconstruction loss plus weighted neighbour loss, mean over the epoch
	MSE      float64 // held-out
	Recall50 float64 // held-out
}

// Result is a trained model and what was measured of it.
type Result struct {
	Model *Model
	// Held is the rows, by ascending position, that training never saw, and
	// Examined those of them that the evaluations are of: they chose nothing.
	Held, Examined []int
	// Evaluation of the model, of PCA of the same size, and of the model with
	// latents rounded to int8, whether or not the model keeps them so. PCA's errors are
	// of PCA of the record's own features; see Config.Own.
	Learned, PCA, Int8 Evaluation
	// Weighed are the encoders that Auto weighed; nil where it had no choice.
	Weighed []Weighed
	// DimReason says why the latent has its size.
	DimReason string
}

// Train fits a model to rows (n×D). Of rows of two views it trains on those that have
// both, from canonical correlation in place of PCA, and all that is said of PCA and
// recall holds of that and of the share of rows whose one view finds the other. It holds out a tenth of them, at most
// 2,000, and scores every epoch on those; the result loses to PCA of the same
// size neither in error nor in recall@50, for otherwise it is PCA. Same rows,
// configuration and machine architecture: same weights.
//
// Cost: about 6·n·D·h operations an epoch for a first hidden layer of h.
// Memory: a copy of the rows, six of the weights, and the latents.
func Train(ctx context.Context, layout Layout, rows blas32.General, cfg Config) (*Result, error) {
	cfg, err := cfg.resolve(layout, rows)
	if err != nil {
		return nil, err
	}
	t := &trainer{cfg: cfg, layout: layout, rng: rand.New(rand.NewPCG(cfg.Seed, 0x1a7e47db))}
	if err := t.split(rows); err != nil {
		return nil, err
	}
	dim, reason, err := t.chooseDim(ctx)
	if err != nil {
		return nil, err
	}
	pca, err := t.start(ctx, dim)
	if err != nil {
		return nil, err
	}
	encoder, why := cfg.chooseEncoder(t.train.Rows)
	ranked := []trained{{pca, why}}
	var weighed []Weighed
	if encoder != PCA {
		start, r := t.begin(pca, encoder)
		best := &ranked[0]
		if best.model, best.why, err = t.descend(ctx, pca, start, r); err != nil {
			return nil, err
		}
		if best.model != pca && cfg.Encoder == Auto && cfg.Weigh != nil && pca.views == nil {
			if ranked, weighed, err = t.weigh(ctx, pca, *best); err != nil {
				return nil, err
			}
		}
	}
	result, err := t.finish(ctx, pca, ranked...)
	if err != nil {
		return nil, err
	}
	result.DimReason, result.Weighed = reason, weighed
	return result, nil
}

func (c Config) resolve(layout Layout, rows blas32.General) (Config, error) {
	if err := layout.Validate(); err != nil {
		return c, err
	}
	if c.Encoder == "" {
		c.Encoder = Auto
	}
	if c.Recall == 0 {
		c.Recall = 0.95
	}
	if c.Seed == 0 {
		c.Seed = 1
	}
	c.Workers = max(1, c.Workers)
	if c.Own == 0 {
		c.Own = rows.Cols
	}
	switch {
	case rows.Cols != layout.Width():
		return c, fmt.Errorf("%w: rows have %d features, the layout %d", ErrConfig, rows.Cols, layout.Width())
	case rows.Rows < MinRows:
		return c, fmt.Errorf("%w: %d rows, at least %d are needed", ErrData, rows.Rows, MinRows)
	case !wellFormed(rows):
		return c, fmt.Errorf("%w: %d rows of %d features are not all there", ErrData, rows.Rows, rows.Cols)
	case !c.Encoder.Valid():
		return c, fmt.Errorf("%w: encoder %q is not one of %v", ErrConfig, c.Encoder, Encoders())
	case c.Dim < 0 || c.Dim > maxWidth:
		return c, fmt.Errorf("%w: latent size %d is not in 1 to %d", ErrConfig, c.Dim, maxWidth)
	case !(c.Recall > 0 && c.Recall <= 1):
		return c, fmt.Errorf("%w: recall %v is not in (0,1]", ErrConfig, c.Recall)
	case c.Own < 0 || c.Own > rows.Cols || c.Own < rows.Cols && (layout.Views() != nil || !layout.startsNumeric(c.Own)):
		return c, fmt.Errorf("%w: %d features of the record's own are not the first of %d, all numeric", ErrConfig, c.Own, rows.Cols)
	case c.Epochs < 0:
		return c, fmt.Errorf("%w: %d epochs", ErrConfig, c.Epochs)
	case c.InputScale != nil && len(c.InputScale) != rows.Cols:
		return c, fmt.Errorf("%w: input scale has %d values for %d features", ErrConfig, len(c.InputScale), rows.Cols)
	case c.Weigh != nil && (c.Weigh.Cost == nil || !(c.Weigh.Recall > 0 && c.Weigh.Recall <= 1)):
		return c, fmt.Errorf("%w: weighing needs a cost, and a recall in (0,1]", ErrConfig)
	case !vec.Finite(c.InputScale):
		return c, fmt.Errorf("%w: input scale is not finite", ErrConfig)
	}
	if i := firstNotFinite(rows); i >= 0 {
		return c, fmt.Errorf("%w: row %d is not finite", ErrData, i)
	}
	return c.resolveFrom(layout)
}

// resolveFrom takes size and encoder from the model that training goes on from.
func (c Config) resolveFrom(layout Layout) (Config, error) {
	m := c.From
	switch {
	case m == nil:
		return c, nil
	case m.encoder == PCA:
		return c, fmt.Errorf("%w: the model to go on from is PCA, which has no network", ErrConfig)
	case !slices.Equal(m.layout, layout):
		return c, fmt.Errorf("%w: the model to go on from has another layout than the rows", ErrConfig)
	case c.Dim != 0 && c.Dim != m.dim:
		return c, fmt.Errorf("%w: latent size %d, but the model to go on from has %d", ErrConfig, c.Dim, m.dim)
	case c.Encoder != Auto && c.Encoder != m.encoder:
		return c, fmt.Errorf("%w: encoder %q, but the model to go on from has %q", ErrConfig, c.Encoder, m.encoder)
	}
	c.Dim, c.Encoder = m.dim, m.encoder
	return c, nil
}

func (c Config) chooseEncoder(n int) (Encoder, string) {
	switch {
	case c.Encoder != Auto:
		return c.Encoder, "asked for"
	case n < deepRows:
		return PCA, fmt.Sprintf("%d training rows are fewer than the %d below which a network does not beat the linear start", n, deepRows)
	}
	return Deep, fmt.Sprintf("%d training rows", n)
}

// trainer is the state of one training.
type trainer struct {
	cfg         Config
	layout      Layout
	rng         *rand.Rand
	train, held blas32.General
	heldAt      []int     // positions of held's rows
	quick       *examiner // scores every epoch on a part of the rows
	epochs      int       // of the networks trained before
	canonical   *canonical
}

// split shuffles the rows into training and held-out ones. Both stay shuffled,
// so that the first of either are a fair sample whatever the rows' order. Rows that
// lack a view are in neither.
func (t *trainer) split(rows blas32.General) error {
	order := t.rng.Perm(rows.Rows)
	if views := t.layout.Views(); views != nil {
		order = slices.DeleteFunc(order, func(i int) bool {
			row := Row(rows, i)
			return row[views[0].Width()] != present || row[len(row)-1] != present
		})
		if len(order) < MinRows {
			return fmt.Errorf("%w: %d rows have both views, at least %d are needed", ErrData, len(order), MinRows)
		}
	}
	cut := min(maxHeldOut, max(1, len(order)/10))
	t.held, t.train = NewMatrix(cut, rows.Cols), NewMatrix(len(order)-cut, rows.Cols)
	gather(t.held, rows, order[:cut])
	gather(t.train, rows, order[cut:])
	t.heldAt = order[:cut:cut]
	return nil
}

// choosing is how many of the held-out rows, from the first on, choose.
func (t *trainer) choosing() int { return min(epochQueries, max(1, t.held.Rows/2)) }

// quickExaminer makes the examiner of the epochs on first use.
func (t *trainer) quickExaminer(ctx context.Context, pca *Model) (*examiner, error) {
	if t.quick != nil {
		return t.quick, nil
	}
	var err error
	t.quick, err = newExaminer(ctx, pca, &t.cfg, rowsOf(t.held, 0, t.choosing()),
		rowsOf(t.train, 0, min(epochReferences, t.train.Rows)))
	return t.quick, err
}

// finish takes the final measure of the first of some models that does not lose to PCA
// there, or of PCA, and sets its int8 step.
func (t *trainer) finish(ctx context.Context, pca *Model, ranked ...trained) (*Result, error) {
	from := max(min(t.choosing(), t.held.Rows-1), t.held.Rows-finalQueries)
	exam, err := newExaminer(ctx, pca, &t.cfg, rowsOf(t.held, from, t.held.Rows), t.train)
	if err != nil {
		return nil, err
	}
	r := &Result{Held: slices.Sorted(slices.Values(t.heldAt)), Examined: slices.Sorted(slices.Values(t.heldAt[from:]))}
	if r.PCA, err = exam.score(ctx, pca, false); err != nil {
		return nil, err
	}
	why := "the network lost to " + pca.startName() + " on the final held-out measure"
	r.Model, r.Learned = pca, r.PCA
	for _, c := range ranked {
		score := r.PCA
		if c.model != pca {
			if score, err = exam.score(ctx, c.model, false); err != nil {
				return nil, err
			}
		}
		if score.losesNothingTo(r.PCA) {
			r.Model, r.Learned, why = c.model, score, c.why
			break
		}
	}
	if r.Model == pca {
		pca.settings.Seed, pca.settings.Hidden = t.cfg.Seed, []int{}
	}
	r.Model.settings.Reason = why
	return r, errors.Join(t.compareOwn(ctx, exam, r), t.chooseCode(ctx, exam, r))
}

// compareOwn sets PCA's errors to those of the components of the record's own features
// alone, where there are others.
func (t *trainer) compareOwn(ctx context.Context, exam *examiner, r *Result) error {
	if t.cfg.Own == t.train.Cols {
		return nil
	}
	first := func(m blas32.General) blas32.General {
		m.Cols = t.cfg.Own
		return m
	}
	pca, err := fitPCA(ctx, NumericLayout(t.cfg.Own), first(t.train), r.Model.dim)
	if err != nil {
		return err
	}
	own := *exam
	own.queries = first(exam.queries)
	z := NewMatrix(own.queries.Rows, pca.dim)
	if err := encodeParallel(ctx, pca, z, own.queries, own.workers); err != nil {
		return err
	}
	var e Evaluation
	if err := own.measureError(pca, z, &e); err != nil {
		return err
	}
	units := float64(pca.scale) / float64(r.Model.scale) // errors are of rows standardised alike
	r.PCA.MSE, r.PCA.MSEInput = e.MSE*units*units, e.MSEInput
	return nil
}

// chooseCode measures the int8 code of the model's latents, and gives it up for
// float32 where it costs too much.
func (t *trainer) chooseCode(ctx context.Context, exam *examiner, r *Result) error {
	m := r.Model
	sample := rowsOf(t.train, 0, min(epochReferences, t.train.Rows))
	z := NewMatrix(sample.Rows, m.dim)
	if err := m.Encode(z, sample); err != nil {
		return err
	}
	m.int8Step = int8StepFor(z)
	var err error
	if r.Int8, err = exam.score(ctx, m, true); err != nil {
		return err
	}
	if t.cfg.codeLoss(r) > maxInt8Loss {
		m.int8Step = 0
	}
	return nil
}

// codeLoss is the recall that rounding latents to int8 costs.
func (c Config) codeLoss(r *Result) float64 {
	if c.Reranked {
		return r.Learned.Recall50 - r.Int8.Recall50
	}
	return r.Learned.Recall10 - r.Int8.Recall10
}
