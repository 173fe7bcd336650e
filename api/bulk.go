package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/latentdb/latentdb/store"
	"github.com/latentdb/latentdb/store/bulk"
)

const (
	// importBatch is how many points of an import become one change when the
	// request does not say, maxImportBatch the most it may say.
	importBatch    = 500
	maxImportBatch = 10_000
	// maxBatchBytes is how large encoded records may be together before a batch that
	// is not full is stored.
	maxBatchBytes = 64 << 20
	// maxImportErrors bounds the list of an import's errors, not their count.
	maxImportErrors = 100
	// jsonLines is the content type of exports.
	jsonLines   = "application/x-ndjson"
	parquetFile = "application/vnd.apache.parquet"
	zipFile     = "application/zip"
)

// importFormats are the content types of imports.
var importFormats = map[string]bulk.Format{
	jsonLines:               bulk.JSONL,
	"application/jsonl":     bulk.JSONL,
	"application/jsonlines": bulk.JSONL,
	"application/json":      bulk.JSONL,
	"text/csv":              bulk.CSV,
	"application/csv":       bulk.CSV,
	"text/plain":            bulk.Text,
	parquetFile:             bulk.Parquet,
	zipFile:                 bulk.Zip,
	"application/x-tar":     bulk.Tar,
}

// importPoints reads points from a stream. What cannot be taken is counted and
// listed with its line; everything else is stored, in batches, so that an
// import that breaks off leaves what came before.
func (s *Server) importPoints(c echo.Context, coll *store.Collection) (any, error) {
	media, _, _ := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
	format, ok := importFormats[media]
	if !ok {
		return nil, fail(http.StatusUnsupportedMediaType,
			"Content-Type %q is not supported: send %s, text/csv, text/plain, %s, %s or application/x-tar", media, jsonLines, parquetFile, zipFile)
	}
	ids, err := importIDs(c, coll)
	if err != nil {
		return nil, err
	}
	size, err := importBatchSize(c)
	if err != nil {
		return nil, err
	}
	opt := bulk.Options{
		Format: format, ID: c.QueryParam("id"), Payload: names(c.QueryParam("payload")), Record: c.QueryParam("record"),
		Left: c.QueryParam("left"), Right: c.QueryParam("right"), Cells: true,
	}
	if format == bulk.CSV {
		opt.Text = names(c.QueryParam("text"))
	}
	unbounded(c)
	reader, err := openBody(&patient{c.Request().Body, http.NewResponseController(c.Response()), s.cfg.Timeout}, opt)
	if err != nil {
		return nil, importError(err, 0)
	}
	defer reader.Close()
	imp := importer{coll: coll, kind: kindOf(coll), size: size, result: importResult{Errors: []lineError{}}}
	if err := imp.read(c.Request().Context(), ids.Rows(reader.Rows())); err != nil {
		return nil, importError(err, imp.result.Imported)
	}
	slices.SortFunc(imp.result.Errors, func(a, b lineError) int { return a.Line - b.Line })
	return imp.result, nil
}

// importIDs says where the ids of an import come from. Rows without ids must not
// replace points unasked.
func importIDs(c echo.Context, coll *store.Collection) (*bulk.IDs, error) {
	if !c.QueryParams().Has("first_id") {
		return &bulk.IDs{First: 1, Unnamed: func() error {
			held, err := coll.Count(c.Request().Context(), nil)
			if err == nil && held > 0 {
				err = badRequest("import: the collection holds %d points and the rows have no ids: "+
					"name the column that has them with ?id=COLUMN, or number the rows from N on with ?first_id=N", held)
			}
			return err
		}}, nil
	}
	if c.QueryParam("id") != "" {
		return nil, badRequest("first_id: give either first_id or id: rows with ids of their own are not numbered")
	}
	text := c.QueryParam("first_id")
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > bulk.MaxFirstID {
		return nil, badRequest("first_id: is %q; it must be a whole number from 0 to %d", text, uint64(bulk.MaxFirstID))
	}
	return &bulk.IDs{First: n}, nil
}

// importBatchSize is how many points become one change.
func importBatchSize(c echo.Context) (int, error) {
	if !c.QueryParams().Has("batch") {
		return importBatch, nil
	}
	text := c.QueryParam("batch")
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxImportBatch {
		return 0, badRequest("batch: is %q; it must be 1 to %d", text, maxImportBatch)
	}
	return n, nil
}

