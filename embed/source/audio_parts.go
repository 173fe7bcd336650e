package source

import (
	"fmt"
	"math"
)

// A part is so many mel bands, at most, during so many frames.
const partBands, partFrames = 4, 2

// Parts are stretches of pitch and time, named "band 3, 0.10-0.13 s": bands count from 1,
// the lowest, and each is four of the front end's; times are of a recording of the usual
// length. Value and Expected are a part's level in decibels against the recording's mean.
//
// A feature is a coefficient, which all bands have a share in. What a frame contributes
// goes to its bands by how much each differs in level, squared, so that the weights of
// all parts add up to the contributions.
func (f *fittedAudio) Parts(contributions []float64, row, decoded []float32) []Part {
	width := f.Width()
	if len(contributions) != width || len(row) != width || len(decoded) != width {
		return nil
	}
	levels, expected := f.front.spread(row), f.front.spread(decoded)
	var parts []Part
	for at := 0; at < f.front.frames; at += partFrames {
		until := min(at+partFrames, f.front.frames)
		shares := make([][]float64, until-at)
		for i := range shares {
			k := f.front.coefficients
			shares[i] = sharesOf(contributions[(at+i)*k:(at+i+1)*k], levels[at+i], expected[at+i])
		}
		for band := 0; band < f.front.bands; band += partBands {
			part := Part{Name: f.partName(band, at, until)}
			var value, other float64
			n := float64((until - at) * partBands)
			for i, frame := range shares {
				for b := band; b < band+partBands; b++ {
					part.Weight += frame[b]
					value += levels[at+i][b] / n
					other += expected[at+i][b] / n
				}
			}
			part.Value, part.Expected = decibels(value), decibels(other)
			parts = append(parts, part)
		}
	}
	return ByWeight(parts)
}

func (f *fittedAudio) partName(band, from, until int) string {
	second := f.state.Seconds / float64(f.front.frames)
	return fmt.Sprintf("band %d, %.2f-%.2f s", band/partBands+1, float64(from)*second, float64(until)*second)
}

// sharesOf spreads a frame's contributions over its bands.
func sharesOf(contributions, levels, expected []float64) []float64 {
	total, squares := 0., 0.
	for _, c := range contributions {
		total += c
	}
	out := make([]float64, len(levels))
	for b, v := range levels {
		d := v - expected[b]
		out[b] = d * d
		squares += out[b]
	}
	for b := range out {
		if squares > 0 {
			out[b] *= total / squares
		} else {
			out[b] = total / float64(len(out))
		}
	}
	return out
}

// decibels are nepers of power, to a tenth of a decibel.
func decibels(level float64) float64 { return math.Round(level*100/math.Ln10) / 10 }
