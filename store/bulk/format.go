package bulk

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Format names a kind of file, or what to read of the files in a folder or archive.
type Format string

// Files that hold many records.
const (
	// CSV has a header row. Its rows are table records. The first records tell
	// which columns are numbers or true/false, spaces around them aside; in
	// those an empty cell is missing, and so is NA, N/A, n/a, NaN, nan, null,
	// NULL, None, ? or -; a row whose cell is infinite there (inf, 1e400) is
	// refused. All other columns are text, where only an empty cell is missing.
	CSV Format = "csv"
	// JSONL has one JSON object a line: a whole point or a table record. A vector is
	// a list of numbers, or base64 of its numbers as little-endian float32.
	JSONL Format = "jsonl"
	// Text has a text on every line that is not blank.
	Text Format = "text"
	// NPY is a NumPy array: each row of a 2-D array is a vector, a 1-D array is
	// one vector, each plane of a 3-D uint8 array is a grey image.
	NPY Format = "npy"
	// NPZ is a zip of NumPy arrays. One holds the records, and those of one
	// dimension that are as long go to the payload under their names.
	NPZ Format = "npz"
	// FVecs has vectors of float32, each after its length, BVecs of bytes. (.ivecs
	// holds the numbers of neighbours, which are no vectors.)
	FVecs Format = "fvecs"
	BVecs Format = "bvecs"
	// IDX is the format of MNIST: 2-D gives vectors, 3-D of bytes grey images.
	IDX Format = "idx"
	// Parquet is read and written where the program imports store/bulk/parquet.
	Parquet Format = "parquet"
)

// Files of a folder or an archive, each of which is a record.
const (
	// Images are PNG, JPEG, GIF, WebP, BMP and TIFF files.
	Images Format = "images"
	// Audio are WAV, FLAC and MP3 files.
	Audio Format = "audio"
	// Texts are .txt files.
	Texts Format = "texts"
)

// Archives. In a name either may be given; .tar may be compressed with gzip.
const (
	Zip Format = "zip"
	Tar Format = "tar"
)

// extensions are the formats of files by the end of their names, .gz aside.
var extensions = map[string]Format{
	".csv": CSV, ".jsonl": JSONL, ".ndjson": JSONL, ".txt": Text, ".npy": NPY, ".npz": NPZ,
	".fvecs": FVecs, ".bvecs": BVecs, ".idx": IDX, ".parquet": Parquet,
	".zip": Zip, ".tar": Tar, ".tgz": Tar,
}

// streamed are the formats that are read from front to end.
var streamed = []Format{CSV, JSONL, Text, NPY, FVecs, BVecs, IDX}

// Formats are all formats that may be asked for.
func Formats() []Format {
	return append(fileFormats(), Images, Audio, Texts)
}

// fileFormats are those that a file may have.
func fileFormats() []Format {
	formats := append(slices.Clone(streamed), NPZ)
	if _, known := registered(Parquet); known {
		formats = append(formats, Parquet)
	}
	return append(formats, Zip, Tar)
}

// FormatOf tells the format of a file by its name, with or without .gz, and ""
// if it cannot.
func FormatOf(path string) Format {
	name := strings.TrimSuffix(strings.ToLower(filepath.Base(path)), ".gz")
	if format, known := extensions[filepath.Ext(name)]; known {
		return format
	}
	if idxName.MatchString(name) {
		return IDX
	}
	return ""
}

// idxName matches train-images-idx3-ubyte and train-images.idx3-ubyte.
var idxName = regexp.MustCompile(`[-.]idx[1-9](-[a-z]+)?$`)

// Streams tells that the format is read from front to end, so that [NewReader]
// takes it; others need the file.
func (f Format) Streams() bool { return slices.Contains(streamed, f) }

// columns tells that records have named columns.
func (f Format) columns() bool { return f == CSV || f == JSONL || f == Parquet }

// lines tells that records are lines of text with named columns.
func (f Format) lines() bool { return f == CSV || f == JSONL }

// single tells that a file is one record.
func (f Format) single() bool { return f == Images || f == Audio || f == Texts }

// unknown is the error for a format that cannot be read as it was to be.
func (f Format) unknown() error {
	switch {
	case f == Parquet:
		return fmt.Errorf("%w: format parquet is not part of this program: it does not import store/bulk/parquet", ErrOption)
	case f.single():
		return fmt.Errorf("%w: %s are the files of a folder or an archive, and this is neither", ErrOption, f)
	case f == NPZ || f == Zip || f == Tar:
		return fmt.Errorf("%w: format %s is read from a file, not from a stream", ErrOption, f)
	}
	return fmt.Errorf("%w: format %q is not one of %v", ErrOption, f, fileFormats())
}

// contentOf is what a file in a folder or an archive is: one of the formats of
// which each file is a record, else that of its name.
func contentOf(name string) Format {
	switch strings.ToLower(path.Ext(name)) {
	case ".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff":
		return Images
	case ".wav", ".flac", ".mp3":
		return Audio
	case ".txt":
		return Texts
	}
	return FormatOf(name)
}

// check refuses options that the format would ignore.
func (o Options) check() error {
	refuse := func(what string, with ...Format) error {
		names := make([]string, len(with))
		for i, f := range with {
			names[i] = string(f)
		}
		return fmt.Errorf("%w: %s go with %s, not %s", ErrOption, what, strings.Join(names, ", "), o.Format)
	}
	switch f := o.Format; {
	case (o.ID != "" || o.Record != "" || len(o.Payload) > 0) && !f.columns():
		return refuse("id, record and payload columns", CSV, JSONL, Parquet)
	case o.paired() && !f.lines():
		return refuse("columns of sides", CSV, JSONL)
	case len(o.Files) > 0 && !f.lines():
		return refuse("columns of files", CSV, JSONL)
	case len(o.Files) > 0 && o.root == nil:
		return fmt.Errorf("%w: columns of files are of a file that is opened by itself, by its path", ErrOption)
	case len(o.Text) > 0 && f != CSV:
		return refuse("text columns", CSV)
	case o.Labels != "" && f != NPY && f != NPZ && f != IDX:
		return refuse("labels", NPY, NPZ, IDX)
	case o.Array != "" && f != NPZ:
		return refuse("names of arrays", NPZ)
	case o.ID != "" && o.ID == o.Record:
		return fmt.Errorf("%w: %q is both the id and the record", ErrOption, o.ID)
	case o.ID != "" && slices.Contains(o.Payload, o.ID):
		return fmt.Errorf("%w: %q is both the id and payload", ErrOption, o.ID)
	case o.Record != "" && slices.Contains(o.Payload, o.Record):
		return fmt.Errorf("%w: %q is both the record and payload", ErrOption, o.Record)
	}
	return errors.Join(o.checkSides(), o.checkFiles())
}
