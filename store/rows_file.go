package store

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/latentdb/latentdb/index"
)

func rowsPath(dir string) string { return filepath.Join(dir, "rows.main.pack") }

// rowsFile keeps a generation's rows in a mapped file. While the file is made, under
// a temporary name, the mapping is shared and what is put into rows goes to the file:
// they need no memory. Then the mapping is made private and the file is hashed, named
// and never written to again: what is put later goes to memory, until it is enough
// that all moves to a file anew.
//
// Nothing reads a mapping that was given up: rows are in it only while they say so,
// under a lock of their own. Where there are no rows, records are read.
type rowsFile struct {
	path string
	rows *index.Rows
	log  *slog.Logger
	stop func() bool // the collection is closing

	// keeps tells that the rows have a mapping; before, and after it is given up,
	// nothing is put into them.
	keeps atomic.Bool
	// full tells that all rows that can be held are.
	full atomic.Bool
	// changes counts rows put or deleted since the file was written.
	changes atomic.Int64
	saving  atomic.Bool

	mu     sync.Mutex // held while the mapping changes
	mapped []byte     // the whole file
	temp   *os.File   // the file while it is made, mapped shared
	closed bool
}

// savedRows is what a file that was loaded says of slots.
type savedRows struct {
	applied uint64
	held    *index.Bitmap
}

// has tells whether the file has the row of a slot as its record is, which changed at
// seq. nil is of no file.
func (s *savedRows) has(slot uint32, seq uint64) bool {
	return s != nil && seq <= s.applied && s.held.Has(slot)
}

// load maps the file that is there, if it is sound and of the model that want names,
// and not of a later state than the points are in. No row is held at first: Keep them.
func (f *rowsFile) load(want rowsHeader, seq uint64) (saved *savedRows, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, ErrClosed
	}
	file, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, wrapped(file.Close())) }()
	h, err := readRowsHeader(file)
	if err != nil {
		return nil, err
	}
	if err := h.isOf(want, seq); err != nil {
		return nil, err
	}
	if err := verifyRows(file, h, f.stop); err != nil {
		return nil, err
	}
	held, err := readHeld(file, h)
	if err != nil {
		return nil, err
	}
	if f.mapped, err = mapPrivate(file, int(h.fileSize())); err != nil {
		return nil, wrapped(err)
	}
	f.rows.Move(f.mapped[rowsHeaderSize:][:h.rowBytes()])
	f.keeps.Store(true)
	return &savedRows{applied: h.applied, held: index.BitmapOf(held)}, nil
}

// begin makes a temporary file with room for so many slots, and moves the rows there.
func (f *rowsFile) begin(slots int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.beginLocked(slots)
}

func (f *rowsFile) beginLocked(slots int) (err error) {
	if f.closed {
		return ErrClosed
	}
	if err := errors.Join(wrapped(os.MkdirAll(filepath.Dir(f.path), 0o700)), removeAll(f.path+temporaryMark+"*")); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+temporaryMark+"*")
	if err != nil {
		return wrapped(err)
	}
	size := rowsHeaderSize + f.rows.Size(slots)
	held := f.rows.Size(slots) / f.rows.Size(1) * rowsPageSlots / 8
	if err = allocate(temp, int64(size+held)); err == nil {
		var memory []byte
		if memory, err = mapShared(temp, size); err == nil {
			return f.moveTo(temp, memory)
		}
	}
	return errors.Join(wrapped(err), discardFile(temp))
}

// moveTo moves the rows to the mapping of a temporary file, and gives the one before
// up.
func (f *rowsFile) moveTo(temp *os.File, memory []byte) error {
	before := f.mapped
	if err := guarded(filepath.Base(f.path), func() error { f.rows.Move(memory[rowsHeaderSize:]); return nil }); err != nil {
		f.lose(err)
		return errors.Join(err, wrapped(unmap(memory, false)), discardFile(temp))
	}
	f.mapped, f.temp = memory, temp
	f.keeps.Store(true)
	if before == nil {
		return nil
	}
	return wrapped(unmap(before, false))
}

// freeze makes the mapping private, so that the temporary file no longer changes, and
// returns the file and which slots have a row in it.
func (f *rowsFile) freeze() (temp *os.File, held []uint64, err error) {
	private, err := mapPrivate(f.temp, len(f.mapped))
	if err != nil {
		return nil, nil, wrapped(err)
	}
	f.changes.Store(0)
	held = f.rows.Swap(private[rowsHeaderSize:])
	temp, shared := f.temp, f.mapped
	f.temp, f.mapped = nil, private
	return temp, held, wrapped(unmap(shared, true))
}

// save gives the rows a file as they are now, of the generation that h names: the one
// that was begun, or a new one with room for so many slots. seq tells the last change
// of the points.
func (f *rowsFile) save(h rowsHeader, slots int, seq func() (uint64, error)) (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.keeps.Load() {
		return nil // given up
	}
	if f.temp == nil {
		if err := f.beginLocked(slots); err != nil {
			return err
		}
	}
	temp, held, err := f.freeze()
	if temp == nil {
		return err
	}
	if err == nil {
		h.words = uint32(len(held))
		if h.through, err = seq(); err == nil {
			err = f.finish(temp, h, held)
		}
	}
	if err != nil {
		return errors.Join(err, discardFile(temp)) // it stays mapped
	}
	if err := os.Rename(temp.Name(), f.path); err != nil {
		return errors.Join(wrapped(err), discardFile(temp))
	}
	if err := temp.Close(); err != nil {
		return wrapped(err)
	}
	return syncDir(filepath.Dir(f.path))
}

// finish completes a file of rows that no longer changes.
func (f *rowsFile) finish(temp *os.File, h rowsHeader, held []uint64) error {
	end := make([]byte, 0, 8*len(held))
	for _, word := range held {
		end = binary.LittleEndian.AppendUint64(end, word)
	}
	if _, err := temp.WriteAt(end, rowsHeaderSize+h.rowBytes()); err != nil {
		return wrapped(err)
	}
	var err error
	if h.sha256, err = hashRows(temp, h.fileSize(), f.stop); err != nil {
		return err
	}
	_, err = temp.WriteAt(h.encode(), 0)
	return errors.Join(wrapped(err), wrapped(temp.Sync()))
}

// lose gives the rows up where the file no longer backs the mapping: it was cut
// short, or the disk fails. Records are read from then on.
func (f *rowsFile) lose(err error) {
	if f.keeps.Swap(false) {
		f.log.Error("rows are lost; records are read instead", "file", f.path, "error", err)
	}
	f.rows.Drop()
}

// close gives the mapping up.
func (f *rowsFile) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.rows.Drop()
	var err error
	if f.mapped != nil {
		err = wrapped(unmap(f.mapped, false))
	}
	if f.temp != nil {
		err = errors.Join(err, discardFile(f.temp))
	}
	f.mapped, f.temp = nil, nil
	f.keeps.Store(false) // last, so that a reader that came to lost memory would be told of
	return err
}

// discardFile closes and removes a temporary file.
func discardFile(f *os.File) error {
	return errors.Join(wrapped(f.Close()), wrapped(os.Remove(f.Name())))
}
