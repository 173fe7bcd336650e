package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/store"
)

// progressEvery is how often a stream of fit events looks for news.
const progressEvery = 200 * time.Millisecond

type fitBody struct {
	Dim     dim           `json:"dim"`
	Encoder embed.Encoder `json:"encoder"`
	Epochs  *int          `json:"epochs"`
	Seed    uint64        `json:"seed"`
	// FineTune goes on from the active generation's network.
	FineTune bool  `json:"fine_tune"`
	Wait     *bool `json:"wait"`
}

func (b fitBody) options() (*store.FitOptions, error) {
	opts := &store.FitOptions{Dim: b.Dim.size, AutoDim: b.Dim.auto, Encoder: b.Encoder, Seed: b.Seed, FineTune: b.FineTune}
	if b.Epochs != nil {
		if *b.Epochs < 1 {
			return nil, badRequest("epochs: is %d; it must be at least 1", *b.Epochs)
		}
		opts.Epochs = *b.Epochs
	}
	return opts, nil
}

// startFit answers at once unless it is asked to wait. A fit that is waited
// for goes on when the client hangs up; only DELETE or a shutdown ends it.
func (s *Server) startFit(c echo.Context) error {
	coll, err := s.collection(c)
	if err != nil {
		return err
	}
	var body fitBody
	if err := readStrict(c, &body); err != nil {
		return err
	}
	waiting, err := waits(c, body.Wait, false)
	if err != nil {
		return err
	}
	opts, err := body.options()
	if err != nil {
		return err
	}
	if !waiting {
		generation, err := coll.StartFit(opts)
		if err != nil {
			return err
		}
		return writeResult(c, http.StatusAccepted, writtenResult{OperationID: generation, Status: "acknowledged"})
	}
	unbounded(c)
	report, err := coll.Fit(s.stopping, opts)
	switch {
	case s.stopping.Err() != nil:
		return fail(http.StatusServiceUnavailable, "the server is shutting down")
	case errors.Is(err, context.Canceled):
		return fail(http.StatusConflict, "the fit was cancelled")
	case err != nil:
		return err
	}
	return writeResult(c, http.StatusOK, object{"status": "completed", "generation": report.Generation, "quality": report})
}

// fitStatus answers once in JSON, or with server-sent events until the fit ends.
func (s *Server) fitStatus(c echo.Context) error {
	coll, err := s.collection(c)
	if err != nil {
		return err
	}
	if !strings.Contains(c.Request().Header.Get(echo.HeaderAccept), "text/event-stream") {
		return writeResult(c, http.StatusOK, coll.FitStatus())
	}
	unbounded(c)
	c.Response().Header().Set(echo.HeaderContentType, "text/event-stream")
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	c.Response().WriteHeader(http.StatusOK)
	return s.streamFit(c, coll)
}

// streamFit sends the status whenever it has changed. The last event is the
// state in which the fit ended.
func (s *Server) streamFit(c echo.Context, coll *store.Collection) error {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	var last []byte
	for {
		status := coll.FitStatus()
		data, err := json.Marshal(status)
		if err != nil {
			return err
		}
		if string(data) != string(last) {
			if _, err := fmt.Fprintf(c.Response(), "data: %s\n\n", data); err != nil {
				return nil // the client has gone
			}
			c.Response().Flush()
			last = data
		}
		if status.State != store.FitRunning {
			return nil
		}
		select {
		case <-tick.C:
		case <-c.Request().Context().Done():
			return nil
		case <-s.stopping.Done():
			return nil
		}
	}
}

// unbounded lifts the deadlines of a connection whose answer takes as long as
// the work does.
func unbounded(c echo.Context) {
	conn := http.NewResponseController(c.Response())
	// Writers that are no connection have no deadlines to lift.
	_ = conn.SetReadDeadline(time.Time{})
	_ = conn.SetWriteDeadline(time.Time{})
}

// cancelFit tells whether there was a fit to cancel.
func cancelFit(_ echo.Context, coll *store.Collection) (any, error) {
	return coll.CancelFit(), nil
}

func listModels(c echo.Context, coll *store.Collection) (any, error) {
	models, err := coll.Models(c.Request().Context())
	if models == nil {
		models = []store.ModelInfo{}
	}
	return models, err
}

func activateModel(c echo.Context, coll *store.Collection) (any, error) {
	generation, err := strconv.ParseUint(c.Param("generation"), 10, 64)
	if err != nil {
		return nil, badRequest("generation: %q is not a whole number", c.Param("generation"))
	}
	return true, coll.Activate(c.Request().Context(), generation)
}

// mapOf is the points in two dimensions.
func mapOf(c echo.Context, coll *store.Collection) (any, error) {
	limit := store.DefaultMapPoints
	if text := c.QueryParam("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, badRequest("limit: %q is not a whole number", text)
		}
		if limit, err = limitOf("limit", &n, 0); err != nil {
			return nil, err
		}
	}
	return coll.Map(c.Request().Context(), limit)
}
