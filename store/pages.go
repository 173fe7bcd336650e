package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
)

// bbolt trusts its pages. On a damaged one it panics, touches memory outside the
// file, allocates as much as a flipped count tells it to, or never ends; and its
// own check does so on a goroutine where nobody can catch it. So this file looks
// at pages without bbolt, and believes nothing that they say of themselves.

// Sizes in bytes of what bbolt puts into a page, and its marks. Numbers are in
// the machine's byte order.
const (
	metaSize       = 64
	pageHeader     = 16
	pageElement    = 16
	bucketHeader   = 16
	pageBranch     = 0x01
	pageLeaf       = 0x02
	pageMeta       = 0x04
	pageFreelist   = 0x10
	elementBucket  = 0x01
	longFreelist   = 0xFFFF // a count that did not fit and stands before the list
	boltMagic      = 0xED0CDAED
	boltVersion    = 2
	smallestBolt   = 1 << 10 // page sizes that bbolt knows
	largestBolt    = 1 << 24
	firstTreePage  = 2 // the two before are meta pages
	metaChecksumAt = 56
)

var native = binary.NativeEndian

// boltMeta is a meta page: where the state as of one commit begins. Commits
// write the two of a file in turn.
type boltMeta struct {
	valid                                bool // bbolt takes it
	pageSize, root, freelist, pages, txn uint64
	// self and kind are in the page's header, which bbolt does not look at.
	self uint64
	kind uint16
}

func readMeta(r io.ReaderAt, at int64) boltMeta {
	p := make(boltPage, pageHeader+metaSize)
	if readFull(r, p, at) != nil {
		return boltMeta{}
	}
	b, sum := p[pageHeader:], fnv.New64a()
	_, _ = sum.Write(b[:metaChecksumAt]) // never fails
	m := boltMeta{
		pageSize: uint64(native.Uint32(b[8:])), root: native.Uint64(b[16:]), freelist: native.Uint64(b[32:]),
		pages: native.Uint64(b[40:]), txn: native.Uint64(b[48:]), self: native.Uint64(p), kind: p.kind(),
	}
	m.valid = native.Uint32(b) == boltMagic && native.Uint32(b[4:]) == boltVersion &&
		sum.Sum64() == native.Uint64(b[metaChecksumAt:]) && m.pageSize >= smallestBolt && m.pageSize <= largestBolt
	return m
}

// readMetas reads both meta pages. Only a valid one tells the size of a page,
// and with it where the second is.
func readMetas(r io.ReaderAt) (metas [2]boltMeta, err error) {
	if metas[0] = readMeta(r, 0); metas[0].valid {
		metas[1] = readMeta(r, int64(metas[0].pageSize))
		return metas, nil
	}
	for at := int64(smallestBolt); at <= largestBolt; at *= 2 {
		if m := readMeta(r, at); m.valid && int64(m.pageSize) == at {
			metas[1] = m
			return metas, nil
		}
	}
	return metas, errors.New("neither meta page is valid")
}

// newestMeta is the one that bbolt goes by.
func newestMeta(metas [2]boltMeta) boltMeta {
	if !metas[0].valid || metas[1].valid && metas[1].txn > metas[0].txn {
		return metas[1]
	}
	return metas[0]
}

// readFull is ReadAt where the end of the file right after b is no error.
func readFull(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	return err
}

// extent is how many of a file's pages are looked at.
type extent int

const (
	// branchPages leaves out the leaves of large buckets, and with them nearly
	// all of a large file.
	branchPages extent = iota
	allPages
)

// verifyPages looks at the pages of a bbolt file that nobody writes to
// meanwhile. After allPages, bbolt can read and write the file.
func verifyPages(path string, look extent) error {
	f, err := os.Open(path)
	if err != nil {
		return wrapped(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return wrapped(err)
	}
	if err := walkPages(f, info.Size(), look); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCorrupt, filepath.Base(path), err)
	}
	return nil
}