// names splits a list in a query string.
func names(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// importError words what broke an import off.
func importError(err error, imported int) error {
	stalled := errors.Is(err, os.ErrDeadlineExceeded)
	if !stalled && (errors.Is(err, bulk.ErrFile) || errors.Is(err, bulk.ErrOption)) {
		text := strings.TrimPrefix(err.Error(), "bulk: ")
		return badRequest("import: %s (%d points were imported before)", text, imported)
	}
	return err
}

type importResult struct {
	Imported int         `json:"imported"`
	Failed   int         `json:"failed"`
	Errors   []lineError `json:"errors"`
}

type lineError struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

// importer collects rows and stores them batch by batch.
type importer struct {
	coll   *store.Collection
	kind   string
	size   int // of batches
	result importResult
	batch  []pending
	bytes  int // of its encoded records
}

// pending is a point and the line it comes from.
type pending struct {
	store.Point
	line int
}

func (im *importer) read(ctx context.Context, rows iter.Seq2[bulk.Row, error]) error {
	for row, err := range rows {
		var p store.Point
		if err == nil {
			p, err = im.point(row)
		}
		var bad *bulk.LineError
		if errors.As(err, &bad) {
			im.refuse(bad.Line, bad.Reason)
			continue
		}
		if err != nil {
			return errors.Join(im.flush(ctx), err)
		}
		if err := im.add(ctx, p, row.Line); err != nil {
			return err
		}
	}
	return im.flush(ctx)
}

// add puts what a row holds into the batch, and the batch into the collection when full.
func (im *importer) add(ctx context.Context, p store.Point, line int) error {
	for part, err := range windowsOf(im.coll.Config().Source, p) {
		if err != nil {
			im.refuse(line, "record: "+withoutPackage(err.Error()))
			return nil
		}
		im.batch = append(im.batch, pending{part, line})
		if encoded, ok := part.Record.([]byte); ok {
			im.bytes += len(encoded)
		}
		if len(im.batch) == im.size || im.bytes > maxBatchBytes {
			if err := im.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func (im *importer) refuse(line int, reason string) {
	im.result.Failed++
	if len(im.result.Errors) < maxImportErrors {
		im.result.Errors = append(im.result.Errors, lineError{line, reason})
	}
}

// point makes a point of a row.
func (im *importer) point(row bulk.Row) (store.Point, error) {
	p := store.Point{Vector: row.Vector, Record: row.Record, Payload: row.Payload}
	switch id := row.ID.(type) {
	case uint64:
		p.ID = store.NumID(id)
	case string:
		p.ID = store.ParseID(id)
	}
	if row.Vector != nil && im.kind != "vector" {
		return p, row.Refuse(fmt.Sprintf("vector: this collection takes records of kind %s, not vectors", im.kind))
	}
	if row.Record != nil {
		var err error
		if p.Record, err = asRecord(im.kind, "record", row.Record); err != nil {
			return p, row.Refuse(err.Error())
		}
	}
	return p, nil
}

func (im *importer) flush(ctx context.Context) error {
	batch := im.batch
	im.batch, im.bytes = im.batch[:0], 0
	return im.store(ctx, batch)
}

// store upserts points. Those that a batch is refused for are taken out, and the
// others are tried again together: parts of it would let the first part alone
// decide what the source leaves open.
func (im *importer) store(ctx context.Context, batch []pending) error {
	sifted := false
	for len(batch) > 0 {
		refused, err := im.upsert(ctx, batch)
		if refused == nil {
			return err
		}
		at, reason := blamed(refused)
		if at < 0 && len(batch) > 1 {
			// The model refuses it, so there is nothing left to decide.
			half := len(batch) / 2
			if err := im.store(ctx, batch[:half]); err != nil {
				return err
			}
			batch = batch[half:]
			continue
		}
		at = max(at, 0)
		im.refuse(batch[at].line, reason)
		if batch = slices.Delete(batch, at, at+1); !sifted {
			batch, sifted = im.sift(batch), true
		}
	}
	return nil
}

// upsert stores points and counts them; refused tells why they are bad input.
func (im *importer) upsert(ctx context.Context, batch []pending) (refused, err error) {
	if len(batch) == 0 {
		return nil, nil
	}
	points := make([]store.Point, len(batch))
	for i, p := range batch {
		points[i] = p.Point
	}
	err = im.coll.Upsert(ctx, points...)
	if err == nil {
		im.result.Imported += len(batch)
		return nil, nil
	}
	if status, _ := describe(err, nil); status == http.StatusBadRequest {
		return err, nil
	}
	return nil, err
}

// sift takes out the points whose records the source would not take alone, in one
// pass over however many they are.
func (im *importer) sift(batch []pending) []pending {
	spec := im.coll.Config().Source
	return slices.DeleteFunc(batch, func(p pending) bool {
		field, record := "record", p.Record
		if p.Vector != nil {
			field, record = "vector", p.Vector
		}
		alone, err := spec.Resolve([]any{record})
		if err == nil {
			_, err = alone.Marshal(record)
		}
		if err != nil {
			im.refuse(p.line, field+": "+withoutPackage(err.Error()))
		}
		return err != nil
	})
}

// blamed is the place in its batch of the point that a refusal names, -1 if it
// names none, and the reason without the place.
func blamed(refused error) (at int, reason string) {
	_, text := describe(refused, nil)
	if _, err := fmt.Sscanf(text, "points[%d]", &at); err != nil {
		return -1, strings.TrimPrefix(text, "points: ")
	}
	_, reason, _ = strings.Cut(text, "]")
	return at, strings.TrimLeft(reason, ".: ")
}

// patient is a body that may come as slowly as it likes while it keeps coming.
type patient struct {
	io.Reader
	conn *http.ResponseController
	idle time.Duration
}

func (p *patient) Read(buf []byte) (int, error) {
	// Bodies that come from no connection have no deadline.
	_ = p.conn.SetReadDeadline(time.Now().Add(p.idle))
	return p.Reader.Read(buf)
}
