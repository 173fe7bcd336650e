package bulk

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"strconv"

	"github.com/latentdb/latentdb/embed/source/cells"
)

// MaxFirstID is the largest number that the first row of an import may have:
// no file is long enough for the numbers after it to overflow.
const MaxFirstID = math.MaxInt64

// IDs gives the rows of an import their ids: those that they name, by themselves
// or, as exports do, in a column "id"; or else numbers. The first row decides for
// all, as a number given to one row could be the id that another one names. One
// IDs may serve several files: it numbers on from each to the next.
type IDs struct {
	// First is the number of the first row, at most MaxFirstID.
	First uint64
	// Unnamed is asked once, when the first row turns out to name no id, whether
	// rows may be numbered: its error ends them. Nil means that numbers were
	// asked for.
	Unnamed func() error

	origin idOrigin
	rows   uint64 // so far; a row that cannot be read has its number as well

	header, rest *cells.Header // of the last row of cells, and without the ids
	at           int           // where they stood
}

type idOrigin uint8

const (
	noOrigin idOrigin = iota
	fromRows
	fromNumbers
)

// Rows passes rows on with their ids, each a uint64 or a string. A row whose id
// cannot be one, or comes from elsewhere than those before it, is a *LineError.
func (ids *IDs) Rows(rows iter.Seq2[Row, error]) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for row, err := range rows {
			ids.rows++
			if err == nil {
				row.ID, err = ids.next(&row)
			}
			if !yield(row, err) || err != nil && !isLineError(err) {
				return
			}
		}
	}
}

// next is the id of the row that was counted last.
func (ids *IDs) next(row *Row) (any, error) {
	given, there := ids.take(row)
	id, err := idOf(given)
	if err == nil && id == nil && there && ids.origin == noOrigin && ids.Unnamed != nil {
		err = errors.New("is empty")
	}
	if err != nil {
		return nil, row.Refuse("id: " + err.Error())
	}
	if ids.origin == noOrigin {
		if err := ids.decide(id != nil); err != nil {
			return nil, err
		}
	}
	switch {
	case ids.origin == fromRows && id == nil:
		return nil, row.Refuse("id: is missing, while rows before have one")
	case ids.origin == fromNumbers && id != nil:
		return nil, row.Refuse("id: is there, while rows before have none and are numbered")
	case ids.origin == fromNumbers:
		id = ids.First + ids.rows - 1
	}
	return id, nil
}

func (ids *IDs) decide(named bool) error {
	if named {
		ids.origin = fromRows
		return nil
	}
	ids.origin = fromNumbers
	if ids.Unnamed == nil {
		return nil
	}
	return ids.Unnamed()
}

// take is what a row gives as its id. A column that holds it is no longer part
// of the record.
func (ids *IDs) take(row *Row) (id any, there bool) {
	if row.ID != nil {
		return row.ID, true
	}
	switch record := row.Record.(type) {
	case map[string]any:
		id, there = record["id"]
		delete(record, "id")
	case *cells.Row:
		if at := ids.column(record.Header); at >= 0 {
			id, there = record.Value(at), true
			row.Record = &cells.Row{Header: ids.rest, Line: record.Line, Ends: record.Ends}
		}
	}
	return id, there
}

// column is where the ids stand under a header, -1 if nowhere.
func (ids *IDs) column(header *cells.Header) int {
	if ids.header != header {
		ids.header, ids.rest, ids.at = header, nil, header.Index("id")
		if ids.at >= 0 {
			ids.rest = header.Without(ids.at)
		}
	}
	return ids.at
}

// idOf is the id that a value is, nil if the value is missing. As in the columns
// of a table, a number written 3.0 is the integer 3.
func idOf(v any) (any, error) {
	const exact = 1 << 53 // float64 holds every integer up to it
	switch v := v.(type) {
	case nil:
		return nil, nil
	case uint64:
		return v, nil
	case int64:
		if v >= 0 {
			return uint64(v), nil
		}
	case float64:
		if v == math.Trunc(v) && v >= 0 && v <= exact {
			return uint64(v), nil
		}
	case json.Number:
		if n, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return n, nil
		}
	case string:
		if v == "" {
			return nil, nil
		}
		return v, nil
	}
	return nil, fmt.Errorf("%.40s is neither a whole number from 0 on nor text", fmt.Sprint(v))
}
