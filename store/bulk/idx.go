package bulk

import (
	"encoding/binary"
	"errors"
	"io"
)

// idxTypes are the codes of IDX, as kind and size.
var idxTypes = map[byte]struct {
	kind byte
	size int
}{
	0x08: {'u', 1},
	0x09: {'i', 1},
	0x0b: {'i', 2},
	0x0c: {'i', 4},
	0x0d: {'f', 4},
	0x0e: {'f', 8},
}

// readIDXHeader reads: two zero bytes, type, number of dimensions, and each
// dimension as a big-endian uint32. The numbers that follow are big-endian.
func readIDXHeader(in io.Reader) (*array, error) {
	var head [4]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil, err
	}
	t, known := idxTypes[head[2]]
	if head[0] != 0 || head[1] != 0 || !known {
		return nil, errors.New("not an IDX file")
	}
	e, _ := elementOf(t.kind, t.size, binary.BigEndian) // every type above is one
	a := &array{element: e}
	for range head[3] {
		var d [4]byte
		if _, err := io.ReadFull(in, d[:]); err != nil {
			return nil, err
		}
		a.dims = append(a.dims, int(binary.BigEndian.Uint32(d[:])))
	}
	if len(a.dims) == 0 {
		return nil, errors.New("no dimensions")
	}
	return a, nil
}
