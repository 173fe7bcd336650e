package index

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"math"
)

// A snapshot is a header of headerSize bytes, little-endian, and the body that
// Body.Encode wrote:
//
//	magic        8 bytes    "LATNTIDX"
//	format       uint32     1 to 4: from 2 on rows may be codes, from 4 on cells have sketches
//	engine       16 bytes   name, padded with zeros
//	generation   uint64
//	model hash   32 bytes
//	applied seq  uint64
//	length       uint64     of the body, in bytes
//	sha256       32 bytes   of the body
//	crc32c       uint32     of everything before it
//	body         length bytes
const (
	snapshotMagic  = "LATNTIDX"
	snapshotFormat = 4
	engineSize     = 16
	headerSize     = 8 + 4 + engineSize + 8 + 32 + 8 + 8 + 32 + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Header says what a snapshot holds. The caller of Save gives Generation,
// ModelHash and AppliedSeq, which this package only keeps; Save sets the rest.
type Header struct {
	// Format is the version of the snapshot's layout.
	Format uint32
	// Engine is the name of the engine that reads the body, at most 16 bytes.
	Engine string
	// Generation and ModelHash name the model whose latents are indexed.
	Generation uint64
	ModelHash  [32]byte
	// AppliedSeq is the last change that the index contains.
	AppliedSeq uint64
	// Length is the body's length in bytes, SHA256 its hash.
	Length uint64
	SHA256 [32]byte
}

// Body is what a snapshot is of: an Index, or another structure that can be made anew.
type Body interface {
	// Engine names what reads the body, in at most 16 bytes.
	Engine() string
	// Encode writes the body.
	Encode(w io.Writer) error
}

// Save writes a snapshot to w: the header, completed from h, and the body. Changes to an
// Index wait until it is written; searches do not.
//
// The header tells the body's length and hash, which are known last. If w can
// seek, as a file can, Save writes the body in place and then goes back for the
// header (so the file must not be open for appending); until then the
// snapshot is one that Load refuses. Otherwise it builds the body in memory
// first.
func Save(w io.Writer, h Header, of Body) error {
	h.Format = snapshotFormat
	h.Engine = of.Engine()
	if len(h.Engine) == 0 || len(h.Engine) > engineSize {
		return fmt.Errorf("%w: engine name %q, want 1 to %d bytes", ErrParams, h.Engine, engineSize)
	}
	if start, ok := position(w); ok {
		return saveInPlace(w.(io.WriteSeeker), start, h, of)
	}
	var body bytes.Buffer
	if err := of.Encode(&body); err != nil {
		return err
	}
	h.Length, h.SHA256 = uint64(body.Len()), sha256.Sum256(body.Bytes())
	if _, err := w.Write(h.encode()); err != nil {
		return err
	}
	_, err := body.WriteTo(w)
	return err
}

func saveInPlace(w io.WriteSeeker, start int64, h Header, of Body) error {
	if _, err := w.Write(make([]byte, headerSize)); err != nil {
		return err
	}
	body := &hashWriter{w: w, sum: sha256.New()}
	if err := of.Encode(body); err != nil {
		return err
	}
	h.Length = body.n
	body.sum.Sum(h.SHA256[:0])
	if _, err := w.Seek(start, io.SeekStart); err != nil {
		return err
	}
	if _, err := w.Write(h.encode()); err != nil {
		return err
	}
	_, err := w.Seek(start+headerSize+int64(body.n), io.SeekStart)
	return err
}

// hashWriter hashes and counts what passes through it.
type hashWriter struct {
	w   io.Writer
	sum hash.Hash
	n   uint64
}

func (h *hashWriter) Write(b []byte) (int, error) {
	n, err := h.w.Write(b)
	h.sum.Write(b[:n])
	h.n += uint64(n)
	return n, err
}

func (h Header) encode() []byte {
	b := make([]byte, 0, headerSize)
	b = append(b, snapshotMagic...)
	b = binary.LittleEndian.AppendUint32(b, h.Format)
	b = append(b, h.Engine...)
	b = append(b, make([]byte, engineSize-len(h.Engine))...)
	b = binary.LittleEndian.AppendUint64(b, h.Generation)
	b = append(b, h.ModelHash[:]...)
	b = binary.LittleEndian.AppendUint64(b, h.AppliedSeq)
	b = binary.LittleEndian.AppendUint64(b, h.Length)
	b = append(b, h.SHA256[:]...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// ReadHeader reads a snapshot's header and leaves r at the body, which it does
// not verify. It returns ErrFormat for a newer format and ErrCorrupt for a
// header that is truncated or fails its checksum.
func ReadHeader(r io.Reader) (Header, error) {
	var h Header
	b := make([]byte, headerSize)
	if _, err := io.ReadFull(r, b); err != nil {
		return h, readError(err)
	}
	if string(b[:len(snapshotMagic)]) != snapshotMagic {
		return h, fmt.Errorf("%w: no snapshot starts like this", ErrCorrupt)
	}
	// The format comes before the checksum, whose place it decides.
	h.Format = binary.LittleEndian.Uint32(b[8:])
	if h.Format < 1 || h.Format > snapshotFormat {
		return h, fmt.Errorf("%w: format %d, want 1 to %d", ErrFormat, h.Format, snapshotFormat)
	}
	if crc32.Checksum(b[:headerSize-4], castagnoli) != binary.LittleEndian.Uint32(b[headerSize-4:]) {
		return h, fmt.Errorf("%w: header fails its checksum", ErrCorrupt)
	}
	b = b[12:]
	h.Engine = string(bytes.TrimRight(b[:engineSize], "\x00"))
	b = b[engineSize:]
	h.Generation = binary.LittleEndian.Uint64(b)
	copy(h.ModelHash[:], b[8:])
	h.AppliedSeq = binary.LittleEndian.Uint64(b[40:])
	h.Length = binary.LittleEndian.Uint64(b[48:])
	copy(h.SHA256[:], b[56:])
	if h.Length > math.MaxInt64-headerSize {
		return h, fmt.Errorf("%w: length %d", ErrCorrupt, h.Length)
	}
	return h, nil
}

// Load reads a snapshot that one of the engines wrote and leaves r after it. It
// returns ErrFormat for a newer format or an engine not given, and ErrCorrupt for
// anything that is not, byte for byte, what Save wrote.
func Load(r io.Reader, engines ...Engine) (Header, Index, error) {
	h, err := ReadHeader(r)
	if err != nil {
		return h, nil, err
	}
	engine, err := engineNamed(h.Engine, engines)
	if err != nil {
		return h, nil, err
	}
	idx, err := LoadBody(r, h, engine.Load)
	return h, idx, err
}

// LoadBody reads what comes after the header that ReadHeader read of r, and leaves r
// after it. Nothing is returned of a body whose hash is not verified: that of a file is
// computed while the body is decoded, so decode must take any bytes; any other body is
// held in memory first, which grows as data arrives, whatever length the header claims.
// The reader that decode gets ends where the body does, and has a method Len that tells
// how many bytes are left. LoadBody returns ErrCorrupt for a body that is truncated or
// fails its checksum, and else decode's error.
func LoadBody[T any](r io.Reader, h Header, decode func(body io.Reader) (T, error)) (T, error) {
	if f, ok := r.(file); ok {
		if start, ok := position(r); ok {
			return loadFile(f, start, h, decode)
		}
	}
	var body bytes.Buffer
	if err := verify(io.TeeReader(r, &body), h); err != nil {
		return *new(T), err
	}
	return decode(&body)
}

// file can be read in two places at once.
type file interface {
	io.ReadSeeker
	io.ReaderAt
}

// loadFile decodes a body that begins at start, while another goroutine verifies it.
func loadFile[T any](f file, start int64, h Header, decode func(body io.Reader) (T, error)) (T, error) {
	var none T
	// Arrays are made by the length that is left, so it must be there.
	switch end, err := f.Seek(0, io.SeekEnd); {
	case err != nil:
		return none, readError(err)
	case uint64(max(0, end-start)) < h.Length:
		return none, readError(io.ErrUnexpectedEOF)
	}
	if _, err := f.Seek(start, io.SeekStart); err != nil {
		return none, readError(err)
	}
	verified := make(chan error, 1)
	go func() { verified <- verify(io.NewSectionReader(f, start, int64(h.Length)), h) }()
	out, err := decode(&bodyReader{r: f, left: int64(h.Length)})
	if bad := <-verified; bad != nil {
		return none, bad
	}
	return out, err
}

// verify reads a body and checks its length and hash.
func verify(body io.Reader, h Header) error {
	sum := sha256.New()
	if _, err := io.CopyN(sum, body, int64(h.Length)); err != nil {
		return readError(err)
	}
	if !bytes.Equal(sum.Sum(nil), h.SHA256[:]) {
		return fmt.Errorf("%w: body fails its checksum", ErrCorrupt)
	}
	return nil
}

func engineNamed(name string, engines []Engine) (Engine, error) {
	for _, e := range engines {
		if e.Name == name {
			return e, nil
		}
	}
	return Engine{}, fmt.Errorf("%w: engine %q", ErrFormat, name)
}

// position is where a stream stands, if it can seek. A pipe has the method and
// fails.
func position(stream any) (int64, bool) {
	s, ok := stream.(io.Seeker)
	if !ok {
		return 0, false
	}
	at, err := s.Seek(0, io.SeekCurrent)
	return at, err == nil
}

// bodyReader reads a body and tells how much of it is left, so that the decoder
// can make its arrays at their full size.
type bodyReader struct {
	r    io.Reader
	left int64
}

func (b *bodyReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, io.EOF
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// Len is the number of bytes left.
func (b *bodyReader) Len() int { return int(min(b.left, math.MaxInt)) }
