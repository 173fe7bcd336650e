package store

import (
	"errors"
	"fmt"
)

// Errors of the database. Every error this package returns wraps one of them,
// a context's error, or an error of the operating system.
var (
	// ErrNotFound is returned for a collection, point or generation that does not exist.
	ErrNotFound = errors.New("store: not found")
	// ErrExists is returned when a collection is created under a name in use.
	ErrExists = errors.New("store: already exists")
	// ErrInvalid is returned for input that cannot be taken; see InvalidError.
	ErrInvalid = errors.New("store: invalid input")
	// ErrNotFitted is returned by answers that need a model when the
	// collection has none yet.
	ErrNotFitted = errors.New("store: collection is not fitted")
	// ErrFitRunning is returned when a fit is asked for while one runs.
	ErrFitRunning = errors.New("store: a fit is running")
	// ErrNoOriginals is returned by a fit of a collection that has been fitted and drops
	// its originals: there is nothing left to learn from.
	ErrNoOriginals = errors.New("store: the originals are dropped")
	// ErrTooFew is returned by a fit of too few, or all identical, points.
	ErrTooFew = errors.New("store: too little to learn from")
	// ErrLocked is returned when another process has the database open.
	ErrLocked = errors.New("store: database is open in another process")
	// ErrClosed is returned after Close, or after the collection was dropped.
	ErrClosed = errors.New("store: closed")
	// ErrReadOnly is returned for writes after the disk failed in a way that
	// leaves the last commit in doubt; reads go on, reopening clears it.
	ErrReadOnly = errors.New("store: read only after a failed write")
	// ErrCorrupt is returned when stored bytes fail their checksum.
	ErrCorrupt = errors.New("store: data is corrupt")
	// ErrFormat is returned for files written by a newer version.
	ErrFormat = errors.New("store: written by a newer version")
)

// InvalidError says which field of the input is wrong, and why. It matches
// ErrInvalid.
type InvalidError struct {
	// Field is the path of the field as REST and the structs name it, such as
	// "limit" or "points[3].id".
	Field string
	// Reason says what is wrong and names the limit.
	Reason string
	// Err is the cause, if there is one.
	Err error
}

// Error implements error.
func (e *InvalidError) Error() string {
	return fmt.Sprintf("store: %s: %s", e.Field, e.Reason)
}

// Unwrap gives ErrInvalid and the cause.
func (e *InvalidError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrInvalid}
	}
	return []error{ErrInvalid, e.Err}
}

func invalid(field, format string, args ...any) error {
	return &InvalidError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// invalidCause wraps an error of a lower package, whose text already says what
// is wrong, with the field it concerns.
func invalidCause(field string, err error) error {
	return &InvalidError{Field: field, Reason: err.Error(), Err: err}
}

// wrapped gives an error of the system or of bbolt this package's prefix.
func wrapped(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("store: %w", err)
}
