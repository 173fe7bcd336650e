package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"

	"github.com/labstack/echo/v4"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

// statusClientGone is nginx's number for a client that hung up; only logs and
// metrics ever see it.
const statusClientGone = 499

// statuses maps errors of the layers below to HTTP. The first match counts.
// Where text is empty the error's own is shown. Whatever is not listed is an
// internal error, whose text is logged and never sent.
var statuses = []struct {
	err    error
	status int
	text   string
}{
	{store.ErrInvalid, http.StatusBadRequest, ""},
	{store.ErrNotFound, http.StatusNotFound, ""},
	{store.ErrExists, http.StatusConflict, ""},
	{store.ErrFitRunning, http.StatusConflict, ""},
	{store.ErrNotFitted, http.StatusBadRequest, ""},
	{store.ErrNoOriginals, http.StatusConflict, ""},
	{store.ErrTooFew, http.StatusBadRequest, ""},
	{store.ErrReadOnly, http.StatusServiceUnavailable, "the database is read only after a failed write"},
	{store.ErrClosed, http.StatusServiceUnavailable, "the database is closed"},
	{store.ErrCorrupt, http.StatusInternalServerError, internalText},
	{store.ErrFormat, http.StatusInternalServerError, internalText},
	{source.ErrSpec, http.StatusBadRequest, ""},
	{source.ErrRecord, http.StatusBadRequest, ""},
	{embed.ErrConfig, http.StatusBadRequest, ""},
	{embed.ErrData, http.StatusBadRequest, ""},
	{syscall.ENOSPC, http.StatusInsufficientStorage, diskFullText},
	{syscall.EDQUOT, http.StatusInsufficientStorage, diskFullText},
	{os.ErrDeadlineExceeded, http.StatusRequestTimeout, "the request's body took too long to come"},
	{context.DeadlineExceeded, http.StatusGatewayTimeout, "the request took longer than the server allows"},
	{context.Canceled, statusClientGone, "the request was cancelled"},
}

const (
	internalText = "internal error"
	diskFullText = "the server's disk is full: nothing of this request was kept"
)

// failure is an error of this package: a status and the text to show.
type failure struct {
	status int
	text   string
}

func (f *failure) Error() string { return f.text }

func fail(status int, format string, args ...any) error {
	return &failure{status, fmt.Sprintf(format, args...)}
}

// errStopping is the answer to what is not waited for any more.
var errStopping = fail(http.StatusServiceUnavailable, "the server is shutting down")

func badRequest(format string, args ...any) error {
	return fail(http.StatusBadRequest, format, args...)
}

// describe gives an error's status and the text that a client may see.
func describe(err error, req *http.Request) (int, string) {
	var (
		own     *failure
		invalid *store.InvalidError
		tooLong *http.MaxBytesError
		routing *echo.HTTPError
	)
	switch {
	case errors.As(err, &own):
		return own.status, own.text
	case errors.As(err, &tooLong):
		return http.StatusRequestEntityTooLarge, fmt.Sprintf("body: has more than %d bytes", tooLong.Limit)
	case errors.As(err, &routing):
		return routing.Code, routingText(routing, req)
	}
	for _, s := range statuses {
		if !errors.Is(err, s.err) {
			continue
		}
		switch {
		case s.text != "":
			return s.status, s.text
		case errors.As(err, &invalid):
			return s.status, invalid.Field + ": " + withoutPackage(invalid.Reason)
		}
		return s.status, withoutPackage(err.Error())
	}
	return http.StatusInternalServerError, internalText
}

// withoutPackage drops the name of the package that an error's text begins
// with, which tells a client nothing.
func withoutPackage(text string) string {
	for _, name := range []string{"store: ", "source: ", "embed: "} {
		text = strings.TrimPrefix(text, name)
	}
	return text
}

func routingText(err *echo.HTTPError, req *http.Request) string {
	switch err.Code {
	case http.StatusNotFound:
		return fmt.Sprintf("Not found: there is no route %s %s", req.Method, req.URL.Path)
	case http.StatusMethodNotAllowed:
		return fmt.Sprintf("method %s is not allowed on %s", req.Method, req.URL.Path)
	}
	return http.StatusText(err.Code)
}

// within puts a place in front of the field that an error of input names.
func within(place string, err error) error {
	if place == "" {
		return err
	}
	var invalid *store.InvalidError
	var own *failure
	switch {
	case errors.As(err, &own) && own.status == http.StatusBadRequest:
		return badRequest("%s.%s", place, own.text)
	case errors.As(err, &invalid):
		return &store.InvalidError{Field: place + "." + invalid.Field, Reason: invalid.Reason, Err: invalid.Err}
	case errors.Is(err, store.ErrNotFound):
		return &placed{place, err}
	}
	return err
}

// placed is an error with the place in the body that it is about.
type placed struct {
	place string
	err   error
}

func (p *placed) Error() string { return p.place + ": " + withoutPackage(p.err.Error()) }
func (p *placed) Unwrap() error { return p.err }
