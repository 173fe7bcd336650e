// Package bulk reads and writes files of points for import and export: CSV, JSON
// lines, lines of text, NumPy arrays, .fvecs, IDX (MNIST), two files of these side by
// side, and folders and archives of pictures, sounds, texts or any of these. Readers stream: their memory does not
// grow with the file, every length a file declares is checked before anything is
// allocated for it, and what is compressed may not unpack to more than [MaxUnpacked].
//
// The package knows nothing of stores, models or HTTP. Whether a record is
// acceptable is for its source to say.
package bulk

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/latentdb/latentdb/embed/source/cells"
)

// Errors, wrapped with what was wrong and the limit that was passed.
var (
	// ErrOption is returned for an unknown format and for options that do not
	// fit the format or the file.
	ErrOption = errors.New("bulk: bad option")
	// ErrFile is returned for a file that breaks its format so that reading
	// cannot go on.
	ErrFile = errors.New("bulk: bad file")
	// ErrRow is returned for a row that a format cannot hold.
	ErrRow = errors.New("bulk: row cannot be written")
)

// LineError is one record that could not be read. Reading goes on after it.
type LineError struct {
	Line   int // as in Row
	Reason string
}

// isLineError tells an error of one record from one that ends the file.
func isLineError(err error) bool {
	var bad *LineError
	return errors.As(err, &bad)
}

func (e *LineError) Error() string { return fmt.Sprintf("bulk: line %d: %s", e.Line, e.Reason) }

// Row is one record of a file, or of an export.
type Row struct {
	// Line is where it stands: the line of a text file, else the number of the
	// record; both count from 1.
	Line int
	// File is where in a folder it was read, "" if not in one.
	File string
	// ID is a uint64, a string, or nil if the file gives none.
	ID any
	// Record is a map[string]any (table; see Options.Cells), a []byte or image.Image (picture, sound),
	// a string (text), or whatever a JSON point has as its record: a picture is a
	// base64 string there. Nil if the row is a vector.
	Record any
	Vector []float32
	// Payload has values as encoding/json gives them, with int64 for integers.
	Payload map[string]any
}

// Refuse is the error for a row that cannot be used, for a reason that names the
// field.
func (r Row) Refuse(reason string) *LineError {
	if r.File != "" {
		reason = r.File + ": " + reason
	}
	return &LineError{r.Line, reason}
}

// Columns are the record as a map if it is a table's; a *cells.Row gives a new one.
func (r Row) Columns() (columns map[string]any, ok bool) {
	switch record := r.Record.(type) {
	case map[string]any:
		return record, true
	case *cells.Row:
		return record.Map(), true
	}
	return nil, false
}

// Options say how to read a file. The zero value suits most.
type Options struct {
	// Format is what the file is; by default its name tells.
	Format Format
	// ID is the column or key that holds ids, in CSV and in bare JSON objects.
	ID string
	// Payload are the columns or keys that go to the payload instead of the record.
	Payload []string
	// Record is the column or key that is the record itself: a text, a picture or
	// a sound, or a vector. All others then go to the payload. By default the
	// columns together are the record, a table's row.
	Record string
	// Left and Right are the columns or keys that are the sides of a pair, where they are
	// not named "left" and "right". All others then go to the payload.
	Left, Right string
	// Files are the columns or keys of the record that hold the path of a picture, a
	// sound or a .txt file, which takes the place of its path. Paths are relative to the
	// folder of the file that is read, which they cannot leave. Only [Open] takes them.
	Files []string
	// Text are the columns of a CSV that are text whatever they look like.
	Text []string
	// Cells asks for the records of a CSV's columns as a *cells.Row instead of a map,
	// which a table stores at a fraction of the cost.
	Cells bool
	// Labels is a 1-D IDX or NPY file beside an array: one number per record,
	// put into the payload as "label". For an NPZ it is the array of that name in
	// the file itself.
	Labels string
	// Array is the array of an NPZ that holds the records; by default the only one
	// of two or more dimensions.
	Array string

	root   *os.Root // that Files are below
	places bool     // a line of text that is blank counts
}

// Reader reads the rows of a file once. It is not safe for concurrent use, save
// Progress.
type Reader struct {
	format  Format
	rows    iter.Seq2[Row, error]
	read    atomic.Int64
	total   int64
	parts   []*Reader // parallel files that are read instead of one
	meter   *meter    // of what is unpacked; nil where nothing is
	closers []io.Closer
}

