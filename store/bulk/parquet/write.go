package parquet

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/parquet-go/parquet-go"

	"github.com/latentdb/latentdb/store/bulk"
)

const (
	// groupRows and groupBytes bound a row group, all of which is held in memory.
	groupRows  = 1 << 16
	groupBytes = 64 << 20
)

// kind is the type of a written column: the narrowest that holds all its values.
type kind uint8

const (
	noKind kind = iota // only missing values so far
	boolKind
	intKind
	floatKind
	textKind
)

// plan gathers the columns of an export. A table has one for every key of records and
// payloads; else the record is the column "vector" or "record".
type plan struct {
	opt             bulk.WriterOptions
	rows            int
	content         string // the column of the record itself, "" for a table
	numbers, texts  bool   // ids there are
	record, payload map[string]kind
}

func newPlan(opt bulk.WriterOptions) bulk.Plan {
	return &plan{opt: opt, record: map[string]kind{}, payload: map[string]kind{}}
}

func (p *plan) Include(row bulk.Row) error {
	content := "record"
	if len(row.Vector) > 0 {
		content = "vector"
	}
	columns, isTable := row.Columns()
	if isTable {
		content = ""
	}
	if p.rows > 0 && content != p.content {
		return fmt.Errorf("%w: records of different kinds", bulk.ErrRow)
	}
	p.content = content
	p.rows++
	switch row.ID.(type) {
	case uint64:
		p.numbers = true
	case string:
		p.texts = true
	default:
		return fmt.Errorf("%w: id %v is not a number or text", bulk.ErrRow, row.ID)
	}
	if p.numbers && p.texts {
		return fmt.Errorf("%w: ids that are numbers and ids that are text do not share a column", bulk.ErrRow)
	}
	if err := widen(p.record, columns); err != nil {
		return err
	}
	return widen(p.payload, row.Payload)
}

// widen makes room for values in columns.
func widen(columns map[string]kind, values map[string]any) error {
	for name, v := range values {
		seen, was := noKind, columns[name]
		switch v := v.(type) {
		case nil:
		case bool:
			seen = boolKind
		case int64:
			seen = intKind
		case float64, json.Number:
			seen = floatKind
		case string:
			seen = textKind
		default:
			return fmt.Errorf("%w: column %q: a %T does not fit a column", bulk.ErrRow, name, v)
		}
		switch {
		case seen == noKind || seen == was:
			seen = was
		case was == noKind, was == intKind && seen == floatKind:
		case was == floatKind && seen == intKind:
			seen = floatKind
		default:
			seen = textKind // what there is, as JSON writes it
		}
		columns[name] = seen
	}
	return nil
}

// written is a column as it is written.
type written struct {
	name  string
	index int
	kind  kind
}

func (p *plan) Writer(w io.Writer) (bulk.Writer, error) {
	own := layout{ID: "id", Record: p.content, Payload: slices.Sorted(maps.Keys(p.payload))}
	group := parquet.Group{"id": parquet.Uint(64)}
	if p.texts {
		group["id"] = parquet.String()
	}
	switch {
	case p.content == "vector":
		group["vector"] = parquet.List(parquet.Leaf(parquet.FloatType))
	case p.content != "" && p.opt.Content == bulk.Texts:
		group["record"] = parquet.String()
	case p.content != "":
		group["record"] = parquet.Leaf(parquet.ByteArrayType)
	}
	for _, columns := range []map[string]kind{p.record, p.payload} {
		for name, k := range columns {
			if name == "" || group[name] != nil {
				return nil, fmt.Errorf("%w: Parquet column %q has no name or is there twice", bulk.ErrRow, name)
			}
			group[name] = parquet.Optional(nodeOf(k))
		}
	}
	schema := parquet.NewSchema("points", group)
	told, err := json.Marshal(own)
	if err != nil {
		return nil, err
	}
	out := &writer{
		w:      parquet.NewGenericWriter[any](w, schema, parquet.Compression(&parquet.Zstd), parquet.KeyValueMetadata(layoutKey, string(told))),
		asText: p.opt.Content == bulk.Texts,
		record: indexed(schema, p.record), payload: indexed(schema, p.payload),
		id: indexOf(schema, "id"), content: -1,
	}
	if p.content == "vector" {
		out.content = indexOf(schema, "vector", "list", "element")
	} else if p.content != "" {
		out.content = indexOf(schema, p.content)
	}
	return out, nil
}

