package bulk

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxJSONLine bounds a line of JSON. A longer one is skipped as a bad record.
const maxJSONLine = 64 << 20

// pointKeys are all keys that a whole point may have.
var pointKeys = []string{"id", "vector", "record", "payload"}

// jsonlFile reads JSON lines. Its first object decides what all lines are: whole
// points if it has a "vector" or a "record" and no keys but pointKeys, else bare
// objects, which are table records.
type jsonlFile struct {
	lines
	opt   Options
	shape shape
}

type shape uint8

const (
	undecided shape = iota
	wholePoints
	bareObjects
)

func readJSONL(in *bufio.Reader, opt Options) iter.Seq2[Row, error] {
	skipMark(in)
	f := &jsonlFile{lines: lines{in: in, most: maxJSONLine}, opt: opt}
	return eachLine(&f.lines, f.row)
}

func (f *jsonlFile) row(line []byte) (Row, error) {
	if !utf8.Valid(line) {
		return Row{}, f.bad("not UTF-8")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil || fields == nil {
		return Row{}, f.bad("not a JSON object%s", detail(err))
	}
	if f.shape == undecided {
		if err := f.decide(fields); err != nil {
			return Row{}, err
		}
	}
	if f.shape == wholePoints {
		return f.point(fields)
	}
	return f.object(fields)
}

func detail(err error) string {
	if err == nil {
		return ""
	}
	return ": " + strings.TrimPrefix(err.Error(), "json: ")
}

func (f *jsonlFile) decide(fields map[string]json.RawMessage) error {
	f.shape = bareObjects
	if fields["vector"] == nil && fields["record"] == nil {
		return nil
	}
	for key := range fields {
		if !slices.Contains(pointKeys, key) {
			return nil
		}
	}
	f.shape = wholePoints
	if f.opt.ID != "" && f.opt.ID != "id" || f.opt.Record != "" && f.opt.Record != "record" || f.opt.paired() || len(f.opt.Payload) > 0 {
		return fmt.Errorf("%w: the lines are whole points, which name their own id, record and payload", ErrOption)
	}
	return nil
}

// point reads {"id", "vector" or "record", "payload"}.
func (f *jsonlFile) point(fields map[string]json.RawMessage) (Row, error) {
	var row Row
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		raw := fields[key]
		if string(raw) == "null" {
			continue
		}
		var err error
		switch key {
		case "id":
			row.ID, err = parseID(raw)
		case "vector":
			row.Vector, err = parseVector(raw)
		case "record":
			row.Record, err = parseValue(raw)
		case "payload":
			row.Payload, err = parseObject(raw)
		default:
			err = fmt.Errorf("unknown key, a point has: %s", strings.Join(pointKeys, ", "))
		}
		if err != nil {
			return Row{}, f.bad("%q: %s", key, err)
		}
	}
	if (row.Vector == nil) == (row.Record == nil) {
		return Row{}, f.bad(`a point has either "vector" or "record"`)
	}
	return row, nil
}

// object reads a record with its id and payload among the columns.
func (f *jsonlFile) object(fields map[string]json.RawMessage) (Row, error) {
	var row Row
	record := make(map[string]any, len(fields))
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		raw := fields[key]
		role := f.opt.role(key)
		if role == toID {
			id, err := parseID(raw)
			if err != nil {
				return Row{}, f.bad("%q: %s", key, err)
			}
			row.ID = id
			continue
		}
		v, err := parseValue(raw)
		if err != nil {
			return Row{}, f.bad("%q: %s", key, err)
		}
		switch role {
		case toContent:
			if err := row.SetContent(v); err != nil {
				return Row{}, f.bad("%q: %s", key, err)
			}
		case toPayload:
			row.Payload = withKey(row.Payload, key, v)
		default:
			record[f.opt.key(key)] = v
		}
	}
	if f.opt.ID != "" && row.ID == nil {
		return Row{}, f.bad("no id: key %q is missing", f.opt.ID)
	}
	if f.opt.Record == "" {
		row.Record = record
	} else if row.Record == nil && row.Vector == nil {
		return Row{}, f.bad("no record: key %q is missing", f.opt.Record)
	}
	return row, nil
}

func parseID(raw json.RawMessage) (any, error) {
	var s string
	if json.Unmarshal(raw, &s) == nil && raw[0] == '"' {
		if s == "" {
			return nil, errors.New("id is empty")
		}
		return s, nil
	}
	n, err := strconv.ParseUint(string(raw), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("id %.40s is neither a string nor an integer from 0 to %d", raw, uint64(math.MaxUint64))
	}
	return n, nil
}

// parseVector reads a JSON list of numbers, which is known to be valid JSON: no
// element but a number passes ParseFloat, as strings keep their quotes. A string
// is a vector in base64.
func parseVector(raw json.RawMessage) ([]float32, error) {
	if raw[0] == '"' {
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, err
		}
		return DecodeVector(text)
	}
	if raw[0] != '[' {
		return nil, errors.New("neither a list of numbers nor base64")
	}
	list := bytes.TrimSpace(raw[1 : len(raw)-1])
	if len(list) == 0 {
		return nil, errors.New("no dimensions")
	}
	vector := make([]float32, 0, bytes.Count(list, []byte{','})+1)
	for element := range bytes.SplitSeq(list, []byte{','}) {
		x, err := strconv.ParseFloat(string(bytes.TrimSpace(element)), 32)
		if errors.Is(err, strconv.ErrRange) {
			return nil, fmt.Errorf("position %d is beyond the limit of float32 (%g)", len(vector), math.MaxFloat32)
		}
		if err != nil {
			return nil, fmt.Errorf("position %d is not a number", len(vector))
		}
		vector = append(vector, float32(x))
	}
	return vector, nil
}

func parseObject(raw json.RawMessage) (map[string]any, error) {
	v, err := parseValue(raw)
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("not an object")
	}
	return object, nil
}

// parseValue reads any JSON value, integers as int64, other numbers as float64.
// An integer beyond int64 stays a json.Number, which keeps its digits.
func parseValue(raw json.RawMessage) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return plain(v)
}

func plain(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		return plainNumber(v)
	case map[string]any:
		for key, x := range v {
			if v[key], err = plain(x); err != nil {
				return nil, err
			}
		}
	case []any:
		for i, x := range v {
			if v[i], err = plain(x); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func plainNumber(n json.Number) (any, error) {
	if i, err := n.Int64(); err == nil {
		return i, nil
	}
	if !strings.ContainsAny(string(n), ".eE") {
		return n, nil
	}
	f, err := n.Float64()
	if err != nil {
		return nil, fmt.Errorf("number %.40s is beyond the limit of float64", n)
	}
	return f, nil
}
