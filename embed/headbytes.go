package embed

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
)

// The bytes of a head: magic, then as u32 format, features, numbers and hidden layer, the
// float32 tensors of those sizes in a fixed order (the first is the one scale), and the
// SHA-256 of all that. Numbers are little-endian.
const (
	headMagic  = "LDBHEAD\x00"
	headFormat = 1
	headFixed  = len(headMagic) + 4*4
)

// MarshalBinary gives the head's bytes; equal heads give equal bytes.
func (h *Head) MarshalBinary() ([]byte, error) {
	out := []byte(headMagic)
	for _, v := range []int{headFormat, h.Features(), h.Dim(), h.network.layers[0].w.Cols} {
		out = binary.LittleEndian.AppendUint32(out, uint32(v))
	}
	for _, t := range h.tensors() {
		for _, v := range t {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		}
	}
	sum := sha256.Sum256(out)
	return append(out, sum[:]...), nil
}

// tensors lists every stored tensor in the order of the bytes, after the scale.
func (h *Head) tensors() [][]float32 {
	ts := [][]float32{{h.scale}, h.mean, h.straight.w.Data}
	for _, l := range h.network.layers {
		ts = append(ts, l.w.Data, l.b)
	}
	return ts
}

// UnmarshalHead reads what MarshalBinary wrote. It returns ErrCorrupt for bytes that are
// truncated or fail their checksum, ErrFormat for a newer format.
func UnmarshalHead(data []byte) (*Head, error) {
	if len(data) < headFixed+sha256.Size || string(data[:len(headMagic)]) != headMagic {
		return nil, fmt.Errorf("%w: not a head, or truncated", ErrCorrupt)
	}
	number := func(i int) int64 { return int64(binary.LittleEndian.Uint32(data[len(headMagic)+4*i:])) }
	if number(0) != headFormat {
		return nil, fmt.Errorf("%w: format %d of a head, this version reads %d", ErrFormat, number(0), headFormat)
	}
	body, want := data[:len(data)-sha256.Size], data[len(data)-sha256.Size:]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], want) {
		return nil, fmt.Errorf("%w: checksum does not match", ErrCorrupt)
	}
	features, dim, hidden := number(1), number(2), number(3)
	if features < 1 || features > maxFeatures || dim < 1 || dim > maxWidth || hidden < 1 || hidden > maxWidth {
		return nil, fmt.Errorf("%w: a head of %d features, %d numbers, %d hidden", ErrCorrupt, features, dim, hidden)
	}
	// In 64 bits no sizes within these bounds overflow.
	if values := 1 + features + features*dim + features*hidden + hidden + hidden*dim + dim; int64(len(body)-headFixed) != 4*values {
		return nil, fmt.Errorf("%w: %d bytes of weights, the sizes imply %d", ErrCorrupt, len(body)-headFixed, 4*values)
	}
	h := &Head{mean: make([]float32, features), straight: newLinear(int(features), int(dim), false),
		network: newMLP([]int{int(features), int(hidden), int(dim)}, nil)}
	rest := body[headFixed:]
	ts := h.tensors()
	for _, t := range ts {
		for i := range t {
			t[i] = math.Float32frombits(binary.LittleEndian.Uint32(rest))
			rest = rest[4:]
		}
	}
	if h.scale = ts[0][0]; !(h.scale > 0) {
		return nil, fmt.Errorf("%w: a head's scale is %v", ErrCorrupt, h.scale)
	}
	return h, nil
}
