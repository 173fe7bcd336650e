package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// lockTimeout is how long an open waits for another process to let go.
const lockTimeout = time.Second

// boltUse is how a bbolt file is used.
type boltUse struct {
	noSync bool
	// mapping is the size of the first memory mapping, 0 for as much as the file
	// has. Windows would give the file that size, so it is left at 0 there.
	mapping int
	// look is how many of the pages are verified before bbolt may write to them.
	look extent
}

// openBolt opens a bbolt file with this package's settings, or makes it.
func openBolt(path string, use boltUse) (*bolt.DB, error) {
	if err := inspect(path, use.look); err != nil {
		return nil, err
	}
	opts := &bolt.Options{Timeout: lockTimeout, FreelistType: bolt.FreelistMapType, NoSync: use.noSync}
	if runtime.GOOS != "windows" && ^uint(0)>>32 != 0 {
		opts.InitialMmapSize = use.mapping
	}
	db, err := guardedOpen(path, opts)
	if err != nil {
		return nil, err
	}
	db.AllocSize = 1 << 20 // the file grows by this much: bbolt's 16 MiB would dwarf small collections
	return db, nil
}

// inspect looks at the pages of a file, if there is one. It does so under
// bbolt's lock, for pages that another process is writing would look damaged; a
// reader's lock, because with a writer's bbolt already trusts the free pages.
func inspect(path string, look extent) error {
	if info, err := os.Stat(path); errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	reader, err := guardedOpen(path, &bolt.Options{Timeout: lockTimeout, ReadOnly: true})
	if errors.Is(err, ErrLocked) {
		return err
	}
	if damage := verifyPages(path, look); damage != nil {
		err = damage // it says more than that bbolt could not open the file
	}
	if reader != nil {
		err = errors.Join(err, wrapped(reader.Close()))
	}
	return err
}

// guardedOpen is bolt.Open with the errors of this package.
func guardedOpen(path string, opts *bolt.Options) (db *bolt.DB, err error) {
	err = guarded(path, func() (err error) {
		db, err = bolt.Open(path, 0o600, opts)
		return err
	})
	switch {
	case err == nil:
		return db, nil
	case errors.Is(err, ErrCorrupt):
		return nil, err
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("%w: %s", ErrLocked, path)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return nil, fmt.Errorf("%w: %s: %v", ErrCorrupt, path, err)
	}
	var withPath *fs.PathError
	if errors.As(err, &withPath) {
		return nil, fmt.Errorf("store: %w", err)
	}
	return nil, fmt.Errorf("store: opening %s: %w", path, err)
}

// settle commits nothing, where the meta pages of a file lead to different
// states. From then on damage to either of them undoes no commit, for bbolt goes
// by the other.
func settle(db *bolt.DB) error {
	metas, err := fileMetas(db.Path())
	if err != nil || metas[0].valid && metas[1].valid && metas[0].root == metas[1].root {
		return err
	}
	return commit(filepath.Base(db.Path()), db, func(*bolt.Tx) error { return nil })
}

// metaDamage tells which meta page of a file is damaged. bbolt falls back on the
// other, and to the commit before, without a word: that is right where a crash
// cut the writing of the page short, which nothing tells from later damage.
func metaDamage(path string) error {
	metas, err := fileMetas(path)
	if err != nil {
		return err
	}
	for i, m := range metas {
		if !m.valid || m.self != uint64(i) || m.kind != pageMeta {
			return fmt.Errorf("%w: meta page %d of %s; unless its last use ended in Close, the last commit may be lost",
				ErrCorrupt, i, filepath.Base(path))
		}
	}
	return nil
}

func fileMetas(path string) (metas [2]boltMeta, err error) {
	f, err := os.Open(path)
	if err != nil {
		return metas, wrapped(err)
	}
	defer func() { _ = f.Close() }()
	if metas, err = readMetas(f); err != nil {
		return metas, fmt.Errorf("%w: %s: %w", ErrCorrupt, filepath.Base(path), err)
	}
	return metas, nil
}
