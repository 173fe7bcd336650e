package store

import (
	"context"
	"fmt"
	"slices"
	"unicode/utf8"

	bolt "go.etcd.io/bbolt"
)

// PayloadKind is the kind of values that a payload index holds, by Qdrant's names.
type PayloadKind string

// The kinds of payload indexes. UUIDs are compared as the text they are.
const (
	KindKeyword PayloadKind = "keyword"
	KindUUID    PayloadKind = "uuid"
	KindInteger PayloadKind = "integer"
	KindFloat   PayloadKind = "float"
	KindBool    PayloadKind = "bool"
)

// Limits of payload indexes.
const (
	// MaxPayloadIndexes is how many a collection may have.
	MaxPayloadIndexes = 64
	// MaxPayloadKeyBytes is the longest an indexed key may be.
	MaxPayloadKeyBytes = 1024
)

// PayloadIndex is a payload key whose values are indexed, so that conditions
// on it need not read payloads. A condition means the same with and without: an
// index answers for the keys spelled exactly like its own, and for values of its
// kind; points that hold others under the key are read.
type PayloadIndex struct {
	// Key is spelled as in a Condition: "a.b" and "a[].b" reach into objects and lists.
	Key string `json:"key"`
	// Kind says which values are indexed: text (KindKeyword, KindUUID), numbers
	// (KindInteger and KindFloat alike) or booleans.
	Kind PayloadKind `json:"kind"`
}

// PayloadIndexInfo describes a payload index as it is now.
type PayloadIndexInfo struct {
	PayloadIndex
	// Points is how many points hold a value of the kind under the key.
	Points int `json:"points"`
	// Ready tells that all points are in it. Until then filters do without.
	Ready bool `json:"ready"`
}

func (k PayloadKind) validate(field string) error {
	switch k {
	case KindKeyword, KindUUID, KindInteger, KindFloat, KindBool:
		return nil
	}
	return invalid(field, "%q is not one of %s, %s, %s, %s, %s", string(k), KindKeyword, KindInteger, KindFloat, KindBool, KindUUID)
}

func (p PayloadIndex) validate(field string) error {
	switch {
	case p.Key == "":
		return invalid(field+".key", "is missing")
	case len(p.Key) > MaxPayloadKeyBytes:
		return invalid(field+".key", "has %d bytes, more than %d", len(p.Key), MaxPayloadKeyBytes)
	case !utf8.ValidString(p.Key):
		return invalid(field+".key", "%.40q is not valid UTF-8", p.Key)
	}
	return p.Kind.validate(field + ".kind")
}

// validatePayloadIndexes checks those of a configuration: a key has one index.
func validatePayloadIndexes(indexes []PayloadIndex) error {
	if n := len(indexes); n > MaxPayloadIndexes {
		return invalid("payload_indexes", "has %d entries, more than %d", n, MaxPayloadIndexes)
	}
	for i, p := range indexes {
		field := fmt.Sprintf("payload_indexes[%d]", i)
		if err := p.validate(field); err != nil {
			return err
		}
		if at := placeOf(indexes, p.Key); at < i {
			return invalid(field+".key", "%q has an index already", p.Key)
		}
	}
	return nil
}

// placeOf is where the index of a key stands; -1 where it has none.
func placeOf(indexes []PayloadIndex, key string) int {
	return slices.IndexFunc(indexes, func(p PayloadIndex) bool { return p.Key == key })
}

// CreatePayloadIndex indexes a payload key from now on. It returns once that is
// durable; the index is made of the points there are in the background, which
// WaitPayloadIndexes waits for, and until then filters read payloads. A key that
// has an index of another kind gets the new one instead. Cost: every payload is
// read once, now and on every open; RAM of some bytes for each value and point.
func (c *Collection) CreatePayloadIndex(ctx context.Context, key string, kind PayloadKind) error {
	p := PayloadIndex{Key: key, Kind: kind}
	if err := p.validate("payload_index"); err != nil {
		return err
	}
	return c.changePayloadIndexes(ctx, func(indexes []PayloadIndex) ([]PayloadIndex, error) {
		if at := placeOf(indexes, key); at >= 0 {
			indexes[at] = p
			return indexes, nil
		}
		if len(indexes) == MaxPayloadIndexes {
			return nil, invalid("payload_index", "a collection has at most %d", MaxPayloadIndexes)
		}
		return append(indexes, p), nil
	})
}

// DeletePayloadIndex gives up the index of a key, and tells whether there was one.
func (c *Collection) DeletePayloadIndex(ctx context.Context, key string) (bool, error) {
	had := false
	err := c.changePayloadIndexes(ctx, func(indexes []PayloadIndex) ([]PayloadIndex, error) {
		at := placeOf(indexes, key)
		if had = at >= 0; had {
			indexes = slices.Delete(indexes, at, at+1)
		}
		return indexes, nil
	})
	return had, err
}

// WaitPayloadIndexes waits until every payload index that there is now is ready.
func (c *Collection) WaitPayloadIndexes(ctx context.Context) error {
	for _, x := range c.payloadIndexes.all() {
		select {
		case <-x.ended:
			if x.err != nil {
				return x.err
			}
		case <-c.stop:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}

// changePayloadIndexes keeps a changed list of indexes in the configuration, and
// follows it. No commit comes between.
func (c *Collection) changePayloadIndexes(ctx context.Context, change func([]PayloadIndex) ([]PayloadIndex, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.configMu.Lock()
	defer c.configMu.Unlock()
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	switch {
	case c.stopped():
		return ErrClosed
	case c.readOnly.Load():
		return ErrReadOnly
	}
	cfg := c.Config()
	changed, err := change(slices.Clone(cfg.PayloadIndexes))
	if err != nil || slices.Equal(changed, cfg.PayloadIndexes) {
		return err
	}
	cfg.PayloadIndexes = changed
	var seq uint64
	if err := c.update(func(tx *bolt.Tx) error {
		g, err := groundOf(tx)
		if err != nil {
			return err
		}
		seq = g.number(keySeq)
		return g.putConfig(cfg)
	}); err != nil {
		return err
	}
	c.config.Store(&cfg)
	c.payloadIndexes.define(changed, seq)
	c.buildPayloadIndexes()
	return nil
}
