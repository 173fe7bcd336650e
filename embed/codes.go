package embed

import (
	"encoding/binary"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas/blas32"
)

// maxInt8Loss is how much recall@10 (of candidates, recall@50) the int8 code may cost
// on held-out rows.
// Where it costs more (few dimensions packed with many points, or a few values
// far from all others), latents are kept as float32.
const maxInt8Loss = 0.003

// CodeSize is the bytes of a stored latent: its int8 code has one byte a value;
// where int8 would cost recall, there are four.
func (m *Model) CodeSize() int {
	if m.int8Step == 0 {
		return 4 * m.dim
	}
	return m.dim
}

// Code writes the stored form of a latent: each value divided by one global
// step, rounded and clamped to ±127; or as a little-endian float32.
func (m *Model) Code(dst []byte, latent []float32) {
	for i, x := range latent {
		if m.int8Step == 0 {
			binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(x))
		} else {
			dst[i] = byte(int8Code(x, m.int8Step))
		}
	}
}

// FromCode writes the latent that a stored form stands for.
func (m *Model) FromCode(dst []float32, code []byte) {
	for i := range dst {
		if m.int8Step == 0 {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(code[4*i:]))
		} else {
			dst[i] = float32(int8(code[i])) * m.int8Step
		}
	}
}

// Round replaces latents, one after another, by what their stored forms stand for.
func (m *Model) Round(latents []float32) {
	if m.int8Step == 0 {
		return
	}
	for i, x := range latents {
		latents[i] = float32(int8Code(x, m.int8Step)) * m.int8Step
	}
}

// CodeStep is the latent distance of one step of the code, and CodeReach the
// largest value it can hold: 0 and infinity where latents are float32.
func (m *Model) CodeStep() float32 { return m.int8Step }

// CodeReach is the largest value of a coordinate that the code does not clip.
func (m *Model) CodeReach() float32 {
	if m.int8Step == 0 {
		return math.MaxFloat32
	}
	return 127.5 * m.int8Step
}

func int8Code(x, step float32) int8 {
	return int8(max(-127, min(127, math.RoundToEven(float64(x)/float64(step)))))
}

// int8StepFor is the one global step of the int8 code for latents like z: the
// one, among ranges that clip nothing up to a thousandth of the values, that
// loses least.
func int8StepFor(z blas32.General) float32 {
	sizes := make([]float32, len(z.Data))
	for i, v := range z.Data {
		sizes[i] = float32(math.Abs(float64(v)))
	}
	slices.Sort(sizes)
	best, least := float32(0), math.Inf(1)
	for _, share := range []float64{1, 0.9999, 0.9997, 0.999} {
		step := max(sizes[int(share*float64(len(sizes)-1))], 1e-12) / 127
		var loss float64
		for _, x := range z.Data {
			d := float64(x - float32(int8Code(x, step))*step)
			loss += d * d
		}
		if loss < least {
			best, least = step, loss
		}
	}
	return best
}
