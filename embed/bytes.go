package embed

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
)

// The bytes of a model: magic, format, length of the header, header as JSON,
// the float32 tensors it implies in a fixed order, and the SHA-256 of all that.
// Numbers are little-endian.
const (
	modelMagic  = "LDBMODEL"
	modelFormat = 1
	// maxWidth bounds a latent and a hidden layer.
	maxWidth = 1 << 16
)

type modelHeader struct {
	Layout   Layout   `json:"layout"`
	Encoder  Encoder  `json:"encoder"`
	Dim      int      `json:"dim"`
	Scale    float32  `json:"scale"`
	Sigma    float32  `json:"sigma"`
	Int8Step float32  `json:"int8_step"`
	Hidden   []int    `json:"hidden"`
	Settings Settings `json:"settings"`
}

// MarshalBinary gives the model's bytes; equal models give equal bytes.
func (m *Model) MarshalBinary() ([]byte, error) {
	header, err := json.Marshal(modelHeader{
		Layout: m.layout, Encoder: m.encoder, Dim: m.dim, Scale: m.scale, Sigma: m.sigma,
		Int8Step: m.int8Step, Hidden: m.hidden(), Settings: m.settings,
	})
	if err != nil {
		return nil, err
	}
	out := []byte(modelMagic)
	out = binary.LittleEndian.AppendUint32(out, modelFormat)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(header)))
	out = append(out, header...)
	for _, t := range m.tensors() {
		for _, v := range t {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		}
	}
	sum := sha256.Sum256(out)
	return append(out, sum[:]...), nil
}

// hidden is the widths of the decoder perceptron's inner layers, first of the
// encoder first.
func (m *Model) hidden() []int {
	if m.mlpD == nil {
		return nil
	}
	var widths []int
	for i := len(m.mlpD.layers) - 2; i >= 0; i-- {
		widths = append(widths, m.mlpD.layers[i].w.Cols)
	}
	return widths
}

// tensors lists every stored tensor in the order of the bytes.
func (m *Model) tensors() [][]float32 {
	ts := [][]float32{m.mean, m.enc.w.Data, m.dec.w.Data}
	for _, p := range []*mlp{m.mlpE, m.mlpD} {
		if p == nil {
			continue
		}
		for _, l := range p.layers {
			ts = append(ts, l.w.Data, l.b)
		}
	}
	return ts
}

// UnmarshalModel reads what MarshalBinary wrote. It returns ErrCorrupt for
// bytes that are truncated or fail their checksum, ErrFormat for a newer format.
func UnmarshalModel(data []byte) (*Model, error) {
	const fixed = len(modelMagic) + 8
	if len(data) < fixed+sha256.Size || string(data[:len(modelMagic)]) != modelMagic {
		return nil, fmt.Errorf("%w: not a model, or truncated", ErrCorrupt)
	}
	if format := binary.LittleEndian.Uint32(data[len(modelMagic):]); format != modelFormat {
		return nil, fmt.Errorf("%w: format %d, this version reads %d", ErrFormat, format, modelFormat)
	}
	body, want := data[:len(data)-sha256.Size], data[len(data)-sha256.Size:]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], want) {
		return nil, fmt.Errorf("%w: checksum does not match", ErrCorrupt)
	}
	rest := body[fixed:]
	claimed := binary.LittleEndian.Uint32(body[len(modelMagic)+4:])
	if uint64(claimed) > uint64(len(rest)) {
		return nil, fmt.Errorf("%w: header of %d bytes is cut short", ErrCorrupt, claimed)
	}
	size := int(claimed)
	var h modelHeader
	if err := json.Unmarshal(rest[:size], &h); err != nil {
		return nil, fmt.Errorf("%w: header: %v", ErrCorrupt, err)
	}
	if err := h.check(len(rest) - size); err != nil {
		return nil, err
	}
	return h.build(rest[size:]), nil
}

// check tells whether the tensors that a header implies fill exactly the bytes
// that follow it, before any memory is taken for them.
func (h *modelHeader) check(have int) error {
	if err := h.Layout.Validate(); err != nil {
		return fmt.Errorf("%w: %v", ErrCorrupt, err)
	}
	features := h.Layout.Width()
	if h.Dim < 1 || h.Dim > maxWidth || len(h.Hidden) > 16 {
		return fmt.Errorf("%w: %d features, latent of %d, %d hidden layers", ErrCorrupt, features, h.Dim, len(h.Hidden))
	}
	if h.Encoder == Auto || !h.Encoder.Valid() || (h.Encoder != PCA) != (len(h.Hidden) > 0) {
		return fmt.Errorf("%w: encoder %q with %d hidden layers", ErrCorrupt, h.Encoder, len(h.Hidden))
	}
	if !(h.Scale > 0) || !(h.Sigma > 0) || !(h.Int8Step >= 0) {
		return fmt.Errorf("%w: scales %v, %v, %v", ErrCorrupt, h.Scale, h.Sigma, h.Int8Step)
	}
	// In 64 bits no header within these bounds overflows.
	d, dim := int64(features), int64(h.Dim)
	want := d + 2*d*dim
	at, perceptron := d, int64(0)
	for _, w := range h.Hidden {
		if w < 1 || w > maxWidth {
			return fmt.Errorf("%w: hidden layer of %d", ErrCorrupt, w)
		}
		perceptron += at*int64(w) + int64(w)
		at = int64(w)
	}
	if h.Encoder == Deep {
		want += perceptron + at*dim + dim
	}
	if h.Encoder != PCA {
		// The decoder mirrors the matrices; its biases are of the other sizes.
		want += perceptron + at*dim + d
	}
	if int64(have) != 4*want {
		return fmt.Errorf("%w: %d bytes of weights, the header implies %d", ErrCorrupt, have, 4*want)
	}
	return nil
}

func (h *modelHeader) build(data []byte) *Model {
	d := h.Layout.Width()
	base := &Model{
		layout: h.Layout, encoder: PCA, dim: h.Dim, scale: h.Scale, sigma: h.Sigma, int8Step: h.Int8Step,
		settings: h.Settings, mean: make([]float32, d), enc: newLinear(d, h.Dim, false), dec: newLinear(h.Dim, d, false),
	}
	m := base
	if h.Encoder != PCA {
		m = base.withNetworks(h.Encoder, h.Hidden, nil)
	}
	for _, t := range m.tensors() {
		for i := range t {
			t[i] = math.Float32frombits(binary.LittleEndian.Uint32(data))
			data = data[4:]
		}
	}
	return m
}
