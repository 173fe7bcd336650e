package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latentdb/latentdb/cmd/latentdb/internal/client"
	"github.com/latentdb/latentdb/cmd/latentdb/internal/progress"
	"github.com/latentdb/latentdb/store/bulk"
)

// exportFlags are an export as it is typed.
type exportFlags struct {
	out, format string
}

func (a *app) exportCommand() *cobra.Command {
	var f exportFlags
	cmd := &cobra.Command{
		Use:   "export COLLECTION",
		Short: "Write all points of a collection to a file that import takes back",
		Long: `Write all points of a collection to a file that import takes back, as JSON lines
or, for a table, as CSV with a column for every key of record and payload. The
name of the file tells which, and .gz at its end compresses it.

A new collection takes vectors and tables back as they are. For images, import
needs --kind image --width W --height H, the size 'latentdb info' shows. For a
CSV it needs --payload-columns, which tells the payload from the record, and it
tells the types of columns and ids by their text. No export holds the model.`,
		Example: `  latentdb export people -o people.csv
  latentdb export digits -o digits.jsonl.gz
  latentdb import copy digits.jsonl.gz --kind image --width 28 --height 28`,
		Args: cobra.ExactArgs(1),
		RunE: a.on(func(args []string) (question, error) {
			format, err := f.settle()
			return func(ctx context.Context, c *client.Client) error {
				return a.export(ctx, c, args[0], f.out, format)
			}, err
		}),
	}
	cmd.Flags().StringVarP(&f.out, "out", "o", "-", "file to write; - is standard output")
	cmd.Flags().StringVar(&f.format, "format", "", "jsonl, or csv for a table (default: the name of the file tells, else jsonl)")
	a.targetFlags(cmd)
	return cmd
}

// settle is the format to write: the file's name must not say another than was
// asked for.
func (f exportFlags) settle() (bulk.Format, error) {
	asked, named := bulk.Format(f.format), bulk.FormatOf(f.out)
	if err := oneOf("format", f.format, string(bulk.JSONL), string(bulk.CSV)); err != nil {
		return "", err
	}
	switch {
	case named != "" && named != bulk.JSONL && named != bulk.CSV:
		return "", usagef("-o %s: the name says %s; an export is %s or %s", f.out, named, bulk.JSONL, bulk.CSV)
	case named != "" && asked != "" && named != asked:
		return "", usagef("-o %s: the name says %s, --format %s", f.out, named, asked)
	case asked != "":
		return asked, nil
	case named != "":
		return named, nil
	}
	return bulk.JSONL, nil
}

func (a *app) export(ctx context.Context, c *client.Client, name, out string, format bulk.Format) error {
	if format == bulk.CSV {
		if err := holds(ctx, c, name, "CSV holds tables", "table"); err != nil {
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
	write := a.writeExport
	if strings.EqualFold(filepath.Ext(out), ".gz") {
		write = a.writeCompressed
	}
	if err := errors.Join(write(points, file, format), file.Close()); err != nil {
		// Half an export must not be taken for a whole one.
		return errors.Join(err, os.Remove(out))
	}
	return nil
}

func (a *app) writeCompressed(points io.Reader, w io.Writer, format bulk.Format) error {
	z := gzip.NewWriter(w)
	return errors.Join(a.writeExport(points, z, format), z.Close())
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
