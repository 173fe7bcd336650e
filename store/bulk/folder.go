package bulk

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// openFolder opens a folder. Only regular files are read: symbolic links are not
// followed, and os.Root keeps a path that changes meanwhile from leading outside.
func openFolder(dir string, opt Options) (*Reader, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	r := &Reader{closers: []io.Closer{root}}
	t := &tree{r: r, what: "folder", entries: folderEntries(root), opt: opt}
	if err := t.read(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// folderEntries gives the files below a directory in lexical order of their paths,
// and what cannot be listed.
func folderEntries(root *os.Root) entries {
	return func(yield func(entry, error) bool) {
		err := fs.WalkDir(root.FS(), ".", func(name string, found fs.DirEntry, err error) error {
			if err != nil && name == "." {
				return err
			}
			e := entry{name: name, err: err, open: func() (io.ReadCloser, error) { return root.Open(name) }}
			if err == nil {
				if !found.Type().IsRegular() {
					return nil
				}
				if info, err := found.Info(); err == nil {
					e.size = info.Size() // else it is told when the file is opened
				}
				e.whole = func() (wholeFile, error) { return root.Open(name) }
			}
			if !yield(e, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(entry{}, err)
		}
	}
}
