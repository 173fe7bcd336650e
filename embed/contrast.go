package embed

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed/internal/vec"
)

// contrastTemperature divides the cosines of the contrast. A lower one keeps pushing at
// what the linear start tells apart already, and found less on held-out pairs.
const contrastTemperature = 0.1

// contrast is the InfoNCE loss between the views of a batch (van den Oord, Li and Vinyals,
// 2018), in both directions: how well each row's one view is told from the other rows' by
// the other view, as the mean cross-entropy of softmaxes over cosines.
type contrast struct {
	s    blas32.General // B×B: cosines over the temperature, then their gradient
	soft blas32.General // B×B: the softmax over columns
	tops []float32      // B
	sums []float64      // B
}

func newContrast(batch int) *contrast {
	return &contrast{NewMatrix(batch, batch), NewMatrix(batch, batch), make([]float32, batch), make([]float64, batch)}
}

// backward returns weight times the loss of latents of length one (B×d each), row i of
// either being of one row, and adds its gradients to da and db. Cost: three B×B products.
func (c *contrast) backward(da, db, a, b blas32.General, weight float32) float64 {
	n := a.Rows
	gemm(blas.NoTrans, blas.Trans, 1/contrastTemperature, a, b, 0, c.s)
	loss := 0.0
	for i := range n {
		loss -= 2 * float64(c.s.Data[i*n+i])
	}
	loss += c.softmaxColumns() // from s, before it is overwritten
	for i := range n {
		row := Row(c.s, i)
		loss += logSoftmax(row)
		vec.Add(row, Row(c.soft, i))
		row[i] -= 2
	}
	factor := weight / (2 * float32(n))
	gemm(blas.NoTrans, blas.NoTrans, factor/contrastTemperature, c.s, b, 1, da)
	gemm(blas.Trans, blas.NoTrans, factor/contrastTemperature, c.s, a, 1, db)
	return float64(factor) * loss
}

// logSoftmax replaces v by its softmax and returns the logarithm of the sum of
// exponentials.
func logSoftmax(v []float32) float64 {
	top := v[0]
	for _, x := range v {
		top = max(top, x)
	}
	var sum float64
	for i, x := range v {
		v[i] = exp32(x - top)
		sum += float64(v[i])
	}
	vec.Scale(v, v, float32(1/sum))
	return float64(top) + math.Log(sum)
}

// softmaxColumns writes the softmaxes over the columns of s to soft, and returns the sum
// of the logarithms of their sums of exponentials.
func (c *contrast) softmaxColumns() float64 {
	n := c.s.Rows
	copy(c.tops, Row(c.s, 0))
	for i := range n {
		for j, x := range Row(c.s, i) {
			c.tops[j] = max(c.tops[j], x)
		}
	}
	clear(c.sums)
	for i := range n {
		to := Row(c.soft, i)
		for j, x := range Row(c.s, i) {
			to[j] = exp32(x - c.tops[j])
			c.sums[j] += float64(to[j])
		}
	}
	total := 0.0
	for j, sum := range c.sums {
		total += float64(c.tops[j]) + math.Log(sum)
	}
	for i := range n {
		for j := range Row(c.soft, i) {
			c.soft.Data[i*n+j] /= float32(c.sums[j])
		}
	}
	return total
}
