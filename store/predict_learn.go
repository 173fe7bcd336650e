package store

import (
	"context"
	"maps"
	"math"
	"slices"
	"sync"

	"gonum.org/v1/gonum/stat"
)

// triedK are the numbers of neighbours that are compared.
var triedK = []int{1, 3, 5, 10, 20, 50}

// predictor predicts the values of a key, as stored points that were left out taught it.
// It is immutable.
type predictor struct {
	electorate
	quality PredictQuality
	// confidence is of classes.
	confidence reliability
	// deviation of all values and width, by which the neighbours' is multiplied, are of numbers.
	deviation, width float64
}

// predict is what the nearest voters say, K of them and the next.
func (p *predictor) predict(near []Voter) Prediction {
	out := Prediction{Quality: &p.quality, Neighbours: near[:min(p.quality.K, len(near))]}
	weights := votes(near, p.quality.K)
	switch {
	case len(weights) == 0:
	case p.quality.As == PredictClass:
		var share float64
		out.Value, share = elect(near, weights)
		out.Confidence = p.confidence.of(share)
	default:
		mean, deviation := average(near, weights)
		spread := p.width * p.atLeast(deviation)
		out.Value, out.Spread, out.Confidence = mean, &spread, 1
		if p.deviation > 0 {
			out.Confidence = max(0, 1-spread*spread/(p.deviation*p.deviation))
		}
	}
	return out
}

// atLeast is a deviation of neighbours' values that is not taken for none where few agree.
func (p *predictor) atLeast(deviation float64) float64 {
	return math.Hypot(deviation, leastSpread*p.deviation)
}

// learnPredictor predicts stored points, left out one by one.
func (c *Collection) learnPredictor(ctx context.Context, q PredictQuery, generation uint64) (*predictor, error) {
	p := &predictor{electorate: q.electorate(c.Config())}
	points, others, err := c.labelled(ctx, p.electorate)
	if err != nil {
		return nil, err
	}
	all := len(points) + others
	points, p.kind = mostFrequent(points)
	p.quality = PredictQuality{
		Key: q.Key, As: q.As, K: q.K, Space: p.space, Generation: generation, Skipped: all - len(points),
	}
	setDefault(&p.quality.As, predictedAs(points, p.kind))
	if p.quality.As == PredictNumber && p.kind != numberValue {
		return nil, invalid("as", "is number, and what points have under %q mostly is none", q.Key)
	}
	tried := []int{q.K}
	if q.K == 0 {
		tried = triedK
	}
	if err := c.learnFrom(ctx, p, points, tried); err != nil {
		return nil, err
	}
	// A search for fewer neighbours may find others, and it is these that will vote.
	if all := p.quality.Tried; len(tried) > 1 {
		err = c.learnFrom(ctx, p, points, []int{p.quality.K})
		p.quality.Tried = all
	}
	return p, err
}

// learnFrom predicts points by some numbers of neighbours, and keeps what that tells of
// the best.
func (c *Collection) learnFrom(ctx context.Context, p *predictor, points []labelledPoint, tried []int) error {
	near, err := c.leaveOut(ctx, p.electorate, points, slices.Max(tried)+1)
	if err != nil {
		return err
	}
	points, near = predictable(points, near)
	p.quality.Points, p.quality.Tried = len(points), []TriedK{}
	if p.quality.As == PredictClass {
		p.learnClasses(points, near, tried)
	} else {
		p.learnNumbers(points, near, tried)
	}
	return nil
}

// predictable leaves out the points that have no neighbours.
func predictable(points []labelledPoint, near [][]Voter) (kept []labelledPoint, theirs [][]Voter) {
	for i, n := range near {
		if len(n) > 0 {
			kept, theirs = append(kept, points[i]), append(theirs, n)
		}
	}
	return kept, theirs
}

// choose takes, of the K whose score is no more than slack below the best, that of the
// least loss, and the smallest of equals. It tries no K that leaves no point beyond the
// voters, but for the first.
func (p *predictor) choose(near [][]Voter, tried []int, measure func(k int) (score, loss float64), slack func(best float64) float64) {
	p.quality.K = tried[0]
	if len(near) == 0 {
		return
	}
	most, best := 0, math.Inf(-1)
	for _, n := range near {
		most = max(most, len(n))
	}
	var losses []float64
	for i, k := range tried {
		if i > 0 && k >= most {
			break
		}
		score, loss := measure(k)
		p.quality.Tried, losses = append(p.quality.Tried, TriedK{k, score}), append(losses, loss)
		best = max(best, score)
	}
	least := math.Inf(1)
	for i, t := range p.quality.Tried {
		if t.Score >= best-slack(best) && losses[i] < least {
			least, p.quality.K = losses[i], t.K
		}
	}
}

