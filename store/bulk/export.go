package bulk

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
)

// Plan is what a format has to know of all rows before it can write the first: a
// CSV's columns, the number of an array's rows.
type Plan interface {
	// Include makes room for a row. One that the format cannot hold gives ErrRow.
	Include(row Row) error
	// Writer writes the rows that were included, in their order.
	Writer(w io.Writer) (Writer, error)
}

// plan begins an export; nil where the format has to know nothing of its rows.
func (o WriterOptions) plan() (Plan, error) {
	switch o.Format {
	case JSONL, Zip:
		return nil, nil
	case CSV:
		return &csvPlan{o}, nil
	case NPY:
		return &npyPlan{}, nil
	}
	if c, known := registered(o.Format); known && c.Plan != nil {
		return c.Plan(o), nil
	}
	return nil, fmt.Errorf("%w: format %q cannot be written", ErrOption, o.Format)
}

// Check tells whether the format can be written.
func (o WriterOptions) Check() error {
	_, err := o.plan()
	return err
}

// WriteRows writes all rows to w. Formats that say something of all rows before the
// first (CSV, NPY, Parquet) have them pass through a temporary file, and nothing is
// written before the last row was given and found to fit.
func WriteRows(w io.Writer, opt WriterOptions, rows iter.Seq2[Row, error]) error {
	plan, err := opt.plan()
	if err != nil {
		return err
	}
	if plan == nil {
		out, err := NewWriter(w, opt)
		if err != nil {
			return err
		}
		return writeEach(out, rows)
	}
	passed, err := os.CreateTemp("", "latentdb-export-*.jsonl")
	if err != nil {
		return err
	}
	defer func() {
		_ = passed.Close() // of no more use, written or not
		_ = os.Remove(passed.Name())
	}()
	if err := writeEach(&planned{plan: plan, buffered: bufio.NewWriterSize(passed, 1<<20)}, rows); err != nil {
		return err
	}
	if _, err := passed.Seek(0, io.SeekStart); err != nil {
		return err
	}
	out, err := plan.Writer(w)
	if err != nil {
		return err
	}
	in, err := NewReader(passed, Options{Format: JSONL})
	if err != nil {
		return err
	}
	return writeEach(out, in.Rows())
}

func writeEach(out Writer, rows iter.Seq2[Row, error]) error {
	for row, err := range rows {
		if err == nil {
			err = out.Write(row)
		}
		if errors.Is(err, ErrRow) {
			err = fmt.Errorf("point %v: %w", row.ID, err)
		}
		if err != nil {
			return err
		}
	}
	return out.Close()
}

// planned passes rows on as JSON lines, and shows them to a plan.
type planned struct {
	plan     Plan
	buffered *bufio.Writer
}

func (p *planned) Write(row Row) error {
	if err := p.plan.Include(row); err != nil {
		return err
	}
	return (&jsonlWriter{w: p.buffered}).Write(row)
}

func (p *planned) Close() error { return p.buffered.Flush() }

// csvPlan gathers the columns.
type csvPlan struct{ opt WriterOptions }

func (p *csvPlan) Include(row Row) error              { return p.opt.Include(row) }
func (p *csvPlan) Writer(w io.Writer) (Writer, error) { return NewWriter(w, p.opt) }
