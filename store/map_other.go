//go:build !unix

package store

import (
	"errors"
	"os"
)

// canMap is false where a file cannot be replaced while it is mapped: rows are kept
// in memory there.
const canMap = false

func mapShared(*os.File, int) ([]byte, error) { return nil, errors.ErrUnsupported }

func mapPrivate(*os.File, int) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmap([]byte, bool) error { return errors.ErrUnsupported }
