package bulk

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// maxDirectory bounds what is read of a zip to list its files, all of which are held
// in memory: 256 bytes for each of MaxEntries.
const maxDirectory = 256 * MaxEntries

// openZip reads the directory of a zip.
func openZip(file io.ReaderAt, size int64) (*zip.Reader, error) {
	bounded := &budgetAt{r: file, left: maxDirectory}
	z, err := zip.NewReader(bounded, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // nothing is written by it
		return nil, fmt.Errorf("%w: zip: %w", ErrFile, err)
	}
	bounded.open = true
	return z, nil
}

// budgetAt is a file of which only so much may be read until it is open.
type budgetAt struct {
	r    io.ReaderAt
	left int
	open bool
}

func (b *budgetAt) ReadAt(p []byte, at int64) (int, error) {
	if !b.open {
		if b.left -= len(p); b.left < 0 {
			return 0, fmt.Errorf("the directory has more than %d bytes", maxDirectory)
		}
	}
	return b.r.ReadAt(p, at)
}

func zipEntries(file io.ReaderAt, size int64, m *meter) (entries, error) {
	z, err := openZip(file, size)
	if err != nil {
		return nil, err
	}
	return func(yield func(entry, error) bool) {
		for _, f := range z.File {
			if !f.Mode().IsRegular() {
				continue
			}
			if !yield(entry{name: f.Name, size: int64(f.UncompressedSize64), open: func() (io.ReadCloser, error) { return openZipped(f, m) }}, nil) {
				return
			}
		}
	}, nil
}

// openZipped opens a file of a zip, whose bytes pass the meter.
func openZipped(f *zip.File, m *meter) (io.ReadCloser, error) {
	const encrypted = 1
	if f.Flags&encrypted != 0 {
		return nil, errors.New("is encrypted")
	}
	if f.Method != zip.Store && f.Method != zip.Deflate {
		return nil, fmt.Errorf("is compressed by method %d, want 0 (stored) or 8 (deflate)", f.Method)
	}
	in, err := f.Open()
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{metered{in, m}, in}, nil
}

// tarEntries reads a tar, compressed with gzip or not. What is skipped is unpacked
// too, so all of it passes the meter.
func tarEntries(file io.ReaderAt, size int64, m *meter) entries {
	return func(yield func(entry, error) bool) {
		in := bufio.NewReaderSize(io.NewSectionReader(file, 0, size), bufferSize)
		var all io.Reader = in
		if head, _ := in.Peek(2); string(head) == "\x1f\x8b" {
			z, err := gzip.NewReader(in)
			if err != nil {
				yield(entry{}, fmt.Errorf("gzip: %w", err))
				return
			}
			all = metered{z, m}
		}
		t := tar.NewReader(all)
		for {
			head, err := t.Next()
			if err == io.EOF {
				return
			}
			if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
				yield(entry{}, fmt.Errorf("tar: %w", err))
				return
			}
			if head.Typeflag != tar.TypeReg {
				continue
			}
			if !yield(entry{name: head.Name, size: head.Size, open: func() (io.ReadCloser, error) { return io.NopCloser(t), nil }}, nil) {
				return
			}
		}
	}
}
