package source

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Pair is the source of two views of one thing: a sentence and its translation, a product
// in two shops, an image and its caption. Both are encoded into one latent space, so
// either finds the other. A record is a map[string]any with the keys "left" and "right",
// each of them a record of its side's own source. One of them may be missing, its key
// absent or nil, in a point as in a query, but not both.
//
// Until the first fit, which needs records with both sides, a side finds records by the
// same side only.
type Pair struct {
	// Left and Right are the sources of the sides, of any kind but "pair".
	Left, Right Spec
}

// The sides of a pair, in the order of their bytes and features.
const (
	leftSide = iota
	rightSide
)

// sideNames are the keys of a pair's sides.
var sideNames = [2]string{"left", "right"}

// A pair's sides are of the kinds there are: in the list itself, Go would take that for
// a cycle.
func init() { kinds = append(kinds, kind{"pair", plainOf[Pair], parsePair, restorePair}) }

// Kind is "pair".
func (p Pair) Kind() string { return "pair" }

func (p Pair) sides() [2]Spec { return [2]Spec{p.Left, p.Right} }

// MarshalJSON gives "left" and "right", each with its kind.
func (p Pair) MarshalJSON() ([]byte, error) {
	fields := map[string]json.RawMessage{}
	for i, spec := range p.sides() {
		if spec == nil {
			return nil, fmt.Errorf("%w: %s: is missing", ErrSpec, sideNames[i])
		}
		data, err := MarshalSpec(spec)
		if err != nil {
			return nil, ofSide(i, err)
		}
		fields[sideNames[i]] = data
	}
	return json.Marshal(fields)
}

func parsePair(fields []byte) (Spec, error) {
	var in struct {
		Left  json.RawMessage `json:"left"`
		Right json.RawMessage `json:"right"`
	}
	if err := decodeStrict(fields, &in); err != nil {
		return nil, err
	}
	var specs [2]Spec
	for i, data := range []json.RawMessage{in.Left, in.Right} {
		if data == nil {
			return nil, fmt.Errorf("%s: is missing", sideNames[i])
		}
		if err := notNested(data); err != nil {
			return nil, fmt.Errorf("%s: %w", sideNames[i], err)
		}
		var err error
		if specs[i], err = ParseSpec(data); err != nil {
			return nil, fmt.Errorf("%s: %s", sideNames[i], strings.TrimPrefix(err.Error(), ErrSpec.Error()+": "))
		}
	}
	return Pair{specs[leftSide], specs[rightSide]}, nil
}

var errNested = errors.New(`a side of a pair cannot be of kind "pair"`)

// notNested refuses a pair before it is read, so that no depth of them is.
func notNested(spec json.RawMessage) error {
	var in struct {
		Kind any `json:"kind"`
	}
	if json.Unmarshal(spec, &in) == nil && in.Kind == (Pair{}).Kind() {
		return errNested
	}
	return nil
}

// Resolve lets the records of either side decide what its source leaves open.
func (p Pair) Resolve(first []any) (Spec, error) {
	records, err := sidesOf(first)
	if err != nil {
		return nil, err
	}
	out := p.sides()
	for i := range out {
		if out[i] == nil {
			return nil, fmt.Errorf("%w: %s: is missing", ErrSpec, sideNames[i])
		}
		if out[i], err = Plain(out[i]); err == nil && out[i].Kind() == p.Kind() {
			err = fmt.Errorf("%w: %w", ErrSpec, errNested)
		}
		if err == nil {
			out[i], err = out[i].Resolve(records[i])
		}
		if err != nil {
			return nil, ofSide(i, err)
		}
	}
	return Pair{out[leftSide], out[rightSide]}, nil
}

// ofSide says which side an error is of.
func ofSide(side int, err error) error {
	if errors.Is(err, ErrOneSided) {
		return fmt.Errorf("%s: %w", sideNames[side], err)
	}
	for _, kind := range []error{ErrSpec, ErrRecord} {
		if text, ok := strings.CutPrefix(err.Error(), kind.Error()+": "); ok {
			return fmt.Errorf("%w: %s: %s", kind, sideNames[side], text)
		}
	}
	return fmt.Errorf("%s: %w", sideNames[side], err)
}

