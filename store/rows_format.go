package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"

	"github.com/latentdb/latentdb/index"
)

// rows.main.pack is a header of a page, so that rows begin on one, then the rows as
// index.Rows has them in memory, then which slots have one, 64 a word.
const (
	rowsMagic      = "LATNTROW"
	rowsFormat     = 1
	rowsHeaderSize = 4096
	rowKindSize    = 16
	rowsPageSlots  = 1024 // a file is for so many slots, or a multiple
)

// rowsHeader says what a file of rows holds.
type rowsHeader struct {
	form       index.RowForm
	dim        uint32
	words      uint32 // of 64 slots each
	generation uint64
	modelHash  [32]byte
	// applied is a change that the rows hold, with all before it. Rows of later ones,
	// of through at the latest, may be among them: a slot whose record changed after
	// applied is read from its record.
	applied, through uint64
	sha256           [32]byte // of all that comes after the header
}

// rowBytes is how long the rows of a file are.
func (h *rowsHeader) rowBytes() int64 {
	return int64(h.words) * 64 * int64(h.dim) * int64(h.form.Bytes())
}

func (h *rowsHeader) fileSize() int64 { return rowsHeaderSize + h.rowBytes() + 8*int64(h.words) }

func (h *rowsHeader) encode() []byte {
	b := make([]byte, 0, rowsHeaderSize)
	b = append(b, rowsMagic...)
	b = binary.LittleEndian.AppendUint32(b, rowsFormat)
	b = append(b, h.form.Kind...)
	b = append(b, make([]byte, rowKindSize-len(h.form.Kind))...)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(h.form.Offset))
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(h.form.Step))
	b = binary.LittleEndian.AppendUint32(b, h.dim)
	b = binary.LittleEndian.AppendUint32(b, h.words)
	b = binary.LittleEndian.AppendUint64(b, h.generation)
	b = append(b, h.modelHash[:]...)
	b = binary.LittleEndian.AppendUint64(b, h.applied)
	b = binary.LittleEndian.AppendUint64(b, h.through)
	b = append(b, h.sha256[:]...)
	b = append(b, make([]byte, rowsHeaderSize-4-len(b))...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// decodeRowsHeader reads the header at the start of b: ErrFormat for another format,
// ErrCorrupt for anything that encode did not write.
func decodeRowsHeader(b []byte) (h rowsHeader, err error) {
	if len(b) < rowsHeaderSize || string(b[:8]) != rowsMagic {
		return h, fmt.Errorf("%w: no file of rows starts like this", ErrCorrupt)
	}
	b = b[:rowsHeaderSize]
	if format := binary.LittleEndian.Uint32(b[8:]); format != rowsFormat {
		return h, fmt.Errorf("%w: rows of format %d, want %d", ErrFormat, format, rowsFormat)
	}
	whole := b
	h.form.Kind = index.RowKind(bytes.TrimRight(b[12:12+rowKindSize], "\x00"))
	b = b[12+rowKindSize:]
	h.form.Offset = math.Float64frombits(binary.LittleEndian.Uint64(b))
	h.form.Step = math.Float64frombits(binary.LittleEndian.Uint64(b[8:]))
	h.dim = binary.LittleEndian.Uint32(b[16:])
	h.words = binary.LittleEndian.Uint32(b[20:])
	h.generation = binary.LittleEndian.Uint64(b[24:])
	copy(h.modelHash[:], b[32:])
	h.applied = binary.LittleEndian.Uint64(b[64:])
	h.through = binary.LittleEndian.Uint64(b[72:])
	copy(h.sha256[:], b[80:])
	switch {
	case !bytes.Equal(h.encode(), whole): // so its checksum is right too
		return h, fmt.Errorf("%w: header of rows fails its checksum", ErrCorrupt)
	case h.form.Validate() != nil || h.dim < 1 || h.dim > index.MaxDim || h.words > math.MaxUint32/64+1:
		return h, fmt.Errorf("%w: header of rows: %v of %d, %d words", ErrCorrupt, h.form, h.dim, h.words)
	}
	return h, nil
}

// readRowsHeader reads the header of a file and checks that the file is as long as it
// says.
func readRowsHeader(f *os.File) (h rowsHeader, err error) {
	b := make([]byte, rowsHeaderSize)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return h, wrapped(err)
	}
	if h, err = decodeRowsHeader(b); err != nil {
		return h, err
	}
	info, err := f.Stat()
	if err != nil {
		return h, wrapped(err)
	}
	if info.Size() != h.fileSize() {
		return h, fmt.Errorf("%w: file of rows has %d bytes, want %d", ErrCorrupt, info.Size(), h.fileSize())
	}
	return h, nil
}

// hashRows is the SHA-256 of what comes after the header, at the speed of reading it.
// It gives up, with ErrClosed, when stop says so.
func hashRows(f *os.File, size int64, stop func() bool) (sum [32]byte, err error) {
	h := sha256.New()
	buf := make([]byte, 1<<20)
	for at := int64(rowsHeaderSize); at < size; {
		if stop() {
			return sum, ErrClosed
		}
		n, err := f.ReadAt(buf[:min(int64(len(buf)), size-at)], at)
		if err != nil {
			return sum, wrapped(err)
		}
		h.Write(buf[:n])
		at += int64(n)
	}
	return [32]byte(h.Sum(nil)), nil
}

// verifyRows reads a file whole and compares it with what its header says.
func verifyRows(f *os.File, h rowsHeader, stop func() bool) error {
	sum, err := hashRows(f, h.fileSize(), stop)
	if err == nil && sum != h.sha256 {
		err = fmt.Errorf("%w: rows fail their checksum", ErrCorrupt)
	}
	return err
}

// readHeld reads which slots have a row.
func readHeld(f *os.File, h rowsHeader) ([]uint64, error) {
	held := make([]uint64, h.words)
	err := binary.Read(io.NewSectionReader(f, rowsHeaderSize+h.rowBytes(), 8*int64(h.words)), binary.LittleEndian, held)
	return held, wrapped(err)
}

func fillWithZeros(f *os.File, size int64) error {
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < size; {
		n, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at)
		if err != nil {
			return err
		}
		at += int64(n)
	}
	return nil
}

// isOf tells what keeps a file from being used by the generation that want names, at
// a state of the points.
func (h *rowsHeader) isOf(want rowsHeader, seq uint64) error {
	switch {
	case h.generation != want.generation || h.modelHash != want.modelHash || h.form != want.form || h.dim != want.dim:
		return fmt.Errorf("%w: file of rows is of another generation", ErrCorrupt)
	case h.applied > h.through || h.through > seq:
		return fmt.Errorf("%w: file of rows holds change %d, after the last", ErrCorrupt, max(h.applied, h.through))
	}
	return nil
}
