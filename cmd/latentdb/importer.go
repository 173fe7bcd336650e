package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"

	"github.com/latentdb/latentdb/cmd/latentdb/internal/client"
	"github.com/latentdb/latentdb/cmd/latentdb/internal/progress"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store/bulk"
)

// Failures that are kept, and of them those that are printed.
const (
	keptFailures    = 1000
	printedFailures = 10
	// batchBytes is how long the records of a batch may be together before it is
	// sent, full or not.
	batchBytes = 32 << 20
)

// importResult is what came of an import.
type importResult struct {
	Imported int `json:"imported"`
	Failed   int `json:"failed"`
	// Skipped are those that --resume found in the collection.
	Skipped int             `json:"skipped,omitempty"`
	Errors  []importFailure `json:"errors"`
}

type importFailure struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

// importer moves rows of files into a collection, a batch at a time. The server's
// own import takes them, so that what is refused, and why, is the same for both.
type importer struct {
	flags  importFlags
	client *client.Client
	name   string

	file   string      // the one being read
	format bulk.Format // of it
	ids    *bulk.IDs
	ready  bool // the collection is there
	made   bool // and was not before
	result importResult

	batch []bulk.Row   // ids of its rows, and where they stand
	ends  []int        // where each row ends in lines
	lines bytes.Buffer // the rows, as an import takes them
	out   bulk.Writer  // to lines
}

func (a *app) importFiles(ctx context.Context, c *client.Client, name string, files []string, f importFlags) error {
	im, err := newImporter(ctx, c, name, f)
	if err != nil {
		return err
	}
	if err := im.agree(ctx); err != nil {
		return err
	}
	for _, in := range f.inputs(files) {
		if err := im.readFile(ctx, a, in); err != nil {
			if ctx.Err() != nil {
				a.notef("%d points were imported; the same command with --resume goes on", im.result.Imported)
			}
			return fmt.Errorf("%s: %w (%d points were imported)", in.name, err, im.result.Imported)
		}
	}
	if err := a.printImport(name, im.result); err != nil {
		return err
	}
	if im.made && im.result.Imported > 0 && !a.json {
		if err := a.tellColumns(ctx, c, name); err != nil {
			return err
		}
	}
	switch {
	case im.result.Imported == 0 && im.result.Skipped == 0:
		return errors.New("nothing was imported")
	case f.fit:
		return a.fit(ctx, c, name, fitOptions{})
	}
	info, err := waitShed(ctx, c, name)
	if err == nil && !(info.dropsOriginals() && info.Latent.Generation > 0) {
		a.notef("next: latentdb fit %s", name)
	}
	return err
}

func newImporter(ctx context.Context, c *client.Client, name string, f importFlags) (*importer, error) {
	im := &importer{flags: f, client: c, name: name, result: importResult{Errors: []importFailure{}}}
	im.ids = &bulk.IDs{First: f.firstID}
	if !f.given("first-id") && !f.resume {
		im.ids.Unnamed = func() error { return im.mayNumber(ctx) }
	}
	var err error
	im.out, err = bulk.NewWriter(&im.lines, bulk.WriterOptions{Format: bulk.JSONL})
	return im, err
}

func (im *importer) readFile(ctx context.Context, a *app, in input) error {
	im.file = in.name
	r, err := in.open()
	if errors.Is(err, bulk.ErrOption) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	im.format = r.Format()
	_, size := r.Progress()
	bar := progress.Start(a.stderr, "import", size)
	defer bar.Clear()
	for row, err := range im.ids.Rows(r.Rows()) {
		var bad *bulk.LineError
		if errors.As(err, &bad) {
			if err := im.fail(bad); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return errors.Join(err, im.flush(ctx))
		}
		if err := im.add(ctx, row); err != nil {
			return err
		}
		read, _ := r.Progress()
		bar.Set(read, fmt.Sprintf("%d points", im.result.Imported))
	}
	return im.flush(ctx)
}

// mayNumber refuses to number points among others that they might replace.
func (im *importer) mayNumber(ctx context.Context) error {
	held, _, err := im.held(ctx)
	if err == nil && held > 0 {
		err = fmt.Errorf("%s holds %d points and the file names no ids: --id-column names them, --first-id N numbers them from N on and replaces what has the number, --resume goes on with an import of the same files",
			im.name, held)
	}
	return err
}

