// Package codecs registers decoders of formats that the standard library does
// not bring, or that embed/source does not import by itself, so that records may
// be in them. It is imported for that effect alone: a program that takes only PNG
// and JPEG need not carry it.
//
// Images: GIF (the first frame of an animated one), BMP, TIFF and WebP.
package codecs

import (
	_ "image/gif"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)
