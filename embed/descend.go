package embed

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed/internal/vec"
)

// recipe is the numbers of a training run, derived from the data's size.
type recipe struct {
	hidden []int
	batch  int
	epochs int
	rate   float64
}

// newRecipe states the rules: a first hidden layer of at least four times the
// features, between 64 and 512, or 256 for few rows; batches of 256, smaller where
// an epoch would have under 8 steps; about 2,800 steps.
func newRecipe(n, features, epochs int) recipe {
	width := 64
	for width < 4*features && width < 512 {
		width *= 2
	}
	if n < 4000 {
		width = min(width, 256)
	}
	r := recipe{hidden: []int{width, width / 2}, batch: 256, epochs: epochs, rate: 3e-3}
	for r.batch > 32 && n/r.batch < 8 {
		r.batch /= 2
	}
	r.batch = min(r.batch, n)
	if r.epochs == 0 {
		r.epochs = min(60, max(8, int(math.Round(2800/float64(max(1, n/r.batch))))))
	}
	return r
}

// ofPairs is the recipe for rows of two views. A contrast is with the others of a batch,
// so there are as many as there can be; and what the linear start tells apart already is
// soon learned by heart at a higher rate.
func (r *recipe) ofPairs(n, epochs int) {
	r.batch, r.rate = min(256, n), 1e-3
	if epochs == 0 {
		r.epochs = min(30, max(8, int(math.Round(1400/float64(max(1, n/r.batch))))))
	}
}

// patience is how many epochs without a lower error end the training. In the first
// half of a cycle the error may rise for a while, at rates that later fall.
func (r recipe) patience() int { return max(8, r.epochs/2) }

// learner is one run of gradient descent over the training rows.
type learner interface {
	// batch is the B×D rows that the next gradients are of, to be filled.
	batch() blas32.General
	// gradients computes the loss of the batch and leaves its gradients in the
	// model's parameters.
	gradients() float64
	// step moves the parameters, at a learning rate.
	step(rate float64)
}

// newLearner is a run for a model of one view or of several.
func newLearner(m *Model, r recipe, workers int) learner {
	if m.views != nil {
		return newPairDescent(m, r, workers)
	}
	return newDescent(m, r, workers)
}

// pass is a model's way forth and back over a batch of rows.
type pass struct {
	model   *Model
	workers int

	x, u         blas32.General // B×D: rows, standardised
	z, y, dz     blas32.General // B×d: latents, z/σ, gradient
	dzScaled     blas32.General // B×d: gradient through the encoder's perceptron
	uhat, du     blas32.General // B×D: outputs, gradient
	tapeE, tapeD *tape
	losses       []float64 // per row of the batch
}

// newPass makes a pass over the rows in x.
func newPass(m *Model, x blas32.General, workers int) *pass {
	p := &pass{model: m, x: x, workers: workers, losses: make([]float64, x.Rows)}
	for _, buf := range []*blas32.General{&p.u, &p.uhat, &p.du} {
		*buf = NewMatrix(x.Rows, m.Features())
	}
	for _, buf := range []*blas32.General{&p.z, &p.y, &p.dz, &p.dzScaled} {
		*buf = NewMatrix(x.Rows, m.dim)
	}
	if m.mlpE != nil {
		p.tapeE = m.mlpE.newTape(x.Rows)
	}
	p.tapeD = m.mlpD.newTape(x.Rows)
	return p
}

// encode computes z of x: z = E u + σ·MLPe(u).
func (p *pass) encode() {
	parallel(p.workers, p.x.Rows, 16, func(lo, hi int) { p.model.standardise(rowsOf(p.u, lo, hi), rowsOf(p.x, lo, hi)) })
	p.model.encodeInto(p.z, p.u, p.tapeE, p.workers)
}

