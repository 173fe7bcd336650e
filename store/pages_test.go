package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// smallBolt is a bbolt file with all that files of this package have: trees with
// branches, buckets within buckets, inline ones, values of many pages, free pages.
func smallBolt(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "small.db")
	db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: 1 << 10, FreelistType: bolt.FreelistMapType})
	if err != nil {
		t.Fatal(err)
	}
	fill := func(tx *bolt.Tx) error {
		outer, err := tx.CreateBucketIfNotExists([]byte("outer"))
		if err != nil {
			return err
		}
		inner, err := outer.CreateBucketIfNotExists([]byte("inner"))
		if err != nil {
			return err
		}
		inline, err := outer.CreateBucketIfNotExists([]byte("inline"))
		if err != nil {
			return err
		}
		err = errors.Join(inline.Put([]byte("a"), []byte("b")), outer.Put([]byte("long"), make([]byte, 3000)))
		for i := range uint32(150) {
			err = errors.Join(err, inner.Put(slotKey(i), []byte("a value of some length")))
		}
		return err
	}
	drop := func(tx *bolt.Tx) error {
		inner := tx.Bucket([]byte("outer")).Bucket([]byte("inner"))
		for i := range uint32(60) {
			if err := inner.Delete(slotKey(40 + i)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := errors.Join(db.Update(fill), db.Update(drop), db.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestPagesThatPassAreSound flips bits all over a file. Where the walk over its
// pages finds nothing, bbolt must read and write the file.
func TestPagesThatPassAreSound(t *testing.T) {
	const size = 1 << 10
	pristine := smallBolt(t)
	if err := walkPages(bytes.NewReader(pristine), int64(len(pristine)), allPages); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "flipped.db")
	passed, found := 0, 0
	for at := 0; at < len(pristine); at += 5 {
		if at < 2*size && at%size < pageHeader {
			continue // bbolt goes by what follows in a meta page
		}
		flipped := slices.Clone(pristine)
		flipped[at] ^= 1 << (at % 8)
		if walkPages(bytes.NewReader(flipped), int64(len(flipped)), allPages) != nil {
			found++
			continue
		}
		passed++
		if passed%8 != 0 {
			continue
		}
		if err := os.WriteFile(path, flipped, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := guarded(path, func() error { return useBolt(path) }); err != nil {
			t.Errorf("byte %d of page %d: %v", at%size, at/size, err)
		}
	}
	if passed < 100 || found < 100 {
		t.Errorf("%d flips passed, %d were found", passed, found)
	}
}

// useBolt reads and rewrites all that a file holds.
func useBolt(path string) error {
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoSync: true, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		return tx.ForEach(func(_ []byte, b *bolt.Bucket) error { return rewrite(b) })
	})
	if err == nil {
		err = db.View(func(tx *bolt.Tx) (err error) {
			for problem := range tx.Check() {
				err = errors.Join(err, problem)
			}
			return err
		})
	}
	return errors.Join(err, db.Close())
}

func rewrite(b *bolt.Bucket) error {
	var keys [][]byte
	err := b.ForEach(func(k, v []byte) error {
		if v == nil {
			return rewrite(b.Bucket(k))
		}
		keys = append(keys, slices.Clone(k))
		return nil
	})
	for _, k := range keys {
		if len(k) > 0 {
			err = errors.Join(err, b.Put(k, []byte("new")))
		}
	}
	return err
}

// FuzzWalkPages edits a file: each six bytes are a place and what to put there.
// The walk must come to an end, and never panic.
func FuzzWalkPages(f *testing.F) {
	pristine := smallBolt(f)
	f.Add([]byte{})
	f.Add([]byte{0, 8, 0, 10, 0xff, 0xff})
	f.Add([]byte{0, 16, 0, 12, 0xff, 0x7f, 0, 12, 0, 0, 1, 1})
	f.Fuzz(func(_ *testing.T, edits []byte) {
		data := slices.Clone(pristine)
		for ; len(edits) >= 6; edits = edits[6:] {
			at := int(binary.BigEndian.Uint32(edits)) % (len(data) - 1)
			copy(data[at:], edits[4:6])
		}
		for _, look := range []extent{branchPages, allPages} {
			_ = walkPages(bytes.NewReader(data), int64(len(data)), look)
		}
	})
}

// TestCheckOutlivesDamagedPages gives each leaf page of points.db one entry more
// than it has. Opening may refuse that; if it does not, Check must find it.
func TestCheckOutlivesDamagedPages(t *testing.T) {
	pristine, _ := fittedDirectory(t)
	file, err := os.ReadFile(pointsFile(t, pristine))
	if err != nil {
		t.Fatal(err)
	}
	size, leaves, found := os.Getpagesize(), 0, 0
	for at := 2 * size; at < len(file); at += size {
		if boltPage(file[at:]).kind() != pageLeaf {
			continue
		}
		leaves++
		t.Run(fmt.Sprintf("page %d", at/size), func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(pristine)); err != nil {
				t.Fatal(err)
			}
			edit(t, pointsFile(t, dir), func(b []byte) []byte { b[at+10]++; return b })
			db, err := Open(dir, quiet())
			if err != nil {
				if !errors.Is(err, ErrCorrupt) {
					t.Errorf("%v, want ErrCorrupt", err)
				}
				return
			}
			defer func() { _ = db.Close() }()
			report, err := db.Check(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if !report.OK() {
				found++ // else the page is a free one
			}
		})
	}
	if leaves < 10 || found < 3 {
		t.Errorf("%d leaf pages, and Check found %d of them", leaves, found)
	}
}
