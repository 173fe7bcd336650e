package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
)

// MaxIDBytes is the longest a string id may be.
const MaxIDBytes = 1024

type idKind uint8

const (
	idNone idKind = iota
	idNum
	idUUID
	idString
)

// ID names a point: a number, a UUID or a string. The three never equal each
// other: number 7 and string "7" are different points. The zero ID names
// nothing. IDs are comparable and may be map keys.
//
// Order, which is also scroll's, is numbers, then UUIDs, then strings, each
// ascending.
type ID struct {
	kind idKind
	num  uint64
	text string // the string, or the UUID's 16 bytes
}

// NumID is the id of a number.
func NumID(n uint64) ID { return ID{kind: idNum, num: n} }

// StringID is the id of a string, taken as it is: 1 to MaxIDBytes bytes of UTF-8.
func StringID(s string) ID { return ID{kind: idString, text: s} }

// UUID is the id of a UUID's 16 bytes.
func UUID(u [16]byte) ID { return ID{kind: idUUID, text: string(u[:])} }

// ParseID reads an id as REST and the CLI write it: text in one of UUID's
// forms is a UUID, any other text is a string. Numbers come through NumID.
func ParseID(s string) ID {
	// Only the forms that databases print; uuid.Parse alone would take any
	// 38-character text that looks braced.
	if len(s) == 36 || len(s) == 32 || (len(s) == 45 && strings.HasPrefix(s, "urn:uuid:")) {
		if u, err := uuid.Parse(s); err == nil {
			return UUID(u)
		}
	}
	return StringID(s)
}

// IsZero tells whether the id names nothing.
func (id ID) IsZero() bool { return id.kind == idNone }

// String is the id as people read it; a number and a string of its digits look alike.
func (id ID) String() string {
	switch id.kind {
	case idNum:
		return strconv.FormatUint(id.num, 10)
	case idUUID:
		return uuid.UUID([]byte(id.text)).String()
	default:
		return id.text
	}
}

// Value is the id as a uint64, a hyphenated UUID string, or a string.
func (id ID) Value() any {
	if id.kind == idNum {
		return id.num
	}
	return id.String()
}

// Compare orders ids as scroll does: -1, 0 or 1.
func (id ID) Compare(other ID) int {
	if c := cmp.Compare(id.kind, other.kind); c != 0 {
		return c
	}
	if id.kind == idNum {
		return cmp.Compare(id.num, other.num)
	}
	return strings.Compare(id.text, other.text)
}

func (id ID) validate(field string) error {
	switch {
	case id.kind == idNone, id.kind == idString && id.text == "":
		return invalid(field, "is missing: give a number, a UUID or a string")
	case id.kind == idString && len(id.text) > MaxIDBytes:
		return invalid(field, "has %d bytes, more than %d", len(id.text), MaxIDBytes)
	case id.kind == idString && !utf8.ValidString(id.text):
		return invalid(field, "is not valid UTF-8")
	}
	return nil
}

// key is the id as a bbolt key; byte order is Compare's order.
func (id ID) key() []byte {
	if id.kind == idNum {
		return binary.BigEndian.AppendUint64([]byte{byte(idNum)}, id.num)
	}
	return append([]byte{byte(id.kind)}, id.text...)
}

func idOfKey(key []byte) (ID, error) {
	if len(key) < 2 {
		return ID{}, fmt.Errorf("%w: id key of %d bytes", ErrCorrupt, len(key))
	}
	switch k, rest := idKind(key[0]), key[1:]; {
	case k == idNum && len(rest) == 8:
		return NumID(binary.BigEndian.Uint64(rest)), nil
	case k == idUUID && len(rest) == 16, k == idString:
		return ID{kind: k, text: string(rest)}, nil
	}
	return ID{}, fmt.Errorf("%w: id key %x", ErrCorrupt, key)
}

// MarshalJSON writes a number, or a string (a UUID hyphenated).
func (id ID) MarshalJSON() ([]byte, error) { return json.Marshal(id.Value()) }

// UnmarshalJSON reads a whole number from 0 to 2^64-1, or a string as ParseID does.
func (id *ID) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	if len(data) > 0 && data[0] == '"' {
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		*id = ParseID(s)
		return id.validate("id")
	}
	n, err := strconv.ParseUint(string(data), 10, 64)
	if err != nil {
		return invalid("id", "%s is neither a whole number from 0 to 2^64-1 nor a string", data)
	}
	*id = NumID(n)
	return nil
}
