package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// streams answers with the events of its path, where events are asked for.
func streams(events map[string]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != mimeEvents {
			w.WriteHeader(http.StatusNotAcceptable)
			return
		}
		w.Header().Set("Content-Type", mimeEvents+"; charset=utf-8")
		_, _ = io.WriteString(w, events[r.URL.Path])
	})
}

func TestFollow(t *testing.T) {
	long := strings.Repeat("x", 1<<17) // more than a reader's buffer
	c := Local(streams(map[string]string{
		"/done": ": a remark\n\nevent: progress\ndata: {\"done\":1}\n\nevent: progress\ndata: {\"done\":2}\n\nevent: later\ndata: {}\n\n" +
			"event: result\ndata: {\"result\":\"" + long + "\",\"status\":\"ok\"}\n\n",
		"/failed": "event: error\ndata: {\"status\":{\"error\":\"too few\"}}\n\n",
		"/cut":    "event: progress\ndata: {\"done\":1}\n\n",
		"/broken": "event: result\ndata: {\"result\":\n\n",
	}))
	var told []string
	follow := func(path string) (result string, err error) {
		told = nil
		err = c.Follow(context.Background(), "POST", path, nil, &result, func(data json.RawMessage) { told = append(told, string(data)) })
		return result, err
	}
	result, err := follow("/done")
	if want := []string{`{"done":1}`, `{"done":2}`}; err != nil || result != long || !slices.Equal(told, want) {
		t.Errorf("%d bytes, %v; told %q, want %q", len(result), err, told, want)
	}
	var refused *Error
	if _, err := follow("/failed"); !errors.As(err, &refused) || refused.Message != "too few" {
		t.Errorf("an error: %v", err)
	}
	if _, err := follow("/cut"); !errors.Is(err, io.ErrUnexpectedEOF) || len(told) != 1 {
		t.Errorf("a stream without a result: %v", err)
	}
	if _, err := follow("/broken"); err == nil {
		t.Error("half a result was taken for one")
	}
}

// A server that knows of no events answers as ever.
func TestFollowWithoutEvents(t *testing.T) {
	both(t, func(t *testing.T, c *Client) {
		var got struct{ C string }
		told := func(data json.RawMessage) { t.Errorf("told %s", data) }
		if err := c.Follow(t.Context(), "POST", Collection("a", "echo"), 1, &got, told); err != nil || got.C != "a" {
			t.Errorf("got %+v, %v", got, err)
		}
		if err := c.Follow(t.Context(), "GET", "/refused", nil, &got, told); !IsStatus(err, http.StatusBadRequest) {
			t.Errorf("a refusal: %v", err)
		}
	})
}

// Of work in this process that had ended all the same, its giver-up gets the result.
func TestGivenUpTooLate(t *testing.T) {
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		c := Local(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			cancel()
			_, _ = io.WriteString(w, `{"result":1}`)
		}))
		var result int
		if err := c.Do(ctx, "POST", "/", nil, &result); err != nil || result != 1 {
			t.Fatalf("%d, %v", result, err)
		}
	}
}

// Who gives up is told that, not what the server makes of it.
func TestGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := Local(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/begun" {
			w.Header().Set("Content-Type", mimeEvents)
			_, _ = io.WriteString(w, "event: progress\ndata: {}\n\n")
		} else {
			w.WriteHeader(499)
			cancel()
		}
		<-r.Context().Done()
	}))
	if err := c.Do(ctx, "POST", "/", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("before an answer: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	err := c.Follow(ctx, "POST", "/begun", nil, nil, func(json.RawMessage) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after a first event: %v", err)
	}
}
