package embed

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// The bytes of a model: magic, format, length of the header, header as JSON,
// the float32 tensors it implies in a fixed order, and the SHA-256 of all that.
// Numbers are little-endian.
const (
	modelMagic  = "LDBMODEL"
	modelFormat = 2
	// plainFormat is that of models without views, which versions before views read.
	plainFormat = 1
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
	// Views are the headers of the models of a row's views, in which their tensors
	// are, one view after another; since format 2.
	Views []modelHeader `json:"views,omitempty"`
}

// header is what bytes say of a model before its tensors.
func (m *Model) header() modelHeader {
	h := modelHeader{
		Layout: m.layout, Encoder: m.encoder, Dim: m.dim, Scale: m.scale, Sigma: m.sigma,
		Int8Step: m.int8Step, Hidden: m.hidden(), Settings: m.settings,
	}
	for _, v := range m.views {
		h.Views = append(h.Views, v.header())
	}
	return h
}

// MarshalBinary gives the model's bytes; equal models give equal bytes.
func (m *Model) MarshalBinary() ([]byte, error) {
	header, err := json.Marshal(m.header())
	if err != nil {
		return nil, err
	}
	format := uint32(plainFormat)
	if m.views != nil {
		format = modelFormat
	}
	out := []byte(modelMagic)
	out = binary.LittleEndian.AppendUint32(out, format)
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
	var ts [][]float32
	for _, part := range m.parts() {
		ts = append(ts, part.mean, part.enc.w.Data, part.dec.w.Data)
		for _, p := range []*mlp{part.mlpE, part.mlpD} {
			if p == nil {
				continue
			}
			for _, l := range p.layers {
				ts = append(ts, l.w.Data, l.b)
			}
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
	format := binary.LittleEndian.Uint32(data[len(modelMagic):])
	if format < plainFormat || format > modelFormat {
		return nil, fmt.Errorf("%w: format %d, this version reads %d to %d", ErrFormat, format, plainFormat, modelFormat)
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
	if viewed := len(h.Views) > 0; viewed != (format > plainFormat) {
		return nil, fmt.Errorf("%w: %d views in format %d", ErrCorrupt, len(h.Views), format)
	}
	if err := h.check(len(rest) - size); err != nil {
		return nil, err
	}
	m := h.build()
	m.fill(rest[size:])
	return m, nil
}

// check tells whether the tensors that a header implies fill exactly the bytes
// that follow it, before any memory is taken for them.
func (h *modelHeader) check(have int) error {
	want, err := h.weights()
	if err != nil {
		return err
	}
	if int64(have) != 4*want {
		return fmt.Errorf("%w: %d bytes of weights, the header implies %d", ErrCorrupt, have, 4*want)
	}
	return nil
}

// weights is how many numbers the tensors that a header implies have. In 64 bits none
// within its bounds overflows.
func (h *modelHeader) weights() (int64, error) {
	if err := h.Layout.Validate(); err != nil {
		return 0, fmt.Errorf("%w: %v", ErrCorrupt, err)
	}
	if len(h.Views) > 0 || h.Layout.Views() != nil {
		return h.weightsOfViews()
	}
	features := h.Layout.Width()
	if h.Dim < 1 || h.Dim > maxWidth || len(h.Hidden) > 16 {
		return 0, fmt.Errorf("%w: %d features, latent of %d, %d hidden layers", ErrCorrupt, features, h.Dim, len(h.Hidden))
	}
	if h.Encoder == Auto || !h.Encoder.Valid() || (h.Encoder != PCA) != (len(h.Hidden) > 0) {
		return 0, fmt.Errorf("%w: encoder %q with %d hidden layers", ErrCorrupt, h.Encoder, len(h.Hidden))
	}
	if !(h.Scale > 0) || !(h.Sigma > 0) || !(h.Int8Step >= 0) {
		return 0, fmt.Errorf("%w: scales %v, %v, %v", ErrCorrupt, h.Scale, h.Sigma, h.Int8Step)
	}
	d, dim := int64(features), int64(h.Dim)
	want := d + 2*d*dim
	at, perceptron := d, int64(0)
	for _, w := range h.Hidden {
		if w < 1 || w > maxWidth {
			return 0, fmt.Errorf("%w: hidden layer of %d", ErrCorrupt, w)
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
	return want, nil
}

// weightsOfViews is weights of a header with views, which say of the whole what it says
// itself.
func (h *modelHeader) weightsOfViews() (int64, error) {
	layouts := h.Layout.Views()
	if len(layouts) != len(h.Views) || len(h.Hidden) > 0 || h.Scale != 1 || h.Sigma != 1 || !(h.Int8Step >= 0) {
		return 0, fmt.Errorf("%w: header of %d views, its layout has %d", ErrCorrupt, len(h.Views), len(layouts))
	}
	var total int64
	for i := range h.Views {
		v := &h.Views[i]
		if !slices.Equal(v.Layout, layouts[i]) || len(v.Views) > 0 || v.Dim != h.Dim || v.Encoder != h.Encoder {
			return 0, fmt.Errorf("%w: header of view %d is not of the model's", ErrCorrupt, i)
		}
		n, err := v.weights()
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// build makes the model that a header is of, its tensors still zero.
func (h *modelHeader) build() *Model {
	if len(h.Views) > 0 {
		models := make([]*Model, len(h.Views))
		for i := range models {
			models[i] = h.Views[i].build()
		}
		m := newViewModel(h.Layout, models)
		m.int8Step, m.settings = h.Int8Step, h.Settings
		return m
	}
	d := h.Layout.Width()
	base := &Model{
		layout: h.Layout, encoder: PCA, dim: h.Dim, scale: h.Scale, sigma: h.Sigma, int8Step: h.Int8Step,
		settings: h.Settings, mean: make([]float32, d), enc: newLinear(d, h.Dim, false), dec: newLinear(h.Dim, d, false),
	}
	if h.Encoder != PCA {
		return base.withNetworks(h.Encoder, h.Hidden, nil)
	}
	return base
}

// fill reads the tensors.
func (m *Model) fill(data []byte) {
	for _, t := range m.tensors() {
		for i := range t {
			t[i] = math.Float32frombits(binary.LittleEndian.Uint32(data))
			data = data[4:]
		}
	}
}
