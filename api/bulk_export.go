package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/latentdb/latentdb/store"
	"github.com/latentdb/latentdb/store/bulk"
)

// exportFormats are the formats of exports, with their content types and the kinds of
// records they hold; nil are all.
var exportFormats = map[string]struct {
	format bulk.Format
	media  string
	kinds  []string
}{
	"":        {bulk.JSONL, jsonLines, nil},
	"jsonl":   {bulk.JSONL, jsonLines, nil},
	"parquet": {bulk.Parquet, parquetFile, nil},
	"csv":     {bulk.CSV, "text/csv", []string{"table"}},
	"npy":     {bulk.NPY, "application/octet-stream", []string{"vector"}},
	"zip":     {bulk.Zip, zipFile, []string{"image", "audio", "text"}},
}

// fileContents are what files of records are, by the kind of record.
var fileContents = map[string]bulk.Format{"image": bulk.Images, "audio": bulk.Audio, "text": bulk.Texts}

// export streams all points, by default as JSON lines, that an import takes back. An
// error on the way cuts the connection, so that no client takes half for the whole.
func (s *Server) export(c echo.Context) error {
	coll, err := s.collection(c)
	if err != nil {
		return err
	}
	opt, media, err := exportAs(c.QueryParam("format"), kindOf(coll))
	if err != nil {
		return err
	}
	unbounded(c)
	c.Response().Header().Set(echo.HeaderContentType, media)
	out := &sending{Writer: c.Response(), conn: http.NewResponseController(c.Response()), idle: s.cfg.Timeout}
	err = bulk.WriteRows(out, opt, func(yield func(bulk.Row, error) bool) {
		q := store.ScrollQuery{With: store.With{Payload: true, Vector: isVector(coll), Record: !isVector(coll)}}
		for p, err := range coll.Scroll(c.Request().Context(), q) {
			if !yield(bulk.Row{ID: p.ID.Value(), Vector: p.Vector, Record: p.Record, Payload: p.Payload}, err) {
				return
			}
		}
	})
	switch {
	case err == nil && !c.Response().Committed:
		c.Response().WriteHeader(http.StatusOK)
		return nil
	case err == nil:
		return nil
	case !c.Response().Committed:
		c.Response().Header().Del(echo.HeaderContentType)
		if errors.Is(err, bulk.ErrRow) {
			return badRequest("export: %s", strings.TrimPrefix(err.Error(), "bulk: "))
		}
		return err
	case !out.failed && !errors.Is(err, context.Canceled): // else it is the client's own doing
		s.cfg.Logger.Error("export cut short", "error", err)
	}
	panic(http.ErrAbortHandler)
}

// exportAs is the format of a name, for records of a kind.
func exportAs(name, kind string) (opt bulk.WriterOptions, media string, err error) {
	f, known := exportFormats[name]
	if !known {
		return opt, "", badRequest("format: is %q; it must be jsonl, csv, parquet, npy or zip", name)
	}
	if f.kinds != nil && !slices.Contains(f.kinds, kind) {
		return opt, "", badRequest("format: %s holds records of kind %s, and these are of kind %s", name, strings.Join(f.kinds, ", "), kind)
	}
	opt = bulk.WriterOptions{Format: f.format, Content: fileContents[kind]}
	if opt.Check() != nil {
		return opt, "", badRequest("format: %s is not part of this server", name)
	}
	return opt, f.media, nil
}

// sending is an answer that may take as long as it likes while it is taken.
type sending struct {
	io.Writer
	conn   *http.ResponseController
	idle   time.Duration
	since  int // bytes since the deadline was set
	failed bool
}

func (w *sending) Write(p []byte) (int, error) {
	const often = 256 << 10
	if w.since == 0 || w.since > often {
		// Answers that go to no connection have no deadline.
		_ = w.conn.SetWriteDeadline(time.Now().Add(w.idle))
		w.since = 0
	}
	n, err := w.Writer.Write(p)
	w.since += n
	w.failed = w.failed || err != nil
	return n, err
}
