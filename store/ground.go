package store

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"

	bolt "go.etcd.io/bbolt"
)

// The buckets of points.db; FORMAT.md gives their bytes.
var (
	bucketMeta     = []byte("meta")
	bucketIDs      = []byte("ids")
	bucketSlots    = []byte("slots")
	bucketFree     = []byte("free")
	bucketRecords  = []byte("records")
	bucketPayloads = []byte("payloads")
	bucketChanges  = []byte("changes")
	bucketModels   = []byte("models")

	keyFormat         = []byte("format")
	keyConfig         = []byte("config")
	keySeq            = []byte("seq")
	keyForgotten      = []byte("forgotten")
	keyNextSlot       = []byte("next_slot")
	keyPoints         = []byte("points")
	keyGeneration     = []byte("last_generation")
	keyPendingFit     = []byte("pending_fit")
	keyPrefixActive   = "active:"
	fieldBucketPrefix = "field:"
)

// defaultField is the one field that collections have.
const defaultField = ""

// The version of every file this package writes, but for a points.db that versions before
// would take for damaged: records are given up in it, or are stored by cells, those of
// tables and pairs.
const (
	formatVersion       = 1
	formatWithoutRecord = 2
	formatWithCells     = 3
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// pointsMapping is how much of points.db is mapped at first: a mapping that
// need not grow keeps writers from stalling behind readers.
const pointsMapping = 1 << 30

// sealed is a value behind its CRC32C: what every record, slot and payload is
// stored as, since bbolt does not notice a flipped byte in a value.
func sealed(parts ...[]byte) []byte {
	out := make([]byte, 4, 64)
	for _, p := range parts {
		out = append(out, p...)
	}
	binary.BigEndian.PutUint32(out, checksum(out[4:]))
	return out
}

func checksum(body []byte) uint32 { return crc32.Checksum(body, castagnoli) }

// opened checks a sealed value and returns what it holds, within v's memory.
func opened(v []byte) (body []byte, ok bool) {
	if len(v) < 4 || checksum(v[4:]) != binary.BigEndian.Uint32(v) {
		return nil, false
	}
	return v[4:], true
}

// unseal checks a stored value and returns what it holds, within v's memory.
func unseal(what string, slot uint32, v []byte) ([]byte, error) {
	body, ok := opened(v)
	if !ok {
		return nil, fmt.Errorf("%w: %s of slot %d fails its checksum", ErrCorrupt, what, slot)
	}
	return body, nil
}

func slotKey(slot uint32) []byte { return binary.BigEndian.AppendUint32(nil, slot) }
func seqKey(seq uint64) []byte   { return binary.BigEndian.AppendUint64(nil, seq) }

// ground reads one collection's ground state within a bbolt transaction.
// Byte slices it returns are valid until the transaction ends.
type ground struct {
	tx *bolt.Tx

	meta, ids, slots, free, records, payloads, changes, models *bolt.Bucket
	// latents are kept in the place of records, all of one generation; nil where there
	// are none.
	latents  *bolt.Bucket
	latentOf uint64
}

func groundOf(tx *bolt.Tx) (*ground, error) {
	g := &ground{tx: tx}
	field := []byte(fieldBucketPrefix + defaultField)
	for _, b := range []struct {
		dst  **bolt.Bucket
		name []byte
		sub  bool
	}{
		{&g.meta, bucketMeta, false}, {&g.ids, bucketIDs, false}, {&g.slots, bucketSlots, false},
		{&g.free, bucketFree, false}, {&g.payloads, bucketPayloads, false}, {&g.changes, bucketChanges, false},
		{&g.records, bucketRecords, true}, {&g.models, bucketModels, true},
	} {
		*b.dst = tx.Bucket(b.name)
		if *b.dst != nil && b.sub {
			*b.dst = (*b.dst).Bucket(field)
		}
		if *b.dst == nil {
			return nil, fmt.Errorf("%w: points.db has no bucket %q", ErrCorrupt, b.name)
		}
	}
	// These are written in ascending order; full pages halve the file.
	for _, b := range []*bolt.Bucket{g.slots, g.records, g.payloads, g.changes} {
		b.FillPercent = 0.9
	}
	return g, g.findLatents(field)
}

// initGround makes the buckets of a new collection.
func initGround(tx *bolt.Tx, cfg Config) error {
	for _, name := range [][]byte{bucketMeta, bucketIDs, bucketSlots, bucketFree, bucketRecords, bucketPayloads, bucketChanges, bucketModels} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	fields, format := [][]byte{bucketRecords, bucketModels}, uint32(formatVersion)
	if cfg.DropOriginals {
		if _, err := tx.CreateBucket(bucketLatents); err != nil {
			return err
		}
		fields, format = append(fields, bucketLatents), formatWithoutRecord
	}
	for _, name := range fields {
		if _, err := tx.Bucket(name).CreateBucket([]byte(fieldBucketPrefix + defaultField)); err != nil {
			return err
		}
	}
	data, err := json.Marshal(cfg)
	if err != nil {
		return err
	}
	meta := tx.Bucket(bucketMeta)
	if err := meta.Put(keyFormat, binary.BigEndian.AppendUint32(nil, format)); err != nil {
		return err
	}
	return meta.Put(keyConfig, data)
}

// checkFormat refuses files of a newer version than the newest.
func checkFormat(what string, v []byte, newest uint32) error {
	if len(v) != 4 {
		return fmt.Errorf("%w: %s has no format version", ErrCorrupt, what)
	}
	if f := binary.BigEndian.Uint32(v); f > newest {
		return fmt.Errorf("%w: %s has format %d, this version reads up to %d", ErrFormat, what, f, newest)
	}
	return nil
}

func (g *ground) config() (Config, error) {
	var cfg Config
	if err := json.Unmarshal(g.meta.Get(keyConfig), &cfg); err != nil {
		return cfg, fmt.Errorf("%w: configuration: %v", ErrCorrupt, err)
	}
	return cfg, nil
}

func (g *ground) putConfig(cfg Config) error {
	data, err := json.Marshal(cfg)
	if err != nil {
		return err
	}
	return g.meta.Put(keyConfig, data)
}

// raiseFormat tells versions that do not know a format to leave the file alone.
func (g *ground) raiseFormat(to uint32) error {
	if v := g.meta.Get(keyFormat); len(v) != 4 || binary.BigEndian.Uint32(v) >= to {
		return nil // what is no number was refused on open
	}
	return g.meta.Put(keyFormat, binary.BigEndian.AppendUint32(nil, to))
}

func (g *ground) number(key []byte) uint64 {
	if v := g.meta.Get(key); len(v) == 8 {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

func (g *ground) putNumber(key []byte, n uint64) error {
	return g.meta.Put(key, binary.BigEndian.AppendUint64(nil, n))
}

// slotEntry is what the slots bucket says of one slot.
type slotEntry struct {
	id ID
	// seq is the last change of the slot's record.
	seq uint64
}

// slotOf finds a point's slot.
func (g *ground) slotOf(id ID) (uint32, bool, error) {
	v := g.ids.Get(id.key())
	if v == nil {
		return 0, false, nil
	}
	if len(v) != 4 {
		return 0, false, fmt.Errorf("%w: slot of id %s has %d bytes", ErrCorrupt, id, len(v))
	}
	return binary.BigEndian.Uint32(v), true, nil
}

// entry reads a slot; ok is false where it holds no point.
func (g *ground) entry(slot uint32) (e slotEntry, ok bool, err error) {
	v := g.slots.Get(slotKey(slot))
	if v == nil {
		return e, false, nil
	}
	e, err = decodeEntry(slot, v)
	return e, err == nil, err
}

func decodeEntry(slot uint32, v []byte) (slotEntry, error) {
	body, err := unseal("entry", slot, v)
	if err != nil {
		return slotEntry{}, err
	}
	if len(body) < 8 {
		return slotEntry{}, fmt.Errorf("%w: entry of slot %d has %d bytes", ErrCorrupt, slot, len(body))
	}
	id, err := idOfKey(body[8:])
	return slotEntry{id: id, seq: binary.BigEndian.Uint64(body)}, err
}

// record reads the stored bytes of a slot that holds a point.
func (g *ground) record(slot uint32) ([]byte, error) {
	return unseal("record", slot, g.records.Get(slotKey(slot)))
}

// payload reads a slot's payload; nil where it has none.
func (g *ground) payload(slot uint32) (Payload, error) {
	v := g.payloads.Get(slotKey(slot))
	if v == nil {
		return nil, nil
	}
	body, err := unseal("payload", slot, v)
	if err != nil {
		return nil, err
	}
	return decodePayload(body)
}

// change is one entry of the change log: a slot whose record changed. What it
// changed to is the slot's present state, so replay is idempotent.
type change struct {
	seq  uint64
	slot uint32
}

// changesAfter lists up to limit changes after a seq, in order.
func (g *ground) changesAfter(seq uint64, limit int) ([]change, error) {
	var out []change
	c := g.changes.Cursor()
	for k, v := c.Seek(seqKey(seq + 1)); k != nil && len(out) < limit; k, v = c.Next() {
		if len(k) != 8 || len(v) != 4 {
			return nil, fmt.Errorf("%w: change log entry %x", ErrCorrupt, k)
		}
		out = append(out, change{binary.BigEndian.Uint64(k), binary.BigEndian.Uint32(v)})
	}
	return out, nil
}

// checkLog tells whether the change log holds every change after a seq.
func (g *ground) checkLog(after uint64) error {
	if forgotten, last := g.number(keyForgotten), g.number(keySeq); after < forgotten || after > last {
		return fmt.Errorf("%w: saved as of change %d, the log goes from %d to %d", ErrCorrupt, after, forgotten, last)
	}
	return nil
}

// trimChanges forgets changes up to a seq, some at a time so that no
// transaction grows large.
func (g *ground) trimChanges(upTo uint64, limit int) (more bool, err error) {
	if err := g.putNumber(keyForgotten, max(upTo, g.number(keyForgotten))); err != nil {
		return false, err
	}
	c := g.changes.Cursor()
	for k, _ := c.First(); k != nil && binary.BigEndian.Uint64(k) <= upTo; k, _ = c.First() {
		if limit == 0 {
			return true, nil
		}
		if err := g.changes.Delete(k); err != nil {
			return false, err
		}
		limit--
	}
	return false, nil
}
