package codecs

// Images are GIF (the first frame of an animated one), BMP, TIFF and WebP.
import (
	_ "image/gif"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)
