package source

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"iter"
	"math"

	"github.com/latentdb/latentdb/embed"
)

// Limits of images. A declared size is checked before any pixel is decoded.
const (
	MaxImageBytes  = 32 << 20 // encoded
	MaxImagePixels = 1 << 26  // width × height of an encoded image
	MaxImageSide   = 1 << 14  // width or height of an encoded image
	MaxRowSide     = 1024     // Image.Width or Image.Height
)

// Image is the source of pictures. A record is the []byte of an encoded PNG or
// JPEG, or of any format that the program registered with the image package, as
// a blank import of embed/source/codecs does for GIF, BMP, TIFF and WebP; a
// base64 string, which JSON gives, and an image.Image are taken as well.
//
// A feature row has Height × Width × Channels values from 0 to 1, row by row,
// the channels of a pixel side by side. Grey is Rec. 601 luma; transparent
// pixels count as blended over black. A picture of another size is resized with
// a triangle filter as wide as the reduction, so every pixel counts; one of the
// same size gives exactly k/255.
type Image struct {
	// Width and Height are the size pictures are resized to, at most MaxRowSide.
	Width  int `json:"width"`
	Height int `json:"height"`
	// Channels is 1 (grey) or 3 (RGB); 0 means 3 if one of the first images
	// has colour, else 1.
	Channels int `json:"channels,omitempty"`
	// Likeness is what near latents have in common: LikePixels or LikeShape. Empty
	// means that each fit decides: shape in colour, and in grey while there are fewer
	// than DensePictures. See Lifted.
	Likeness Likeness `json:"likeness,omitempty"`
	// Mirrored tells that a picture and its mirror image, left for right, may be copies
	// of each other. Default false: letters and digits are not.
	Mirrored bool `json:"mirrored,omitempty"`
}

// Likeness is what makes two pictures alike to the model. Errors and the space
// "input" are of pixels either way.
type Likeness string

const (
	// LikePixels brings pictures together whose pixels are alike one by one. Latents
	// then hold the neighbours by pixels, and pictures are reconstructed best.
	LikePixels Likeness = "pixels"
	// LikeShape brings pictures together whose edges and coarse colours are alike: of
	// the same kind of thing, more often than by pixels.
	LikeShape Likeness = "shape"
)

// DensePictures is how many grey pictures there are at least before pixels decide
// where nothing else was asked for: among so many, a picture's nearest by pixels
// mostly show the same thing.
const DensePictures = 10_000

// Kind is "image".
func (m Image) Kind() string { return "image" }

// Resolve decides the channels, decoding the first images until one has colour.
func (m Image) Resolve(first []any) (Spec, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	if m.Channels != 0 || len(first) == 0 {
		return m, nil
	}
	m.Channels = 1
	for _, record := range first {
		picture, err := decodeRecord(record)
		if err != nil {
			return nil, err
		}
		if hasColour(resize(picture, m.Width, m.Height)) {
			m.Channels = 3
			break
		}
	}
	return m, m.check()
}

func (m Image) check() error {
	if m.Width < 1 || m.Width > MaxRowSide || m.Height < 1 || m.Height > MaxRowSide {
		return fmt.Errorf("%w: image size %d x %d, want 1..%d each", ErrSpec, m.Width, m.Height, MaxRowSide)
	}
	if m.Channels != 0 && m.Channels != 1 && m.Channels != 3 {
		return fmt.Errorf("%w: image channels %d, want 1, 3, or 0 to decide", ErrSpec, m.Channels)
	}
	if m.Likeness != "" && m.Likeness != LikePixels && m.Likeness != LikeShape {
		return fmt.Errorf("%w: image likeness %q, want %q, %q, or none to decide", ErrSpec, m.Likeness, LikePixels, LikeShape)
	}
	if n := m.Width * m.Height * max(m.Channels, 1); n > MaxFeatures {
		return fmt.Errorf("%w: image of %d x %d with %d channels has %d features, the limit is %d",
			ErrSpec, m.Width, m.Height, max(m.Channels, 1), n, MaxFeatures)
	}
	return nil
}

// Marshal decodes the image in full, to prove that it can be, and stores its
// encoded bytes unchanged. An image.Image is stored as PNG.
func (m Image) Marshal(record any) ([]byte, error) {
	encoded, err := encodedImage(record)
	if err != nil {
		return nil, err
	}
	if _, err := decodeImage(encoded); err != nil {
		return nil, err
	}
	return bytes.Clone(encoded), nil
}

// Unmarshal returns the encoded bytes.
func (m Image) Unmarshal(stored []byte) (any, error) { return bytes.Clone(stored), nil }

// Fit counts the samples, where that decides what pictures are alike by, and looks
// at none: the model has its own mean and scale.
func (m Image) Fit(samples iter.Seq2[[]byte, error]) (Fitted, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	if m.Channels == 0 {
		return nil, fmt.Errorf("%w: image channels are not resolved", ErrSpec)
	}
	likeness := m.Likeness
	if likeness == "" {
		likeness = LikeShape
		dense, err := m.dense(samples)
		if err != nil {
			return nil, err
		}
		if dense {
			likeness = LikePixels
		}
	}
	return m.fitted(likeness), nil
}

// dense tells whether pictures are grey and so many that pixels tell what is alike.
func (m Image) dense(samples iter.Seq2[[]byte, error]) (bool, error) {
	if m.Channels != 1 || samples == nil {
		return false, nil
	}
	n := 0
	for _, err := range samples {
		if err != nil {
			return false, err
		}
		if n++; n == DensePictures {
			return true, nil
		}
	}
	return false, nil
}