// decode decodes latents to x, û = G z + MLPd(z/σ), and returns weight times the loss;
// its gradient goes to the decoder, and is added to dz.
func (p *pass) decode(dz, z blas32.General, weight float32) float64 {
	m := p.model
	m.decodeInto(p.uhat, z, p.y, p.tapeD, p.workers)
	loss := p.reconstruction(weight)
	zero(p.dzScaled)
	m.mlpD.backward(p.dzScaled, p.du, p.y, p.tapeD, p.workers)
	addRows(dz, p.dzScaled, 1/m.sigma)
	m.dec.backward(dz, p.du, z, true)
	return loss
}

// backward takes the gradient of z to the encoder. Rows need none.
func (p *pass) backward(dz blas32.General) {
	p.model.enc.backward(blas32.General{}, dz, p.u, false)
	if p.model.mlpE != nil {
		scaleRows(p.dzScaled, dz, p.model.sigma)
		p.model.mlpE.backward(blas32.General{}, p.dzScaled, p.u, p.tapeE, p.workers)
	}
}

// descent is a run for rows of one view.
type descent struct {
	*pass
	optimiser  *adam
	neighbours *neighbourLoss
}

func newDescent(m *Model, r recipe, workers int) *descent {
	return &descent{
		pass:      newPass(m, NewMatrix(r.batch, m.Features()), workers),
		optimiser: newAdam(m.params(), weightDecay), neighbours: newNeighbourLoss(r.batch),
	}
}

func (d *descent) batch() blas32.General { return d.x }

func (d *descent) step(rate float64) { d.optimiser.update(rate, d.workers) }

func (d *descent) gradients() float64 {
	d.encode()
	zero(d.dz)
	loss := d.decode(d.dz, d.z, 1)
	if d.x.Rows > 2 {
		loss += neighbourWeight * d.neighbours.backward(d.dz, d.z, d.u, neighbourWeight, d.workers)
	}
	d.backward(d.dz)
	return loss
}

// reconstruction is weight times the mean loss per feature; its gradient goes to du. The
// layout's losses are in the row's units and of linear estimates, so outputs
// leave standardised space and gradients return to it.
func (p *pass) reconstruction(weight float32) float64 {
	m := p.model
	batch, features := p.x.Rows, p.x.Cols
	factor := 2 * weight / float32(batch*features)
	numeric := m.layout.allNumeric()
	if !numeric {
		factor *= m.scale
	}
	parallel(p.workers, batch, 16, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			estimate, target, grad := Row(p.uhat, i), Row(p.u, i), Row(p.du, i)
			if !numeric {
				for j := range estimate {
					estimate[j] = estimate[j]*m.scale + m.mean[j]
				}
				target = Row(p.x, i)
			}
			p.losses[i] = m.layout.loss(grad, estimate, target)
			vec.Scale(grad, grad, factor)
		}
	})
	var sum float64
	for _, l := range p.losses[:batch] {
		sum += l
	}
	return float64(weight) * 2 * sum / float64(batch*features)
}

func scaleRows(dst, src blas32.General, factor float32) {
	for i := range src.Rows {
		vec.Scale(Row(dst, i), Row(src, i), factor)
	}
}

// tuned is the recipe of going on from a trained model: its sizes, a third of the
// rate and, where not told, a quarter of the epochs.
func (r recipe) tuned(from *Model, epochs int) recipe {
	r.hidden, r.rate = from.settings.Hidden, r.rate/3
	if epochs == 0 {
		r.epochs = max(3, r.epochs/4)
	}
	return r
}

// begin is the network that training starts with, and how it goes on.
func (t *trainer) begin(pca *Model, encoder Encoder) (*Model, recipe) {
	r := newRecipe(t.train.Rows, t.train.Cols, t.cfg.Epochs)
	if pca.views != nil {
		r.ofPairs(t.train.Rows, t.cfg.Epochs)
	}
	if from := t.cfg.From; from != nil {
		return from.clone(), r.tuned(from, t.cfg.Epochs)
	}
	return pca.withNetworks(encoder, r.hidden, t.rng), r
}

