package api

import (
	"errors"
	"io"
	"net/http"
	"os"

	"github.com/latentdb/latentdb/store/bulk"
)

// maxImportFile is how large a file may be that has to be whole before it is read.
const maxImportFile = 8 << 30

// body is a request's body that is being read.
type body struct {
	*bulk.Reader
	file *os.File // where it lies, nil if it streams
}

// openBody reads a body as it comes, or, if its format is read here and there, from a
// temporary file.
func openBody(in io.Reader, opt bulk.Options) (_ *body, err error) {
	if opt.Format.Streams() {
		r, err := bulk.NewReader(in, opt)
		return &body{Reader: r}, err
	}
	b := &body{}
	if b.file, err = os.CreateTemp("", "latentdb-import-*"); err != nil {
		return nil, err
	}
	size, err := io.Copy(b.file, io.LimitReader(in, maxImportFile+1))
	switch {
	case err == nil && size > maxImportFile:
		err = fail(http.StatusRequestEntityTooLarge, "import: a %s file has more than %d bytes: give it to 'latentdb import'", opt.Format, int64(maxImportFile))
	case err == nil:
		b.Reader, err = bulk.NewReaderAt(b.file, size, opt)
	}
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// Close gives the file up.
func (b *body) Close() error {
	var errs []error
	if b.Reader != nil {
		errs = append(errs, b.Reader.Close())
	}
	if b.file != nil {
		errs = append(errs, b.file.Close(), os.Remove(b.file.Name()))
	}
	return errors.Join(errs...)
}
