package bulk

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

const bufferSize = 64 << 10

// Limits of what compressed files and archives unpack to.
const (
	// MaxUnpacked is how many bytes one may unpack to.
	MaxUnpacked = 1 << 40
	// MaxRatio is how many times its own size it may unpack to. Deflate can do 1032;
	// tables and pictures come to a tenth of this.
	MaxRatio = 250
	// ratioFrom is what may be unpacked before the ratio counts: a small file of
	// zeros is no danger.
	ratioFrom = 16 << 20
)

// errUnpacks ends reading, whatever it was found in.
var errUnpacks = fmt.Errorf("%w: unpacks to too much", ErrFile)

// meter counts what a compressed file unpacks to. It is not safe for concurrent use.
type meter struct {
	packed   func() int64 // bytes of the file that were read
	unpacked int64
}

func (m *meter) add(n int64) error {
	m.unpacked += n
	return checkUnpacked(m.packed(), m.unpacked)
}

func checkUnpacked(packed, unpacked int64) error {
	switch {
	case unpacked > MaxUnpacked:
		return fmt.Errorf("%w: more than %d bytes", errUnpacks, int64(MaxUnpacked))
	case unpacked > ratioFrom && unpacked/MaxRatio > packed:
		return fmt.Errorf("%w: %d bytes from %d, the limit is %d times as many", errUnpacks, unpacked, packed, MaxRatio)
	}
	return nil
}

// metered reads through a meter.
type metered struct {
	io.Reader
	m *meter
}

func (r metered) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if over := r.m.add(int64(n)); over != nil {
		return 0, over
	}
	return n, err
}

// counter counts what is read through it.
type counter struct {
	r io.Reader
	n *atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// counterAt is counter for a file that is read here and there.
type counterAt struct {
	r io.ReaderAt
	n *atomic.Int64
}

func (c *counterAt) ReadAt(p []byte, at int64) (int, error) {
	n, err := c.r.ReadAt(p, at)
	c.n.Add(int64(n))
	return n, err
}

// uncompressed is in, decompressed if it begins as gzip does.
func (r *Reader) uncompressed(in io.Reader) (*bufio.Reader, error) {
	buffered := bufio.NewReaderSize(in, bufferSize)
	if head, _ := buffered.Peek(2); len(head) < 2 || head[0] != 0x1f || head[1] != 0x8b {
		return buffered, nil // an error of Peek comes back with the next read
	}
	z, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, fmt.Errorf("%w: gzip: %w", ErrFile, err)
	}
	if r.meter == nil {
		r.meter = &meter{packed: r.read.Load}
	}
	return bufio.NewReaderSize(metered{z, r.meter}, bufferSize), nil
}

// fileError words an error of reading on, which ends the file.
func fileError(err error) error {
	if errors.Is(err, ErrFile) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrFile, err)
}

// skipMark skips a UTF-8 byte order mark.
func skipMark(in *bufio.Reader) {
	if head, _ := in.Peek(3); string(head) == "\ufeff" {
		_, _ = in.Discard(3) // was peeked, so it cannot fail
	}
}
