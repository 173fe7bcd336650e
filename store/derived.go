package store

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/latentdb/latentdb/index"
	bolt "go.etcd.io/bbolt"
)

// Derived files of a generation: the latents in blocks by slot, and a snapshot
// of the index. Either may be missing or bad; ground state rebuilds both. What is of the
// collection and no generation is in lexicon_saved.go.

// latentBlock is how many slots share one value of latents.db.
const latentBlock = 256

var (
	bucketLatents = []byte("latents")
	keyHash       = []byte("model_hash")
	keyApplied    = []byte("applied")
)

// generationDir is where a generation's derived files are.
func (c *Collection) generationDir(number uint64) string {
	return filepath.Join(c.dir, fieldDir(defaultField), fmt.Sprintf("gen-%06d", number))
}

// fieldDir is a field's directory. Names are hex-encoded, so that no text of
// the user becomes a path.
func fieldDir(field string) string {
	if field == defaultField {
		return "default"
	}
	return fmt.Sprintf("field-%x", field)
}

func latentsPath(dir string) string  { return filepath.Join(dir, "latents.main.db") }
func snapshotPath(dir string) string { return filepath.Join(dir, "index.main.snap") }
func reportPath(dir string) string   { return filepath.Join(dir, "report.json") }

// persist saves a generation's latents and index, synced, as of one change, and
// forgets the changes that nobody needs any more. Generation 0 saves nothing:
// it is made from the points on every open.
func (c *Collection) persist(gen *generation) error {
	gen.indexer.mu.Lock()
	defer gen.indexer.mu.Unlock()
	if gen.model == nil {
		gen.indexer.dirty, gen.indexer.unsaved = nil, 0
		return c.forgetChanges(gen)
	}
	dir := c.generationDir(gen.number)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return wrapped(err)
	}
	if err := c.saveLatents(gen, dir); err != nil {
		return err
	}
	if err := saveSnapshot(gen, dir); err != nil {
		return err
	}
	gen.indexer.dirty, gen.indexer.unsaved, gen.indexer.cleanAt = nil, 0, gen.indexer.applied
	return c.forgetChanges(gen)
}

// saveLatents brings the latents' file up to date: by the blocks that changed
// or, where the file is missing, damaged or of another state, by all of them.
func (c *Collection) saveLatents(gen *generation, dir string) error {
	err := c.updateLatents(gen, dir, false)
	if errors.Is(err, ErrCorrupt) || errors.Is(err, ErrFormat) {
		if err := os.Remove(latentsPath(dir)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return wrapped(err)
		}
		return c.updateLatents(gen, dir, true)
	}
	return err
}

// updateLatents writes the dirty blocks, or all of them to a new file. A commit
// into pages that nobody verified could go on without end.
func (c *Collection) updateLatents(gen *generation, dir string, all bool) error {
	db, err := openBolt(latentsPath(dir), boltUse{noSync: c.temporary, look: allPages})
	if err != nil {
		return err
	}
	err = commit("latents.db", db, func(tx *bolt.Tx) error {
		if !all {
			if applied, err := latentsApplied(tx, gen); err != nil {
				return err
			} else if applied < gen.indexer.cleanAt {
				return fmt.Errorf("%w: latents.db misses changes", ErrCorrupt)
			}
		}
		return writeLatents(tx, gen, all)
	})
	return errors.Join(err, wrapped(db.Close()))
}

// latentsApplied checks that latents are of a generation, and tells which
// change they reach.
func latentsApplied(tx *bolt.Tx, gen *generation) (uint64, error) {
	meta := tx.Bucket(bucketMeta)
	if meta == nil || tx.Bucket(bucketLatents) == nil {
		return 0, fmt.Errorf("%w: latents.db is empty", ErrCorrupt)
	}
	if err := checkFormat("latents.db", meta.Get(keyFormat), formatVersion); err != nil {
		return 0, err
	}
	applied := meta.Get(keyApplied)
	if string(meta.Get(keyHash)) != string(gen.hash[:]) || len(applied) != 8 {
		return 0, fmt.Errorf("%w: latents.db is of another model", ErrCorrupt)
	}
	return binary.BigEndian.Uint64(applied), nil
}

