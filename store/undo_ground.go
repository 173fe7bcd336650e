package store

import (
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// bucketUndo holds what the last deduplication removed, by the generation that it was
// removed under and its number. It is made when it is needed: files of before it have none,
// and versions of before it leave it alone. What stands under another generation than the
// active one is not there.
var bucketUndo = []byte("undo")

// The kinds of content that are kept.
const (
	keptRecord = 1
	keptLatent = 2
)

// keptPoint is a removed point in its stored form: content as the bucket of records or of
// latents has it, and payload as that of payloads has it, empty where there is none.
type keptPoint struct {
	id               ID
	kind             byte
	content, payload []byte
}

// encodeUndo copies what is kept: what a transaction reads is not there after a change.
func encodeUndo(kind byte, content, payload []byte) []byte {
	head := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(content)))
	return sealed(head, content, payload)
}

// decodeUndo reads an entry and verifies it. Content and payload lie within v.
func decodeUndo(key, v []byte) (p keptPoint, err error) {
	if p.id, err = idOfKey(key); err != nil {
		return p, err
	}
	bad := func(what string) (keptPoint, error) {
		return p, fmt.Errorf("%w: what is kept of removed id %s: %s", ErrCorrupt, p.id, what)
	}
	body, ok := opened(v)
	if !ok {
		return bad("it fails its checksum")
	}
	if len(body) < 5 || uint64(binary.BigEndian.Uint32(body[1:])) > uint64(len(body)-5) {
		return bad("it is cut short")
	}
	p.kind = body[0]
	n := 5 + int(binary.BigEndian.Uint32(body[1:]))
	p.content, p.payload = body[5:n:n], body[n:]
	least := map[byte]int{keptRecord: 4, keptLatent: 4 + fidelityBytes}[p.kind]
	if least == 0 || len(p.content) < least {
		return bad(fmt.Sprintf("kind %d of %d bytes", p.kind, len(p.content)))
	}
	if _, ok := opened(p.content); !ok {
		return bad("its content fails its checksum")
	}
	if _, ok := opened(p.payload); !ok && len(p.payload) > 0 {
		return bad("its payload fails its checksum")
	}
	return p, nil
}

// prepared is the point as a writer takes it, in memory of its own.
func (p keptPoint) prepared() preparedPoint {
	out := preparedPoint{id: p.id}
	body := append([]byte{}, p.content[4:]...)
	if p.kind == keptRecord {
		out.record = body
	} else {
		out.code = body[fidelityBytes:]
	}
	return out
}

// undoable is the points that a deduplication removed, by id.
type undoable struct {
	id     uint64
	points *bolt.Bucket
}

// lastUndo finds what can be undone; nil where there is nothing.
func (g *ground) lastUndo() *undoable {
	all := g.tx.Bucket(bucketUndo)
	if all == nil {
		return nil
	}
	if all = all.Bucket(seqKey(g.activeGeneration())); all == nil {
		return nil
	}
	key, _ := all.Cursor().Last()
	if len(key) != 8 {
		return nil
	}
	points := all.Bucket(key)
	if points == nil {
		return nil
	}
	return &undoable{id: binary.BigEndian.Uint64(key), points: points}
}

// undoable is the points that one deduplication removed, which must be the last.
func (g *ground) undoable(id uint64) (*undoable, error) {
	if u := g.lastUndo(); u != nil && u.id == id {
		return u, nil
	}
	return nil, errNoUndo(id)
}

// beginUndo makes room for what is about to be removed, in the place of what was kept.
func (w *writer) beginUndo(generation, id uint64) (*bolt.Bucket, error) {
	if err := w.dropUndo(); err != nil {
		return nil, err
	}
	all, err := w.tx.CreateBucket(bucketUndo)
	if err != nil {
		return nil, err
	}
	if all, err = all.CreateBucket(seqKey(generation)); err != nil {
		return nil, err
	}
	return all.CreateBucket(seqKey(id))
}

// dropUndo gives up what is kept.
func (g *ground) dropUndo() error {
	if g.tx.Bucket(bucketUndo) == nil {
		return nil
	}
	return g.tx.DeleteBucket(bucketUndo)
}

// checkUndo verifies what is kept of removed points.
func (g *ground) checkUndo(out *CheckReport) {
	u := g.lastUndo()
	if u == nil {
		return
	}
	if u.id > g.number(keySeq) {
		out.note("undo %d is after the last change", u.id)
	}
	total := 0
	each(u.points, func(k, v []byte) {
		total += len(k) + len(v)
		p, err := decodeUndo(k, v)
		if err == nil && len(p.payload) > 0 {
			_, err = decodePayload(p.payload[4:])
		}
		if err != nil {
			out.note("undo %d: %v", u.id, err)
		}
	})
	if total > MaxUndoBytes {
		out.note("undo %d takes %d bytes, more than %d", u.id, total, MaxUndoBytes)
	}
}
