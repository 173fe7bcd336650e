package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// server answers as LatentDB does: envelopes, and plain text where a key is
// refused.
func server() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /collections/{c}/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, `{"result":{"c":%q,"body":%s,"key":%q,"type":%q},"status":"ok","time":0}`,
			r.PathValue("c"), body, r.Header.Get("api-key"), r.Header.Get("Content-Type"))
	})
	mux.HandleFunc("GET /refused", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"status":{"error":"limit: is 0"},"time":0}`)
	})
	mux.HandleFunc("GET /plain", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "Invalid API key")
	})
	mux.HandleFunc("GET /empty", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /stream", func(w http.ResponseWriter, _ *http.Request) {
		for i := range 1000 {
			_, _ = fmt.Fprintf(w, "line %d\n", i)
		}
	})
	mux.HandleFunc("GET /cut", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	return mux
}

// both runs a test against a server on a socket and against the handler itself.
func both(t *testing.T, test func(t *testing.T, c *Client)) {
	t.Run("remote", func(t *testing.T) {
		s := httptest.NewServer(server())
		defer s.Close()
		c, err := New(s.URL+"/", "secret")
		if err != nil {
			t.Fatal(err)
		}
		test(t, c)
	})
	t.Run("local", func(t *testing.T) {
		c := Local(server())
		c.key = "secret"
		test(t, c)
	})
}

func TestDo(t *testing.T) {
	both(t, func(t *testing.T, c *Client) {
		var got struct {
			C, Key, Type string
			Body         json.RawMessage
		}
		err := c.Do(context.Background(), "POST", Collection("a/b c", "echo"), map[string]int{"x": 1}, &got)
		if err != nil {
			t.Fatal(err)
		}
		if got.C != "a/b c" || string(got.Body) != `{"x":1}` || got.Key != "secret" || got.Type != "application/json" {
			t.Errorf("the server saw %+v", got)
		}
	})
}

func TestBody(t *testing.T) {
	both(t, func(t *testing.T, c *Client) {
		var got struct {
			Type string
			Body int
		}
		err := c.Do(context.Background(), "POST", Collection("a", "echo"), Body{"text/csv", []byte("17")}, &got)
		if err != nil || got.Type != "text/csv" || got.Body != 17 {
			t.Errorf("the server saw %+v, error %v", got, err)
		}
	})
}

func TestRefusals(t *testing.T) {
	both(t, func(t *testing.T, c *Client) {
		for path, want := range map[string]Error{
			"/refused": {400, "limit: is 0"},
			"/plain":   {401, "Invalid API key (HTTP 401)"},
		} {
			err := c.Do(context.Background(), "GET", path, nil, nil)
			var got *Error
			if !errors.As(err, &got) || *got != want {
				t.Errorf("%s: %v, want %v", path, err, want)
			}
			if !IsStatus(err, want.Status) || IsStatus(err, 500) {
				t.Errorf("%s: IsStatus is wrong about %v", path, err)
			}
		}
		var result any
		if err := c.Do(context.Background(), "GET", "/empty", nil, &result); err == nil {
			t.Error("an empty answer was taken for a result")
		}
	})
}

func TestStream(t *testing.T) {
	both(t, func(t *testing.T, c *Client) {
		body, err := c.Stream(context.Background(), "/stream")
		if err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(body)
		if err != nil || strings.Count(string(all), "\n") != 1000 {
			t.Errorf("%d bytes, error %v", len(all), err)
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
		if body, err = c.Stream(context.Background(), "/stream"); err != nil {
			t.Fatal(err)
		}
		if err := body.Close(); err != nil {
			t.Errorf("closing a stream that was not read: %v", err)
		}
	})
}

func TestAnswerCutShortIsAnError(t *testing.T) {
	both(t, func(t *testing.T, c *Client) {
		body, err := c.Stream(context.Background(), "/cut")
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		if all, err := io.ReadAll(body); err == nil {
			t.Errorf("%q was taken for the whole answer", all)
		}
	})
}

func TestEndedContext(t *testing.T) {
	both(t, func(t *testing.T, c *Client) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := c.Do(ctx, "GET", "/refused", nil, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", err)
		}
	})
}

func TestNewRefusesWhatIsNoAddress(t *testing.T) {
	for _, base := range []string{"", "ftp://host", "http://", "::", "http:/host", "host name"} {
		if _, err := New(base, ""); err == nil {
			t.Errorf("%q was taken for an address", base)
		}
	}
}

func TestAddress(t *testing.T) {
	for given, want := range map[string]string{
		"127.0.0.1:6333": "http://127.0.0.1:6333", "localhost": "http://localhost", "[::1]:6333": "http://[::1]:6333",
		"http://host/": "http://host", "https://host:1/under/": "https://host:1/under",
	} {
		if got, err := Address(given); got != want || err != nil {
			t.Errorf("Address(%s) = %s, %v, want %s", given, got, err, want)
		}
	}
}