// sidesOf sorts the sides of records.
func sidesOf(records []any) (out [2][]any, err error) {
	for _, r := range records {
		sides, err := splitPair(r)
		if err != nil {
			return out, err
		}
		for i, side := range sides {
			if side != nil {
				out[i] = append(out[i], side)
			}
		}
	}
	return out, nil
}

// splitPair takes a record apart; a side that is missing is nil.
func splitPair(record any) (sides [2]any, err error) {
	fields, ok := record.(map[string]any)
	if !ok {
		return sides, fmt.Errorf(`%w: got %T, want a record with "left" and "right"`, ErrRecord, record)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		i := slices.Index(sideNames[:], name)
		if i < 0 {
			return sides, fmt.Errorf(`%w: unknown key %q in a pair, want "left" and "right"`, ErrRecord, listed([]string{name}))
		}
		sides[i] = fields[name]
	}
	if sides[leftSide] == nil && sides[rightSide] == nil {
		return sides, fmt.Errorf(`%w: a pair has neither "left" nor "right"`, ErrRecord)
	}
	return sides, nil
}

// The stored bytes of a pair: one byte that tells which sides are there, as a bit each;
// if both, the length of the left one's bytes as a varint; the sides' own bytes.

// Marshal stores the bytes that the sides' own sources store.
func (p Pair) Marshal(record any) ([]byte, error) {
	sides, err := splitPair(record)
	if err != nil {
		return nil, err
	}
	var stored [2][]byte
	var there byte
	for i, spec := range p.sides() {
		if sides[i] == nil {
			continue
		}
		if stored[i], err = spec.Marshal(sides[i]); err != nil {
			return nil, ofSide(i, err)
		}
		there |= 1 << i
	}
	return joinPair(there, stored), nil
}

func joinPair(there byte, sides [2][]byte) []byte {
	out := []byte{there}
	if there == bothSides {
		out = binary.AppendUvarint(out, uint64(len(sides[leftSide])))
	}
	return append(append(out, sides[leftSide]...), sides[rightSide]...)
}

// Renew renews the sides.
func (p Pair) Renew(stored []byte) ([]byte, error) {
	sides, err := cutPair(stored)
	if err != nil {
		return nil, err
	}
	for i, spec := range p.sides() {
		if sides[i] == nil {
			continue
		}
		if sides[i], err = Renewed(spec, sides[i]); err != nil {
			return nil, ofSide(i, err)
		}
	}
	return joinPair(stored[0], sides), nil
}

// bothSides is the first stored byte of a pair with both sides.
const bothSides = 1<<leftSide | 1<<rightSide

// cutPair takes stored bytes apart; a side that is missing is nil, any other is not. What
// it takes is only what Marshal writes.
func cutPair(stored []byte) (sides [2][]byte, err error) {
	bad := func(why string) error { return fmt.Errorf("%w: stored pair %s", ErrRecord, why) }
	if len(stored) == 0 {
		return sides, bad("is empty")
	}
	there, rest := stored[0], stored[1:]
	switch {
	case there == 0 || there > bothSides:
		return sides, bad(fmt.Sprintf("begins with byte %d", there))
	case there != bothSides:
		sides[there>>1] = rest[:len(rest):len(rest)]
		return sides, nil
	}
	n, size := binary.Uvarint(rest)
	if size <= 0 || size > 1 && rest[size-1] == 0 || n > uint64(len(rest)-size) {
		return sides, bad("has no length of its left side")
	}
	rest = rest[size:]
	sides[leftSide], sides[rightSide] = rest[:n:n], rest[n:]
	return sides, nil
}

// Unmarshal returns a map[string]any with the sides that are there.
func (p Pair) Unmarshal(stored []byte) (any, error) {
	sides, err := cutPair(stored)
	if err != nil {
		return nil, err
	}
	record := map[string]any{}
	for i, spec := range p.sides() {
		if sides[i] == nil {
			continue
		}
		if record[sideNames[i]], err = spec.Unmarshal(sides[i]); err != nil {
			return nil, ofSide(i, err)
		}
	}
	return record, nil
}
