package bulk

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
)

// npyPlan counts vectors for an array of float32. It holds vectors alone: their ids
// and payloads are not in it.
type npyPlan struct{ rows, dims int }

func (p *npyPlan) Include(row Row) error {
	switch {
	case len(row.Vector) == 0:
		return fmt.Errorf("%w: npy holds vectors, got a %T", ErrRow, row.Record)
	case p.rows > 0 && len(row.Vector) != p.dims:
		return fmt.Errorf("%w: a vector of %d dimensions after one of %d", ErrRow, len(row.Vector), p.dims)
	}
	p.rows++
	p.dims = len(row.Vector)
	return nil
}

// Writer writes a header of format 1, padded as NumPy does, so that the numbers
// begin at a multiple of 64.
func (p *npyPlan) Writer(w io.Writer) (Writer, error) {
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", p.rows, p.dims)
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
	out := &npyWriter{w: bufio.NewWriterSize(w, bufferSize)}
	head := binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(header)))
	_, err := out.w.Write(append(head, header...))
	return out, err
}

type npyWriter struct {
	w   *bufio.Writer
	buf []byte
}

func (w *npyWriter) Write(row Row) error {
	w.buf = w.buf[:0]
	for _, x := range row.Vector {
		w.buf = binary.LittleEndian.AppendUint32(w.buf, math.Float32bits(x))
	}
	_, err := w.w.Write(w.buf)
	return err
}

func (w *npyWriter) Close() error { return w.w.Flush() }
