// Package source turns records into feature rows and back. A record is raw
// content of one kind: a vector, an image, a table row, a text, a
// recording, a pair of two of these. A Spec is what the user
// configures of a kind; a Fitted is what was learned from data (scaling,
// vocabulary, levels) and is part of a generation's hashed model.
//
// The package knows nothing of ids, files, HTTP or indexes.
package source

import (
	"errors"
	"fmt"
	"iter"

	"github.com/latentdb/latentdb/embed"
)

// Errors, wrapped with the field or column and the limit that was passed.
var (
	// ErrSpec is returned for a configuration that cannot work.
	ErrSpec = errors.New("source: bad source configuration")
	// ErrRecord is returned for a record that its source cannot take: wrong
	// dimension, NaN, unknown column or level, unreadable image.
	ErrRecord = errors.New("source: bad record")
	// ErrOneSided is returned by a fit of pairs of which none has one of the sides, though
	// nothing is wrong with any of them. It is an ErrRecord.
	ErrOneSided = fmt.Errorf("%w: no record has this side", ErrRecord)
)

// Spec is the configuration of one kind of source. Implementations are plain
// values (Vector, Image, Table, Text, Audio, Pair) whose exported fields are the REST names.
type Spec interface {
	// Kind is "vector", "image", "table", "text", "audio" or "pair".
	Kind() string
	// Resolve checks the configuration and returns it with what the user left
	// open (a vector's size, an image's channels, a table's columns) decided
	// from the first records. It may be called with no records: then it only
	// checks. Resolving a resolved spec returns it unchanged.
	Resolve(first []any) (Spec, error)
	// Marshal checks one record and returns the bytes that the store keeps.
	// The spec must be resolved.
	Marshal(record any) ([]byte, error)
	// Unmarshal returns the record of stored bytes, in the form users give it:
	// []float32, []byte (an encoded image or recording) or map[string]any.
	Unmarshal(stored []byte) (any, error)
	// Fit learns from stored records what Row needs. It may go through samples
	// more than once.
	Fit(samples iter.Seq2[[]byte, error]) (Fitted, error)
}

// Renewing is a Spec whose records earlier versions stored as other bytes, which
// Unmarshal and Row still read.
type Renewing interface {
	// Renew returns the bytes that Marshal makes today of the record that stored holds.
	Renew(stored []byte) ([]byte, error)
}

// Renewed is what Marshal makes today of the record in stored bytes of any version: equal
// records have equal bytes.
func Renewed(spec Spec, stored []byte) ([]byte, error) {
	if r, ok := spec.(Renewing); ok {
		return r.Renew(stored)
	}
	return stored, nil
}

// Fitted maps stored records to feature rows and decoded rows to records.
// It is immutable and safe for concurrent use.
type Fitted interface {
	// Spec is the resolved spec it was fitted under.
	Spec() Spec
	// Width is the length of a feature row.
	Width() int
	// Layout says how the model decodes and scores each run of features.
	Layout() embed.Layout
	// Row writes the feature row of stored bytes into dst, which has length Width.
	Row(dst []float32, stored []byte) error
	// Record turns a decoded feature row into a record, in the form Unmarshal returns.
	Record(row []float32) (any, error)
	// InputScale gives, per feature, the factor from the row's units to the
	// record's own (a table's standard deviations); nil means 1 everywhere.
	InputScale() []float32
	// Parts names what weight each named part of a record (a dimension, a
	// column, a pixel) has in contributions, which holds one value per feature
	// (a squared error, say). Value and Expected are the part's content in the
	// record's own units, read from row and decoded. Largest Weight first.
	Parts(contributions []float64, row, decoded []float32) []Part
	// MarshalBinary gives bytes that UnmarshalFitted reads; equal states give
	// equal bytes.
	MarshalBinary() ([]byte, error)
}

// Direct is a Fitted that needs no stored form to make the feature row of a new
// record, which saves a search some of its time.
type Direct interface {
	// RowOf writes into dst, which has length Width, what Row writes for the bytes
	// that the spec's Marshal makes of record, or returns the error of either.
	RowOf(dst []float32, record any) error
}

// Exacting is a Fitted whose features say what no others do, as the columns of a table
// and unlike pixels: a latent that drops some of them finds other neighbours.
type Exacting interface{ Exacting() }

// Columned is a Fitted whose features belong to columns that have values of their own: a
// row that takes each column from another row is a row too.
type Columned interface {
	// ColumnStarts is the first feature of each column, and the width at the end.
	ColumnStarts() []int
	// Unnamed are the values of a stored record that its row does not tell, for they share
	// a feature with others of their column: of all of them Record gives the same one.
	Unnamed(stored []byte) ([]ColumnValue, error)
}

// ColumnValue is a value of a record's column, counted from 0.
type ColumnValue struct {
	Column int
	Name   string
	Value  any
}

// Part is one named part of a record and its weight in a sum over features.
type Part struct {
	Name            string
	Value, Expected any
	Weight          float64
}
