package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
)

const mimeEvents = "text/event-stream"

// Follow is Do for work that takes a while: told gets the progress, where the server sends
// it as events before the result. If ctx ends first the server gives the work up; the
// result of work that had ended all the same is read where it comes.
func (c *Client) Follow(ctx context.Context, method, path string, body, result any, told func(json.RawMessage)) error {
	answer, err := c.send(ctx, method, path, body, mimeEvents)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if media, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); media != mimeEvents {
		return about(method, path, readResult(answer.Body, result))
	}
	err = readEvents(answer.Body, result, told)
	var refused *Error
	switch {
	case err == nil || errors.As(err, &refused):
		return err
	case ctx.Err() != nil:
		return ctx.Err() // and so the answer was cut short
	}
	return about(method, path, err)
}

// readEvents reads a stream of events up to its result or error.
func readEvents(stream io.Reader, result any, told func(json.RawMessage)) error {
	lines := bufio.NewReader(stream)
	name := ""
	for {
		line, err := lines.ReadBytes('\n') // however long a result is
		if err == io.EOF {
			err = fmt.Errorf("it has no result: %w", io.ErrUnexpectedEOF)
		}
		if err != nil {
			return err
		}
		field, value, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(": "))
		switch {
		case string(field) == "event":
			name = string(value)
		case string(field) != "data":
		case name == "progress":
			told(value)
		case name == "result":
			return readResult(bytes.NewReader(value), result)
		case name == "error":
			return &Error{Message: reason(0, value)}
		}
	}
}