// Open opens a file, an archive or a folder. A single file may be compressed with
// gzip. Of an archive or a folder, opt.Format is what to read in it: [Images],
// [Audio] or [Texts], each file a record, or the format of files that hold many; by
// default what most files in it are.
func Open(path string, opt Options) (*Reader, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return openFolder(path, opt)
	}
	named := FormatOf(path)
	if named == "" && strings.HasSuffix(strings.ToLower(path), ".ivecs") {
		return nil, fmt.Errorf("%w: %q holds the numbers of neighbours, which are no vectors to import", ErrOption, path)
	}
	if opt.Format == "" && named != Zip && named != Tar {
		if opt.Format = named; named == "" {
			return nil, fmt.Errorf("%w: the name of %q tells no format, give one of %v", ErrOption, path, fileFormats())
		}
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &Reader{format: opt.Format, total: info.Size(), closers: []io.Closer{file}}
	if len(opt.Files) > 0 && named != Zip && named != Tar {
		if opt.root, err = os.OpenRoot(filepath.Dir(path)); err != nil {
			return nil, errors.Join(err, r.Close())
		}
		r.closers = append(r.closers, opt.root)
	}
	if named == Zip || named == Tar {
		err = r.readArchive(named, file, info.Size(), opt)
	} else {
		err = r.readFile(file, info.Size(), opt)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// NewReaderAt reads a file of any format that is open already, which opt must give.
// Closing the reader does not close the file.
func NewReaderAt(file io.ReaderAt, size int64, opt Options) (*Reader, error) {
	r := &Reader{format: opt.Format, total: size}
	if err := r.readFile(file, size, opt); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// NewReader reads a stream, whose format must be given and be one that is read from
// front to end ([Format.Streams]). Closing the reader does not close the stream.
func NewReader(stream io.Reader, opt Options) (*Reader, error) {
	r := &Reader{format: opt.Format}
	if err := r.readStream(stream, opt); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Reader) readFile(file io.ReaderAt, size int64, opt Options) error {
	switch f := opt.Format; {
	case f == Zip || f == Tar:
		opt.Format = ""
		return r.readArchive(f, file, size, opt)
	case f.Streams():
		return r.readStream(io.NewSectionReader(file, 0, size), opt)
	}
	if err := opt.check(); err != nil {
		return err
	}
	var err error
	if opt.Format == NPZ {
		return r.readNPZ(file, size, opt)
	}
	codec, known := registered(opt.Format)
	if !known || codec.Read == nil {
		return opt.Format.unknown()
	}
	r.rows, err = codec.Read(&counterAt{file, &r.read}, size, opt)
	return err
}

func (r *Reader) readStream(stream io.Reader, opt Options) error {
	if err := opt.check(); err != nil {
		return err
	}
	if !opt.Format.Streams() {
		return opt.Format.unknown()
	}
	in, err := r.uncompressed(&counter{stream, &r.read})
	if err != nil {
		return err
	}
	switch opt.Format {
	case CSV:
		r.rows, err = readCSV(in, opt)
	case JSONL:
		r.rows = readJSONL(in, opt)
	case Text:
		r.rows = readText(in, opt.places)
	case FVecs, BVecs:
		r.rows = readVecs(in, opt.Format)
	default:
		err = r.readArray(in, opt)
	}
	if len(opt.Files) > 0 {
		r.rows = opt.withFiles(r.rows)
	}
	return err
}

// Format is the format being read.
func (r *Reader) Format() Format { return r.format }

// Rows gives the rows in the file's order; a second call goes on where the first
// stopped. An error that is a *LineError concerns one record; any other is the
// last thing given.
func (r *Reader) Rows() iter.Seq2[Row, error] { return r.rows }

// Progress is how many bytes of the file were read and how many there are,
// before decompression, in an archive after it; total is 0 if unknown. It may be
// called at any time.
func (r *Reader) Progress() (read, total int64) {
	read, total = r.read.Load(), r.total
	for _, part := range r.parts {
		partRead, partTotal := part.Progress()
		read, total = read+partRead, total+partTotal
	}
	return read, total
}

// Close closes what Open opened.
func (r *Reader) Close() error {
	var errs []error
	for _, c := range r.closers {
		errs = append(errs, c.Close())
	}
	r.closers = nil
	return errors.Join(errs...)
}
