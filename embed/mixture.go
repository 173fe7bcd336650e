package embed

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// Mixture is a mixture of Gaussians with full covariances over latents, for
// drawing new ones. It is immutable and safe for concurrent use.
type Mixture struct {
	dim     int
	weights []float64
	means   [][]float64
	factors []*mat.TriDense // lower Cholesky factors of the covariances
}

const (
	mixtureIterations = 40
	// mixtureRowsPerComponent is how many latents a component must explain.
	mixtureRowsPerComponent = 100
	// mixtureGain is the gain in log-likelihood, in nats per coordinate of a
	// latent, below which an iteration is the last.
	mixtureGain = 1e-4
)

// mixtureSizes are the numbers of components that are tried.
var mixtureSizes = []int{1, 2, 4, 8, 12, 16, 23, 30}

// FitMixture fits mixtures to latents (n×d) by expectation maximisation from k-means++
// seeds, of ever more components, up to 30 and one per 100 latents, and gives the last
// before the Bayesian information criterion (Schwarz, 1978) gets worse. Covariances are
// shrunk towards their diagonal where a component has few latents. Cost: for each of up
// to 8 mixtures 40 passes of n·k·d² operations. Same latents and seed: same mixture,
// whatever the number of workers.
func FitMixture(ctx context.Context, latents blas32.General, workers int, seed uint64) (*Mixture, error) {
	n, d := latents.Rows, latents.Cols
	if n < 2 || d < 1 || !wellFormed(latents) {
		return nil, fmt.Errorf("%w: a mixture needs at least 2 latents of 1 value, has %d of %d", ErrData, n, d)
	}
	if i := firstNotFinite(latents); i >= 0 {
		return nil, fmt.Errorf("%w: latent %d is not finite", ErrData, i)
	}
	var best *Mixture
	least := math.Inf(1)
	for _, k := range mixtureSizes {
		if k > max(1, n/mixtureRowsPerComponent) {
			break
		}
		m, likelihood, err := mixtureOf(ctx, latents, k, workers, seed)
		if err != nil {
			return nil, err
		}
		parameters := k*(1+d+d*(d+1)/2) - 1
		criterion := float64(parameters)*math.Log(float64(n)) - 2*float64(n)*likelihood
		if criterion >= least {
			break
		}
		best, least = m, criterion
	}
	return best, nil
}

// mixtureOf fits one of k components; likelihood is its mean logarithm per latent, up to
// a constant.
func mixtureOf(ctx context.Context, latents blas32.General, k, workers int, seed uint64) (m *Mixture, likelihood float64, err error) {
	em := &expectation{z: latents, rng: rand.New(rand.NewPCG(seed, 0x6d69)), floor: varianceFloor(latents), workers: workers}
	em.resp = mat.NewDense(latents.Rows, k, nil)
	em.hardAssign(em.seeds(k))
	m = &Mixture{dim: latents.Cols, weights: make([]float64, k), means: make([][]float64, k), factors: make([]*mat.TriDense, k)}
	last := math.Inf(-1)
	for range mixtureIterations {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		if err := em.maximise(m); err != nil {
			return nil, 0, err
		}
		likelihood = em.expect(m)
		if likelihood-last < mixtureGain*float64(latents.Cols) {
			break
		}
		last = likelihood
	}
	return m, likelihood, nil
}

// Draw writes a latent drawn from the mixture to dst, of its d values.
func (m *Mixture) Draw(dst []float32, rng *rand.Rand) {
	u, c := rng.Float64(), 0
	for c < len(m.weights)-1 && u >= m.weights[c] {
		u -= m.weights[c]
		c++
	}
	noise := make([]float64, m.dim)
	for i := range noise {
		noise[i] = rng.NormFloat64()
	}
	for i := range dst {
		x := m.means[c][i]
		for j := 0; j <= i; j++ {
			x += m.factors[c].At(i, j) * noise[j]
		}
		dst[i] = float32(x)
	}
}

// Components is the number of Gaussians.
func (m *Mixture) Components() int { return len(m.weights) }

// varianceFloor keeps covariances of collapsed or constant coordinates invertible.
func varianceFloor(z blas32.General) float64 {
	mean := make([]float64, z.Cols)
	for i := range z.Rows {
		for j, v := range Row(z, i) {
			mean[j] += float64(v) / float64(z.Rows)
		}
	}
	var total float64
	for i := range z.Rows {
		for j, v := range Row(z, i) {
			d := float64(v) - mean[j]
			total += d * d
		}
	}
	return max(1e-12, 1e-4*total/float64(z.Rows*z.Cols))
}

// expectation is the state of one expectation maximisation.
type expectation struct {
	z       blas32.General
	resp    *mat.Dense // n×k: responsibilities
	rng     *rand.Rand
	floor   float64
	workers int
}

