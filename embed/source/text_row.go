package source

import (
	"iter"

	"github.com/latentdb/latentdb/embed"
)

// textHashed is how many features of a row are the sum of its terms' directions.
const textHashed = 384

// textSpots is how many of them a term adds to.
const textSpots = 8

// Fit reads no samples.
func (t Text) Fit(iter.Seq2[[]byte, error]) (Fitted, error) { return fittedText{t}, nil }

type fittedText struct{ spec Text }

func (f fittedText) Spec() Spec                     { return f.spec }
func (f fittedText) Width() int                     { return textHashed }
func (f fittedText) Layout() embed.Layout           { return embed.NumericLayout(f.Width()) }
func (f fittedText) InputScale() []float32          { return nil }
func (f fittedText) MarshalBinary() ([]byte, error) { return marshalFitted(f.spec, nil) }

// Row is the sum of the directions of the text's terms, at length one.
func (f fittedText) Row(dst []float32, stored []byte) error {
	if err := checkRow(dst, f.Width()); err != nil {
		return err
	}
	terms, err := f.spec.Terms(nil, stored)
	if err != nil {
		return err
	}
	clear(dst)
	for _, t := range terms {
		addDirection(dst, t)
	}
	normalise(dst)
	return nil
}

// addDirection adds a term's direction: a few features, each with a sign, all chosen by
// the term's id (a sparse random projection, Kane & Nelson 2014).
func addDirection(dst []float32, t Term) {
	h := termHash(t.ID) * fnvPrime
	for range textSpots {
		h += 0x9e3779b97f4a7c15
		bits := h.id()
		sign := t.Count
		if bits&1 == 0 {
			sign = -sign
		}
		dst[uint64(bits>>1)*uint64(len(dst))>>31] += sign
	}
}

// Record tells nothing yet of a row of directions.
func (f fittedText) Record(row []float32) (any, error) {
	if err := checkRow(row, f.Width()); err != nil {
		return nil, err
	}
	return map[string]any{"terms": []any{}}, nil
}

// Parts are none.
func (f fittedText) Parts([]float64, []float32, []float32) []Part { return nil }
