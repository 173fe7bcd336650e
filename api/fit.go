package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/store"
)

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
		return errStopping
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
	if !wantsEvents(c) {
		return writeResult(c, http.StatusOK, coll.FitStatus())
	}
	unbounded(c)
	ctx, cancel := s.whileWanted(c)
	defer cancel()
	out := &events{c: c, idle: s.cfg.Timeout}
	return out.follow(ctx.Done(), "", func() (any, bool) {
		status := coll.FitStatus()
		return status, status.State == store.FitRunning
	})
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
