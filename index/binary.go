package index

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"unsafe"
)

// Bodies are little-endian. Every body starts with its configuration:
//
//	config = dim uint32, metric uint8, m uint16, ef_construct uint32, seed uint64
//
// With stepped in the metric a step float32 follows the seed: rows are codes. What
// blocked and joined in it mean is up to the engine. (Format 1 has no such bodies.)
const (
	stepped = 0x80
	blocked = 0x40
	joined  = 0x20
)

// chunk is how many bytes are read at a time where the source does not say how
// many it has, and turned at a time where the machine is not little-endian.
const chunk = 1 << 16

// littleEndian tells whether numbers lie in memory as they do in a body.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// turn reverses the bytes of every number of the given size.
func turn(b []byte, size int) {
	for ; len(b) > 0; b = b[size:] {
		slices.Reverse(b[:size])
	}
}

// encoder writes numbers and remembers the first error.
type encoder struct {
	w     *bufio.Writer
	chunk []byte
	err   error
}

func newEncoder(w io.Writer) *encoder {
	return &encoder{w: bufio.NewWriterSize(w, chunk), chunk: make([]byte, 0, chunk)}
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

func (e *encoder) u32s(s []uint32) { encodeValues(e, s) }

// encodeValues writes numbers as they are, without their count.
func encodeValues[T value | number](e *encoder, s []T) {
	b, size := memory(s), int(unsafe.Sizeof(*new(T)))
	if littleEndian || size == 1 {
		e.write(b)
		return
	}
	for part := range slices.Chunk(b, chunk) {
		turned := slices.Clone(part)
		turn(turned, size)
		e.write(turned)
	}
}

func (e *encoder) config(c Config) { e.flagged(c, 0) }

// flagged writes a configuration and a flag of its body: blocked, joined or 0.
func (e *encoder) flagged(c Config, flag uint8) {
	metric := uint8(c.Metric) | flag
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
	small [8]byte
	err   error
	// left is how many bytes the source says it still has; 0 if it does not say.
	left int
}

func newDecoder(r io.Reader) *decoder {
	d := &decoder{r: bufio.NewReaderSize(r, chunk)}
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

// read returns the next n bytes, at most 8, valid until the next read. After an
// error they are zeros.
func (d *decoder) read(n int) []byte {
	b := d.small[:n]
	d.into(b)
	return b
}

// into fills b, with zeros after an error.
func (d *decoder) into(b []byte) {
	if d.err == nil {
		_, err := io.ReadFull(d.r, b)
		d.err = readError(err)
		d.left = max(0, d.left-len(b))
	}
	if d.err != nil {
		clear(b)
	}
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

func (d *decoder) u32s(n uint64) []uint32 { return decodeValues[uint32](d, n) }

// decodeValues reads n numbers. Where the source is known to be long enough it
// takes the memory for all of them at once, else as they arrive.
func decodeValues[T value | number](d *decoder, n uint64) []T {
	size := unsafe.Sizeof(*new(T))
	known := n <= uint64(d.left)/uint64(size)
	s := make([]T, 0, min(n, chunk))
	if known {
		s = room[T](int(n))
	}
	for n > 0 && d.err == nil {
		part := n
		if !known {
			part = min(n, chunk)
		}
		from := len(s)
		s = slices.Grow(s, int(part))[:from+int(part)]
		b := memory(s[from:])
		d.into(b)
		if !littleEndian && size > 1 {
			turn(b, int(size))
		}
		n -= part
	}
	return s
}

// decodeRows reads n values of rows, each finite or a code.
func decodeRows[T value](d *decoder, n uint64) []T {
	rows := decodeValues[T](d, n)
	if d.err != nil {
		return nil
	}
	switch rows := any(rows).(type) {
	case []float32:
		for i, x := range rows {
			if x-x != 0 {
				d.fail("value %d of the rows is %v", i, x)
			}
		}
	case []int8:
		if i := bytes.IndexByte(memory(rows), 0x80); i >= 0 {
			d.fail("value %d of the rows is -128", i)
		}
	}
	return rows
}

// config reads a configuration as Resolve left it; the zero one on an error.
func (d *decoder) config() Config {
	c, flag := d.flagged()
	if flag != 0 {
		d.fail("flag %x", flag)
	}
	return c
}

// flagged reads a configuration and the flag of its body.
func (d *decoder) flagged() (Config, uint8) {
	var c Config
	c.Dim = int(d.u32())
	metric := d.u8()
	flag := metric & (blocked | joined)
	c.Metric = Metric(metric &^ (stepped | blocked | joined))
	c.M = int(d.u16())
	c.EfConstruct = int(d.u32())
	c.Seed = d.u64()
	if metric&stepped != 0 {
		c.Step = math.Float32frombits(d.u32())
	}
	resolved, err := c.Resolve()
	if err != nil || resolved != c || metric&stepped != 0 && c.Step == 0 {
		d.fail("configuration %+v", c)
	}
	if d.err != nil {
		return Config{}, 0
	}
	return c, flag
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
