package source

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"strconv"

	"github.com/latentdb/latentdb/embed"
)

// MaxFeatures is the longest feature row of any source.
const MaxFeatures = 65536

// MaxVectorLength is the largest Euclidean length of a vector. No distance
// between two such vectors overflows float32, which ends at 3.4e38, in any number
// of dimensions. Squared Euclid: at most (2e18)² = 4e36. Dot: every partial sum
// is at most the product of the lengths, 1e36. Manhattan: at most √65536 times
// Euclid's 2e18, 5.2e20. Rounding adds to a sum of n terms at most n/2²⁴ of it,
// 0.4 % for n = 65536. The other features are far smaller: a table's end near
// 110, a picture's at 1.
const MaxVectorLength = 1e18

// Vector is the source of embeddings and other vectors that the user already
// has. A record is a []float32; []float64 and []any of numbers, which JSON
// gives, are taken as well. Its length, the root of the sum of squares, is at
// most MaxVectorLength. A feature row is the vector itself.
type Vector struct {
	// Size is the number of dimensions, at most MaxFeatures; 0 means that of
	// the first vector.
	Size int `json:"size,omitempty"`
	// Unit scales feature rows to length one, which the cosine metric asks for.
	// Stored vectors keep their length, and a zero vector gives a zero row.
	Unit bool `json:"unit,omitempty"`
}

// Kind is "vector".
func (v Vector) Kind() string { return "vector" }

// Resolve takes the size from the first record when it is 0.
func (v Vector) Resolve(first []any) (Spec, error) {
	if v.Size < 0 || v.Size > MaxFeatures {
		return nil, fmt.Errorf("%w: vector size %d is not in 1..%d", ErrSpec, v.Size, MaxFeatures)
	}
	if v.Size == 0 && len(first) > 0 {
		values, err := vectorValues(first[0])
		if err != nil {
			return nil, err
		}
		if len(values) == 0 || len(values) > MaxFeatures {
			return nil, fmt.Errorf("%w: vector has %d dimensions, want 1..%d", ErrRecord, len(values), MaxFeatures)
		}
		v.Size = len(values)
	}
	return v, nil
}

// Marshal stores a vector as little-endian float32, as given.
func (v Vector) Marshal(record any) ([]byte, error) {
	values, err := v.values(record)
	if err != nil {
		return nil, err
	}
	stored := make([]byte, 4*len(values))
	for i, x := range values {
		binary.LittleEndian.PutUint32(stored[4*i:], math.Float32bits(x))
	}
	return stored, nil
}

// values checks a record and gives its numbers, which may be the record's own.
func (v Vector) values(record any) ([]float32, error) {
	if err := v.resolved(); err != nil {
		return nil, err
	}
	values, err := vectorValues(record)
	if err != nil {
		return nil, err
	}
	if len(values) != v.Size {
		return nil, fmt.Errorf("%w: vector has %d dimensions, want %d", ErrRecord, len(values), v.Size)
	}
	n := length(values)
	if n <= MaxVectorLength { // so no value is NaN or infinite
		return values, nil
	}
	if err := allInRange(values); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%w: vector has length %.4g, the limit is %g", ErrRecord, n, float64(MaxVectorLength))
}

func allInRange(values []float32) error {
	for i, x := range values {
		if x-x == 0 {
			continue // neither NaN nor infinite
		}
		if err := inRange(float64(x)); err != nil {
			return fmt.Errorf("%w: vector position %d: %w", ErrRecord, i, err)
		}
	}
	return nil
}

// Unmarshal returns a []float32.
func (v Vector) Unmarshal(stored []byte) (any, error) {
	if err := v.resolved(); err != nil {
		return nil, err
	}
	values := make([]float32, v.Size)
	if err := v.decode(values, stored); err != nil {
		return nil, err
	}
	return values, nil
}

// Fit reads no samples: the model has its own mean and scale.
func (v Vector) Fit(iter.Seq2[[]byte, error]) (Fitted, error) {
	if err := v.resolved(); err != nil {
		return nil, err
	}
	return fittedVector{v}, nil
}

