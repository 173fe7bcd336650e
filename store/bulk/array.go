package bulk

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"iter"
	"math"
	"os"
)

// Limits of what an array's header may declare.
const (
	maxVector    = 65536   // dimensions of a vector
	maxImageSide = 1 << 14 // width or height of an image
	maxImageArea = 1 << 24 // pixels of an image
)

// array is a file of numbers of one type, after its header. The first dimension
// counts the records.
type array struct {
	dims    []int
	element element
	in      *bufio.Reader
}

// element is the type of an array's numbers.
type element struct {
	size    int
	integer bool
	float   func(b []byte) float64
}

// elementOf is the type of a kind ('i', 'u' or 'f', as NumPy has them) and size
// in bytes.
func elementOf(kind byte, size int, order binary.ByteOrder) (element, bool) {
	float := map[string]func([]byte) float64{
		"i1": func(b []byte) float64 { return float64(int8(b[0])) },
		"u1": func(b []byte) float64 { return float64(b[0]) },
		"i2": func(b []byte) float64 { return float64(int16(order.Uint16(b))) },
		"u2": func(b []byte) float64 { return float64(order.Uint16(b)) },
		"i4": func(b []byte) float64 { return float64(int32(order.Uint32(b))) },
		"u4": func(b []byte) float64 { return float64(order.Uint32(b)) },
		"i8": func(b []byte) float64 { return float64(int64(order.Uint64(b))) },
		"u8": func(b []byte) float64 { return float64(order.Uint64(b)) },
		"f2": func(b []byte) float64 { return half(order.Uint16(b)) },
		"f4": func(b []byte) float64 { return float64(math.Float32frombits(order.Uint32(b))) },
		"f8": func(b []byte) float64 { return math.Float64frombits(order.Uint64(b)) },
	}[fmt.Sprintf("%c%d", kind, size)]
	return element{size: size, integer: kind != 'f', float: float}, float != nil
}

// half is the value of an IEEE 754 half: sign, 5 bits of exponent, 10 of fraction.
func half(b uint16) float64 {
	exponent, fraction := int(b>>10)&0x1f, float64(b&0x3ff)
	value := math.Ldexp(1024+fraction, exponent-25)
	switch {
	case exponent == 0: // subnormal
		value = math.Ldexp(fraction, -24)
	case exponent == 0x1f && fraction == 0:
		value = math.Inf(1)
	case exponent == 0x1f:
		value = math.NaN()
	}
	if b>>15 == 1 {
		return -value
	}
	return value
}

// readHeader reads the header of an array file of either format.
func readHeader(in *bufio.Reader, format Format) (*array, error) {
	var a *array
	var err error
	if format == NPY {
		a, err = readNPYHeader(in)
	} else {
		a, err = readIDXHeader(in)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the file ends within its header")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFile, format, err)
	}
	a.in = in
	return a, nil
}

func (r *Reader) readArray(in *bufio.Reader, opt Options) error {
	a, err := readHeader(in, opt.Format)
	if err != nil {
		return err
	}
	if len(a.dims) == 1 {
		if opt.Format == IDX {
			return fmt.Errorf("%w: idx: the file has one number per record: open it as the labels of another", ErrFile)
		}
		a.dims = []int{1, a.dims[0]}
	}
	if err := a.check(); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrFile, opt.Format, err)
	}
	var beside []namedArray
	if opt.Labels != "" {
		labels, err := r.openLabels(opt.Labels, a.dims[0])
		if err != nil {
			return err
		}
		beside = append(beside, namedArray{"label", labels})
	}
	r.rows = a.rows(beside)
	return nil
}

// namedArray has one number per record for a key of the payload.
type namedArray struct {
	name string
	*array
}

// check tells whether each record can be a vector or an image.
func (a *array) check() error {
	switch len(a.dims) {
	case 2:
		if d := a.dims[1]; d < 1 || d > maxVector {
			return fmt.Errorf("vectors of %d dimensions, want 1..%d", d, maxVector)
		}
		return nil
	case 3:
		if !a.element.integer || a.element.size != 1 {
			return errors.New("a 3-D array must have bytes, as images do")
		}
		h, w := a.dims[1], a.dims[2]
		if h < 1 || w < 1 || h > maxImageSide || w > maxImageSide || h*w > maxImageArea {
			return fmt.Errorf("images of %d x %d, the limits are %d a side and %d pixels", w, h, maxImageSide, maxImageArea)
		}
		return nil
	}
	return fmt.Errorf("%d dimensions, want 2 (vectors) or 3 (images)", len(a.dims))
}

// openLabels opens a 1-D array with one number for each of n records.
func (r *Reader) openLabels(path string, n int) (*array, error) {
	format := FormatOf(path)
	if format != NPY && format != IDX {
		return nil, fmt.Errorf("%w: labels %q are neither %s nor %s by name", ErrOption, path, NPY, IDX)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r.closers = append(r.closers, file)
	in, err := (&Reader{meter: &meter{packed: fileSize(file)}}).uncompressed(file)
	if err != nil {
		return nil, err
	}
	labels, err := readHeader(in, format)
	if err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	if len(labels.dims) != 1 || labels.dims[0] != n {
		return nil, fmt.Errorf("%w: labels have shape %v, want one for each of %d records", ErrFile, labels.dims, n)
	}
	return labels, nil
}

func fileSize(file *os.File) func() int64 {
	return func() int64 {
		info, err := file.Stat()
		if err != nil {
			return 0
		}
		return info.Size()
	}
}

func (a *array) rows(beside []namedArray) iter.Seq2[Row, error] {
	next := 0
	return func(yield func(Row, error) bool) {
		for next < a.dims[0] {
			next++
			row, err := a.row(beside)
			row.Line = next
			if err != nil {
				err = fmt.Errorf("%w: ends at record %d of %d: %w", ErrFile, next, a.dims[0], err)
				next = a.dims[0]
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

func (a *array) row(beside []namedArray) (row Row, err error) {
	if len(a.dims) == 3 {
		row.Record, err = a.image()
	} else {
		row.Vector, err = a.vector()
	}
	if err != nil {
		return row, err
	}
	for _, b := range beside {
		value, err := b.read(1)
		if err != nil {
			return Row{}, fmt.Errorf("%s: %w", b.name, err)
		}
		row.Payload = withKey(row.Payload, b.name, b.value(value))
	}
	return row, nil
}

// read reads the bytes of n numbers.
func (a *array) read(n int) ([]byte, error) {
	b := make([]byte, n*a.element.size)
	_, err := io.ReadFull(a.in, b)
	return b, err
}

func (a *array) vector() ([]float32, error) {
	b, err := a.read(a.dims[1])
	if err != nil {
		return nil, err
	}
	vector := make([]float32, a.dims[1])
	for i := range vector {
		vector[i] = float32(a.element.float(b[i*a.element.size:]))
	}
	return vector, nil
}

func (a *array) image() (image.Image, error) {
	h, w := a.dims[1], a.dims[2]
	b, err := a.read(h * w)
	if err != nil {
		return nil, err
	}
	return &image.Gray{Pix: b, Stride: w, Rect: image.Rect(0, 0, w, h)}, nil
}

// value is a number as a payload has it. A float64 has passed on integers up to
// 2^53 unchanged.
func (a *array) value(b []byte) any {
	f := a.element.float(b)
	if a.element.integer && math.Abs(f) <= 1<<53 {
		return int64(f)
	}
	return f
}
