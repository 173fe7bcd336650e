package index

import (
	"fmt"
	"math"
	"slices"

	"github.com/latentdb/latentdb/index/internal/packed"
)

// RowForm says in how many bytes Rows keeps a value.
type RowForm struct {
	// Kind is RowFloat32, RowFloat16 or RowUint8.
	Kind RowKind `json:"kind"`
	// Offset and Step are the grid of RowUint8: byte k stands for Offset + k·Step. So
	// do they say what a RowFloat16 stands for, where Step is not 0.
	Offset float64 `json:"offset,omitempty"`
	Step   float64 `json:"step,omitempty"`
}

// RowKind names a form.
type RowKind string

// The kinds of form: 4, 2 and 1 bytes a value.
const (
	RowFloat32 RowKind = "float32"
	RowFloat16 RowKind = "float16"
	RowUint8   RowKind = "uint8"
)

var rowForms = map[RowKind]packed.Form{RowFloat32: packed.Float32, RowFloat16: packed.Float16, RowUint8: packed.Uint8}

const (
	// gridValues is how many values a byte tells apart.
	gridValues = 256
	// leastStep, greatestStep and farthestOnGrid keep squares of and on a grid within float32.
	leastStep, greatestStep = 1e-15, 1e15
	farthestOnGrid          = 1e15
)

// LosslessRowForm is the form of fewest bytes that keeps each value as it is:
// RowUint8 for values on a grid of 256, as the pixels of pictures are, or
// RowFloat16, or RowFloat32.
func LosslessRowForm(values []float32) RowForm {
	if grid, ok := gridOf(values); ok {
		return grid
	}
	var buf [2]byte
	for _, x := range values {
		if !packed.Put(buf[:], packed.Float16, 0, x) {
			return RowForm{Kind: RowFloat32}
		}
	}
	return RowForm{Kind: RowFloat16}
}

// HalfRowForm is RowFloat16 on the range of values, of which each then is within a
// 4,096th: it loses something as a rule, but always little.
func HalfRowForm(values []float32) RowForm {
	low, high := 0.0, 0.0
	if len(values) > 0 {
		low, high = float64(slices.Min(values)), float64(slices.Max(values))
	}
	step := (high - low) / 2
	if !(step >= leastStep && step <= greatestStep) {
		step = 1
	}
	return RowForm{Kind: RowFloat16, Offset: (low + high) / 2, Step: step}
}

// gridded tells whether values are kept as multiples of Step from Offset.
func (f RowForm) gridded() bool { return f.Step != 0 }

// gridOf finds the grid that values lie on: its step is the least difference of
// two of them, made exact by the largest.
func gridOf(values []float32) (RowForm, bool) {
	seen := make(map[float32]struct{}, gridValues)
	// Most values were met a moment ago, and a look at recent spares the map.
	var recent [1024]float32
	for i := range recent {
		recent[i] = float32(math.NaN())
	}
	for _, x := range values {
		last := &recent[math.Float32bits(x)*0x9e3779b1>>22]
		if *last == x {
			continue
		}
		*last = x
		if _, ok := seen[x]; ok {
			continue
		}
		if len(seen) == gridValues {
			return RowForm{}, false
		}
		seen[x] = struct{}{}
	}
	if len(seen) == 0 {
		return RowForm{}, false
	}
	levels := make([]float64, 0, len(seen))
	for x := range seen {
		levels = append(levels, float64(x))
	}
	slices.Sort(levels)
	low, high := levels[0], levels[len(levels)-1]
	step := 1.0
	for i := 1; i < len(levels); i++ {
		if gap := levels[i] - levels[i-1]; i == 1 || gap < step {
			step = gap
		}
	}
	count := math.Round((high - low) / step)
	if count >= gridValues {
		return RowForm{}, false
	}
	if count > 0 {
		step = (high - low) / count
	}
	form := RowForm{Kind: RowUint8, Offset: low, Step: step}
	if form.Validate() != nil {
		return RowForm{}, false
	}
	for _, x := range levels {
		if !form.holds(float32(x)) {
			return RowForm{}, false
		}
	}
	return form, true
}

// Bytes is what a value takes.
func (f RowForm) Bytes() int { return rowForms[f.Kind].Size() }

// ConstantFeatures finds the features that have one value in all rows, which lie one
// after another, each of dim values. One feature at least is left out.
func ConstantFeatures(rows []float32, dim int) []Constant {
	if len(rows) < dim {
		return nil
	}
	out := make([]Constant, 0, dim)
	for i, x := range rows[:dim] {
		out = append(out, Constant{i, x})
	}
	for row := rows; len(row) >= dim && len(out) > 0; row = row[dim:] {
		out = slices.DeleteFunc(out, func(c Constant) bool { return row[c.Feature] != c.Value })
	}
	return out[:min(len(out), dim-1)]
}

// onGrid is where on the grid a value lies.
func (f RowForm) onGrid(x float32) float32 { return float32((float64(x) - f.Offset) / f.Step) }

// holds tells whether a grid gives x back.
func (f RowForm) holds(x float32) bool {
	k := math.RoundToEven((float64(x) - f.Offset) / f.Step)
	return k >= 0 && k < gridValues && f.fromGrid(float32(k)) == x
}

// fromGrid is the value at a place on the grid.
func (f RowForm) fromGrid(k float32) float32 { return float32(f.Offset + float64(k)*f.Step) }

// Validate tells what is wrong with a form: ErrParams.
func (f RowForm) Validate() error {
	_, known := rowForms[f.Kind]
	switch {
	case !known:
		return fmt.Errorf("%w: row form %q", ErrParams, f.Kind)
	case (f.Kind == RowUint8 || f.Step != 0) && (!(f.Step >= leastStep && f.Step <= greatestStep) || f.Offset-f.Offset != 0):
		return fmt.Errorf("%w: row grid of offset %v and step %v", ErrParams, f.Offset, f.Step)
	}
	return nil
}
