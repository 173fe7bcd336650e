package bulk

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
)

// A window is what is read of a zip's directory at a time: as many files and, unless
// one takes more, as many bytes.
const (
	windowFiles = 1024
	windowBytes = 1 << 18
)

// directory is where a zip lists its files. archive/zip holds all of a list in memory,
// so it is given a part at a time, as the whole of a zip that has the same data.
type directory struct {
	file         io.ReaderAt
	start        int64 // where the list begins
	offset, size int64 // as the zip says: the offset may count from behind a prefix
}

var errNoZip = errors.New("not a zip file, or cut short")

// The records that end a zip, and their lengths.
const (
	endMark, endSize           = 0x06054b50, 22
	end64Mark, end64Size       = 0x06064b50, 56
	locatorMark, locatorSize   = 0x07064b50, 20
	fileMark, fileSizeInListed = 0x02014b50, 46
)

// findDirectory reads the end of a zip.
func findDirectory(file io.ReaderAt, size int64) (*directory, error) {
	tail := make([]byte, min(size, endSize+math.MaxUint16))
	if _, err := file.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return nil, err
	}
	at := len(tail) - endSize
	for ; at >= 0; at-- { // behind it is a comment, whose length it tells
		if binary.LittleEndian.Uint32(tail[at:]) == endMark && at+endSize+int(binary.LittleEndian.Uint16(tail[at+20:])) <= len(tail) {
			break
		}
	}
	if at < 0 {
		return nil, errNoZip
	}
	end := tail[at:]
	d := &directory{file: file, size: int64(binary.LittleEndian.Uint32(end[12:])), offset: int64(binary.LittleEndian.Uint32(end[16:]))}
	listEnd := size - int64(len(tail)) + int64(at)
	if d.size == math.MaxUint32 || d.offset == math.MaxUint32 || binary.LittleEndian.Uint16(end[10:]) == math.MaxUint16 {
		if err := d.readLarge(&listEnd); err != nil {
			return nil, err
		}
	}
	d.start = listEnd - d.size
	if d.size < 0 || d.offset < 0 || d.start < d.offset {
		return nil, errNoZip
	}
	return d, nil
}

// readLarge reads the record that a zip has whose numbers are too large for its last
// one, and puts listEnd before it; there may be none.
func (d *directory) readLarge(listEnd *int64) error {
	locator := make([]byte, locatorSize)
	if *listEnd < locatorSize {
		return nil
	}
	if _, err := d.file.ReadAt(locator, *listEnd-locatorSize); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(locator) != locatorMark {
		return nil
	}
	at := int64(binary.LittleEndian.Uint64(locator[8:]))
	end := make([]byte, end64Size)
	if at < 0 || at > *listEnd-locatorSize-end64Size {
		return errNoZip
	}
	if _, err := d.file.ReadAt(end, at); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(end) != end64Mark {
		return errNoZip
	}
	d.size, d.offset = int64(binary.LittleEndian.Uint64(end[40:])), int64(binary.LittleEndian.Uint64(end[48:]))
	*listEnd = at
	return nil
}

// files gives the files of the zip in the order they are listed.
func (d *directory) files(yield func(*zip.File, error) bool) {
	in := bufio.NewReaderSize(io.NewSectionReader(d.file, d.start, d.size), bufferSize)
	for {
		window, n, err := readWindow(in)
		if err == nil && n == 0 {
			return
		}
		var z *zip.Reader
		if err == nil {
			z, err = d.part(window, n)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		for _, f := range z.File {
			if !yield(f, nil) {
				return
			}
		}
	}
}

// readWindow reads the next files of a list, and tells how many; none at its end.
func readWindow(in *bufio.Reader) (window []byte, n int, err error) {
	for n < windowFiles && len(window) < windowBytes {
		head, err := in.Peek(fileSizeInListed)
		if len(head) == 0 && err == io.EOF {
			break
		}
		if err != nil || binary.LittleEndian.Uint32(head) != fileMark {
			return nil, 0, errNoZip
		}
		length := fileSizeInListed
		for _, at := range []int{28, 30, 32} { // name, extra fields, comment
			length += int(binary.LittleEndian.Uint16(head[at:]))
		}
		begin := len(window)
		window = append(window, make([]byte, length)...)
		if _, err := io.ReadFull(in, window[begin:]); err != nil {
			return nil, 0, errNoZip
		}
		n++
	}
	return window, n, nil
}

// part opens the zip as one that lists n files only.
func (d *directory) part(window []byte, n int) (*zip.Reader, error) {
	tail := bytes.NewBuffer(window)
	listEnd := d.start + int64(len(window))
	le := binary.LittleEndian
	end := make([]byte, end64Size+locatorSize+endSize)
	le.PutUint32(end, end64Mark)
	le.PutUint64(end[4:], end64Size-12) // what follows
	le.PutUint64(end[24:], uint64(n))
	le.PutUint64(end[32:], uint64(n))
	le.PutUint64(end[40:], uint64(len(window)))
	le.PutUint64(end[48:], uint64(d.offset))
	locator := end[end64Size:]
	le.PutUint32(locator, locatorMark)
	le.PutUint64(locator[8:], uint64(listEnd))
	le.PutUint32(locator[16:], 1)
	last := locator[locatorSize:]
	le.PutUint32(last, endMark)
	for _, at := range []int{8, 10, 12, 14, 16, 18} {
		le.PutUint16(last[at:], math.MaxUint16) // see the larger record
	}
	tail.Write(end)
	z, err := zip.NewReader(&spliced{d.file, d.start, tail.Bytes()}, d.start+int64(tail.Len()))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // nothing is written by it
		return nil, err
	}
	return z, nil
}

// spliced is a file up to some place, and a tail behind it.
type spliced struct {
	file io.ReaderAt
	cut  int64
	tail []byte
}

func (s *spliced) ReadAt(p []byte, at int64) (n int, err error) {
	if at < s.cut {
		want := min(int64(len(p)), s.cut-at)
		if n, err = s.file.ReadAt(p[:want], at); int64(n) < want || n == len(p) {
			return n, err
		}
		at += int64(n)
	}
	if at-s.cut >= int64(len(s.tail)) {
		return n, io.EOF
	}
	copied := copy(p[n:], s.tail[at-s.cut:])
	if n += copied; n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
