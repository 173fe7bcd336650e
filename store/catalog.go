package store

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"regexp"

	bolt "go.etcd.io/bbolt"
)

const catalogName = "catalog.db"

var (
	bucketCollections = []byte("collections")
	keyNextDirectory  = []byte("next_directory")

	directoryName = regexp.MustCompile(`^c-[0-9]{6,}$`)
)

// readCatalog reads which directory holds which collection.
func (db *DB) readCatalog() (dirs map[string]string, isNew bool, err error) {
	dirs = make(map[string]string)
	err = guarded(catalogName, func() error {
		return db.catalog.View(func(tx *bolt.Tx) error {
			if first, _ := tx.Cursor().First(); first == nil {
				isNew = true
				return nil
			}
			return readNames(tx, dirs)
		})
	})
	return dirs, isNew, err
}

func readNames(tx *bolt.Tx, dirs map[string]string) error {
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		return fmt.Errorf("%w: %s has no bucket %q", ErrCorrupt, catalogName, bucketMeta)
	}
	if err := checkFormat(catalogName, meta.Get(keyFormat), formatVersion); err != nil {
		return err
	}
	names := tx.Bucket(bucketCollections)
	if names == nil {
		return fmt.Errorf("%w: %s has no bucket %q", ErrCorrupt, catalogName, bucketCollections)
	}
	return names.ForEach(func(name, dir []byte) error {
		if !directoryName.Match(dir) {
			return fmt.Errorf("%w: %s: collection %q is in no directory, but in %q", ErrCorrupt, catalogName, name, dir)
		}
		if other, taken := dirs[string(dir)]; taken {
			return fmt.Errorf("%w: %s: collections %q and %q are both in %s", ErrCorrupt, catalogName, name, other, dir)
		}
		dirs[string(dir)] = string(name)
		return nil
	})
}

func (db *DB) initCatalog() error {
	return db.updateCatalog(func(tx *bolt.Tx) error {
		meta, err := tx.CreateBucket(bucketMeta)
		if err != nil {
			return err
		}
		if _, err := tx.CreateBucket(bucketCollections); err != nil {
			return err
		}
		return meta.Put(keyFormat, binary.BigEndian.AppendUint32(nil, formatVersion))
	})
}

// nextDirectory takes a directory name that no collection ever had. An older
// catalog, put back, may think so of one that is there.
func (db *DB) nextDirectory() (dir string, err error) {
	err = db.updateCatalog(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		var n uint64
		if v := meta.Get(keyNextDirectory); len(v) == 8 {
			n = binary.BigEndian.Uint64(v)
		}
		for dir == "" || exists(filepath.Join(db.dir, dir)) {
			n++
			dir = fmt.Sprintf("c-%06d", n)
		}
		return meta.Put(keyNextDirectory, seqKey(n))
	})
	return dir, err
}

// changeCatalog changes which names there are. A change that damage to a meta
// page undid would lose a collection, or name one that is gone: so it is settled
// at once.
func (db *DB) changeCatalog(f func(names *bolt.Bucket) error) error {
	if err := db.updateCatalog(func(tx *bolt.Tx) error { return f(tx.Bucket(bucketCollections)) }); err != nil {
		return err
	}
	if err := db.settleCatalog(); err != nil {
		db.opts.Logger.Warn("the catalog is changed, but not secured against damage to its last page", "error", err)
	}
	return nil
}

func (db *DB) settleCatalog() error {
	if db.temporary {
		return nil
	}
	return settle(db.catalog)
}

func (db *DB) updateCatalog(f func(tx *bolt.Tx) error) error {
	return commit(catalogName, db.catalog, f)
}
