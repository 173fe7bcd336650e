package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/latentdb/latentdb/embed"
)

// A pair's feature row is that of either side, each followed by one feature that tells
// whether the side is there: embed's layout of two views. A side whose features are all
// numeric is divided by its standard deviation, so that none drowns the other; in place of
// a side that is missing stands its mean row.

// Fit learns what the sides learn, from the records that have them, and the mean and
// spread of their rows. It goes through samples four times.
func (p Pair) Fit(samples iter.Seq2[[]byte, error]) (Fitted, error) {
	out := fittedPair{spec: p}
	for i, spec := range p.sides() {
		var err error
		if out.sides[i], err = fitSide(spec, onlySide(samples, i)); err != nil {
			return nil, ofSide(i, err)
		}
	}
	return out.checked()
}

// onlySide are the bytes of one side of those samples that have it.
func onlySide(samples iter.Seq2[[]byte, error], side int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if samples == nil {
			return
		}
		for stored, err := range samples {
			if err != nil {
				yield(nil, err)
				return
			}
			sides, err := cutPair(stored)
			if err != nil {
				yield(nil, err)
				return
			}
			if sides[side] != nil && !yield(sides[side], nil) {
				return
			}
		}
	}
}

// pairSide is what was learned of one side.
type pairSide struct {
	Fitted
	scale float32   // a row's values are divided by it
	usual []float32 // the mean row
}

func fitSide(spec Spec, samples iter.Seq2[[]byte, error]) (pairSide, error) {
	s := pairSide{scale: 1}
	err := ErrOneSided // also where the side's own kind, left open by all records, could say less
	for _, err = range samples {
		break
	}
	if err != nil {
		return s, err
	}
	if s.Fitted, err = spec.Fit(samples); err != nil {
		return s, err
	}
	width := s.Width()
	row, sum := make([]float32, width), make([]float64, width)
	squares, n := 0.0, 0
	for stored, err := range samples {
		if err == nil {
			err = s.Fitted.Row(row, stored)
		}
		if err != nil {
			return s, err
		}
		for j, x := range row {
			sum[j] += float64(x)
			squares += float64(x) * float64(x)
		}
		n++
	}
	for _, v := range sum {
		squares -= v / float64(n) * v
	}
	if spread := float32(math.Sqrt(max(0, squares/float64(n)/float64(width)))); spread > 1e-30 && allNumeric(s.Layout()) {
		s.scale = spread
	}
	s.usual = make([]float32, width)
	for j, v := range sum {
		s.usual[j] = float32(v / float64(n) / float64(s.scale))
	}
	return s, nil
}

func allNumeric(l embed.Layout) bool {
	for _, b := range l {
		if b.Kind != embed.Numeric {
			return false
		}
	}
	return true
}

// Row is the side's row, divided by the scale.
func (s pairSide) Row(dst []float32, stored []byte) error {
	if stored == nil {
		copy(dst, s.usual)
		return nil
	}
	if err := s.Fitted.Row(dst, stored); err != nil {
		return err
	}
	for j, x := range dst {
		dst[j] = max(-maxDivided, min(maxDivided, x/s.scale))
	}
	return nil
}

// maxDivided bounds the values of a row that was divided by a scale, which may be small:
// no distance between two such rows overflows float32, as MaxVectorLength has it.
const maxDivided = 1e15

// own is a part of a pair's row as the side's own row.
func (s pairSide) own(row []float32) []float32 {
	out := make([]float32, len(row))
	for j, x := range row {
		out[j] = x * s.scale
	}
	return out
}

// fittedPair is a pair with what was learned of its sides.
type fittedPair struct {
	spec  Pair
	sides [2]pairSide
}

func (f fittedPair) checked() (Fitted, error) {
	if f.Width() > MaxFeatures {
		return nil, fmt.Errorf("%w: the sides of a pair have %d features, the limit is %d", ErrSpec, f.Width(), MaxFeatures)
	}
	return f, nil
}

func (f fittedPair) Spec() Spec { return f.spec }

func (f fittedPair) Width() int { return f.from(len(f.sides)) }

// from is where the features of a side begin.
func (f fittedPair) from(side int) int {
	at := 0
	for _, s := range f.sides[:side] {
		at += s.Width() + 1
	}
	return at
}

// at is where the feature is that tells whether a side is there: after its own.
func (f fittedPair) at(side int) int { return f.from(side+1) - 1 }