func (v Vector) resolved() error {
	if v.Size < 1 || v.Size > MaxFeatures {
		return fmt.Errorf("%w: vector size %d is not in 1..%d", ErrSpec, v.Size, MaxFeatures)
	}
	return nil
}

func (v Vector) decode(dst []float32, stored []byte) error {
	if len(dst) != v.Size || len(stored) != 4*v.Size {
		return fmt.Errorf("%w: %d stored bytes for a row of %d, want %d for %d",
			ErrRecord, len(stored), len(dst), 4*v.Size, v.Size)
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(stored[4*i:]))
	}
	return allInRange(dst)
}

// vectorValues converts a record to float32 and checks the range of what it converts.
func vectorValues(record any) ([]float32, error) {
	switch r := record.(type) {
	case []float32:
		return r, nil
	case []float64:
		return convert(r, func(x float64) (float64, bool) { return x, true })
	case []any:
		return convert(r, func(x any) (float64, bool) {
			n, ok := number(x)
			if !ok {
				return 0, false
			}
			return toFloat(n), true
		})
	}
	return nil, fmt.Errorf("%w: got %T, want a vector", ErrRecord, record)
}

func convert[T any](values []T, float func(T) (float64, bool)) ([]float32, error) {
	if len(values) > MaxFeatures {
		return nil, fmt.Errorf("%w: vector has %d dimensions, the limit is %d", ErrRecord, len(values), MaxFeatures)
	}
	out := make([]float32, len(values))
	for i, v := range values {
		f, ok := float(v)
		if !ok {
			return nil, fmt.Errorf("%w: vector position %d: got %s, want a number", ErrRecord, i, describe(v))
		}
		if err := inRange(f); err != nil {
			return nil, fmt.Errorf("%w: vector position %d: %w", ErrRecord, i, err)
		}
		out[i] = float32(f)
	}
	return out, nil
}

// fittedVector has no state of its own.
type fittedVector struct{ spec Vector }

func (f fittedVector) Spec() Spec                     { return f.spec }
func (f fittedVector) Width() int                     { return f.spec.Size }
func (f fittedVector) Layout() embed.Layout           { return embed.NumericLayout(f.spec.Size) }
func (f fittedVector) InputScale() []float32          { return nil }
func (f fittedVector) MarshalBinary() ([]byte, error) { return marshalFitted(f.spec, nil) }

// Row is the vector, of length one under Unit.
func (f fittedVector) Row(dst []float32, stored []byte) error {
	if err := f.spec.decode(dst, stored); err != nil {
		return err
	}
	if f.spec.Unit {
		normalise(dst)
	}
	return nil
}

// RowOf is Row of the stored form of a record.
func (f fittedVector) RowOf(dst []float32, record any) error {
	values, err := f.spec.values(record)
	if err != nil {
		return err
	}
	copy(dst, values)
	if f.spec.Unit {
		normalise(dst)
	}
	return nil
}

// Record is the row as a vector. Under Unit it has whatever length was decoded.
func (f fittedVector) Record(row []float32) (any, error) {
	if err := checkRow(row, f.spec.Size); err != nil {
		return nil, err
	}
	return append([]float32(nil), row...), nil
}

// Parts are the dimensions, named by position from "0".
func (f fittedVector) Parts(contributions []float64, row, decoded []float32) []Part {
	return featureParts(f.spec.Size, strconv.Itoa, contributions, row, decoded)
}

// length is a vector's Euclidean length, in float64, where no float32 vector's
// overflows.
func length(x []float32) float64 {
	var sums [4]float64 // apart, so that none waits for another
	for ; len(x) >= len(sums); x = x[len(sums):] {
		for i, v := range x[:len(sums)] {
			sums[i] += float64(v) * float64(v)
		}
	}
	for i, v := range x {
		sums[i] += float64(v) * float64(v)
	}
	return math.Sqrt(sums[0] + sums[1] + sums[2] + sums[3])
}

// normalise scales a vector to length one.
func normalise(x []float32) {
	norm := length(x)
	if norm == 0 {
		return
	}
	for i, v := range x {
		x[i] = float32(float64(v) / norm)
	}
}
