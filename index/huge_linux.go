package index

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is the size of the pages that Linux on amd64 and arm64 calls huge.
const hugePage = 2 << 20

// adviseHuge asks for memory that is read at random to lie in huge pages, of which
// the processor remembers where they are: a search among a million rows takes a
// quarter less. Asking for it is enough where no page of the memory was used before,
// which the runtime does not tell; so its pages are made huge at once. Systems where
// that is not done, or refused, work without.
func adviseHuge(memory []byte) {
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(memory)))) & (hugePage - 1)
	if whole := (len(memory) - skip) &^ (hugePage - 1); whole > 0 {
		_ = unix.Madvise(memory[skip:skip+whole], unix.MADV_HUGEPAGE)
		_ = unix.Madvise(memory[skip:skip+whole], unix.MADV_COLLAPSE)
	}
}
