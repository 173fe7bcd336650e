package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/latentdb/latentdb/embed"
	bolt "go.etcd.io/bbolt"
)

// maxFitTries is how often a fit begins that the process does not survive: what
// brings it down, memory it may be, must not do so forever.
const maxFitTries = 3

// pendingFit is a fit under way as ground state knows it, so that it begins again
// when the process ends under it. It is forgotten when the fit ends in any way of
// its own.
type pendingFit struct {
	Generation uint64        `json:"generation"`
	Automatic  bool          `json:"automatic,omitempty"`
	Tries      int           `json:"tries"`
	Dim        int           `json:"dim,omitempty"`
	AutoDim    bool          `json:"auto_dim,omitempty"`
	Encoder    embed.Encoder `json:"encoder,omitempty"`
	Epochs     int           `json:"epochs,omitempty"`
	Seed       uint64        `json:"seed,omitempty"`
	FineTune   bool          `json:"fine_tune,omitempty"`
}

func (p pendingFit) options() FitOptions {
	return FitOptions{Dim: p.Dim, AutoDim: p.AutoDim, Encoder: p.Encoder, Epochs: p.Epochs, Seed: p.Seed, FineTune: p.FineTune}
}

// noteFit takes a number that no generation ever had, and notes the fit that
// makes it.
func (c *Collection) noteFit(run *fitRun) (number uint64, err error) {
	o := run.opts
	err = c.update(func(tx *bolt.Tx) error {
		g, err := groundOf(tx)
		if err != nil {
			return err
		}
		number = g.number(keyGeneration) + 1
		note, err := json.Marshal(pendingFit{Generation: number, Automatic: run.automatic, Tries: run.tries + 1,
			Dim: o.Dim, AutoDim: o.AutoDim, Encoder: o.Encoder, Epochs: o.Epochs, Seed: o.Seed, FineTune: o.FineTune})
		if err != nil {
			return err
		}
		if err := g.meta.Put(keyPendingFit, note); err != nil {
			return err
		}
		return g.putNumber(keyGeneration, number)
	})
	return number, err
}

// pendingFit is the fit that is noted; nil if there is none.
func (g *ground) pendingFit() (*pendingFit, error) {
	note := g.meta.Get(keyPendingFit)
	if note == nil {
		return nil, nil
	}
	p := new(pendingFit)
	if err := json.Unmarshal(note, p); err != nil {
		return nil, fmt.Errorf("%w: the note of the fit under way: %v", ErrCorrupt, err)
	}
	return p, nil
}

// clearPendingFit forgets the note of the fit that makes a generation.
func (g *ground) clearPendingFit(number uint64) error {
	p, err := g.pendingFit()
	if err == nil && (p == nil || p.Generation != number) {
		return nil
	}
	return g.meta.Delete(keyPendingFit) // a damaged note is of no use either
}

// forgetFit forgets a fit that has failed or was cancelled, but not one that the
// database's closing ends: it begins again.
func (c *Collection) forgetFit(number uint64) {
	if c.stopped() {
		return
	}
	if err := c.update(func(tx *bolt.Tx) error {
		g, err := groundOf(tx)
		if err != nil {
			return err
		}
		return g.clearPendingFit(number)
	}); err != nil {
		c.log.Warn("forgetting a fit that ended", "generation", number, "error", err)
	}
}

// resumeFit begins the fit again that the process ended under, and tells whether
// it did.
func (c *Collection) resumeFit() bool {
	if c.opts.NoAutoFit {
		return false
	}
	var p *pendingFit
	err := c.view(func(g *ground) (err error) {
		p, err = g.pendingFit()
		return err
	})
	switch {
	case err != nil:
		c.log.Warn("a fit was under way", "error", err)
		return false
	case p == nil:
		return false
	case p.Tries >= maxFitTries:
		c.log.Error("a fit is given up: the process ended under each try", "generation", p.Generation, "tries", p.Tries)
		c.fits.status = FitStatus{State: FitFailed, Generation: p.Generation,
			Error: fmt.Sprintf("the process ended under each of %d tries", p.Tries)}
		c.forgetFit(p.Generation)
		return false
	}
	c.log.Info("a fit begins again", "generation", p.Generation, "tries", p.Tries)
	err = c.launch(context.Background(), &fitRun{automatic: p.Automatic, tries: p.Tries, opts: p.options()})
	if err != nil {
		c.log.Warn("beginning a fit again", "error", err)
		c.forgetFit(p.Generation)
	}
	return err == nil
}

// checkTuning refuses to go on from a generation that has no network, or one of
// another shape than is asked for.
func (c *Collection) checkTuning(o FitOptions) error {
	if !o.FineTune {
		return nil
	}
	model := c.active.Load().model
	switch {
	case model == nil || model.Encoder() == embed.PCA:
		return invalid("fine_tune", "needs a network to go on from, and the active generation has none")
	case o.AutoDim || o.Dim != 0 && o.Dim != model.Dim():
		return invalid("dim", "does not go with fine_tune, which keeps the size of %d", model.Dim())
	case o.Encoder != "" && o.Encoder != embed.Auto && o.Encoder != model.Encoder():
		return invalid("encoder", "is %q, and fine_tune keeps %q", o.Encoder, model.Encoder())
	}
	return nil
}
