package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/latentdb/latentdb/cmd/latentdb/internal/client"
	"github.com/latentdb/latentdb/cmd/latentdb/internal/progress"
	"github.com/latentdb/latentdb/store/bulk"
)

func (a *app) exportCommand() *cobra.Command {
	var out, format string
	cmd := &cobra.Command{
		Use:   "export COLLECTION",
		Short: "Write all points of a collection to a file that import takes back",
		Long: `Write all points of a collection to a file that import takes back, as JSON lines
or, for a table, as CSV.

A new collection takes vectors and tables back as they are. For images, import
needs --kind image --width W --height H, the size 'latentdb info' shows. For a
CSV it needs --payload-columns, which tells the payload from the record, and it
tells the types of columns and ids by their text. No export holds the model.`,
		Example: `  latentdb export people -o people.jsonl
  latentdb export digits | gzip > digits.jsonl.gz
  latentdb import copy digits.jsonl.gz --kind image --width 28 --height 28`,
		Args: cobra.ExactArgs(1),
		RunE: a.on(func(args []string) (question, error) {
			return func(ctx context.Context, c *client.Client) error {
				return a.export(ctx, c, args[0], out, bulk.Format(format))
			}, oneOf("format", format, string(bulk.JSONL), string(bulk.CSV))
		}),
	}
	cmd.Flags().StringVarP(&out, "out", "o", "-", "file to write; - is standard output")
	cmd.Flags().StringVar(&format, "format", string(bulk.JSONL), "jsonl, or csv for a table")
	a.targetFlags(cmd)
	return cmd
}

func (a *app) export(ctx context.Context, c *client.Client, name, out string, format bulk.Format) error {
	if format == bulk.CSV {
		if err := holds(ctx, c, name, "table", "--format csv writes tables"); err != nil {
			return err
		}
	}
	points, err := c.Stream(ctx, client.Collection(name, "export"))
	if err != nil {
		return err
	}
	defer func() { _ = points.Close() }()
	if out == "-" {
		return a.writeExport(points, a.stdout, format)
	}
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	if err := errors.Join(a.writeExport(points, file, format), file.Close()); err != nil {
		// Half an export must not be taken for a whole one.
		return errors.Join(err, os.Remove(out))
	}
	return nil
}

// writeExport copies JSON lines, or turns them into CSV.
func (a *app) writeExport(points io.Reader, w io.Writer, format bulk.Format) error {
	bar := progress.Start(a.stderr, "export", 0)
	defer bar.Clear()
	buffered := bufio.NewWriterSize(w, 1<<20)
	count := 0
	report := func() {
		count++
		bar.Set(int64(count), fmt.Sprintf("%d points", count))
	}
	write := copyLines
	if format == bulk.CSV {
		write = writeCSV
	}
	if err := errors.Join(write(buffered, points, report), buffered.Flush()); err != nil {
		return err
	}
	bar.Done(fmt.Sprintf("%d points", count))
	return nil
}

// copyLines copies and reports each line.
func copyLines(w io.Writer, points io.Reader, report func()) error {
	lines := bufio.NewReaderSize(points, 1<<20)
	for {
		part, err := lines.ReadSlice('\n')
		if bytes.HasSuffix(part, []byte("\n")) {
			report()
		}
		if _, err := w.Write(part); err != nil {
			return err
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}

// writeCSV writes points as CSV. Its header comes first and has the columns of
// all, so they pass through a temporary file; what no CSV holds is found before
// anything is written.
func writeCSV(w io.Writer, points io.Reader, report func()) (err error) {
	passed, err := os.CreateTemp("", "latentdb-export-*.jsonl")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, passed.Close(), os.Remove(passed.Name())) }()
	opt := bulk.WriterOptions{Format: bulk.CSV}
	err = eachPoint(io.TeeReader(points, passed), func(row bulk.Row) error {
		report()
		return opt.Include(row)
	})
	if errors.Is(err, bulk.ErrRow) {
		return fmt.Errorf("%w; JSON lines (--format jsonl) hold it", err)
	}
	if err != nil {
		return err
	}
	if _, err := passed.Seek(0, io.SeekStart); err != nil {
		return err
	}
	out, err := bulk.NewWriter(w, opt)
	if err != nil {
		return err
	}
	return errors.Join(eachPoint(passed, out.Write), out.Close())
}

// eachPoint calls f with the points of an export.
func eachPoint(points io.Reader, f func(bulk.Row) error) error {
	in, err := bulk.NewReader(points, bulk.Options{Format: bulk.JSONL})
	if err != nil {
		return err
	}
	for row, err := range in.Rows() {
		if err != nil {
			return err
		}
		if err := f(row); err != nil {
			return fmt.Errorf("point %v: %w", row.ID, err)
		}
	}
	return nil
}