func walkPages(r io.ReaderAt, size int64, look extent) error {
	metas, err := readMetas(r)
	if err != nil {
		return err
	}
	m := newestMeta(metas)
	if m.pages > uint64(size)/m.pageSize {
		return fmt.Errorf("the file is cut short: %d bytes for %d pages of %d", size, m.pages, m.pageSize)
	}
	w := &pageWalk{file: r, meta: m, look: look, used: make([]bool, m.pages)}
	if err := w.freelist(); err != nil {
		return err
	}
	if _, err := w.tree(m.root, nil, nil); err != nil {
		return err
	}
	for id := uint64(firstTreePage); look == allPages && id < m.pages; id++ {
		if !w.used[id] {
			return fmt.Errorf("page %d is neither in use nor free", id)
		}
	}
	return nil
}

// pageWalk is a walk over the pages of one commit.
type pageWalk struct {
	file io.ReaderAt
	meta boltMeta
	look extent
	used []bool // pages that something was found to use, free ones among them
}

// claim notes the use of a page and of those that continue it. Each has but one
// use, so no walk goes round in circles.
func (w *pageWalk) claim(id, overflow uint64) error {
	if id < firstTreePage || id >= w.meta.pages || overflow >= w.meta.pages-id {
		return fmt.Errorf("page %d and %d more lie outside the %d pages", id, overflow, w.meta.pages)
	}
	for n := id; n <= id+overflow; n++ {
		if w.used[n] {
			return fmt.Errorf("page %d is used twice, or in use and free", n)
		}
		w.used[n] = true
	}
	return nil
}

// page reads a page with those that continue it.
func (w *pageWalk) page(id uint64) (boltPage, error) {
	size := w.meta.pageSize
	data := make([]byte, size)
	if id >= w.meta.pages {
		return nil, w.claim(id, 0)
	}
	if err := readFull(w.file, data, int64(id*size)); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	if self := native.Uint64(data); self != id {
		return nil, fmt.Errorf("page %d calls itself page %d", id, self)
	}
	overflow := uint64(native.Uint32(data[12:]))
	if err := w.claim(id, overflow); err != nil {
		return nil, err
	}
	if overflow > 0 {
		data = append(data, make([]byte, overflow*size)...)
		if err := readFull(w.file, data[size:], int64((id+1)*size)); err != nil {
			return nil, fmt.Errorf("page %d: %w", id, err)
		}
	}
	return data, nil
}

// freelist claims the pages that are free.
func (w *pageWalk) freelist() error {
	p, err := w.page(w.meta.freelist)
	if err != nil {
		return fmt.Errorf("free pages: %w", err)
	}
	if p.kind() != pageFreelist {
		return fmt.Errorf("page %d is no list of free pages", w.meta.freelist)
	}
	ids, count := p[pageHeader:], uint64(p.count())
	if count == longFreelist {
		ids, count = ids[8:], native.Uint64(ids)
	}
	if count > uint64(len(ids))/8 {
		return fmt.Errorf("page %d lists %d free pages, more than it has room for", w.meta.freelist, count)
	}
	for i := range count {
		if err := w.claim(native.Uint64(ids[8*i:]), 0); err != nil {
			return fmt.Errorf("free pages: %w", err)
		}
	}
	return nil
}

// tree looks at a page and all below it. Its keys must begin with first, which
// the page above knows it by, and end below high; nil is no bound. It tells the
// kind of the page.
func (w *pageWalk) tree(id uint64, first, high []byte) (kind uint16, err error) {
	p, err := w.page(id)
	if err != nil {
		return 0, err
	}
	elements, err := p.elements(first, high)
	if err != nil {
		return 0, fmt.Errorf("page %d: %w", id, err)
	}
	if p.kind() == pageBranch {
		return pageBranch, w.children(elements, high)
	}
	return pageLeaf, w.buckets(elements)
}

