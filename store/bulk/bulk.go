// Package bulk reads and writes files of points for import and export: CSV, JSON
// lines, lines of text, NumPy arrays, IDX (MNIST), and folders of images or recordings.
// Readers stream: their
// memory does not grow with the file, and every length a file declares is
// checked before anything is allocated for it.
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
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
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

func (e *LineError) Error() string { return fmt.Sprintf("bulk: line %d: %s", e.Line, e.Reason) }

// Format names a kind of file.
type Format string

const (
	// CSV has a header row. Its rows are table records. The first records tell
	// which columns are numbers or true/false, spaces around them aside; in
	// those an empty cell is missing, and so is NA, N/A, n/a, NaN, nan, null,
	// NULL, None, ? or -; a row whose cell is infinite there (inf, 1e400) is
	// refused. All other columns are text, where only an empty cell is missing.
	CSV Format = "csv"
	// JSONL has one JSON object a line: a whole point or a table record.
	JSONL Format = "jsonl"
	// NPY is a NumPy array: each row of a 2-D array is a vector, a 1-D array is
	// one vector, each plane of a 3-D uint8 array is a grey image.
	NPY Format = "npy"
	// IDX is the format of MNIST: 2-D gives vectors, 3-D of bytes grey images.
	IDX Format = "idx"
	// Lines has one text a line; lines of nothing but white space are left out.
	Lines Format = "lines"
	// Images is a folder with PNG, JPEG, GIF, WebP, BMP and TIFF files at any depth.
	Images Format = "images"
	// Audio is a folder with WAV, FLAC and MP3 files at any depth.
	Audio Format = "audio"
)

// formats are all there are, those of streams first.
var formats = []Format{CSV, JSONL, NPY, IDX, Lines, Images, Audio}

// streams is how many are not of folders.
const streams = 5

// Row is one record of a file, or of an export.
type Row struct {
	// Line is where it stands: the line of a text file, else the number of the
	// record; both count from 1.
	Line int
	// File is where in a folder it was read, "" if not in one.
	File string
	// ID is a uint64, a string, or nil if the file gives none.
	ID any
	// Record is a map[string]any (table), a []byte (an encoded picture or recording), an
	// image.Image, a string (a line), or
	// whatever a JSON point has as its record: a picture is a base64 string
	// there. Nil if the row is a vector.
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

// Alone is the row with one column of its record, which holds a text, as the whole
// record; the others that have a value go to the payload. A row whose record has no
// columns stays as it is.
func (r Row) Alone(column string) (Row, error) {
	columns, ok := r.Record.(map[string]any)
	if !ok {
		return r, nil
	}
	text, ok := columns[column].(string)
	if !ok {
		return r, r.Refuse(fmt.Sprintf("%q: holds no text", column))
	}
	r.Record = text
	for name, v := range columns {
		if name != column && v != nil {
			r.Payload = withKey(r.Payload, name, v)
		}
	}
	return r, nil
}

// Options say how to read a file. The zero value suits most.
type Options struct {
	// Format is what the file is; by default its name tells.
	Format Format
	// ID is the column or key that holds ids, in CSV and in bare JSON objects.
	ID string
	// Payload are the columns or keys that go to the payload instead of the record.
	Payload []string
	// Text are the columns of a CSV that are text whatever they look like.
	Text []string
	// Labels is a 1-D IDX or NPY file beside an array: one number per record,
	// put into the payload as "label".
	Labels string
}

// Reader reads the rows of a file once. It is not safe for concurrent use, save
// Progress.
type Reader struct {
	format  Format
	rows    iter.Seq2[Row, error]
	read    atomic.Int64
	total   int64
	closers []io.Closer
}

// FormatOf tells the format of a file by its name, with or without .gz, and ""
// if it cannot.
func FormatOf(path string) Format {
	name := strings.TrimSuffix(strings.ToLower(filepath.Base(path)), ".gz")
	switch filepath.Ext(name) {
	case ".csv":
		return CSV
	case ".jsonl", ".ndjson":
		return JSONL
	case ".npy":
		return NPY
	case ".idx":
		return IDX
	case ".txt":
		return Lines
	}
	if idxName.MatchString(name) {
		return IDX
	}
	return ""
}

// idxName matches train-images-idx3-ubyte and train-images.idx3-ubyte.
var idxName = regexp.MustCompile(`[-.]idx[1-9](-[a-z]+)?$`)

// Open opens a file, or a folder of images or of recordings. Files may be compressed with gzip.
func Open(path string, opt Options) (*Reader, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return openFolder(path, opt)
	}
	if opt.Format == "" {
		if opt.Format = FormatOf(path); opt.Format == "" {
			return nil, fmt.Errorf("%w: the name of %q tells no format, give one of %v", ErrOption, path, formats)
		}
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r, err := NewReader(file, opt)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	r.total = info.Size()
	r.closers = append(r.closers, file)
	return r, nil
}

// NewReader reads a stream, whose format must be given. Closing the reader does
// not close the stream.
func NewReader(stream io.Reader, opt Options) (*Reader, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	r := &Reader{format: opt.Format}
	in, err := uncompressed(&counter{stream, &r.read})
	if err != nil {
		return nil, err
	}
	switch opt.Format {
	case CSV:
		r.rows, err = readCSV(in, opt)
	case JSONL:
		r.rows = readJSONL(in, opt)
	case NPY, IDX:
		err = r.readArray(in, opt)
	case Lines:
		r.rows = readLines(in)
	default:
		err = fmt.Errorf("%w: format %q is not one of %v", ErrOption, opt.Format, formats[:streams])
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// check refuses options that the format would ignore.
func (o Options) check() error {
	named := o.ID != "" || len(o.Payload) > 0
	switch o.Format {
	case CSV, JSONL:
		if o.Labels != "" {
			return fmt.Errorf("%w: labels go with %s and %s, not %s", ErrOption, NPY, IDX, o.Format)
		}
		if len(o.Text) > 0 && o.Format != CSV {
			return fmt.Errorf("%w: text columns go with %s, not %s", ErrOption, CSV, o.Format)
		}
		if slices.Contains(o.Payload, o.ID) && o.ID != "" {
			return fmt.Errorf("%w: %q is both the id and payload", ErrOption, o.ID)
		}
	default:
		if named || len(o.Text) > 0 {
			return fmt.Errorf("%w: id, payload and text columns go with %s and %s, not %s", ErrOption, CSV, JSONL, o.Format)
		}
		if o.Labels != "" && (o.Format == Images || o.Format == Audio || o.Format == Lines) {
			return fmt.Errorf("%w: labels go with %s and %s, not %s", ErrOption, NPY, IDX, o.Format)
		}
	}
	return nil
}

// Format is the format being read.
func (r *Reader) Format() Format { return r.format }

// Rows gives the rows in the file's order; a second call goes on where the first
// stopped. An error that is a *LineError concerns one record; any other is the
// last thing given.
func (r *Reader) Rows() iter.Seq2[Row, error] { return r.rows }

// Progress is how many bytes of the file were read and how many there are,
// before decompression; total is 0 if unknown. It may be called at any time.
func (r *Reader) Progress() (read, total int64) { return r.read.Load(), r.total }

// Close closes what Open opened.
func (r *Reader) Close() error {
	var errs []error
	for _, c := range r.closers {
		errs = append(errs, c.Close())
	}
	r.closers = nil
	return errors.Join(errs...)
}
