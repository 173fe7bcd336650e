package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"
)

// startKey is where a request's context keeps the time it came.
const startKey = "start"

// observe answers errors, counts and logs. It is outermost, so that what was
// refused before a route was known counts too.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		c.Set(startKey, start)
		if err := next(c); err != nil {
			s.answerError(err, c)
		}
		status, took := c.Response().Status, time.Since(start)
		route := c.Path()
		if route == "" {
			route = "unmatched"
		}
		s.metrics.request(c.Request().Method, route, status, took)
		level := slog.LevelInfo
		if status >= http.StatusInternalServerError {
			level = slog.LevelError
		}
		s.cfg.Logger.LogAttrs(context.Background(), level, "request",
			slog.String("method", c.Request().Method), slog.String("route", route),
			slog.Int("status", status), slog.Duration("duration", took))
		return nil
	}
}

// recoverPanic turns a panic into an internal error, except for the one value
// by which a handler asks net/http to cut the connection.
func (s *Server) recoverPanic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch cause := recover(); cause {
			case nil:
			case http.ErrAbortHandler:
				panic(cause)
			default:
				s.cfg.Logger.Error("panic", "route", c.Path(), "cause", cause, "stack", string(debug.Stack()))
				err = fmt.Errorf("api: panic: %v", cause)
			}
		}()
		return next(c)
	}
}