// add puts a row into the batch, and the batch into the collection when full.
func (im *importer) add(ctx context.Context, row bulk.Row) error {
	if !im.ready {
		var err error
		if im.made, err = im.ensureCollection(ctx, row); err != nil {
			return err
		}
		im.ready = true
	}
	if reason := notNumbers(row.Vector); reason != "" {
		return im.fail(row.Refuse(reason))
	}
	if err := im.out.Write(row); err != nil {
		return im.fail(row.Refuse(err.Error()))
	}
	im.batch = append(im.batch, bulk.Row{Line: row.Line, File: row.File, ID: row.ID})
	im.ends = append(im.ends, im.lines.Len())
	if len(im.batch) < im.flags.batch && im.lines.Len() < batchBytes {
		return nil
	}
	return im.flush(ctx)
}

// notNumbers says which value of a vector JSON cannot hold; "" if there is none.
func notNumbers(vector []float32) string {
	for i, x := range vector {
		if v := float64(x); math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Sprintf("vector[%d]: is %v, not a number", i, x)
		}
	}
	return ""
}

// flush puts the batch into the collection. Where nothing of the first batch
// was taken, nothing of the others would be.
func (im *importer) flush(ctx context.Context) error {
	full := len(im.batch) == im.flags.batch
	if im.flags.resume {
		if err := im.leaveOut(ctx); err != nil {
			return err
		}
	}
	batch := im.batch
	defer func() {
		im.batch, im.ends = im.batch[:0], im.ends[:0]
		im.lines.Reset()
	}()
	if len(batch) == 0 {
		return nil
	}
	taken, err := im.send(ctx)
	if err != nil {
		return err
	}
	im.result.Imported += taken.Imported
	im.result.Failed += taken.Failed - len(taken.Errors) // those that are only counted
	for _, e := range taken.Errors {
		if e.Line < 1 || e.Line > len(batch) {
			return fmt.Errorf("the server refuses line %d of %d: %s", e.Line, len(batch), e.Reason)
		}
		if err := im.fail(batch[e.Line-1].Refuse(e.Reason)); err != nil {
			return err
		}
	}
	if im.result.Imported+im.result.Skipped == 0 && full && len(batch) > 1 {
		return fmt.Errorf("none of the first %d records was taken: line %d: %s", len(batch),
			im.result.Errors[0].Line, im.result.Errors[0].Reason)
	}
	return nil
}

// send has the server import the batch.
func (im *importer) send(ctx context.Context) (taken importResult, err error) {
	path := fmt.Sprintf("%s?batch=%d", client.Collection(im.name, "import"), im.flags.batch)
	err = im.client.Do(ctx, http.MethodPost, path, client.Body{Type: "application/x-ndjson", Data: im.lines.Bytes()}, &taken)
	return taken, err
}

// fail notes a record that cannot be taken. Its error ends the import.
func (im *importer) fail(bad *bulk.LineError) error {
	im.result.Failed++
	if len(im.result.Errors) < keptFailures {
		im.result.Errors = append(im.result.Errors, importFailure{im.file, bad.Line, bad.Reason})
	}
	if im.flags.most >= 0 && im.result.Failed > im.flags.most {
		return fmt.Errorf("more than %d records failed: line %d: %s", im.flags.most, bad.Line, bad.Reason)
	}
	return nil
}

func (a *app) printImport(name string, r importResult) error {
	if a.json {
		return a.printJSON(r)
	}
	for _, f := range r.Errors[:min(printedFailures, len(r.Errors))] {
		a.notef("%s, line %d: %s", f.File, f.Line, f.Reason)
	}
	if more := r.Failed - printedFailures; more > 0 {
		a.notef("and %d more", more)
	}
	there := ""
	if r.Skipped > 0 {
		there = fmt.Sprintf(", %d were there", r.Skipped)
	}
	return a.printf("%d points imported into %s, %d failed%s\n", r.Imported, name, r.Failed, there)
}

// tellColumns says what the columns of a new table were taken for, while it is
// easy to begin again.
func (a *app) tellColumns(ctx context.Context, c *client.Client, name string) error {
	const most = 50
	var info collectionInfo
	if err := c.Do(ctx, http.MethodGet, client.Collection(name), nil, &info); err != nil {
		return err
	}
	var spec struct {
		Columns []source.Column `json:"columns"`
	}
	if err := json.Unmarshal(info.Latent.Source, &spec); err != nil || len(spec.Columns) == 0 {
		return err
	}
	var texts []string
	for _, column := range spec.Columns[:min(most, len(spec.Columns))] {
		texts = append(texts, fmt.Sprintf("%s %s", column.Name, column.Type))
	}
	if more := len(spec.Columns) - most; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	a.notef("columns: %s", strings.Join(texts, ", "))
	return nil
}