// descend trains a network and returns the checkpoint with the least held-out
// error among those that lose to PCA on neither measure; where none does, PCA
// itself. why says which. Epoch 0 is the network as it is given: PCA, unless
// training goes on from another model.
func (t *trainer) descend(ctx context.Context, pca, current *Model, r recipe) (model *Model, why string, err error) {
	exam, err := t.quickExaminer(ctx, pca)
	if err != nil {
		return nil, "", err
	}
	floor, err := exam.score(ctx, pca, false)
	if err != nil {
		return nil, "", err
	}
	first := floor
	if t.cfg.From != nil {
		if first, err = exam.score(ctx, current, false); err != nil {
			return nil, "", err
		}
	}
	t.report(Progress{Epochs: r.epochs, Scored: true, MSE: first.MSE, Recall50: first.Recall50})

	model, why = pca, "no epoch beat "+pca.startName()+" on held-out rows in both error and neighbours"
	least := floor
	if t.cfg.From != nil && exam.admits(first, floor) {
		least, model, why = first, current.clone(), "the model that training went on from: no epoch bettered it"
		model.settings.Kept = 0
	}
	lowest, lowestAt := Evaluation{whole: math.Inf(1)}, 0 // whether or not a checkpoint was kept
	d := newLearner(current, r, t.cfg.Workers)
	ran := 0
	for epoch := 1; epoch <= r.epochs; epoch++ {
		ran = epoch
		loss, err := t.epoch(ctx, d, epoch, r)
		if err != nil {
			return nil, "", err
		}
		t.report(Progress{Epoch: epoch, Epochs: r.epochs, Loss: loss})
		score, err := exam.score(ctx, current, false)
		if errors.Is(err, ErrData) {
			break // diverged: rows that PCA took no longer have finite latents
		}
		if err != nil {
			return nil, "", err
		}
		if exam.admits(score, floor) && !least.betters(score) {
			least, model = score, current.clone()
			model.settings.Kept = epoch
			why = exam.criterion() + " of the epochs that beat " + pca.startName() + " in error and neighbours"
		}
		t.report(Progress{Epoch: epoch, Epochs: r.epochs, Scored: true, Loss: loss, MSE: score.MSE, Recall50: score.Recall50})
		if score.betters(lowest) {
			lowest, lowestAt = score, epoch
		}
		if epoch-lowestAt >= r.patience() {
			why += fmt.Sprintf("; ended after epoch %d, for no epoch since %d was better", epoch, lowestAt)
			break
		}
	}
	t.epochs += ran
	kept := model.settings.Kept
	model.settings = Settings{Hidden: r.hidden, Batch: r.batch, Epochs: r.epochs, LearningRate: r.rate, Seed: t.cfg.Seed, Kept: kept}
	return model, why, nil
}

// epoch passes once over the shuffled training rows; a last batch that is not
// full is left out, the shuffle gives its rows another turn.
func (t *trainer) epoch(ctx context.Context, d learner, epoch int, r recipe) (float64, error) {
	order := t.rng.Perm(t.train.Rows)
	steps := t.train.Rows / r.batch
	var sum float64
	for s := range steps {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		rows := order[s*r.batch : (s+1)*r.batch]
		parallel(t.cfg.Workers, len(rows), 16, func(lo, hi int) { gather(rowsOf(d.batch(), lo, hi), t.train, rows[lo:hi]) })
		sum += d.gradients()
		d.step(oneCycle(r.rate, (epoch-1)*steps+s, r.epochs*steps))
	}
	return sum / float64(steps), nil
}

func (t *trainer) report(p Progress) {
	if t.cfg.Progress == nil || p.Epoch == 0 && t.epochs > 0 {
		return
	}
	p.Epoch, p.Epochs = p.Epoch+t.epochs, p.Epochs+t.epochs
	t.cfg.Progress(p)
}