func nodeOf(k kind) parquet.Node {
	switch k {
	case boolKind:
		return parquet.Leaf(parquet.BooleanType)
	case intKind:
		return parquet.Leaf(parquet.Int64Type)
	case floatKind:
		return parquet.Leaf(parquet.DoubleType)
	}
	return parquet.String()
}

func indexOf(schema *parquet.Schema, path ...string) int {
	leaf, _ := schema.Lookup(path...)
	return leaf.ColumnIndex
}

func indexed(schema *parquet.Schema, columns map[string]kind) []written {
	var out []written
	for name, k := range columns {
		out = append(out, written{name, indexOf(schema, name), k})
	}
	return out
}

type writer struct {
	w               *parquet.GenericWriter[any]
	asText          bool
	id, content     int
	record, payload []written
	rows, bytes     int // of the row group so far
	row             parquet.Row
}

func (w *writer) Write(row bulk.Row) error {
	w.row = w.row[:0]
	id := parquet.ValueOf(row.ID)
	if n, isNumber := row.ID.(uint64); isNumber {
		id = parquet.Int64Value(int64(n)) // the same bits
	}
	w.row = append(w.row, id.Level(0, 0, w.id))
	if w.content >= 0 {
		if err := w.addContent(row); err != nil {
			return fmt.Errorf("%w: %w", bulk.ErrRow, err)
		}
	}
	columns, _ := row.Columns()
	if err := w.add(w.record, columns); err != nil {
		return err
	}
	if err := w.add(w.payload, row.Payload); err != nil {
		return err
	}
	slices.SortStableFunc(w.row, func(a, b parquet.Value) int { return a.Column() - b.Column() })
	if _, err := w.w.WriteRows([]parquet.Row{w.row}); err != nil {
		return err
	}
	w.rows++
	for _, v := range w.row {
		if w.bytes += 8; v.Kind() == parquet.ByteArray {
			w.bytes += len(v.ByteArray())
		}
	}
	if w.rows < groupRows && w.bytes < groupBytes {
		return nil
	}
	w.rows, w.bytes = 0, 0
	return w.w.Flush()
}

func (w *writer) addContent(row bulk.Row) error {
	for i, x := range row.Vector {
		w.row = append(w.row, parquet.FloatValue(x).Level(min(i, 1), 1, w.content))
	}
	if len(row.Vector) > 0 {
		return nil
	}
	data, isBytes := row.Record.([]byte)
	if text, isText := row.Record.(string); isText {
		var err error
		if data = []byte(text); !w.asText {
			data, err = base64.StdEncoding.DecodeString(text)
		}
		if err != nil {
			return err
		}
	} else if !isBytes {
		return fmt.Errorf("a %T does not fit a column", row.Record)
	}
	w.row = append(w.row, parquet.ByteArrayValue(data).Level(0, 0, w.content))
	return nil
}

// add appends the values of some columns, missing ones as null.
func (w *writer) add(columns []written, values map[string]any) error {
	for _, c := range columns {
		v := values[c.name]
		if v == nil {
			w.row = append(w.row, parquet.NullValue().Level(0, 0, c.index))
			continue
		}
		value, err := c.value(v)
		if err != nil {
			return fmt.Errorf("%w: column %q: %w", bulk.ErrRow, c.name, err)
		}
		w.row = append(w.row, value.Level(0, 1, c.index))
	}
	return nil
}

func (c written) value(v any) (parquet.Value, error) {
	if c.kind == floatKind {
		switch n := v.(type) {
		case int64:
			v = float64(n)
		case json.Number:
			f, err := n.Float64()
			if err != nil {
				return parquet.Value{}, err
			}
			v = f
		}
	}
	if _, isText := v.(string); c.kind == textKind && !isText {
		told, err := json.Marshal(v)
		if err != nil {
			return parquet.Value{}, err
		}
		v = string(told)
	}
	return parquet.ValueOf(v), nil
}

func (w *writer) Close() error { return w.w.Close() }
