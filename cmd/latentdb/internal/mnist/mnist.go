// Package mnist holds the 10,000 handwritten digits of the MNIST test set.
// Source and licence are in README.md.
package mnist

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/binary"
	"fmt"
	"image"
	"io"
)

// Side is the width and height of a digit in pixels, Count how many there are.
const (
	Side  = 28
	Count = 10_000
)

//go:embed t10k-images-idx3-ubyte.gz
var imagesGZ []byte

//go:embed t10k-labels-idx1-ubyte.gz
var labelsGZ []byte

// Digit is one handwritten digit.
type Digit struct {
	// Label is the digit it shows, 0 to 9.
	Label uint8
	// Pixels are Side rows of Side brightnesses; 0 is background. They must
	// not be changed.
	Pixels []byte
}

// Image is the digit as an image that shares its pixels.
func (d Digit) Image() *image.Gray {
	return &image.Gray{Pix: d.Pixels, Stride: Side, Rect: image.Rect(0, 0, Side, Side)}
}

// Load unpacks the digits, in the published order.
func Load() ([]Digit, error) {
	pixels, err := readIDX(imagesGZ, Count, Side, Side)
	if err != nil {
		return nil, fmt.Errorf("mnist images: %w", err)
	}
	labels, err := readIDX(labelsGZ, Count)
	if err != nil {
		return nil, fmt.Errorf("mnist labels: %w", err)
	}
	digits := make([]Digit, Count)
	for i := range digits {
		const size = Side * Side
		digits[i] = Digit{Label: labels[i], Pixels: pixels[i*size : (i+1)*size : (i+1)*size]}
	}
	return digits, nil
}

// readIDX unpacks a gzip-compressed IDX file of bytes and checks its shape.
func readIDX(packed []byte, shape ...uint32) ([]byte, error) {
	zr, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	const unsignedByte = 0x08
	size := 1
	for i, want := range append([]uint32{unsignedByte<<8 | uint32(len(shape))}, shape...) {
		var have uint32
		if err := binary.Read(zr, binary.BigEndian, &have); err != nil {
			return nil, err
		}
		if have != want {
			return nil, fmt.Errorf("header word %d is %d, not %d", i, have, want)
		}
		if i > 0 {
			size *= int(want)
		}
	}
	data := make([]byte, size)
	_, err = io.ReadFull(zr, data)
	return data, err
}
