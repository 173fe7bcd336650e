package embed

import (
	"context"
	"fmt"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas/blas32"
)

// Weighing lets Auto serve Linear in place of Deep, where that keeps most of what Deep
// learned and makes a search much cheaper: for latents that only pick candidates. A
// linear encoder is some twenty times cheaper, and needs more candidates.
type Weighing struct {
	// Recall is the share of the true 10 neighbours that candidates are to hold.
	Recall float64
	// Cost is what a search by a model costs, in any unit, that takes so many candidates.
	Cost func(m *Model, candidates int) float64
	// Before is the encoder that served before, if any: the other must be a tenth
	// better than it would have to be otherwise.
	Before Encoder
}

// Weighed is one of the encoders that Auto weighed, by the held-out rows that choose.
type Weighed struct {
	Encoder Encoder
	// MSE and Recall50 are as in Evaluation.
	MSE, Recall50 float64
	// Candidates is how many of the nearest latents, among 20,000 rows at most, hold
	// the true neighbours to the share that Weighing asks for, and Cost what a search
	// for as many costs.
	Candidates int
	Cost       float64
}

const (
	// leastGain is the share of Deep's gain over PCA in error that Linear must keep,
	// for answers other than searches are by the same model, and mostCost what a
	// search by it may cost beside one by Deep.
	leastGain, mostCost = .5, 2. / 3
	// linearShare is how many of Deep's epochs Linear is trained for: more brought it
	// hardly nearer on any data that was measured.
	linearShare = .25
	// mostCandidates bounds Candidates: an encoder that needs more does not serve.
	mostCandidates = 1000
	// inertia favours the encoder that served before.
	inertia = 1.1
)

// trained is a model and why it is to serve.
type trained struct {
	model *Model
	why   string
}

// weigh trains a linear encoder beside the deep one, unless one that needs no more
// candidates would not be cheap enough, and returns both, that which is to serve first.
func (t *trainer) weigh(ctx context.Context, pca *Model, deep trained) ([]trained, []Weighed, error) {
	ofPCA, err := t.weighed(ctx, pca)
	if err != nil {
		return nil, nil, err
	}
	ofDeep, err := t.weighed(ctx, deep.model)
	if err != nil {
		return nil, nil, err
	}
	out := []Weighed{ofDeep, ofPCA}
	ratio := mostCost
	switch t.cfg.Weigh.Before {
	case Linear:
		ratio *= inertia
	case Deep:
		ratio /= inertia
	}
	if least := t.cfg.Weigh.Cost(pca, ofDeep.Candidates); least > ratio*ofDeep.Cost {
		deep.why += fmt.Sprintf("; no linear encoder was trained: with as many candidates a search would cost %.3g instead of %.3g", least, ofDeep.Cost)
		return []trained{deep}, out, nil
	}
	linear, err := t.trainLinear(ctx, pca, deep.model)
	if err != nil {
		return nil, nil, err
	}
	ofLinear, err := t.weighed(ctx, linear.model)
	if err != nil {
		return nil, nil, err
	}
	out = []Weighed{ofDeep, ofLinear, ofPCA}
	gain := (ofPCA.MSE - ofLinear.MSE) / (ofPCA.MSE - ofDeep.MSE)
	numbers := fmt.Sprintf("keeps %.0f %% of what a deep one gains over PCA in error, and a search costs %.3g instead of %.3g, with %d candidates instead of %d",
		100*gain, ofLinear.Cost, ofDeep.Cost, ofLinear.Candidates, ofDeep.Candidates)
	if linear.model != pca && gain >= leastGain*mostCost/ratio && ofLinear.Cost <= ratio*ofDeep.Cost && ofLinear.Candidates < mostCandidates {
		linear.why = "a linear encoder " + numbers + "; " + linear.why
		return []trained{linear, deep}, out, nil
	}
	deep.why += "; a linear encoder " + numbers + ": not enough"
	return []trained{deep}, out, nil
}

// trainLinear goes on from Deep's matrix and decoder. It draws by itself, so that what
// it draws does not depend on Deep's epochs.
func (t *trainer) trainLinear(ctx context.Context, pca, deep *Model) (out trained, err error) {
	t.rng = rand.New(rand.NewPCG(t.cfg.Seed, 0x11ea5))
	r := newRecipe(t.train.Rows, t.train.Cols, t.cfg.Epochs)
	r.epochs = max(1, int(linearShare*float64(r.epochs)))
	out.model, out.why, err = t.descend(ctx, pca, deep.asLinear(), r)
	return out, err
}

// weighed measures a model on the rows that choose.
func (t *trainer) weighed(ctx context.Context, m *Model) (Weighed, error) {
	score, err := t.quick.score(ctx, m, false)
	if err != nil {
		return Weighed{}, err
	}
	w := Weighed{Encoder: m.encoder, MSE: score.MSE, Recall50: score.Recall50}
	if w.Candidates, err = t.quick.depth(ctx, m, t.cfg.Weigh.Recall); err != nil {
		return Weighed{}, err
	}
	w.Cost = t.cfg.Weigh.Cost(m, w.Candidates)
	return w, nil
}

// depth is how many of the references nearest in latent space hold a share of the true
// neighbours, mostCandidates at most.
func (e *examiner) depth(ctx context.Context, m *Model, share float64) (int, error) {
	zq, zr, err := e.encode(ctx, m)
	if err != nil {
		return 0, err
	}
	lists, err := nearest(ctx, zq, zr.Rows, mostCandidates, func(lo, hi int) blas32.General { return rowsOf(zr, lo, hi) })
	if err != nil {
		return 0, err
	}
	at, wanted := make([]int, mostCandidates), 0 // true neighbours by their place
	for i, truth := range e.truth {
		wanted += len(truth)
		for place, r := range lists[i] {
			if contains(truth, r) {
				at[place]++
			}
		}
	}
	found := 0
	for place, n := range at {
		if found += n; float64(found) >= share*float64(wanted) {
			return place + 1, nil
		}
	}
	return mostCandidates, nil
}
