package parquet

import (
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
)

const (
	// maxList is the longest list of a row.
	maxList = 65536
	// batch is how many values are taken from a page at a time.
	batch = 256
)

// cursor reads a column of a row group row by row.
type cursor struct {
	column
	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	buf    [batch]parquet.Value
	at, n  int
}

func (c *cursor) close() {
	if c.page != nil {
		parquet.Release(c.page)
	}
	_ = c.pages.Close() // only ever read
}

// peek is the next value, valid until the one after; io.EOF after the last.
func (c *cursor) peek() (parquet.Value, error) {
	for c.at == c.n {
		if c.values == nil {
			if err := c.nextPage(); err != nil {
				return parquet.Value{}, err
			}
		}
		n, err := c.values.ReadValues(c.buf[:])
		c.at, c.n = 0, n
		switch {
		case err == io.EOF:
			c.values = nil
		case err != nil:
			return parquet.Value{}, err
		case n == 0:
			return parquet.Value{}, io.ErrNoProgress
		}
	}
	return c.buf[c.at], nil
}

func (c *cursor) nextPage() error {
	page, err := c.pages.ReadPage()
	if err != nil {
		return err
	}
	if c.page != nil {
		parquet.Release(c.page)
	}
	c.page, c.values = page, page.Values()
	return nil
}

// next is the column's value in the next row: nil where it is missing, a []any of a
// list. A bad value is told apart from the end of what can be read.
func (c *cursor) next() (v any, bad, err error) {
	first, err := c.peek()
	if err != nil {
		return nil, nil, err
	}
	if first.RepetitionLevel() != 0 {
		return nil, nil, errors.New("a row begins within a list")
	}
	c.at++
	if !c.list {
		if first.DefinitionLevel() < c.optional {
			return nil, nil, nil
		}
		v, bad = c.value(first)
		return v, bad, nil
	}
	var list []any
	for value := first; ; c.at++ {
		if value.DefinitionLevel() == c.optional && bad == nil {
			var item any
			if item, bad = c.value(value); bad == nil && len(list) == maxList {
				bad = fmt.Errorf("a list of more than %d values", maxList)
			}
			if bad == nil {
				list = append(list, item)
			}
		}
		if value, err = c.peek(); err == io.EOF || err == nil && value.RepetitionLevel() == 0 {
			break
		} else if err != nil {
			return nil, nil, err
		}
	}
	if list == nil {
		return nil, bad, nil
	}
	return list, bad, nil
}
