package store

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// mapUncounted lets a private mapping be larger than memory: few of its pages are
// ever written to.
const mapUncounted = unix.MAP_NORESERVE

// allocate gives a file its size, with room on the disk for all of it: where there is
// none, a write to mapped memory would end the process.
func allocate(f *os.File, size int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, 0, size)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS):
			return fillWithZeros(f, size)
		case err != nil:
			return &os.PathError{Op: "fallocate", Path: f.Name(), Err: err}
		default:
			return nil
		}
	}
}
