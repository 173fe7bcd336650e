package source

import (
	"bytes"
	"fmt"
	"image"
	_ "image/jpeg" // beside image/png; other formats register themselves
	"math"

	"golang.org/x/image/draw"
)

// colourTolerance is the spread of a pixel's channels, in levels of 255, up to
// which it counts as grey: JPEG gives grey pictures a little chroma noise.
const colourTolerance = 8

// decodeImage decodes an image whose declared size is within the limits. Decoders
// are whatever the program registered: one that panics has met a bad record.
func decodeImage(encoded []byte) (picture image.Image, err error) {
	defer func() {
		if p := recover(); p != nil {
			picture, err = nil, fmt.Errorf("%w: image is unreadable: %v", ErrRecord, p)
		}
	}()
	if len(encoded) == 0 {
		return nil, fmt.Errorf("%w: image is empty", ErrRecord)
	}
	if len(encoded) > MaxImageBytes {
		return nil, fmt.Errorf("%w: image has %d bytes, the limit is %d", ErrRecord, len(encoded), MaxImageBytes)
	}
	config, _, err := image.DecodeConfig(bytes.NewReader(encoded))
	if err != nil {
		return nil, fmt.Errorf("%w: image is unreadable: %w", ErrRecord, err)
	}
	if err := checkPixels(config.Width, config.Height); err != nil {
		return nil, err
	}
	picture, _, err = image.Decode(bytes.NewReader(encoded))
	if err != nil {
		return nil, fmt.Errorf("%w: image is unreadable: %w", ErrRecord, err)
	}
	// What a format declares of the whole need not be what its first frame has.
	size := picture.Bounds().Size()
	return picture, checkPixels(size.X, size.Y)
}

// checkPixels refuses a picture's size before anything is done with its pixels.
func checkPixels(width, height int) error {
	if width < 1 || height < 1 {
		return fmt.Errorf("%w: image of %d x %d pixels", ErrRecord, width, height)
	}
	if width > MaxImageSide || height > MaxImageSide || width*height > MaxImagePixels {
		return fmt.Errorf("%w: image of %d x %d pixels, the limits are %d a side and %d in all",
			ErrRecord, width, height, MaxImageSide, MaxImagePixels)
	}
	return nil
}

// fillPixels writes the feature row of a picture.
func fillPixels(dst []float32, picture image.Image, spec Image) {
	if grey, ok := picture.(*image.Gray); ok && spec.Channels == 1 && grey.Rect.Size() == image.Pt(spec.Width, spec.Height) {
		for y := range spec.Height {
			for x, p := range grey.Pix[y*grey.Stride:][:spec.Width] {
				dst[y*spec.Width+x] = float32(p) / math.MaxUint8
			}
		}
		return
	}
	rgba := resize(picture, spec.Width, spec.Height)
	for i := range spec.Width * spec.Height {
		pixel := rgba.Pix[4*i : 4*i+4]
		if spec.Channels == 1 {
			dst[i] = float32(luma(pixel)) / math.MaxUint8
			continue
		}
		for c := range 3 {
			dst[3*i+c] = float32(pixel[c]) / math.MaxUint8
		}
	}
}

// resize draws a picture into width × height pixels without padding.
func resize(picture image.Image, width, height int) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	bounds := picture.Bounds()
	if bounds.Size() == out.Rect.Size() {
		draw.Draw(out, out.Rect, picture, bounds.Min, draw.Src)
	} else {
		draw.BiLinear.Scale(out, out.Rect, picture, bounds, draw.Src, nil)
	}
	return out
}

// luma is color.GrayModel's Rec. 601 luma of an RGBA pixel, without its allocation.
func luma(pixel []byte) byte {
	const wide = 0x101 // 8 bits to 16
	r, g, b := uint32(pixel[0])*wide, uint32(pixel[1])*wide, uint32(pixel[2])*wide
	return byte((19595*r + 38470*g + 7471*b + 1<<15) >> 24)
}

func hasColour(rgba *image.RGBA) bool {
	for i := 0; i < len(rgba.Pix); i += 4 {
		r, g, b := rgba.Pix[i], rgba.Pix[i+1], rgba.Pix[i+2]
		if max(r, g, b)-min(r, g, b) > colourTolerance {
			return true
		}
	}
	return false
}
