package store

import (
	"errors"
	"os"
	"path/filepath"
)

// A directory that the catalog does not name may be what a crash left of a
// creation or a drop, or a collection whose name was lost. Only a mark inside
// it, which both of the former make first, tells them apart.

// discardMark is the file that marks a directory: unless the catalog names it,
// it is to be removed.
const discardMark = "discard"

// mark marks a directory, durably. The file is empty: a drop must succeed on a
// full disk.
func mark(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, discardMark), os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return wrapped(err)
	}
	return syncDir(dir)
}

func unmark(dir string) error {
	if err := os.Remove(filepath.Join(dir, discardMark)); err != nil {
		return wrapped(err)
	}
	return syncDir(dir)
}

func marked(dir string) bool { return exists(filepath.Join(dir, discardMark)) }

// discard removes a marked directory, the mark last: what a crash leaves of it
// is still marked, or empty.
func discard(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != discardMark {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	if err == nil {
		err = os.RemoveAll(dir)
	}
	return wrapped(err)
}

// directories lists those with a name as collections' directories have it.
func (db *DB) directories() ([]string, error) {
	entries, err := os.ReadDir(db.dir)
	if err != nil {
		return nil, wrapped(err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && directoryName.MatchString(e.Name()) {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// tidy goes through the directories after a start: what is named needs no mark,
// what is marked or empty goes, and all else stays where it is.
func (db *DB) tidy(directories []string, named map[string]string) error {
	for _, dir := range directories {
		path := filepath.Join(db.dir, dir)
		_, known := named[dir]
		switch {
		case known && marked(path):
			if err := unmark(path); err != nil {
				return err
			}
		case known:
		case marked(path):
			if err := discard(path); err != nil {
				return err
			}
		case os.Remove(path) != nil: // which an empty one lets happen
			db.opts.Logger.Warn("the catalog does not name a directory; it is left alone", "directory", path)
		}
	}
	return nil
}

// checkStrays notes the directories that no collection is in.
func (db *DB) checkStrays(out *CheckReport) error {
	directories, err := db.directories()
	if err != nil {
		return err
	}
	used := make(map[string]bool)
	for _, c := range db.collections {
		used[filepath.Base(c.dir)] = true
	}
	for _, dir := range directories {
		if !used[dir] {
			out.note("%s: does not name the directory %s, which may hold a collection", catalogName, dir)
		}
	}
	return nil
}

// exists tells whether something is known to have a path.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
