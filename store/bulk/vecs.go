package bulk

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
)

// SetContent makes a value the row's record, or its vector if it is a list of
// numbers.
func (r *Row) SetContent(v any) error {
	list, isList := v.([]any)
	switch {
	case v == nil:
		return errors.New("is missing")
	case !isList:
		r.Record = v
		return nil
	case len(list) == 0 || len(list) > maxVector:
		return fmt.Errorf("a vector of %d dimensions, want 1..%d", len(list), maxVector)
	}
	r.Vector = make([]float32, len(list))
	for i, x := range list {
		switch x := x.(type) {
		case int64:
			r.Vector[i] = float32(x)
		case float64:
			if math.Abs(x) > math.MaxFloat32 {
				return fmt.Errorf("position %d is beyond the limit of float32 (%g)", i, math.MaxFloat32)
			}
			r.Vector[i] = float32(x)
		default:
			return fmt.Errorf("position %d is not a number", i)
		}
	}
	return nil
}

// DecodeVector reads a vector from base64 of its numbers as little-endian float32,
// as embedding services send it.
func DecodeVector(text string) ([]float32, error) {
	if len(text) > base64.StdEncoding.EncodedLen(4*maxVector) {
		return nil, fmt.Errorf("%d characters of base64, the limit is %d dimensions", len(text), maxVector)
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("not base64: %w", err)
	}
	if len(b) == 0 || len(b)%4 != 0 {
		return nil, fmt.Errorf("base64 of %d bytes, want 4 for each dimension", len(b))
	}
	return floats(b), nil
}

// floats are numbers from little-endian float32.
func floats(b []byte) []float32 {
	vector := make([]float32, len(b)/4)
	for i := range vector {
		vector[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return vector
}

// readVecs reads .fvecs and .bvecs: each vector is its length, a little-endian
// int32 that is the same for all, and its numbers.
func readVecs(in *bufio.Reader, format Format) iter.Seq2[Row, error] {
	f := &vecsFile{in: in, size: 1}
	if format == FVecs {
		f.size = 4
	}
	n, failed := 0, false
	return func(yield func(Row, error) bool) {
		for !failed {
			n++
			vector, err := f.next()
			if err == io.EOF {
				failed = true
				return
			}
			if err != nil {
				failed = true
				err = fmt.Errorf("%w: %s: vector %d: %w", ErrFile, format, n, err)
			}
			if !yield(Row{Line: n, Vector: vector}, err) {
				return
			}
		}
	}
}

type vecsFile struct {
	in   *bufio.Reader
	size int // bytes of a number
	dims int // of every vector, once there was one
	buf  []byte
}

// next is the next vector; io.EOF where the file ends between two.
func (f *vecsFile) next() ([]float32, error) {
	var head [4]byte
	if _, err := io.ReadFull(f.in, head[:]); err != nil {
		return nil, err
	}
	dims := int(int32(binary.LittleEndian.Uint32(head[:])))
	switch {
	case dims < 1 || dims > maxVector:
		return nil, fmt.Errorf("%d dimensions, want 1..%d", dims, maxVector)
	case f.dims == 0:
		f.dims, f.buf = dims, make([]byte, dims*f.size)
	case dims != f.dims:
		return nil, fmt.Errorf("%d dimensions, those before have %d", dims, f.dims)
	}
	if _, err := io.ReadFull(f.in, f.buf); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("ends within it: %w", err)
	}
	if f.size == 4 {
		return floats(f.buf), nil
	}
	vector := make([]float32, dims)
	for i, b := range f.buf {
		vector[i] = float32(b)
	}
	return vector, nil
}
