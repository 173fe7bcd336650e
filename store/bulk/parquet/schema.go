package parquet

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/latentdb/latentdb/store/bulk"
)

// column is a leaf of a file's schema that is read.
type column struct {
	name     string
	index    int
	list     bool // of values, else one a row
	binary   bool // not known to be text
	optional int  // the definition level of a value that is there
	role     role
	value    func(parquet.Value) (any, error)
}

type role uint8

const (
	toRecord role = iota // a column of the record
	toPayload
	toID
	toContent // the record itself
)

// columnsOf are the columns of a schema.
func columnsOf(schema *parquet.Schema) ([]column, error) {
	paths := schema.Columns()
	if len(paths) > maxColumns {
		return nil, fmt.Errorf("%w: %d columns, the limit is %d", bulk.ErrFile, len(paths), maxColumns)
	}
	var columns []column
	for _, path := range paths {
		leaf, _ := schema.Lookup(path...)
		c := column{name: nameOf(path, leaf.MaxRepetitionLevel > 0), index: leaf.ColumnIndex, optional: leaf.MaxDefinitionLevel}
		if leaf.MaxRepetitionLevel > 1 || slices.ContainsFunc(columns, func(other column) bool { return other.name == c.name }) {
			return nil, fmt.Errorf("%w: column %q holds lists of lists or of objects, which are not read: write the file without it", bulk.ErrFile, path[0])
		}
		c.list = leaf.MaxRepetitionLevel == 1
		var err error
		if c.value, c.binary, err = valueOf(leaf.Node.Type()); err != nil {
			return nil, fmt.Errorf("%w: column %q: %w", bulk.ErrFile, c.name, err)
		}
		columns = append(columns, c)
	}
	return columns, nil
}

// nameOf is the name of a leaf: its path with dots, of a list the list's own.
func nameOf(path []string, list bool) string {
	if list && len(path) > 1 {
		end := len(path) - 1 // the element
		if end > 1 {
			end-- // and what repeats it
		}
		path = path[:end]
	}
	return strings.Join(path, ".")
}

// valueOf says how values of a type are read: int64, float64, bool, string, []byte.
func valueOf(t parquet.Type) (read func(parquet.Value) (any, error), binary bool, err error) {
	var logical format.LogicalTypeValue
	if l := t.LogicalType(); l != nil {
		logical = l.Value
	}
	switch l := logical.(type) {
	case *format.TimestampType:
		return timestamp(l), false, nil
	case *format.DateType:
		return func(v parquet.Value) (any, error) {
			return time.Unix(int64(v.Int32())*86400, 0).UTC().Format(time.DateOnly), nil
		}, false, nil
	case *format.StringType, *format.EnumType, *format.JsonType:
		return func(v parquet.Value) (any, error) { return text(v.ByteArray()) }, false, nil
	case *format.DecimalType, *format.TimeType, *format.Float16Type, *format.MapType, *format.VariantType:
		return nil, false, fmt.Errorf("values of type %s are not read", l)
	case *format.IntType:
		if !l.IsSigned && l.BitWidth == 64 {
			return func(v parquet.Value) (any, error) { return whole(v.Uint64()), nil }, false, nil
		}
		if !l.IsSigned {
			return func(v parquet.Value) (any, error) { return int64(v.Uint32()), nil }, false, nil
		}
	}
	switch t.Kind() {
	case parquet.Boolean:
		return func(v parquet.Value) (any, error) { return v.Boolean(), nil }, false, nil
	case parquet.Int32:
		return func(v parquet.Value) (any, error) { return int64(v.Int32()), nil }, false, nil
	case parquet.Int64:
		return func(v parquet.Value) (any, error) { return v.Int64(), nil }, false, nil
	case parquet.Float:
		return func(v parquet.Value) (any, error) { return float64(v.Float()), nil }, false, nil
	case parquet.Double:
		return func(v parquet.Value) (any, error) { return v.Double(), nil }, false, nil
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return func(v parquet.Value) (any, error) { return slices.Clone(v.ByteArray()), nil }, true, nil
	}
	return nil, false, fmt.Errorf("values of type %s are not read", t)
}

func timestamp(t *format.TimestampType) func(parquet.Value) (any, error) {
	unit := time.Millisecond
	if t.Unit.Value != nil {
		unit = t.Unit.Value.Duration()
	}
	perSecond := int64(time.Second / unit)
	return func(v parquet.Value) (any, error) {
		n := v.Int64()
		at := time.Unix(n/perSecond, n%perSecond*int64(unit)).UTC()
		return at.Format(time.RFC3339Nano), nil
	}
}

func text(b []byte) (any, error) {
	if !utf8.Valid(b) {
		return nil, errors.New("is not UTF-8")
	}
	return string(b), nil
}

// whole is a number as a payload has it: int64 where it fits, as in JSON.
func whole(n uint64) any {
	if n > math.MaxInt64 {
		return json.Number(strconv.FormatUint(n, 10))
	}
	return int64(n)
}

// layout is what an export says of its columns in the file's metadata, so that an
// import of it needs no options.
type layout struct {
	ID      string   `json:"id,omitempty"`
	Record  string   `json:"record,omitempty"`
	Payload []string `json:"payload,omitempty"`
}

// layoutKey is the key of a layout in a file's metadata.
const layoutKey = "latentdb"

// assign gives every column its role. Where nothing says so, the only list of
// numbers is the vector, or the only binary column the record.
func assign(columns []column, opt bulk.Options, own layout) error {
	if opt.ID == "" && opt.Record == "" && len(opt.Payload) == 0 {
		opt.ID, opt.Record, opt.Payload = own.ID, own.Record, own.Payload
	}
	var names []string
	for _, c := range columns {
		names = append(names, c.name)
	}
	for _, name := range slices.Concat(opt.Payload, []string{opt.ID, opt.Record}) {
		if name != "" && !slices.Contains(names, name) {
			return fmt.Errorf("%w: no column %q, the file has: %s", bulk.ErrOption, name, strings.Join(names, ", "))
		}
	}
	record := opt.Record
	if record == "" {
		var err error
		if record, err = contentAmong(columns, opt.Payload); err != nil {
			return err
		}
	}
	for i := range columns {
		c := &columns[i]
		switch {
		case opt.ID == c.name:
			c.role = toID
		case record == c.name:
			c.role = toContent
		case opt.ID == "" && record != "" && c.name == "id" && !c.list:
			c.role = toID
		case record != "" || slices.Contains(opt.Payload, c.name):
			c.role = toPayload
		}
		if c.binary && c.role != toContent { // writers of old left out that it is text
			c.value = func(v parquet.Value) (any, error) { return text(v.ByteArray()) }
		}
	}
	return nil
}

// contentAmong is the column that is the record itself, "" if the columns together
// are.
func contentAmong(columns []column, payload []string) (string, error) {
	var lists, binaries []string
	for _, c := range columns {
		switch {
		case slices.Contains(payload, c.name):
		case c.list:
			lists = append(lists, c.name)
		case c.binary:
			binaries = append(binaries, c.name)
		}
	}
	switch {
	case len(lists) > 1:
		return "", fmt.Errorf("%w: columns %s are lists: name the one that is the record", bulk.ErrOption, strings.Join(lists, ", "))
	case len(lists) == 1:
		return lists[0], nil
	case len(binaries) == 1:
		return binaries[0], nil
	}
	return "", nil
}
