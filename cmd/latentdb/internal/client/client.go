// Package client speaks LatentDB's REST dialect, to a server elsewhere or to a
// handler in this process, so that a program is written once for both.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxReason bounds what is read of an answer that refuses.
const maxReason = 1 << 20

// Client sends requests and opens the envelope of their answers. It is safe
// for concurrent use.
type Client struct {
	base string
	key  string
	http http.Client
}

// New is a client of the server at an address. The key may be empty.
func New(address, key string) (*Client, error) {
	base, err := Address(address)
	if err != nil {
		return nil, err
	}
	return &Client{base: base, key: key}, nil
}

// Address is the URL of a server that is given as an http or https URL, or as
// HOST or HOST:PORT, which is http.
func Address(given string) (string, error) {
	base := given
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || strings.HasSuffix(u.Host, ":") {
		return "", fmt.Errorf("%q is not an address like http://127.0.0.1:6333", given)
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}

// Local is a client of a handler in this process: nothing listens, and no
// request leaves it.
func Local(h http.Handler) *Client {
	return &Client{base: "http://local", http: http.Client{Transport: handlerTransport{h}}}
}

// Error is an answer that says the request failed.
type Error struct {
	// Status is the HTTP status; 0 of what failed after the answer had begun.
	Status int
	// Message is the server's reason.
	Message string
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// IsStatus tells whether err is an answer with this HTTP status.
func IsStatus(err error, status int) bool {
	var answer *Error
	return errors.As(err, &answer) && answer.Status == status
}

// Collection is the path of a collection and what is below it.
func Collection(name string, below ...string) string {
	return "/collections/" + strings.Join(append([]string{url.PathEscape(name)}, below...), "/")
}

// Body is a request's body that is not JSON.
type Body struct {
	Type string // its Content-Type
	Data []byte
}

// Do sends body, a Body or what becomes JSON (none if nil), and reads the answer's result into
// result (dropped if nil). A *json.RawMessage takes it as it came.
func (c *Client) Do(ctx context.Context, method, path string, body, result any) error {
	answer, err := c.send(ctx, method, path, body, "")
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	return about(method, path, readResult(answer.Body, result))
}

// about says what request an error is about.
func about(method, path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("answer to %s %s: %w", method, path, err)
}

// readResult opens the envelope of an answer.
func readResult(answer io.Reader, result any) error {
	data, err := io.ReadAll(answer)
	if err != nil || result == nil {
		return err
	}
	var envelope struct{ Result json.RawMessage }
	if err := json.Unmarshal(data, &envelope); err != nil {
		return err
	}
	return json.Unmarshal(envelope.Result, result)
}

// Stream reads an answer that has no envelope. The caller closes it; an answer
// cut short ends in an error.
func (c *Client) Stream(ctx context.Context, path string) (io.ReadCloser, error) {
	answer, err := c.send(ctx, http.MethodGet, path, nil, "")
	if err != nil {
		return nil, err
	}
	return answer.Body, nil
}

// send gives an answer that says the request succeeded, its body to be read; accept is
// the media type to ask for, if any.
func (c *Client) send(ctx context.Context, method, path string, body any, accept string) (*http.Response, error) {
	req, err := c.request(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	if err := ctx.Err(); err != nil {
		return nil, err // which is why, whatever the server says of it
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxReason))
	return nil, errors.Join(&Error{Status: resp.StatusCode, Message: reason(resp.StatusCode, text)}, err)
}

func (c *Client) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	content, given := body.(Body)
	if body != nil && !given {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = Body{"application/json", data}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(content.Data))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", content.Type)
	}
	if c.key != "" {
		req.Header.Set("api-key", c.key)
	}
	return req, nil
}

// reason is the server's own text where it gave one: the envelope's error, or
// the plain text of a refused key.
func reason(status int, data []byte) string {
	var envelope struct{ Status struct{ Error string } }
	if json.Unmarshal(data, &envelope) == nil && envelope.Status.Error != "" {
		return envelope.Status.Error
	}
	text := strings.TrimSpace(string(data))
	if text == "" || len(text) > 200 {
		text = http.StatusText(status)
	}
	return fmt.Sprintf("%s (HTTP %d)", text, status)
}