// seeds picks k rows spread out by k-means++ (Arthur and Vassilvitskii, 2007).
func (e *expectation) seeds(k int) []int {
	picked := []int{e.rng.IntN(e.z.Rows)}
	dist := make([]float64, e.z.Rows)
	for i := range dist {
		dist[i] = math.Inf(1)
	}
	for len(picked) < k {
		centre := Row(e.z, picked[len(picked)-1])
		var sum float64
		for i := range dist {
			dist[i] = min(dist[i], squaredDistance(Row(e.z, i), centre))
			sum += dist[i]
		}
		target, next := e.rng.Float64()*sum, 0
		for next < len(dist)-1 && target >= dist[next] {
			target -= dist[next]
			next++
		}
		picked = append(picked, next)
	}
	return picked
}

func squaredDistance(a, b []float32) float64 {
	var s float64
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		s += d * d
	}
	return s
}

// hardAssign gives each row to its nearest seed.
func (e *expectation) hardAssign(seeds []int) {
	for i := range e.z.Rows {
		best, nearest := 0, math.Inf(1)
		for c, s := range seeds {
			if d := squaredDistance(Row(e.z, i), Row(e.z, s)); d < nearest {
				best, nearest = c, d
			}
		}
		e.resp.Set(i, best, 1)
	}
}

// maximise fits weights, means and covariances to the responsibilities.
func (e *expectation) maximise(m *Mixture) error {
	errs := make([]error, len(m.weights))
	eachOf(e.workers, len(m.weights), func(c int) { errs[c] = e.maximiseOne(m, c) })
	return errors.Join(errs...)
}

func (e *expectation) maximiseOne(m *Mixture, c int) error {
	n, d := e.z.Rows, e.z.Cols
	mass, mean := 1e-10, make([]float64, d)
	for i := range n {
		r := e.resp.At(i, c)
		mass += r
		for j, v := range Row(e.z, i) {
			mean[j] += r * float64(v)
		}
	}
	for j := range mean {
		mean[j] /= mass
	}
	m.weights[c], m.means[c] = mass/(float64(n)+1e-10*float64(len(m.weights))), mean
	var chol mat.Cholesky
	if !chol.Factorize(e.covariance(c, mean, mass)) {
		return fmt.Errorf("%w: covariance of component %d is not positive", ErrData, c)
	}
	m.factors[c] = mat.NewTriDense(d, mat.Lower, nil)
	chol.LTo(m.factors[c])
	return nil
}

// covariance is component c's, with its off-diagonal shrunk by d/(d+mass) and
// the variance floor added.
func (e *expectation) covariance(c int, mean []float64, mass float64) *mat.SymDense {
	d := e.z.Cols
	sum := make([]float64, d*d)
	diff := make([]float64, d)
	for i := range e.z.Rows {
		r := e.resp.At(i, c)
		if r < 1e-8 {
			continue
		}
		for j, v := range Row(e.z, i) {
			diff[j] = float64(v) - mean[j]
		}
		for a := range d {
			ra := r * diff[a]
			row := sum[a*d : a*d+a+1]
			for b := range row {
				row[b] += ra * diff[b]
			}
		}
	}
	keep := mass / (mass + float64(d))
	out := mat.NewSymDense(d, nil)
	for a := range d {
		for b := 0; b < a; b++ {
			out.SetSym(a, b, keep*sum[a*d+b]/mass)
		}
		out.SetSym(a, a, sum[a*d+a]/mass+e.floor)
	}
	return out
}

// expect computes responsibilities and returns the mean log-likelihood.
func (e *expectation) expect(m *Mixture) float64 {
	const block = 256
	n := e.z.Rows
	likelihoods := make([]float64, n)
	eachOf(e.workers, (n+block-1)/block, func(b int) {
		logs, diff := make([]float64, len(m.weights)), make([]float64, e.z.Cols)
		for i := b * block; i < min(n, (b+1)*block); i++ {
			likelihoods[i] = e.expectOne(m, i, logs, diff)
		}
	})
	return stat.Mean(likelihoods, nil)
}

// expectOne is latent i's log-likelihood. It overwrites logs and diff.
func (e *expectation) expectOne(m *Mixture, i int, logs, diff []float64) float64 {
	for c := range logs {
		for j, v := range Row(e.z, i) {
			diff[j] = float64(v) - m.means[c][j]
		}
		logs[c] = math.Log(m.weights[c]) + logNormal(m.factors[c], diff)
	}
	top := slices.Max(logs)
	var sum float64
	for c := range logs {
		logs[c] = math.Exp(logs[c] - top)
		sum += logs[c]
	}
	for c := range logs {
		e.resp.Set(i, c, logs[c]/sum)
	}
	return top + math.Log(sum)
}

// logNormal is the log density, up to a constant, of a difference from the
// mean under lower Cholesky factor l. It overwrites diff.
func logNormal(l *mat.TriDense, diff []float64) float64 {
	var quad, logDet float64
	raw := l.RawTriangular()
	for i := range diff {
		row := raw.Data[i*raw.Stride : i*raw.Stride+i+1]
		x := diff[i]
		for j, v := range row[:i] {
			x -= v * diff[j]
		}
		x /= row[i]
		diff[i] = x
		quad += x * x
		logDet += math.Log(row[i])
	}
	return -quad/2 - logDet
}
