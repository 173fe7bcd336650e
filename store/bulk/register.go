package bulk

import (
	"io"
	"iter"
	"sync"
)

// Codec is a format that a package of its own reads and writes, so that a program
// has it only if it asks for it, as with image.RegisterFormat.
type Codec struct {
	Format Format
	// Read gives the rows of a file, which it checks on its own: they stream, and no
	// length that the file declares is believed. Errors are ErrFile and ErrOption,
	// those of a single row a *LineError.
	Read func(file io.ReaderAt, size int64, opt Options) (iter.Seq2[Row, error], error)
	// Plan begins an export.
	Plan func(opt WriterOptions) Plan
}

var codecs sync.Map // of Codec by Format

// Register makes a format known. It is for the init function of the format's package.
func Register(c Codec) { codecs.Store(c.Format, c) }

func registered(f Format) (Codec, bool) {
	c, known := codecs.Load(f)
	if !known {
		return Codec{}, false
	}
	return c.(Codec), true
}
