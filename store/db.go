package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	bolt "go.etcd.io/bbolt"
)

// DB is a directory of collections, open in one process at a time. All methods
// of DB and Collection may be called from many goroutines.
type DB struct {
	dir       string
	opts      Options
	catalog   *bolt.DB
	temporary bool // unsynced, and removed on Close

	mu          sync.RWMutex
	closed      bool
	collections map[string]*Collection
}

// Open opens the database in a directory, making it if there is none. nil
// options mean the defaults. ErrLocked if another process has it open,
// ErrFormat if a newer version wrote it. A collection whose derived files are
// missing or damaged is rebuilt from its points before Open returns.
func Open(dir string, opts *Options) (*DB, error) {
	return open(dir, opts, false)
}

// OpenTemp opens an empty database in a temporary directory. It is never
// synced to disk, and gone on Close.
func OpenTemp(opts *Options) (*DB, error) {
	dir, err := os.MkdirTemp("", "latentdb-")
	if err != nil {
		return nil, wrapped(err)
	}
	db, err := open(dir, opts, true)
	if err != nil {
		return nil, errors.Join(err, wrapped(os.RemoveAll(dir)))
	}
	return db, nil
}

func open(dir string, opts *Options, temporary bool) (*DB, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, wrapped(err)
	}
	db := &DB{dir: dir, opts: opts.withDefaults(), temporary: temporary, collections: make(map[string]*Collection)}
	var err error
	if db.catalog, err = openBolt(filepath.Join(dir, catalogName), boltUse{noSync: temporary, look: allPages}); err != nil {
		return nil, err
	}
	if err := metaDamage(db.catalog.Path()); err != nil {
		db.opts.Logger.Warn("opened by the other meta page", "error", err)
	}
	if err := db.openCollections(); err != nil {
		return nil, errors.Join(err, db.close(false))
	}
	return db, nil
}

// openCollections reads the catalog and opens what it names.
func (db *DB) openCollections() error {
	directories, err := db.directories()
	if err != nil {
		return err
	}
	named, isNew, err := db.readCatalog()
	if err != nil {
		return err
	}
	if isNew {
		if len(directories) > 0 {
			return fmt.Errorf("%w: %s is new, but there are collections such as %s", ErrCorrupt, catalogName, directories[0])
		}
		if err := db.initCatalog(); err != nil {
			return err
		}
	}
	for dir, name := range named {
		c, err := openCollection(db, name, filepath.Join(db.dir, dir))
		if err != nil {
			return fmt.Errorf("store: collection %q: %w", name, err)
		}
		db.collections[name] = c
	}
	return db.tidy(directories, named)
}

// Dir is the database's directory.
func (db *DB) Dir() string { return db.dir }

// Close stops all work, saves the indexes and closes the files. Running fits
// are cancelled. Calls that come after it return ErrClosed; closing twice is
// no error.
func (db *DB) Close() error { return db.close(true) }

// close is Close; without save, no file is written to.
func (db *DB) close(save bool) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return nil
	}
	db.closed = true
	var errs []error
	for _, c := range db.collections {
		errs = append(errs, c.close(save))
	}
	if save {
		errs = append(errs, db.settleCatalog())
	}
	errs = append(errs, wrapped(db.catalog.Close()))
	if db.temporary {
		errs = append(errs, wrapped(os.RemoveAll(db.dir)))
	}
	return errors.Join(errs...)
}

// CreateCollection makes a collection. ErrExists if the name is in use.
func (db *DB) CreateCollection(ctx context.Context, name string, cfg Config) (*Collection, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := validateName(name); err != nil {
		return nil, err
	}
	cfg, err := cfg.resolved()
	if err != nil {
		return nil, err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return nil, ErrClosed
	}
	if db.collections[name] != nil {
		return nil, fmt.Errorf("%w: collection %q", ErrExists, name)
	}
	dir, err := db.nextDirectory()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(db.dir, dir)
	c, err := createCollection(db, name, path, cfg)
	if err != nil {
		return nil, err
	}
	// The catalog names the directory last: a crash before leaves a marked
	// directory, never a name without one. Where this fails, the disk may still
	// have the name, so the mark lets the next start decide.
	if err := db.changeCatalog(func(names *bolt.Bucket) error { return names.Put([]byte(name), []byte(dir)) }); err != nil {
		return nil, errors.Join(err, c.close(false))
	}
	if err := unmark(path); err != nil {
		c.log.Warn("a mark that is not needed any more stays until the next start", "error", err)
	}
	db.collections[name] = c
	return c, nil
}

// Collection finds a collection by name. ErrNotFound if there is none.
func (db *DB) Collection(name string) (*Collection, error) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	if db.closed {
		return nil, ErrClosed
	}
	if c := db.collections[name]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("%w: collection %q", ErrNotFound, name)
}

// Collections lists the names of the collections, sorted.
func (db *DB) Collections() []string {
	db.mu.RLock()
	defer db.mu.RUnlock()
	names := make([]string, 0, len(db.collections))
	for name := range db.collections {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// DropCollection removes a collection and its files. ErrNotFound if there is none.
func (db *DB) DropCollection(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return ErrClosed
	}
	c := db.collections[name]
	if c == nil {
		return fmt.Errorf("%w: collection %q", ErrNotFound, name)
	}
	if err := mark(c.dir); err != nil {
		return err
	}
	if err := db.changeCatalog(func(names *bolt.Bucket) error { return names.Delete([]byte(name)) }); err != nil {
		return errors.Join(err, unmark(c.dir)) // it is still open, and may be written to
	}
	delete(db.collections, name)
	return errors.Join(c.close(false), discard(c.dir))
}

// all is the open collections, by name.
func (db *DB) all() []*Collection {
	db.mu.RLock()
	defer db.mu.RUnlock()
	out := make([]*Collection, 0, len(db.collections))
	for _, c := range db.collections {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *Collection) int { return cmp.Compare(a.name, b.name) })
	return out
}
