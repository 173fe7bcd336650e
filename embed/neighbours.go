package embed

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed/internal/vec"
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
	n.squaredDistances(p, u, workers)
	n.squaredDistances(q, z, workers)
	parallel(workers, b, 16, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			n.losses[i] = n.divergence(Row(p, i), Row(q, i), i)
		}
	})
	var total float64
	columns := n.norms[:b]
	clear(columns)
	for i, l := range n.losses[:b] {
		total += l
		vec.Add(columns, Row(p, i))
	}
	// dL/dz_i = 2 Σ_j (W_ij + W_ji)(z_i − z_j) / B
	factor := 2 * weight / float32(b)
	for i := range b {
		// A row of W sums to 0: both softmaxes sum to 1.
		degree := columns[i]
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

// distanceBlock is the number of rows of a block of squaredDistances.
const distanceBlock = 128

// squaredDistances fills d with ‖x_i − x_j‖². Products are taken for j from i's
// block on; what lies left of it is copied from its mirror image.
func (n *neighbourLoss) squaredDistances(d, x blas32.General, workers int) {
	parallel(workers, x.Rows, 16, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			n.norms[i] = vec.Squares(Row(x, i))
		}
	})
	for lo := 0; lo < x.Rows; lo += distanceBlock {
		hi := min(lo+distanceBlock, x.Rows)
		part := rowsOf(d, lo, hi)
		part.Data, part.Cols = part.Data[lo:], x.Rows-lo
		gemm(blas.NoTrans, blas.Trans, -2, rowsOf(x, lo, hi), rowsOf(x, lo, x.Rows), 0, part)
	}
	parallel(workers, d.Rows, 16, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			from := i - i%distanceBlock
			vec.AddNorms(Row(d, i)[from:], n.norms[from:d.Rows], n.norms[i])
		}
	})
	parallel(workers, d.Rows, 16, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := Row(d, i)[:i-i%distanceBlock]
			for j := range row {
				row[j] = d.Data[j*d.Stride+i]
			}
		}
	})
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
	sumP, sumQ, gap := vec.SoftmaxPair(p, q, vec.Min(p), vec.Min(q), inv)
	vec.Blend(p, q, inv/sumP, -inv/sumQ)
	return float64(gap/sumP) - math.Log(float64(sumP)) + math.Log(float64(sumQ))
}