func writeLatents(tx *bolt.Tx, gen *generation, all bool) error {
	b, err := tx.CreateBucketIfNotExists(bucketLatents)
	if err != nil {
		return err
	}
	b.FillPercent = 0.9
	for _, block := range gen.blocksToSave(all) {
		if data := gen.blockBytes(block); data == nil {
			err = b.Delete(slotKey(block))
		} else {
			err = b.Put(slotKey(block), data)
		}
		if err != nil {
			return err
		}
	}
	meta, err := tx.CreateBucketIfNotExists(bucketMeta)
	if err != nil {
		return err
	}
	return errors.Join(meta.Put(keyFormat, binary.BigEndian.AppendUint32(nil, formatVersion)),
		meta.Put(keyHash, gen.hash[:]), meta.Put(keyApplied, seqKey(gen.indexer.applied)))
}

// blocksToSave lists the dirty blocks, or all that hold a slot, ascending.
func (g *generation) blocksToSave(all bool) []uint32 {
	if !all {
		return slices.Sorted(maps.Keys(g.indexer.dirty))
	}
	var blocks []uint32
	for slot := range g.index.Slots() {
		if b := slot / latentBlock; len(blocks) == 0 || blocks[len(blocks)-1] != b {
			blocks = append(blocks, b)
		}
	}
	return blocks
}

// blockBytes is a block sealed: a bitmap of the slots present, and the code of
// each, in order of slots; nil for an empty block.
func (g *generation) blockBytes(block uint32) []byte {
	present := make([]byte, latentBlock/8)
	size := g.model.CodeSize()
	codes := make([]byte, 0, latentBlock*size)
	row := make([]float32, g.model.Dim())
	for i := range uint32(latentBlock) {
		if !g.index.Row(row, block*latentBlock+i) {
			continue
		}
		present[i/8] |= 1 << (i % 8)
		codes = codes[:len(codes)+size]
		g.model.Code(codes[len(codes)-size:], row)
	}
	if len(codes) == 0 {
		return nil
	}
	return sealed(present, codes)
}

// loadLatents puts the saved latents into an empty index.
func (c *Collection) loadLatents(gen *generation, dir string) (err error) {
	if _, err := os.Stat(latentsPath(dir)); err != nil {
		return err
	}
	db, err := openBolt(latentsPath(dir), boltUse{noSync: true, look: allPages})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return guarded("latents.db", func() error {
		return db.View(func(tx *bolt.Tx) (err error) {
			if gen.indexer.applied, err = latentsApplied(tx, gen); err != nil {
				return err
			}
			gen.indexer.cleanAt = gen.indexer.applied
			var slots []uint32
			var rows []float32
			put := func() error {
				err := putRows(context.Background(), gen.index, slots, rows, c.opts.Workers)
				slots, rows = slots[:0], rows[:0]
				return err
			}
			err = tx.Bucket(bucketLatents).ForEach(func(k, v []byte) (err error) {
				if len(k) != 4 {
					return fmt.Errorf("%w: latent block key %x", ErrCorrupt, k)
				}
				if slots, rows, err = gen.readBlock(slots, rows, binary.BigEndian.Uint32(k), v); err == nil && len(slots) >= bulkRows {
					err = put()
				}
				return err
			})
			if err != nil {
				return err
			}
			return put()
		})
	})
}