func (f fittedPair) Layout() embed.Layout {
	var out embed.Layout
	for _, s := range f.sides {
		out = append(append(out, s.Layout()...), embed.Block{Kind: embed.Presence, Width: 1})
	}
	return out
}

func (f fittedPair) Row(dst []float32, stored []byte) error {
	if err := checkRow(dst, f.Width()); err != nil {
		return err
	}
	parts, err := cutPair(stored)
	if err != nil {
		return err
	}
	for i, s := range f.sides {
		dst[f.at(i)] = 0
		if parts[i] != nil {
			dst[f.at(i)] = 1
		}
		if err := s.Row(dst[f.from(i):f.at(i)], parts[i]); err != nil {
			return ofSide(i, err)
		}
	}
	return nil
}

// there tells whether a row has a side.
func (f fittedPair) there(row []float32, side int) bool { return row[f.at(side)] >= 0.5 }

// Record is the record of the sides that the row has; of a row that a model decoded, both.
func (f fittedPair) Record(row []float32) (any, error) {
	if err := checkRow(row, f.Width()); err != nil {
		return nil, err
	}
	record := map[string]any{}
	for i, s := range f.sides {
		if !f.there(row, i) {
			continue
		}
		var err error
		if record[sideNames[i]], err = s.Record(s.own(row[f.from(i):f.at(i)])); err != nil {
			return nil, ofSide(i, err)
		}
	}
	return record, nil
}

func (f fittedPair) InputScale() []float32 {
	out := make([]float32, f.Width())
	for i, s := range f.sides {
		own := s.InputScale()
		for j := range s.Width() {
			out[f.from(i)+j] = s.scale
			if own != nil {
				out[f.from(i)+j] *= own[j]
			}
		}
	}
	return out
}

// Parts are those of the sides that the row has, by the names "left.…" and "right.…".
func (f fittedPair) Parts(contributions []float64, row, decoded []float32) []Part {
	if width := f.Width(); len(contributions) != width || len(row) != width || len(decoded) != width {
		return nil
	}
	var out []Part
	for i, s := range f.sides {
		if !f.there(row, i) {
			continue
		}
		lo, hi := f.from(i), f.at(i)
		for _, part := range s.Parts(contributions[lo:hi], s.own(row[lo:hi]), s.own(decoded[lo:hi])) {
			part.Name = sideNames[i] + "." + part.Name
			out = append(out, part)
		}
	}
	return ByWeight(out)
}

// pairState is a fitted pair in JSON.
type pairState struct {
	Left  sideState `json:"left"`
	Right sideState `json:"right"`
}

type sideState struct {
	Fitted json.RawMessage `json:"fitted"`
	Scale  float32         `json:"scale"`
	Usual  []float32       `json:"usual"`
}

func (f fittedPair) MarshalBinary() ([]byte, error) {
	var state pairState
	for i, to := range []*sideState{&state.Left, &state.Right} {
		data, err := f.sides[i].MarshalBinary()
		if err != nil {
			return nil, ofSide(i, err)
		}
		*to = sideState{data, f.sides[i].scale, f.sides[i].usual}
	}
	return marshalFitted(f.spec, state)
}

func restorePair(spec Spec, data json.RawMessage) (Fitted, error) {
	var state pairState
	if err := decodeStrict(data, &state); err != nil {
		return nil, err
	}
	p, ok := spec.(Pair)
	if !ok {
		return nil, fmt.Errorf("spec is a %T", spec)
	}
	out := fittedPair{spec: p}
	for i, in := range []sideState{state.Left, state.Right} {
		var err error
		if out.sides[i], err = in.restore(p.sides()[i]); err != nil {
			return nil, ofSide(i, err)
		}
	}
	return out.checked()
}

func (in sideState) restore(spec Spec) (s pairSide, err error) {
	// The spec first: what is fitted under that of a side is no pair, of which any depth
	// could follow.
	var head fittedBytes
	want, err := MarshalSpec(spec)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(in.Fitted, &head); err != nil || !bytes.Equal(head.Spec, want) {
		return s, errors.Join(err, fmt.Errorf("fitted under %s, not %s", head.Spec, want))
	}
	if s.Fitted, err = UnmarshalFitted(in.Fitted); err != nil {
		return s, err
	}
	s.scale, s.usual = in.Scale, in.Usual
	if !(s.scale > 0) || math.IsInf(float64(s.scale), 0) || len(s.usual) != s.Width() {
		return s, fmt.Errorf("scale %v, mean row of %d for %d features", s.scale, len(s.usual), s.Width())
	}
	return s, nil
}
