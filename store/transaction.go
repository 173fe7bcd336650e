package store

import (
	"errors"
	"fmt"
	"math"
	"runtime/debug"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// guarded runs f, which reads or writes a bbolt file, and returns as an error
// what bbolt makes of a file that was damaged or cut short: it panics, or
// touches memory that the file no longer backs.
func guarded(what string, f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %s: %v", ErrCorrupt, what, r)
		}
	}()
	return f()
}

// commit runs a read-write transaction of a file. What f returns it hands on;
// what goes wrong in bbolt gets the file's name.
func commit(what string, db *bolt.DB, f func(tx *bolt.Tx) error) error {
	var own error
	err := guarded(what, func() error {
		return db.Update(func(tx *bolt.Tx) error {
			own = f(tx)
			return own
		})
	})
	if err == nil || own != nil || errors.Is(err, ErrCorrupt) {
		return err
	}
	return fmt.Errorf("store: %s: %w", what, err)
}

// update runs a read-write transaction. One that fails was rolled back and
// leaves the collection as it was, with two exceptions, after which what is on
// disk is in doubt and the collection turns read-only: bbolt panics when the
// disk lies to it (a short write reported as whole), and a commit whose last
// sync fails has already replaced the state that the next one would see.
func (c *Collection) update(f func(tx *bolt.Tx) error) error {
	id, carried := 0, false
	err := commit("points.db", c.db, func(tx *bolt.Tx) error {
		id = tx.ID()
		err := f(tx)
		carried = err == nil
		return err
	})
	c.selections.commits.Add(1)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, berrors.ErrDatabaseNotOpen):
		return ErrClosed
	case carried && (errors.Is(err, ErrCorrupt) || c.lastCommit() >= id):
		c.readOnly.Store(true)
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	}
	return err
}

// lastCommit is the number of the last transaction that readers see.
func (c *Collection) lastCommit() (id int) {
	// Without an answer the state is as much in doubt as with a wrong one.
	if err := c.db.View(func(tx *bolt.Tx) error { id = tx.ID(); return nil }); err != nil {
		return math.MaxInt
	}
	return id
}

// view runs a read transaction over the ground state.
func (c *Collection) view(f func(g *ground) error) error {
	return c.transact(c.db.View, func(tx *bolt.Tx) error {
		g, err := groundOf(tx)
		if err != nil {
			return err
		}
		return f(g)
	})
}

// exclusive runs a transaction with bbolt's writer kept out, and writes nothing.
func (c *Collection) exclusive(f func(tx *bolt.Tx) error) error {
	rolledBack := errors.New("rolled back")
	err := c.transact(c.db.Update, func(tx *bolt.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return rolledBack
	})
	if errors.Is(err, rolledBack) {
		return nil
	}
	return err
}

func (c *Collection) transact(run func(func(tx *bolt.Tx) error) error, f func(tx *bolt.Tx) error) error {
	err := guarded("points.db", func() error { return run(f) })
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// checkPointsFormat looks at the format alone, since a newer one may have other
// buckets.
func (c *Collection) checkPointsFormat() error {
	return c.transact(c.db.View, func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if meta == nil {
			return fmt.Errorf("%w: points.db has no bucket %q", ErrCorrupt, bucketMeta)
		}
		return checkFormat("points.db", meta.Get(keyFormat), formatWithCells)
	})
}