// readBlock appends the slots and latents of a block.
func (g *generation) readBlock(slots []uint32, rows []float32, block uint32, v []byte) ([]uint32, []float32, error) {
	body, err := unseal("latent block", block*latentBlock, v)
	if err != nil {
		return nil, nil, err
	}
	size := g.model.CodeSize()
	if len(body) < latentBlock/8 {
		return nil, nil, fmt.Errorf("%w: latent block %d has %d bytes", ErrCorrupt, block, len(body))
	}
	present, codes := body[:latentBlock/8], body[latentBlock/8:]
	dim := g.model.Dim()
	for i := range uint32(latentBlock) {
		if present[i/8]&(1<<(i%8)) == 0 {
			continue
		}
		if len(codes) < size {
			return nil, nil, fmt.Errorf("%w: latent block %d is cut short", ErrCorrupt, block)
		}
		slots, rows = append(slots, block*latentBlock+i), append(rows, make([]float32, dim)...)
		g.model.FromCode(rows[len(rows)-dim:], codes[:size])
		codes = codes[size:]
	}
	return slots, rows, nil
}

// saveSnapshot writes the index to a temporary file, syncs it and renames it.
func saveSnapshot(gen *generation, dir string) error {
	return writeFile(snapshotPath(dir), func(f *os.File) error {
		return index.Save(f, index.Header{
			Generation: gen.number, ModelHash: gen.hash, AppliedSeq: gen.indexer.applied,
		}, gen.index)
	})
}

// temporaryMark is in the names of files that are not finished yet.
const temporaryMark = ".tmp-"

// removeAll removes every file or directory that a pattern names.
func removeAll(pattern string) error {
	paths, err := filepath.Glob(pattern)
	for _, p := range paths {
		err = errors.Join(err, os.RemoveAll(p))
	}
	return wrapped(err)
}

var generationName = regexp.MustCompile(`^gen-[0-9]{6,}$`)

// removeStrays removes what a crash left: the directories of generations that are
// not kept, and elsewhere files that were not finished.
func (c *Collection) removeStrays(kept []uint64) error {
	field := filepath.Join(c.dir, fieldDir(defaultField))
	entries, err := os.ReadDir(field)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		path := filepath.Join(field, e.Name())
		isKept := slices.ContainsFunc(kept, func(n uint64) bool { return c.generationDir(n) == path })
		switch {
		case strings.Contains(e.Name(), temporaryMark):
			err = errors.Join(err, os.RemoveAll(path))
		case isKept:
			err = errors.Join(err, removeAll(filepath.Join(path, "*"+temporaryMark+"*")))
		case generationName.MatchString(e.Name()):
			err = errors.Join(err, os.RemoveAll(path))
		}
	}
	return wrapped(err)
}

// writeFile replaces a file by what write puts into a temporary one: synced,
// renamed, and the directory synced, so that a crash leaves the old or the new.
func writeFile(path string, write func(f *os.File) error) (err error) {
	// A crash may have left the temporary file of an earlier attempt.
	if err := removeAll(path + temporaryMark + "*"); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+temporaryMark+"*")
	if err != nil {
		return wrapped(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, wrapped(os.Remove(f.Name())))
		}
	}()
	if err := errors.Join(wrapped(write(f)), wrapped(f.Sync()), wrapped(f.Close())); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return wrapped(err)
	}
	return syncDir(filepath.Dir(path))
}

// loadSnapshot reads the index of a generation. An error means there is none
// to be trusted.
func loadSnapshot(gen *generation, dir string) (err error) {
	f, err := os.Open(snapshotPath(dir))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h, idx, err := index.Load(f, engines...)
	if err != nil {
		return err
	}
	if h.Generation != gen.number || h.ModelHash != gen.hash || idx.Dim() != gen.model.Dim() {
		return fmt.Errorf("%w: snapshot is of another generation", ErrCorrupt)
	}
	gen.index, gen.indexer.applied, gen.indexer.cleanAt = idx, h.AppliedSeq, h.AppliedSeq
	return nil
}

func saveReport(r *Report, dir string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(reportPath(dir), func(f *os.File) error {
		_, err := f.Write(data)
		return err
	})
}
