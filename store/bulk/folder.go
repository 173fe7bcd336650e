package bulk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"unicode/utf8"
)

// maxFile bounds one file of a folder.
const maxFile = 32 << 20

// folder reads the files of one format below a directory, in lexical order of their paths.
// Only regular files are read: symbolic links are not followed, and os.Root
// keeps a path that changes meanwhile from leading outside.
type folder struct {
	root   *os.Root
	r      *Reader
	format Format
	done   bool
}

// openFolder opens a folder of images or of recordings. It lists the folder once for the
// total. The id of a file is its path below the folder, with forward slashes; the
// payload has its name as "file" and the folder it is in, unless that is the
// top, as "folder".
func openFolder(dir string, opt Options) (*Reader, error) {
	switch opt.Format {
	case "", Images, Audio:
	default:
		return nil, fmt.Errorf("%w: %q is a folder, which is read as %s or %s, not %s", ErrOption, dir, Images, Audio, opt.Format)
	}
	checked := opt
	if opt.Format == "" {
		checked.Format = Images // whose options are those of any folder
	}
	if err := checked.check(); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	r := &Reader{closers: []io.Closer{root}}
	f := &folder{root: root, r: r}
	if f.format, r.total, err = f.list(opt.Format); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.format, r.rows = f.format, f.rows
	return r, nil
}

// list finds what format the files have, if that is not told, and how many bytes.
func (f *folder) list(told Format) (format Format, total int64, err error) {
	bytes := map[Format]int64{}
	err = f.walk(func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil // reported when the rows are read
		}
		if info, err := entry.Info(); err == nil {
			bytes[fileFormat(name)] += info.Size()
		}
		return nil
	})
	_, images := bytes[Images]
	_, audio := bytes[Audio]
	switch {
	case told != "":
		format = told
	case images && audio:
		err = errors.Join(err, fmt.Errorf("%w: the folder holds images and recordings: say by the format, %s or %s, which are meant", ErrOption, Images, Audio))
	case audio:
		format = Audio
	default:
		format = Images
	}
	return format, bytes[format], err
}

// walk calls visit for each file of the format, or of any while it is open, and for each
// path that cannot be listed.
func (f *folder) walk(visit fs.WalkDirFunc) error {
	return fs.WalkDir(f.root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			if name == "." {
				return err
			}
			return visit(name, entry, err)
		}
		format := fileFormat(name)
		if !entry.Type().IsRegular() || format == "" || f.format != "" && format != f.format {
			return nil
		}
		return visit(name, entry, nil)
	})
}

// fileFormat is the format of a folder that a file belongs in, "" if in none.
func fileFormat(name string) Format {
	switch strings.ToLower(path.Ext(name)) {
	case ".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff":
		return Images
	case ".wav", ".flac", ".mp3":
		return Audio
	}
	return ""
}

func (f *folder) rows(yield func(Row, error) bool) {
	if f.done {
		return
	}
	f.done = true
	n := 0
	err := f.walk(func(name string, _ fs.DirEntry, err error) error {
		n++
		row := Row{Line: n, File: name}
		if err == nil {
			err = f.fill(&row)
		}
		if err != nil {
			err = row.Refuse(err.Error())
		}
		if !yield(row, err) {
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		yield(Row{}, fmt.Errorf("%w: %w", ErrFile, err))
	}
}

// fill reads the file of a row into it.
func (f *folder) fill(row *Row) error {
	if !utf8.ValidString(row.File) {
		return errors.New("the name is not UTF-8")
	}
	encoded, err := f.readFile(row.File)
	if err != nil {
		return err
	}
	row.ID, row.Record = row.File, encoded
	row.Payload = map[string]any{"file": path.Base(row.File)}
	if dir := path.Dir(row.File); dir != "." {
		row.Payload["folder"] = path.Base(dir)
	}
	return nil
}

func (f *folder) readFile(name string) ([]byte, error) {
	file, err := f.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	encoded, err := io.ReadAll(io.LimitReader(&counter{file, &f.r.read}, maxFile+1))
	if err == nil && len(encoded) > maxFile {
		return nil, fmt.Errorf("more than %d bytes", maxFile)
	}
	return encoded, err
}
