package bulk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// maxNPYHeader bounds the header; NumPy's own are 128 bytes for plain arrays.
const maxNPYHeader = 64 << 10

// The entries of an NPY header, which is a Python dictionary.
var (
	npyDescr   = regexp.MustCompile(`['"]descr['"]\s*:\s*['"]([^'"]*)['"]`)
	npyFortran = regexp.MustCompile(`['"]fortran_order['"]\s*:\s*(True|False)`)
	npyShape   = regexp.MustCompile(`['"]shape['"]\s*:\s*\(([0-9L,\s]*)\)`)
)

// readNPYHeader reads a header of format 1, 2 or 3:
// "\x93NUMPY", major, minor, length (uint16, from format 2 uint32), dictionary.
func readNPYHeader(in io.Reader) (*array, error) {
	var head [8]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil, err
	}
	if string(head[:6]) != "\x93NUMPY" {
		return nil, errors.New("not a NumPy file")
	}
	lengthSize := 4
	switch major := head[6]; {
	case major == 1:
		lengthSize = 2
	case major == 0 || major > 3:
		return nil, fmt.Errorf("format version %d, want 1 to 3", major)
	}
	var length [4]byte
	if _, err := io.ReadFull(in, length[:lengthSize]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(length[:])
	if n > maxNPYHeader {
		return nil, fmt.Errorf("header of %d bytes, the limit is %d", n, maxNPYHeader)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(in, header); err != nil {
		return nil, err
	}
	return parseNPYHeader(string(header))
}

func parseNPYHeader(header string) (*array, error) {
	descr := npyDescr.FindStringSubmatch(header)
	fortran := npyFortran.FindStringSubmatch(header)
	shape := npyShape.FindStringSubmatch(header)
	if descr == nil || fortran == nil || shape == nil {
		return nil, fmt.Errorf("header %.100q has no plain descr, fortran_order and shape", header)
	}
	a := &array{}
	for field := range strings.SplitSeq(shape[1], ",") {
		field = strings.TrimSuffix(strings.TrimSpace(field), "L") // Python 2 wrote longs
		if field == "" {
			continue
		}
		d, err := strconv.Atoi(field)
		if err != nil {
			return nil, fmt.Errorf("shape (%s): %w", shape[1], err)
		}
		a.dims = append(a.dims, d)
	}
	if fortran[1] == "True" && len(a.dims) > 1 {
		return nil, errors.New("the array is in Fortran order: save numpy.ascontiguousarray of it")
	}
	var err error
	a.element, err = npyElement(descr[1])
	return a, err
}

// npyElement reads a type such as "<f4": byte order, kind, size.
func npyElement(descr string) (element, error) {
	if len(descr) == 3 {
		size := int(descr[2] - '0')
		e, ok := elementOf(descr[1], size, binary.LittleEndian)
		if ok && (descr[0] == '<' || size == 1) {
			return e, nil
		}
	}
	return element{}, fmt.Errorf("numbers of type %.20q, want little-endian f2, f4, f8, or i or u of 1, 2, 4, 8 bytes", descr)
}
