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

// maxImageFile bounds one file of a folder of images.
const maxImageFile = 32 << 20

// folder reads the images below a directory, in lexical order of their paths.
// Only regular files are read: symbolic links are not followed, and os.Root
// keeps a path that changes meanwhile from leading outside.
type folder struct {
	root *os.Root
	r    *Reader
	done bool
}

// openFolder opens a folder of images. It lists the folder once for the total.
// The id of an image is its path below the folder, with forward slashes; the
// payload has its name as "file" and the folder it is in, unless that is the
// top, as "folder".
func openFolder(dir string, opt Options) (*Reader, error) {
	if opt.Format == "" {
		opt.Format = Images
	}
	if opt.Format != Images {
		return nil, fmt.Errorf("%w: %q is a folder, which is read as %s, not %s", ErrOption, dir, Images, opt.Format)
	}
	if err := opt.check(); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	r := &Reader{format: Images, closers: []io.Closer{root}}
	f := &folder{root: root, r: r}
	err = f.walk(func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil // reported when the rows are read
		}
		if info, err := entry.Info(); err == nil {
			r.total += info.Size()
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.rows = f.rows
	return r, nil
}

// walk calls visit for each image and for each path that cannot be listed.
func (f *folder) walk(visit fs.WalkDirFunc) error {
	return fs.WalkDir(f.root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			if name == "." {
				return err
			}
			return visit(name, entry, err)
		}
		if !entry.Type().IsRegular() || !isImage(name) {
			return nil
		}
		return visit(name, entry, nil)
	})
}

func isImage(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff":
		return true
	}
	return false
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
	encoded, err := io.ReadAll(io.LimitReader(&counter{file, &f.r.read}, maxImageFile+1))
	if err == nil && len(encoded) > maxImageFile {
		return nil, fmt.Errorf("more than %d bytes", maxImageFile)
	}
	return encoded, err
}
