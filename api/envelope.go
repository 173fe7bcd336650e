package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// success and refusal are the two forms of a JSON answer. Time is in seconds.
type success struct {
	Result any     `json:"result"`
	Status string  `json:"status"`
	Time   float64 `json:"time"`
}

type refusal struct {
	Status struct {
		Error string `json:"error"`
	} `json:"status"`
	Time float64 `json:"time"`
}

func writeResult(c echo.Context, status int, result any) error {
	return writeJSON(c, status, successOf(c, result))
}

func successOf(c echo.Context, result any) success {
	return success{Result: result, Status: "ok", Time: elapsed(c)}
}

func elapsed(c echo.Context) float64 {
	start, _ := c.Get(startKey).(time.Time)
	return time.Since(start).Seconds()
}

// writeJSON encodes before it writes: what cannot be encoded must not go out
// as half an answer under status 200.
func writeJSON(c echo.Context, status int, body any) error {
	data, err := encodeJSON(body)
	if err != nil {
		return err
	}
	return c.Blob(status, echo.MIMEApplicationJSON, data)
}

// encodeJSON gives a line of JSON, with its end.
func encodeJSON(body any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		return nil, fmt.Errorf("api: encode answer: %w", err)
	}
	return buf.Bytes(), nil
}

// answerError writes an error in the envelope, unless an answer has begun.
func (s *Server) answerError(err error, c echo.Context) {
	if c.Response().Committed {
		s.cfg.Logger.Warn("answer cut short", "route", c.Path(), "error", err)
		return
	}
	status, body := s.refuse(err, c)
	if c.Request().Method == http.MethodHead {
		_ = c.NoContent(status)
		return
	}
	// An error here means that the client has gone.
	_ = writeJSON(c, status, body)
}

// refuse gives an error's status and envelope, and logs what the client is not told.
func (s *Server) refuse(err error, c echo.Context) (status int, body refusal) {
	status, body.Status.Error = describe(err, c.Request())
	if status >= http.StatusInternalServerError {
		s.cfg.Logger.Error("request failed", "route", c.Path(), "error", err)
	}
	body.Time = elapsed(c)
	return status, body
}
