package source_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

func ExampleImage() {
	picture := image.NewGray(image.Rect(0, 0, 2, 1))
	picture.Pix[0], picture.Pix[1] = 0, 51
	spec, _ := source.Image{Width: 2, Height: 1}.Resolve([]any{picture})
	stored, _ := spec.Marshal(picture)
	fitted, _ := spec.Fit(nil)
	row := make([]float32, fitted.Width())
	_ = fitted.Row(row, stored)
	fmt.Println(row)
	// Output: [0 0.2]
}

func noise(seed uint64, w, h int) *image.NRGBA {
	rng := rand.New(rand.NewPCG(seed, 0))
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		m.Pix[i] = byte(rng.Uint32())
		if i%4 == 3 {
			m.Pix[i] = 255
		}
	}
	return m
}

func grey(m image.Image) *image.Gray {
	out := image.NewGray(m.Bounds())
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			out.Set(x, y, m.At(x, y))
		}
	}
	return out
}

func encodePNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := png.Encode(&buf, m); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// Rows of pictures of the right size are those of the image package, exactly,
// and decode back to the same pictures.
func TestImageExact(t *testing.T) {
	const w, h = 7, 5
	colour := noise(1, w, h)
	for _, test := range []struct {
		name     string
		picture  image.Image
		channels int
	}{
		{"grey", grey(colour), 1},
		{"colour", colour, 3},
		{"colour as grey", colour, 1},
		{"grey as colour", grey(colour), 3},
		{"part of a picture", noise(2, 20, 20).SubImage(image.Rect(3, 4, 3+w, 4+h)), 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec := source.Image{Width: w, Height: h, Channels: test.channels}
			fitted := fit(t, spec)
			row := rowOf(t, fitted, marshal(t, spec, test.picture))
			at := test.picture.Bounds().Min
			for i, got := range row {
				pixel, c := i/test.channels, i%test.channels
				colour := color.NRGBAModel.Convert(test.picture.At(at.X+pixel%w, at.Y+pixel/w)).(color.NRGBA)
				want := []byte{colour.R, colour.G, colour.B}[c]
				if test.channels == 1 {
					want = color.GrayModel.Convert(colour).(color.Gray).Y
				}
				if got != float32(want)/255 {
					t.Fatalf("feature %d is %g, want %d/255", i, got, want)
				}
			}
			record, err := fitted.Record(row)
			if err != nil {
				t.Fatal(err)
			}
			again := rowOf(t, fitted, marshal(t, spec, record))
			for i := range row {
				if again[i] != row[i] {
					t.Fatalf("feature %d came back as %g, was %g", i, again[i], row[i])
				}
			}
			checkBytes(t, fitted)
		})
	}
}

// A reduction keeps the mean, whatever the pattern: no pixel is skipped.
func TestImageReducesByArea(t *testing.T) {
	board := image.NewGray(image.Rect(0, 0, 64, 64))
	for i := range board.Pix {
		if (i%64+i/64)%2 == 0 {
			board.Pix[i] = 200
		}
	}
	spec := source.Image{Width: 8, Height: 8, Channels: 1}
	for i, v := range rowOf(t, fit(t, spec), marshal(t, spec, board)) {
		if math.Abs(float64(v)-100./255) > 2./255 {
			t.Errorf("feature %d is %g, want %g", i, v, 100./255)
		}
	}
}

func TestImageTakesJPEGAndBase64(t *testing.T) {
	picture := grey(noise(3, 16, 16))
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, picture, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	spec := source.Image{Width: 16, Height: 16, Channels: 1}
	stored := marshal(t, spec, buf.Bytes())
	if !bytes.Equal(stored, buf.Bytes()) {
		t.Error("the encoded bytes changed")
	}
	for i, v := range rowOf(t, fit(t, spec), stored) {
		if math.Abs(float64(v)*255-float64(picture.Pix[i])) > 4 {
			t.Fatalf("feature %d is %g, want about %d/255", i, v, picture.Pix[i])
		}
	}
	if again := marshal(t, spec, base64.StdEncoding.EncodeToString(buf.Bytes())); !bytes.Equal(again, stored) {
		t.Error("base64 stores other bytes")
	}
}

