//go:build !linux

package store

import "os"

const mapUncounted = 0

// allocate gives a file its size, with room on the disk for all of it: where there is
// none, a write to mapped memory would end the process.
func allocate(f *os.File, size int64) error { return fillWithZeros(f, size) }
