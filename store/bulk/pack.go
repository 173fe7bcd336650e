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

func zipEntries(file io.ReaderAt, size int64, m *meter) (entries, error) {
	d, err := findDirectory(file, size)
	if err != nil {
		return nil, fmt.Errorf("%w: zip: %w", ErrFile, err)
	}
	return func(yield func(entry, error) bool) {
		for f, err := range d.files {
			if err != nil {
				yield(entry{}, fmt.Errorf("zip: %w", err))
				return
			}
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
	return readOnly{metered{in, m}, in}, nil
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

// readOnly closes a file of which nothing is left to go wrong.
type readOnly struct {
	io.Reader
	c io.Closer
}

func (r readOnly) Close() error {
	_ = r.c.Close() // an error of what was read was told then
	return nil
}
