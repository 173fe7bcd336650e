package store

import (
	"github.com/latentdb/latentdb/embed"
)

const (
	// efPerCandidate is how wide a search of cells must be for each candidate, as a rule:
	// the more rows are scanned, the fewer of the true neighbours are left out.
	efPerCandidate = 2
	// gatheredPerEF is about how many rows a graph looks at for each of ef.
	gatheredPerEF = 16
)

// weighing tells training what searches cost, where latents only pick candidates. Where
// they are all that is kept, they answer too.
func (r *fitRun) weighing(gen *generation, sample *fitSample) *embed.Weighing {
	c := r.c
	cfg := c.Config()
	if cfg.defaultSpace() != SpaceInput || cfg.DropOriginals {
		return nil
	}
	w := &embed.Weighing{Recall: 1 - (1-cfg.Recall)/newQueryShortfall}
	if before := c.active.Load(); before.model != nil {
		w.Before = before.model.Encoder()
	}
	points, features := float64(c.points.Load()), float64(gen.fitted.Width())
	kept := c.rowsPlace(gen, sample.form) != ""
	w.Cost = func(m *embed.Model, candidates int) float64 {
		k := float64(candidates)
		did := searched{ef: efPerCandidate * k, kept: k, points: points, width: float64(m.Dim()), codeBytes: 1}
		switch cfg.Engine {
		case EngineFlat:
			did.scanned = points
		case EngineHNSW:
			did.gathered = min(points, gatheredPerEF*did.ef)
		default:
			did.sketched = min(points, rowsPerEF*did.ef)
		}
		cost := did.work()
		cost.Weights = float64(m.EncoderWeights())
		if kept {
			cost.rescore(k, points, features*float64(sample.form.Bytes()))
		} else {
			cost.Stored, cost.StoredFeatures = k, k*features
		}
		return cost.cost()
	}
	return w
}

// EncoderReport is one of the encoders that a fit weighed, by held-out points that
// choose: other ones than errors and recalls are measured on.
type EncoderReport struct {
	Name string `json:"name"`
	// MSE and RecallAt50 are as Report has them.
	MSE        float64 `json:"mse"`
	RecallAt50 float64 `json:"recall_at_50"`
	// Candidates is how many of the nearest latents, among 20,000 points at most, hold
	// as many of the true neighbours as the collection's recall takes, and Cost about
	// what a search for as many costs, as CalibrationPoint has it.
	Candidates int     `json:"candidates"`
	Cost       float64 `json:"cost"`
	Chosen     bool    `json:"chosen"`
}

func encoderReports(result *embed.Result) (out []EncoderReport) {
	for _, w := range result.Weighed {
		out = append(out, EncoderReport{Name: string(w.Encoder), MSE: w.MSE, RecallAt50: w.Recall50,
			Candidates: w.Candidates, Cost: w.Cost, Chosen: w.Encoder == result.Model.Encoder()})
	}
	return out
}
