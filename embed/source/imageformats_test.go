package source_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/color/palette"
	"image/gif"
	"math"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"github.com/latentdb/latentdb/embed/source"
	_ "github.com/latentdb/latentdb/embed/source/codecs"
)

// plainWebP is a lossless WebP of one colour: after its size it has no
// transforms, and five codes of one symbol each, so that pixels take no bits.
func plainWebP(w, h int, c color.NRGBA) []byte {
	var bits []bool
	put := func(v, n int) {
		for i := range n {
			bits = append(bits, v>>i&1 == 1)
		}
	}
	put(w-1, 14)
	put(h-1, 14)
	put(0, 1+3+1+1+1) // alpha, version; transform, colour cache, meta codes: none
	for _, symbol := range []uint8{c.G, c.R, c.B, c.A, 0} {
		put(1, 1) // a simple code
		put(0, 1) // of one symbol
		put(1, 1) // which has 8 bits
		put(int(symbol), 8)
	}
	data := make([]byte, (len(bits)+7)/8+1)
	data[0] = 0x2f
	for i, b := range bits {
		if b {
			data[1+i/8] |= 1 << (i % 8)
		}
	}
	if len(data)%2 == 1 {
		data = append(data, 0)
	}
	out := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(data)+12))
	out = binary.LittleEndian.AppendUint32(append(out, "WEBPVP8L"...), uint32(len(data)))
	return append(out, data...)
}

// filled is a picture of one colour.
func filled(c color.NRGBA, w, h int) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := 0; i < len(m.Pix); i += 4 {
		copy(m.Pix[i:], []byte{c.R, c.G, c.B, c.A})
	}
	return m
}

// framesGIF is an animated GIF; its first frame is the picture.
func framesGIF(t testing.TB, pictures ...image.Image) []byte {
	t.Helper()
	var all gif.GIF
	for _, m := range pictures {
		frame := image.NewPaletted(m.Bounds(), palette.WebSafe)
		for y := m.Bounds().Min.Y; y < m.Bounds().Max.Y; y++ {
			for x := m.Bounds().Min.X; x < m.Bounds().Max.X; x++ {
				frame.Set(x, y, m.At(x, y))
			}
		}
		all.Image, all.Delay = append(all.Image, frame), append(all.Delay, 10)
	}
	var buf bytes.Buffer
	if err := gif.EncodeAll(&buf, &all); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// imageFormats are pictures in every format beyond PNG and JPEG, and what they show.
func imageFormats(t testing.TB) map[string]struct {
	encoded []byte
	picture image.Image
} {
	t.Helper()
	picture := noise(11, 5, 4)
	web := image.NewPaletted(image.Rect(0, 0, 5, 4), palette.WebSafe)
	for i := range web.Pix {
		web.Pix[i] = byte(i * 7)
	}
	var b, tf, packed bytes.Buffer
	if err := errors.Join(bmp.Encode(&b, picture), tiff.Encode(&tf, picture, nil),
		tiff.Encode(&packed, picture, &tiff.Options{Compression: tiff.Deflate, Predictor: true})); err != nil {
		t.Fatal(err)
	}
	solid := color.NRGBA{200, 100, 50, 255}
	return map[string]struct {
		encoded []byte
		picture image.Image
	}{
		"bmp":          {b.Bytes(), picture},
		"tiff":         {tf.Bytes(), picture},
		"tiff deflate": {packed.Bytes(), picture},
		"gif":          {framesGIF(t, web), web},
		"animated gif": {framesGIF(t, web, filled(color.NRGBA{A: 255}, 5, 4)), web},
		"webp":         {plainWebP(5, 4, solid), filled(solid, 5, 4)},
	}
}

// Pictures of every format have the pixels that were encoded.
func TestImageFormats(t *testing.T) {
	spec := source.Image{Width: 5, Height: 4, Channels: 3}
	for name, f := range imageFormats(t) {
		t.Run(name, func(t *testing.T) {
			want := rowOf(t, fit(t, spec), marshal(t, spec, encodePNG(t, f.picture)))
			stored := marshal(t, spec, f.encoded)
			if !bytes.Equal(stored, f.encoded) {
				t.Error("the encoded bytes changed")
			}
			for i, v := range rowOf(t, fit(t, spec), stored) {
				if math.Abs(float64(v-want[i])) > 1e-6 {
					t.Fatalf("feature %d is %g, want %g", i, v, want[i])
				}
			}
		})
	}
}

// Sizes are checked before pixels, in every format.
func TestImageFormatsAreBounded(t *testing.T) {
	spec := source.Image{Width: 8, Height: 8}
	patch := func(name string, at int, v ...byte) []byte {
		out := bytes.Clone(imageFormats(t)[name].encoded)
		copy(out[at:], v)
		return out
	}
	for name, encoded := range map[string][]byte{
		"webp": plainWebP(16384, 16384, color.NRGBA{}),
		"gif":  patch("gif", 6, 0xff, 0xff, 0xff, 0xff),
		"bmp":  patch("bmp", 18, 0xff, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 0),
	} {
		if _, err := spec.Marshal(encoded); !errors.Is(err, source.ErrRecord) || !strings.Contains(err.Error(), "limits") {
			t.Errorf("%s: got %v, want ErrRecord with the limits", name, err)
		}
	}
}
