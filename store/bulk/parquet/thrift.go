package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Limits of the structures of a file's footer and of its pages' headers, which are
// in Thrift's compact protocol.
const (
	maxDepth   = 32
	maxStructs = 1 << 18 // in lists: columns times row groups, mostly
	maxItems   = 1 << 22 // other items of lists
)

// skim goes over a structure that a library is to decode and finds how long it is. A
// decoder makes room for a list as long as the list says it is, so each has to have
// that many items first.
type skim struct {
	data           []byte
	at             int
	structs, items int
}

// The types of Thrift's compact protocol that are not told apart by their length.
const (
	thriftTrue = iota + 1
	thriftFalse
	thriftByte
	thriftI16
	thriftI32
	thriftI64
	thriftDouble
	thriftBinary
	thriftList
	thriftSet
	thriftMap
	thriftStruct
)

var errThrift = errors.New("is not as Thrift has it")

// structure skims one structure.
func (s *skim) structure(depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("is nested deeper than %d levels", maxDepth)
	}
	for {
		head, err := s.byte()
		if err != nil {
			return err
		}
		if head == 0 {
			return nil
		}
		if head>>4 == 0 { // the field's number follows
			if _, err := s.varint(); err != nil {
				return err
			}
		}
		kind := head & 15
		if kind == thriftTrue || kind == thriftFalse {
			continue // the value of a field is in its type
		}
		if err := s.value(kind, depth); err != nil {
			return err
		}
	}
}

func (s *skim) value(kind byte, depth int) error {
	switch kind {
	case thriftTrue, thriftFalse, thriftByte:
		return s.skip(1)
	case thriftI16, thriftI32, thriftI64:
		_, err := s.varint()
		return err
	case thriftDouble:
		return s.skip(8)
	case thriftBinary:
		n, err := s.varint()
		if err != nil {
			return err
		}
		return s.skip(n)
	case thriftList, thriftSet:
		return s.list(depth)
	case thriftStruct:
		return s.structure(depth + 1)
	}
	return errThrift // no structure of a Parquet file has a map
}

func (s *skim) list(depth int) error {
	head, err := s.byte()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 15 {
		if n, err = s.varint(); err != nil {
			return err
		}
	}
	if n > uint64(len(s.data)-s.at) { // an item takes a byte at least
		return errThrift
	}
	if head&15 == thriftStruct {
		s.structs += int(n)
	} else {
		s.items += int(n)
	}
	if s.structs > maxStructs || s.items > maxItems {
		return fmt.Errorf("has lists of more than %d structures or %d values", maxStructs, maxItems)
	}
	for range n {
		if err := s.value(head&15, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (s *skim) byte() (byte, error) {
	if s.at >= len(s.data) {
		return 0, errThrift
	}
	s.at++
	return s.data[s.at-1], nil
}

func (s *skim) varint() (uint64, error) {
	v, n := binary.Uvarint(s.data[s.at:])
	if n <= 0 {
		return 0, errThrift
	}
	s.at += n
	return v, nil
}

func (s *skim) skip(n uint64) error {
	if n > uint64(len(s.data)-s.at) {
		return errThrift
	}
	s.at += int(n)
	return nil
}
