package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
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
		Long: `Write all points of a collection to a file that import takes back. The name of
the file tells the format, and .gz at its end compresses it:

  .jsonl            any points, whole: ids, records and payloads
  .csv              tables, with a column for every key of record and payload
  .parquet          any points, whole, but for lists and objects in a payload
  .npy              vectors alone, without ids and payloads
  .zip, or DIR/     images, recordings and texts: a file each, named by its id,
                    without payloads

A new collection takes vectors and tables back as they are. For images, import
needs --kind image --width W --height H, the size 'latentdb info' shows. For a
CSV it needs --payload-columns, which tells the payload from the record, and it
tells the types of columns and ids by their text. No export holds the model.`,
		Example: `  latentdb export people -o people.csv
  latentdb export digits -o digits.jsonl.gz
  latentdb export digits -o digits/
  latentdb import copy digits.jsonl.gz --kind image --width 28 --height 28`,
		Args: cobra.ExactArgs(1),
		RunE: a.on(func(args []string) (question, error) {
			opt, err := f.settle()
			return func(ctx context.Context, c *client.Client) error {
				return a.export(ctx, c, args[0], f.out, opt)
			}, err
		}),
	}
	cmd.Flags().StringVarP(&f.out, "out", "o", "-", "file to write; - is standard output")
	cmd.Flags().StringVar(&f.format, "format", "", "jsonl, csv, npy, parquet, zip or folder (default: the name of the file tells, else jsonl)")
	a.targetFlags(cmd)
	return cmd
}

// folder is the format of an export into a file for each point.
const folder bulk.Format = "folder"

// exportKinds are the formats of exports, with the kinds of records they hold.
var exportKinds = map[bulk.Format][]string{
	bulk.JSONL:   nil, // any
	bulk.Parquet: nil,
	bulk.CSV:     {"table"},
	bulk.NPY:     {"vector"},
	bulk.Zip:     {"image", "audio", "text"},
	folder:       {"image", "audio", "text"},
}

// fileContents are what files of records are, by the kind of record.
var fileContents = map[string]bulk.Format{"image": bulk.Images, "audio": bulk.Audio, "text": bulk.Texts}

// settle is the format to write: the file's name must not say another than was
// asked for.
func (f exportFlags) settle() (bulk.Format, error) {
	asked, named := bulk.Format(f.format), bulk.FormatOf(f.out)
	if named == bulk.Text {
		named = "" // whatever it holds
	}
	if info, err := os.Stat(f.out); strings.HasSuffix(f.out, "/") || err == nil && info.IsDir() {
		named = folder
	}
	if err := oneOf("format", f.format, string(bulk.JSONL), string(bulk.CSV), string(bulk.NPY), string(bulk.Parquet), string(bulk.Zip), string(folder)); err != nil {
		return "", err
	}
	compressed := strings.EqualFold(filepath.Ext(f.out), ".gz")
	_, written := exportKinds[named]
	switch {
	case named != "" && !written:
		return "", usagef("-o %s: the name says %s, which is not written", f.out, named)
	case named != "" && asked != "" && named != asked:
		return "", usagef("-o %s: the name says %s, --format %s", f.out, named, asked)
	case named == "" && asked == "":
		asked = bulk.JSONL
	case asked == "":
		asked = named
	}
	switch {
	case compressed && (asked == bulk.Zip || asked == bulk.Parquet || asked == folder):
		return "", usagef("-o %s: %s is compressed already", f.out, asked)
	case asked == folder && f.out == "-":
		return "", usagef("--format folder needs -o DIR")
	}
	return asked, nil
}

func (a *app) export(ctx context.Context, c *client.Client, name, out string, format bulk.Format) error {
	var info collectionInfo
	if err := c.Do(ctx, http.MethodGet, client.Collection(name), nil, &info); err != nil {
		return err
	}
	kind := info.kind()
	if kinds := exportKinds[format]; kinds != nil && !slices.Contains(kinds, kind) {
		return usagef("%s holds records of kind %s, and those of %s are of kind %s", format, strings.Join(kinds, ", "), name, kind)
	}
	points, err := c.Stream(ctx, client.Collection(name, "export"))
	if err != nil {
		return err
	}
	defer func() { _ = points.Close() }()
	opt := bulk.WriterOptions{Format: format, Content: fileContents[kind]}
	if format == folder {
		return a.exportFolder(points, out, opt)
	}
	if out == "-" {
		return a.writeExport(points, a.stdout, opt)
	}
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	write := a.writeExport
	if strings.EqualFold(filepath.Ext(out), ".gz") {
		write = a.writeCompressed
	}
	if err := errors.Join(write(points, file, opt), file.Close()); err != nil {
		// Half an export must not be taken for a whole one.
		return errors.Join(err, os.Remove(out))
	}
	return nil
}

func (a *app) writeCompressed(points io.Reader, w io.Writer, opt bulk.WriterOptions) error {
	z := gzip.NewWriter(w)
	return errors.Join(a.writeExport(points, z, opt), z.Close())
}

// exportFolder writes a file for each point. Those that were written before an error
// stay: they are whole.
func (a *app) exportFolder(points io.Reader, dir string, opt bulk.WriterOptions) error {
	out, err := bulk.CreateFolder(dir, opt)
	if err != nil {
		return err
	}
	return a.copied(func(report func()) error {
		return errors.Join(eachPoint(points, func(row bulk.Row) error {
			report()
			return out.Write(row)
		}), out.Close())
	})
}

// writeExport copies JSON lines, or turns them into another format.
func (a *app) writeExport(points io.Reader, w io.Writer, opt bulk.WriterOptions) error {
	buffered := bufio.NewWriterSize(w, 1<<20)
	return a.copied(func(report func()) error {
		var err error
		if opt.Format == bulk.JSONL {
			err = copyLines(buffered, points, report)
		} else {
			err = convert(buffered, points, opt, report)
		}
		return errors.Join(err, buffered.Flush())
	})
}

// copied shows how many points were copied so far.
func (a *app) copied(work func(report func()) error) error {
	bar := progress.Start(a.stderr, "export", 0)
	defer bar.Clear()
	count := 0
	if err := work(func() {
		count++
		bar.Set(int64(count), fmt.Sprintf("%d points", count))
	}); err != nil {
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

// convert writes points in a format that is not JSON lines.
func convert(w io.Writer, points io.Reader, opt bulk.WriterOptions, report func()) error {
	in, err := bulk.NewReader(points, bulk.Options{Format: bulk.JSONL})
	if err != nil {
		return err
	}
	err = bulk.WriteRows(w, opt, func(yield func(bulk.Row, error) bool) {
		for row, err := range in.Rows() {
			report()
			if !yield(row, err) {
				return
			}
		}
	})
	if errors.Is(err, bulk.ErrRow) {
		return fmt.Errorf("%w; JSON lines (--format jsonl) hold it", err)
	}
	return err
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
