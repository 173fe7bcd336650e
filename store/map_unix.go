//go:build unix

package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// canMap tells that files can be mapped into memory, written to while they are, and
// replaced. Where addresses have 32 bits there is no room for them.
const canMap = ^uint(0)>>32 != 0

// mapShared maps the first size bytes of a file: what is written to memory goes into
// the file.
func mapShared(f *os.File, size int) ([]byte, error) {
	return unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

// mapPrivate maps them copy-on-write: a page that is written to becomes memory of the
// process, and the file stays as it is. Only pages that are asked for are read, for
// rows are asked for in no order.
func mapPrivate(f *os.File, size int) ([]byte, error) {
	m, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|mapUncounted)
	if err == nil {
		_ = unix.Madvise(m, unix.MADV_RANDOM) // slower where it is refused
	}
	return m, err
}

// unmap gives a mapping up. A shared one is in the file then, where readers find it.
func unmap(m []byte, shared bool) error {
	if shared {
		if err := unix.Msync(m, unix.MS_SYNC); err != nil {
			return err
		}
	}
	return unix.Munmap(m)
}