// learnClasses chooses by accuracy and, within its standard error, by how well confidence
// tells right from wrong: its mean squared error (Brier 1950). One neighbour, say, is often
// as accurate as ten and as sure of all it says.
func (p *predictor) learnClasses(points []labelledPoint, near [][]Voter, tried []int) {
	n := float64(len(points))
	shares, right := make([]float64, len(points)), make([]bool, len(points))
	measure := func(k int) (accuracy, loss float64) {
		for i, voters := range near {
			var value any
			value, shares[i] = elect(voters, votes(voters, k))
			if right[i] = value == points[i].value; right[i] {
				accuracy++
			}
		}
		accuracy /= n
		p.confidence = reliabilityOf(shares, right)
		for i, share := range shares {
			off := p.confidence.of(share)
			if right[i] {
				off = 1 - off
			}
			loss += off * off / n
		}
		return accuracy, loss
	}
	p.choose(near, tried, measure, func(best float64) float64 { return math.Sqrt(max(0, best*(1-best)) / n) })
	if len(points) == 0 {
		return
	}
	levels := make(map[any]int)
	for _, point := range points {
		levels[point.value]++
	}
	reached, _ := measure(p.quality.K)
	common := float64(slices.Max(slices.Collect(maps.Values(levels)))) / n
	p.quality.Accuracy, p.quality.MostCommon = &reached, &common
}

func (p *predictor) learnNumbers(points []labelledPoint, near [][]Voter, tried []int) {
	values, errors, deviations := make([]float64, len(points)), make([]float64, len(points)), make([]float64, len(points))
	for i, point := range points {
		values[i], _ = number(point.value)
	}
	p.width = 1
	if len(points) > 0 {
		p.deviation = stat.PopStdDev(values, nil)
	}
	r2 := func(k int) (score, loss float64) {
		var square float64
		for i, voters := range near {
			var mean float64
			mean, deviations[i] = average(voters, votes(voters, k))
			errors[i] = mean - values[i]
			square += errors[i] * errors[i] / float64(len(points))
		}
		switch {
		case square == 0:
			return 1, 0
		case p.deviation == 0:
			return 0, 0
		}
		return 1 - square/(p.deviation*p.deviation), 0
	}
	p.choose(near, tried, r2, func(float64) float64 { return 0 })
	if len(points) == 0 {
		return
	}
	off := 0.
	reached, _ := r2(p.quality.K)
	for i := range errors {
		off += math.Abs(errors[i]) / float64(len(errors))
		deviations[i] = p.atLeast(deviations[i])
	}
	p.quality.R2, p.quality.MeanError = &reached, &off
	p.width = widthOf(errors, deviations)
}

// predictorCache keeps predictors of the active generation.
type predictorCache struct {
	mu      sync.Mutex
	entries map[predictorKey]keptPredictor
}

// cachedPredictors is how many a collection keeps.
const cachedPredictors = 64

type predictorKey struct {
	generation  uint64
	key, filter string
	k           int
	as          PredictAs
	space       Space
}

type keptPredictor struct {
	*predictor
	seq uint64 // the last change that it may know of
}

// predictor is one for a query: a kept one, unless as many changes came since as a tenth of
// the points.
func (c *Collection) predictor(ctx context.Context, q PredictQuery) (*predictor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if c.stopped() {
		return nil, ErrClosed
	}
	if err := q.validate(); err != nil {
		return nil, err
	}
	seq := c.published.Load()
	key := predictorKey{generation: c.active.Load().number, key: q.Key, k: q.K, as: q.As, space: q.Space}
	keeps := q.Filter.empty()
	if !keeps {
		key.filter = selectionKey(q.Filter)
		keeps = key.filter != ""
	}
	if kept, ok := c.predictors.get(key); keeps && ok && 10*(seq-min(seq, kept.seq)) <= uint64(c.points.Load()) {
		return kept.predictor, nil
	}
	p, err := c.learnPredictor(ctx, q, key.generation)
	if err == nil && keeps {
		c.predictors.put(key, keptPredictor{p, seq})
	}
	return p, err
}

func (p *predictorCache) get(key predictorKey) (keptPredictor, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept, ok := p.entries[key]
	return kept, ok
}

// put keeps a predictor, and forgets those of other generations and, where there are too
// many, all.
func (p *predictorCache) put(key predictorKey, kept keptPredictor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.entries, func(k predictorKey, _ keptPredictor) bool { return k.generation != key.generation })
	if p.entries == nil || len(p.entries) >= cachedPredictors {
		p.entries = make(map[predictorKey]keptPredictor)
	}
	p.entries[key] = kept
}
