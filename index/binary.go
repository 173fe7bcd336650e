package index

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// Bodies are little-endian. Every body starts with its configuration:
//
//	config = dim uint32, metric uint8, m uint16, ef_construct uint32, seed uint64
//
// A metric of stepped or more is the metric less that, and a step float32 follows
// the seed: rows are codes.
const stepped = 0x80

// encodeChunk is how many 4-byte numbers are converted at a time.
const encodeChunk = 4096

// encoder writes numbers and remembers the first error.
type encoder struct {
	w     *bufio.Writer
	chunk []byte
	err   error
}

func newEncoder(w io.Writer) *encoder {
	return &encoder{w: bufio.NewWriterSize(w, 1<<16), chunk: make([]byte, 0, 4*encodeChunk)}
}

func (e *encoder) write(b []byte) {
	if e.err == nil {
		_, e.err = e.w.Write(b)
	}
}

func (e *encoder) u8(v uint8)   { e.write(append(e.chunk, v)) }
func (e *encoder) u16(v uint16) { e.write(binary.LittleEndian.AppendUint16(e.chunk, v)) }
func (e *encoder) u32(v uint32) { e.write(binary.LittleEndian.AppendUint32(e.chunk, v)) }
func (e *encoder) u64(v uint64) { e.write(binary.LittleEndian.AppendUint64(e.chunk, v)) }

func (e *encoder) u32s(s []uint32) {
	for part := range slices.Chunk(s, encodeChunk) {
		b := e.chunk
		for _, v := range part {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		e.write(b)
	}
}

func (e *encoder) f32s(s []float32) {
	for part := range slices.Chunk(s, encodeChunk) {
		b := e.chunk
		for _, v := range part {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		e.write(b)
	}
}

func (e *encoder) config(c Config) {
	metric := uint8(c.Metric)
	if c.Step > 0 {
		metric |= stepped
	}
	e.u32(uint32(c.Dim))
	e.u8(metric)
	e.u16(uint16(c.M))
	e.u32(uint32(c.EfConstruct))
	e.u64(c.Seed)
	if c.Step > 0 {
		e.u32(math.Float32bits(c.Step))
	}
}

func (e *encoder) flush() error {
	if e.err != nil {
		return e.err
	}
	return e.w.Flush()
}

// decoder reads numbers and remembers the first error; after it, every read
// gives zero values. It takes memory as data arrives, never by a count alone.
type decoder struct {
	r     *bufio.Reader
	chunk []byte
	err   error
	// left is how many bytes the source says it still has; 0 if it does not say.
	left int
}

func newDecoder(r io.Reader) *decoder {
	d := &decoder{r: bufio.NewReaderSize(r, 1<<16), chunk: make([]byte, 4*encodeChunk)}
	if sized, ok := r.(interface{ Len() int }); ok {
		d.left = sized.Len()
	}
	return d
}

// fail records what is wrong with the body, unless an error came before.
func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
	}
}

// read returns the next n bytes, at most a chunk, valid until the next read.
// After an error they are zeros.
func (d *decoder) read(n int) []byte {
	b := d.chunk[:n]
	if d.err == nil {
		_, err := io.ReadFull(d.r, b)
		d.err = readError(err)
		d.left = max(0, d.left-n)
	}
	if d.err != nil {
		clear(b)
	}
	return b
}

// readError tells a source that ended early from one that failed.
func readError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: truncated", ErrCorrupt)
	default:
		return fmt.Errorf("index: reading snapshot: %w", err)
	}
}

func (d *decoder) u8() uint8   { return d.read(1)[0] }
func (d *decoder) u16() uint16 { return binary.LittleEndian.Uint16(d.read(2)) }
func (d *decoder) u32() uint32 { return binary.LittleEndian.Uint32(d.read(4)) }
func (d *decoder) u64() uint64 { return binary.LittleEndian.Uint64(d.read(8)) }

// room is the capacity to start with for n 4-byte numbers: all of them where
// the source is known to be long enough, else one chunk.
func (d *decoder) room(n uint64) int {
	if n <= uint64(d.left)/4 {
		return int(n)
	}
	return int(min(n, encodeChunk))
}

func (d *decoder) u32s(n uint64) []uint32 {
	s := make([]uint32, 0, d.room(n))
	for n > 0 && d.err == nil {
		part := min(n, encodeChunk)
		for b := d.read(int(4 * part)); len(b) > 0; b = b[4:] {
			s = append(s, binary.LittleEndian.Uint32(b))
		}
		n -= part
	}
	return s
}

// f32s reads n numbers, each finite.
func (d *decoder) f32s(n uint64) []float32 {
	s := make([]float32, 0, d.room(n))
	for n > 0 && d.err == nil {
		part := min(n, encodeChunk)
		for b := d.read(int(4 * part)); len(b) > 0; b = b[4:] {
			x := math.Float32frombits(binary.LittleEndian.Uint32(b))
			if x-x != 0 {
				d.fail("value %d of the rows is %v", len(s), x)
				return nil
			}
			s = append(s, x)
		}
		n -= part
	}
	return s
}

// config reads a configuration as Resolve left it.
func (d *decoder) config() Config {
	var c Config
	c.Dim = int(d.u32())
	metric := d.u8()
	c.Metric = Metric(metric &^ stepped)
	c.M = int(d.u16())
	c.EfConstruct = int(d.u32())
	c.Seed = d.u64()
	if metric&stepped != 0 {
		c.Step = math.Float32frombits(d.u32())
	}
	if d.err != nil {
		return c
	}
	resolved, err := c.Resolve()
	if err != nil || resolved != c || metric&stepped != 0 && c.Step == 0 {
		d.fail("configuration %+v", c)
	}
	return c
}

// end expects the source to end here and returns the first error.
func (d *decoder) end() error {
	if d.err == nil {
		if _, err := d.r.ReadByte(); err == nil {
			d.fail("data after the end")
		} else if err != io.EOF {
			d.err = readError(err)
		}
	}
	return d.err
}