func TestImageResolvesChannels(t *testing.T) {
	colour := noise(4, 4, 4)
	spec := source.Image{Width: 4, Height: 4}
	if got := resolve(t, spec, grey(colour)).(source.Image).Channels; got != 1 {
		t.Errorf("grey pictures: %d channels", got)
	}
	if got := resolve(t, spec, grey(colour), colour).(source.Image).Channels; got != 3 {
		t.Errorf("with a coloured picture: %d channels", got)
	}
	if got := resolve(t, spec).(source.Image).Channels; got != 0 {
		t.Errorf("no pictures: %d channels", got)
	}
	if _, err := spec.Fit(nil); !errors.Is(err, source.ErrSpec) {
		t.Errorf("fit of an unresolved spec: %v", err)
	}
}

// declare is a PNG that says it is w × h and has no pixels.
func declare(w, h uint32) []byte {
	chunk := append([]byte("IHDR"), binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)...)
	chunk = append(chunk, 8, 0, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	out = append(out, chunk...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(chunk))
}

func TestImageRefuses(t *testing.T) {
	whole := encodePNG(t, noise(5, 8, 8))
	tests := []struct {
		name   string
		record any
		want   string
	}{
		{"empty", []byte{}, "empty"},
		{"not an image", []byte("hello"), "unreadable"},
		{"truncated", whole[:len(whole)-20], "unreadable"},
		{"bomb", declare(60000, 60000), "60000 x 60000"},
		{"wide", declare(1<<20, 1), "16384 a side"},
		{"many pixels", declare(16384, 16384), "67108864 in all"},
		{"zero size", declare(0, 4), "image"},
		{"large", make([]byte, source.MaxImageBytes+1), "33554432"},
		{"large base64", strings.Repeat("A", source.MaxImageBytes/3*4+8), "33554432"},
		{"not base64", "***", "base64"},
		{"no pixels", image.NewGray(image.Rect(0, 0, 0, 3)), "0 x 3"},
		{"number", 7, "got int"},
		{"nil pointer", (*image.Gray)(nil), "cannot be encoded"},
		{"no pixels for its bounds", &image.Gray{Rect: image.Rect(0, 0, 8, 8)}, "cannot be encoded"},
		{"too large to encode", image.NewUniform(color.Black), "16384 a side"},
	}
	spec := source.Image{Width: 8, Height: 8}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := spec.Marshal(test.record)
			if !errors.Is(err, source.ErrRecord) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want ErrRecord with %q", err, test.want)
			}
		})
	}
	for _, bad := range []source.Image{
		{}, {Width: 1025, Height: 1}, {Width: 1, Height: -1}, {Width: 9, Height: 9, Channels: 2},
		{Width: 1024, Height: 65}, {Width: 256, Height: 256, Channels: 3},
	} {
		if _, err := bad.Resolve(nil); !errors.Is(err, source.ErrSpec) {
			t.Errorf("%+v: got %v, want ErrSpec", bad, err)
		}
	}
}

func TestImagePartsAndClamping(t *testing.T) {
	for channels, want := range map[int]string{1: "1,2", 3: "1,2,2"} {
		fitted := fit(t, source.Image{Width: 2, Height: 3, Channels: channels})
		weights := make([]float64, fitted.Width())
		weights[len(weights)-1] = 1
		row := make([]float32, fitted.Width())
		if got := fitted.Parts(weights, row, row)[0].Name; got != want {
			t.Errorf("%d channels: last pixel is %q, want %q", channels, got, want)
		}
		for i := range row {
			row[i] = []float32{-3, 9, 0.6 / 255, float32(math.NaN())}[i%4]
		}
		record, err := fitted.Record(row)
		if err != nil {
			t.Fatal(err)
		}
		back := rowOf(t, fitted, marshal(t, fitted.Spec(), record))
		for i, v := range back {
			if v != []float32{0, 1, 1. / 255, 0}[i%4] {
				t.Errorf("%d channels: %g was cut to %g", channels, row[i], v)
			}
		}
	}
}

// Whatever Marshal accepts, Row reads.
func FuzzImageMarshal(f *testing.F) {
	f.Add(encodePNG(f, noise(6, 3, 2)))
	f.Add(encodePNG(f, grey(noise(6, 4, 4))))
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, noise(7, 8, 8), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(buf.Bytes())
	f.Add(declare(1<<30, 1<<30))
	for _, format := range imageFormats(f) {
		f.Add(format.encoded)
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		spec := source.Image{Width: 4, Height: 3, Channels: 3}
		stored, err := spec.Marshal(encoded)
		if err != nil {
			if !errors.Is(err, source.ErrRecord) {
				t.Fatal(err)
			}
			return
		}
		for _, v := range rowOf(t, fit(t, spec), stored) {
			if v < 0 || v > 1 {
				t.Fatalf("feature %g is not in 0..1", v)
			}
		}
	})
}
