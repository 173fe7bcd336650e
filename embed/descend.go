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

// patience is how many epochs without a lower error end the training. In the first
// half of a cycle the error may rise for a while, at rates that later fall.
func (r recipe) patience() int { return max(8, r.epochs/2) }

// descent is one run of gradient descent over the training rows.
type descent struct {
	model      *Model
	layout     Layout
	optimiser  *adam
	neighbours *neighbourLoss
	workers    int

	x, u         blas32.General // B×D: rows, standardised
	z, y, dz     blas32.General // B×d: latents, z/σ, gradient
	dzScaled     blas32.General // B×d: gradient through the encoder's perceptron
	uhat, du     blas32.General // B×D: outputs, gradient
	tapeE, tapeD *tape
	losses       []float64 // per row of the batch
}

func newDescent(m *Model, layout Layout, r recipe, workers int) *descent {
	d := &descent{model: m, layout: layout, workers: workers, losses: make([]float64, r.batch)}
	for _, buf := range []*blas32.General{&d.x, &d.u, &d.uhat, &d.du} {
		*buf = NewMatrix(r.batch, m.Features())
	}
	for _, buf := range []*blas32.General{&d.z, &d.y, &d.dz, &d.dzScaled} {
		*buf = NewMatrix(r.batch, m.dim)
	}
	d.neighbours = newNeighbourLoss(r.batch)
	d.optimiser = newAdam(m.params(), weightDecay)
	if m.mlpE != nil {
		d.tapeE = m.mlpE.newTape(r.batch)
	}
	d.tapeD = m.mlpD.newTape(r.batch)
	return d
}

// gradients computes the loss of the batch of rows in x and leaves its
// gradients in the model's parameters.
func (d *descent) gradients() float64 {
	m, batch := d.model, d.x.Rows
	parallel(d.workers, batch, 16, func(lo, hi int) { m.standardise(rowsOf(d.u, lo, hi), rowsOf(d.x, lo, hi)) })
	m.encodeInto(d.z, d.u, d.tapeE, d.workers)
	m.decodeInto(d.uhat, d.z, d.y, d.tapeD, d.workers)
	loss := d.reconstruction()

	// Decoder: û = G z + MLPd(z/σ).
	zero(d.dz)
	m.mlpD.backward(d.dz, d.du, d.y, d.tapeD, d.workers)
	scaleRows(d.dz, d.dz, 1/m.sigma)
	m.dec.backward(d.dz, d.du, d.z, true)
	if batch > 2 {
		loss += neighbourWeight * d.neighbours.backward(d.dz, d.z, d.u, neighbourWeight, d.workers)
	}

	// Encoder: z = E u + σ·MLPe(u). Rows need no gradient.
	m.enc.backward(blas32.General{}, d.dz, d.u, false)
	if m.mlpE != nil {
		scaleRows(d.dzScaled, d.dz, m.sigma)
		m.mlpE.backward(blas32.General{}, d.dzScaled, d.u, d.tapeE, d.workers)
	}
	return loss
}

// reconstruction is the mean loss per feature; its gradient goes to du. The
// layout's losses are in the row's units and of linear estimates, so outputs
// leave standardised space and gradients return to it.
func (d *descent) reconstruction() float64 {
	m := d.model
	batch, features := d.x.Rows, d.x.Cols
	factor := 2 / float32(batch*features)
	numeric := d.layout.allNumeric()
	if !numeric {
		factor *= m.scale
	}
	parallel(d.workers, batch, 16, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			estimate, target, grad := Row(d.uhat, i), Row(d.u, i), Row(d.du, i)
			if !numeric {
				for j := range estimate {
					estimate[j] = estimate[j]*m.scale + m.mean[j]
				}
				target = Row(d.x, i)
			}
			d.losses[i] = d.layout.loss(grad, estimate, target)
			vec.Scale(grad, grad, factor)
		}
	})
	var sum float64
	for _, l := range d.losses[:batch] {
		sum += l
	}
	return 2 * sum / float64(batch*features)
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

	model, why = pca, "no epoch beat PCA on held-out rows in both error and neighbours"
	least := floor.MSE
	if t.cfg.From != nil && exam.admits(first, floor) {
		least, model, why = first.MSE, current.clone(), "the model that training went on from: no epoch bettered it"
		model.settings.Kept = 0
	}
	lowest, lowestAt := math.Inf(1), 0 // whether or not a checkpoint was kept
	d := newDescent(current, t.layout, r, t.cfg.Workers)
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
		if exam.admits(score, floor) && score.MSE <= least {
			least, model = score.MSE, current.clone()
			model.settings.Kept = epoch
			why = "least held-out error of the epochs that beat PCA in error and neighbours"
		}
		t.report(Progress{Epoch: epoch, Epochs: r.epochs, Scored: true, Loss: loss, MSE: score.MSE, Recall50: score.Recall50})
		if score.MSE < lowest {
			lowest, lowestAt = score.MSE, epoch
		}
		if epoch-lowestAt >= r.patience() {
			why += fmt.Sprintf("; ended after epoch %d, for the error had not fallen since epoch %d", epoch, lowestAt)
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
func (t *trainer) epoch(ctx context.Context, d *descent, epoch int, r recipe) (float64, error) {
	order := t.rng.Perm(t.train.Rows)
	steps := t.train.Rows / r.batch
	var sum float64
	for s := range steps {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		rows := order[s*r.batch : (s+1)*r.batch]
		parallel(d.workers, len(rows), 16, func(lo, hi int) { gather(rowsOf(d.x, lo, hi), t.train, rows[lo:hi]) })
		sum += d.gradients()
		d.optimiser.update(oneCycle(r.rate, (epoch-1)*steps+s, r.epochs*steps), d.workers)
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