func (m Image) fitted(likeness Likeness) fittedImage {
	f := fittedImage{spec: m, likeness: likeness, lift: lift{pixels: m.Width * m.Height * m.Channels}, copies: newThumbnails(m)}
	if likeness == LikeShape {
		f.lift = newLift(m)
	}
	return f
}

// encodedImage is the encoded form of any record that is an image.
func encodedImage(record any) ([]byte, error) {
	switch r := record.(type) {
	case []byte:
		return r, nil
	case string:
		if base64.StdEncoding.DecodedLen(len(r)) > MaxImageBytes+2 {
			return nil, fmt.Errorf("%w: base64 image of %d characters, the limit is %d bytes", ErrRecord, len(r), MaxImageBytes)
		}
		encoded, err := base64.StdEncoding.DecodeString(r)
		if err != nil {
			return nil, fmt.Errorf("%w: image is not base64: %w", ErrRecord, err)
		}
		return encoded, nil
	case image.Image:
		return encodePNG(r)
	}
	return nil, fmt.Errorf("%w: got %T, want an encoded image", ErrRecord, record)
}

// encodePNG encodes a picture. An image.Image is code as much as it is data: a nil
// pointer and one whose pixels are too few for its bounds panic when asked for
// their colours, which is an error of the record, not of this program.
func encodePNG(picture image.Image) (encoded []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			encoded, err = nil, fmt.Errorf("%w: image cannot be encoded: %v", ErrRecord, p)
		}
	}()
	size := picture.Bounds().Size()
	if err := checkPixels(size.X, size.Y); err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, picture); err != nil {
		return nil, fmt.Errorf("%w: image cannot be encoded: %w", ErrRecord, err)
	}
	return buf.Bytes(), nil
}

func decodeRecord(record any) (image.Image, error) {
	encoded, err := encodedImage(record)
	if err != nil {
		return nil, err
	}
	return decodeImage(encoded)
}

// fittedImage is an image's front end. Rows are pixels; what the model sees of them
// is up to what is alike.
type fittedImage struct {
	spec     Image
	likeness Likeness
	lift     lift
	copies   thumbnails
}

// imageState is what a fit decides.
type imageState struct {
	Likeness Likeness `json:"likeness"`
}

func (f fittedImage) Spec() Spec              { return f.spec }
func (f fittedImage) Width() int              { return f.lift.pixels }
func (f fittedImage) Layout() embed.Layout    { return embed.NumericLayout(f.Width()) }
func (f fittedImage) InputScale() []float32   { return nil }
func (f fittedImage) Lift(dst, row []float32) { f.lift.fill(dst, row) }

// ModelLayout is of pixels alone where they decide what is alike.
func (f fittedImage) ModelLayout() embed.Layout { return embed.NumericLayout(f.lift.width()) }

func (f fittedImage) MarshalBinary() ([]byte, error) {
	return marshalFitted(f.spec, imageState{f.likeness})
}

// restoreImage reads a state; before there was one, pixels decided.
func restoreImage(spec Spec, state json.RawMessage) (Fitted, error) {
	m, ok := spec.(Image)
	if !ok || m.Channels == 0 {
		return nil, errors.New("image channels are not resolved")
	}
	s := imageState{LikePixels}
	if len(state) > 0 {
		if err := decodeStrict(state, &s); err != nil {
			return nil, err
		}
	}
	if s.Likeness != LikePixels && s.Likeness != LikeShape {
		return nil, fmt.Errorf("likeness %q is unknown", s.Likeness)
	}
	return m.fitted(s.Likeness), nil
}

// Row decodes and resizes the image.
func (f fittedImage) Row(dst []float32, stored []byte) error {
	if err := checkRow(dst, f.Width()); err != nil {
		return err
	}
	picture, err := decodeImage(stored)
	if err != nil {
		return err
	}
	fillPixels(dst, picture, f.spec)
	return nil
}

// Record is the row as a PNG, its values cut to 0..1 and rounded to 8 bits.
func (f fittedImage) Record(row []float32) (any, error) {
	if err := checkRow(row, f.Width()); err != nil {
		return nil, err
	}
	return encodePNG(f.picture(row))
}

func (f fittedImage) picture(row []float32) image.Image {
	bounds := image.Rect(0, 0, f.spec.Width, f.spec.Height)
	if f.spec.Channels == 1 {
		grey := image.NewGray(bounds)
		for i, v := range row {
			grey.Pix[i] = toByte(v)
		}
		return grey
	}
	rgb := image.NewRGBA(bounds)
	for i := range len(row) / 3 {
		pixel := rgb.Pix[4*i : 4*i+4]
		for c := range 3 {
			pixel[c] = toByte(row[3*i+c])
		}
		pixel[3] = math.MaxUint8
	}
	return rgb
}

func toByte(v float32) byte {
	if !(v > 0) { // NaN as well
		return 0
	}
	return byte(min(v, 1)*math.MaxUint8 + 0.5)
}

// Parts are the pixels, named "x,y", or "x,y,c" where there are three channels.
func (f fittedImage) Parts(contributions []float64, row, decoded []float32) []Part {
	return featureParts(f.Width(), f.partName, contributions, row, decoded)
}

func (f fittedImage) partName(i int) string {
	pixel, channel := i/f.spec.Channels, i%f.spec.Channels
	x, y := pixel%f.spec.Width, pixel/f.spec.Width
	if f.spec.Channels == 1 {
		return fmt.Sprintf("%d,%d", x, y)
	}
	return fmt.Sprintf("%d,%d,%d", x, y, channel)
}
