package embed

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// neighbourLoss compares who is near whom in a batch before and after
// encoding: the mean over the batch of KL(P_i ‖ Q_i), where P_i and Q_i are
// softmaxes of negative squared distances over temperature τ_i in row space and
// in latent space. τ_i is a third of the spread from the squared distance of
// the nearest to that of the 20th neighbour within the batch, so a handful of
// neighbours carry the mass whatever the data's scale. Both spaces share τ_i:
// latents keep the rows' own units.
type neighbourLoss struct {
	p, q   blas32.General // B×B: squared distances; then p is W = (P−Q)/τ
	norms  []float32      // B
	losses []float64      // B
}

// tauNeighbour is the neighbour whose distance sets the temperature.
const tauNeighbour = 20

func newNeighbourLoss(batch int) *neighbourLoss {
	return &neighbourLoss{
		p: NewMatrix(batch, batch), q: NewMatrix(batch, batch),
		norms: make([]float32, batch), losses: make([]float64, batch),
	}
}

// backward returns the loss of latents z (B×d) of rows u (B×D) and adds weight
// times its gradient to dz. Cost: two B×B products.
func (n *neighbourLoss) backward(dz, z, u blas32.General, weight float32, workers int) float64 {
	b := u.Rows
	p, q := square(n.p, b), square(n.q, b)
	n.squaredDistances(p, u)
	n.squaredDistances(q, z)
	parallel(workers, b, 16, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			n.losses[i] = n.divergence(Row(p, i), Row(q, i), i)
		}
	})
	var total float64
	for _, l := range n.losses[:b] {
		total += l
	}
	// dL/dz_i = 2 Σ_j (W_ij + W_ji)(z_i − z_j) / B
	factor := 2 * weight / float32(b)
	for i := range b {
		var degree float32
		for j := range b {
			degree += p.Data[i*p.Stride+j] + p.Data[j*p.Stride+i]
		}
		row := Row(dz, i)
		for c, v := range Row(z, i) {
			row[c] += factor * degree * v
		}
	}
	gemm(blas.NoTrans, blas.NoTrans, -factor, p, z, 1, dz)
	gemm(blas.Trans, blas.NoTrans, -factor, p, z, 1, dz)
	return total / float64(b)
}

// square is the leading b×b part of m's memory.
func square(m blas32.General, b int) blas32.General {
	return blas32.General{Rows: b, Cols: b, Stride: b, Data: m.Data[:b*b]}
}

// squaredDistances fills d with ‖x_i − x_j‖².
func (n *neighbourLoss) squaredDistances(d, x blas32.General) {
	for i := range x.Rows {
		n.norms[i] = squaredNorm(Row(x, i))
	}
	gemm(blas.NoTrans, blas.Trans, -2, x, x, 0, d)
	for i := range d.Rows {
		row := Row(d, i)
		for j := range row {
			row[j] = max(0, row[j]+n.norms[i]+n.norms[j])
		}
	}
}

// temperature is τ_i, from row i's squared distances.
func temperature(d []float32, i int) float32 {
	var least [tauNeighbour]float32 // ascending
	kept := 0
	for j, v := range d {
		if j == i || kept == len(least) && v >= least[kept-1] {
			continue
		}
		if kept < len(least) {
			kept++
		}
		at := kept - 1
		for ; at > 0 && least[at-1] > v; at-- {
			least[at] = least[at-1]
		}
		least[at] = v
	}
	far := least[kept-1]
	if tau := (far - least[0]) / 3; tau > 1e-6*far {
		return tau
	}
	return max(far/3, 1e-6) // 20 neighbours at one distance
}

// divergence takes row i's squared distances before encoding (p) and after
// (q), returns KL(P_i ‖ Q_i) and replaces p by (P_i − Q_i)/τ_i. Both softmaxes
// are computed relative to the nearest neighbour, so that exp cannot overflow;
// their logarithms are never taken: with x and y the exponents,
// KL = Σ P (x − y) − log Σeˣ + log Σeʸ.
func (n *neighbourLoss) divergence(p, q []float32, i int) float64 {
	inv := 1 / temperature(p, i)
	p[i], q[i] = math.MaxFloat32, math.MaxFloat32 // not its own neighbour
	nearP, nearQ := slices.Min(p), slices.Min(q)
	var sumP, sumQ, gap float32
	for j := range p {
		if j == i {
			continue
		}
		x, y := (nearP-p[j])*inv, (nearQ-q[j])*inv
		p[j], q[j] = expNear(x), expNear(y)
		sumP += p[j]
		sumQ += q[j]
		if p[j] > 0 {
			gap += p[j] * (x - y)
		}
	}
	p[i], q[i] = 0, 0
	invP, invQ := 1/sumP, 1/sumQ
	for j := range p {
		p[j] = (p[j]*invP - q[j]*invQ) * inv
	}
	return float64(gap*invP) - math.Log(float64(sumP)) + math.Log(float64(sumQ))
}

// expNear is eˣ for x ≤ 0, and 0 where that is lost in a float32 sum that
// includes 1: most of a row is, and exp is most of the loss's cost.
func expNear(x float32) float32 {
	if x < -30 {
		return 0
	}
	return exp32(x)
}