// children looks at the pages below a branch page. All leaves of a tree are at
// one depth, so where the first is a leaf the others are.
func (w *pageWalk) children(elements []boltElement, high []byte) error {
	leaves := false
	for i, e := range elements {
		if leaves && w.look == branchPages {
			if err := w.claim(e.child, 0); err != nil {
				return err
			}
			continue
		}
		end := high
		if i+1 < len(elements) {
			end = elements[i+1].key
		}
		kind, err := w.tree(e.child, e.key, end)
		if err != nil {
			return err
		}
		leaves = kind == pageLeaf
	}
	return nil
}

// buckets looks at the buckets that a leaf page holds: each has pages of its
// own or, if it is small, lies in the leaf as a page without a number.
func (w *pageWalk) buckets(elements []boltElement) error {
	for _, e := range elements {
		if !e.bucket {
			continue
		}
		if len(e.value) < bucketHeader {
			return fmt.Errorf("bucket %q has %d bytes", e.key, len(e.value))
		}
		err := error(nil)
		if root := native.Uint64(e.value); root != 0 {
			_, err = w.tree(root, nil, nil)
		} else {
			err = w.inline(e.value[bucketHeader:])
		}
		if err != nil {
			return fmt.Errorf("bucket %q: %w", e.key, err)
		}
	}
	return nil
}

func (w *pageWalk) inline(p boltPage) error {
	if len(p) < pageHeader || p.kind() != pageLeaf {
		return errors.New("it is neither in pages of its own nor in its entry")
	}
	elements, err := p.elements(nil, nil)
	if err != nil {
		return err
	}
	return w.buckets(elements)
}

// boltPage is a page's bytes, its header first.
type boltPage []byte

func (p boltPage) kind() uint16 { return native.Uint16(p[8:]) }
func (p boltPage) count() int   { return int(native.Uint16(p[10:])) }

// boltElement is an entry of a branch page, with a child, or of a leaf page,
// with a value.
type boltElement struct {
	key, value []byte
	child      uint64
	bucket     bool
}

// elements reads the entries of a branch or leaf page, with keys that ascend
// from first to below high. bbolt lays keys and values end to end.
func (p boltPage) elements(first, high []byte) ([]boltElement, error) {
	n := p.count()
	if kind := p.kind(); kind != pageLeaf && (kind != pageBranch || n == 0) {
		return nil, fmt.Errorf("kind %#x with %d entries belongs to no tree", kind, n)
	}
	at := pageHeader + n*pageElement
	if at > len(p) {
		return nil, fmt.Errorf("%d entries are more than it has room for", n)
	}
	out := make([]boltElement, n)
	for i := range out {
		e, end, err := p.element(i, at)
		if err != nil {
			return nil, err
		}
		if i > 0 && bytes.Compare(out[i-1].key, e.key) >= 0 || high != nil && bytes.Compare(e.key, high) >= 0 {
			return nil, fmt.Errorf("key %x of entry %d is out of order", e.key, i)
		}
		out[i], at = e, end
	}
	if first != nil && (n == 0 || !bytes.Equal(out[0].key, first)) {
		return nil, fmt.Errorf("it does not begin with key %x", first)
	}
	return out, nil
}

// element reads an entry whose key begins at a place, and tells where it ends.
func (p boltPage) element(i, at int) (e boltElement, end int, err error) {
	head := pageHeader + i*pageElement
	h := p[head:]
	var pos, keySize, valueSize uint32
	if p.kind() == pageBranch {
		pos, keySize, e.child = native.Uint32(h), native.Uint32(h[4:]), native.Uint64(h[8:])
	} else {
		flags := native.Uint32(h)
		pos, keySize, valueSize = native.Uint32(h[4:]), native.Uint32(h[8:]), native.Uint32(h[12:])
		if e.bucket = flags == elementBucket; flags > elementBucket {
			return e, 0, fmt.Errorf("entry %d has flags %#x", i, flags)
		}
	}
	middle := uint64(at) + uint64(keySize)
	after := middle + uint64(valueSize)
	if uint64(head)+uint64(pos) != uint64(at) || after > uint64(len(p)) {
		return e, 0, fmt.Errorf("entry %d lies elsewhere than its neighbours say", i)
	}
	e.key, e.value = p[at:middle], p[middle:after]
	return e, int(after), nil
}
