package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/latentdb/latentdb/store"
)

const (
	mimeEvents = "text/event-stream"
	// eventsEvery is how often a stream of events looks for news.
	eventsEvery = 200 * time.Millisecond
	// followedKey is where a request's context keeps the work that is followed.
	followedKey = "followed"
)

// wantsEvents tells whether a client asks for an answer of server-sent events.
func wantsEvents(c echo.Context) bool {
	return strings.Contains(c.Request().Header.Get(echo.HeaderAccept), mimeEvents)
}

// whileWanted is a request's context, which ends with the server as well.
func (s *Server) whileWanted(c echo.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(c.Request().Context())
	detach := context.AfterFunc(s.stopping, cancel)
	return ctx, func() {
		detach()
		cancel()
	}
}

// events is an answer of server-sent events; it begins with the first of them.
type events struct {
	c    echo.Context
	idle time.Duration // a client that takes longer for an event has gone
	last []byte
}

// send sends an event, unless it is the last one again.
func (e *events) send(name string, body any) error {
	data, err := encodeJSON(body)
	if err != nil {
		return err
	}
	var event bytes.Buffer
	if name != "" {
		fmt.Fprintf(&event, "event: %s\n", name)
	}
	fmt.Fprintf(&event, "data: %s\n", data) // which ends its line
	if bytes.Equal(event.Bytes(), e.last) {
		return nil
	}
	e.last = event.Bytes()
	out := e.c.Response()
	if !out.Committed {
		out.Header().Set(echo.HeaderContentType, mimeEvents)
		out.Header().Set(echo.HeaderCacheControl, "no-store")
		out.WriteHeader(http.StatusOK)
	}
	// Answers that go to no connection have no deadline.
	_ = http.NewResponseController(out).SetWriteDeadline(time.Now().Add(e.idle))
	if _, err := out.Write(e.last); err != nil {
		return fmt.Errorf("api: send event: %w", err)
	}
	out.Flush()
	return nil
}

// follow sends what latest gives whenever that has changed, until there is no more to come
// or the end.
func (e *events) follow(end <-chan struct{}, name string, latest func() (body any, more bool)) error {
	tick := time.NewTicker(eventsEvery)
	defer tick.Stop()
	for {
		body, more := latest()
		if err := e.send(name, body); err != nil || !more {
			return err
		}
		select {
		case <-tick.C:
		case <-end:
			return nil
		}
	}
}

// followed is work whose progress is sent while it is done. The sending has a goroutine of
// its own: the work holds locks that a slow client must not hold up.
type followed struct {
	out    *events
	giveUp context.CancelFunc // of the work
	latest atomic.Pointer[store.Progress]
	ended  chan struct{}
	sender sync.WaitGroup
}

// tell is called by the work, one call at a time.
func (f *followed) tell(p store.Progress) {
	if f.latest.Swap(&p) != nil {
		return
	}
	f.sender.Go(func() {
		latest := func() (any, bool) { return f.latest.Load(), true }
		if f.out.follow(f.ended, "progress", latest) != nil {
			f.giveUp()
		}
	})
}

// do does the work. Afterwards, also of a panic, nobody else writes to the answer.
func (f *followed) do(work func() (any, error)) (any, error) {
	defer f.sender.Wait()
	defer close(f.ended)
	return work()
}

// progressOf is what the work of a request tells its progress; nil where nobody follows it.
// From here on the client waits for as long as the work takes, so its body must be read.
func progressOf(c echo.Context) func(store.Progress) {
	f, ok := c.Get(followedKey).(*followed)
	if !ok {
		return nil
	}
	unbounded(c)
	return f.tell
}

// streamed is scoped for a question that may take long: where the client asks for events,
// it gets those of the progress and at last the answer's envelope. What fails before the
// first event is refused as elsewhere, with its status.
func (s *Server) streamed(handle collectionHandler) echo.HandlerFunc {
	plain := s.scoped(handle)
	return func(c echo.Context) error {
		if !wantsEvents(c) {
			return plain(c)
		}
		ctx, cancel := s.whileWanted(c)
		defer cancel()
		c.SetRequest(c.Request().WithContext(ctx))
		work := &followed{out: &events{c: c, idle: s.cfg.Timeout}, giveUp: cancel, ended: make(chan struct{})}
		c.Set(followedKey, work)
		result, err := work.do(func() (any, error) { return s.ask(c, handle) })
		if err == nil {
			return work.out.send("result", successOf(c, result))
		}
		if errors.Is(err, context.Canceled) {
			if s.stopping.Err() == nil {
				return err // nobody is there to be told
			}
			err = errStopping
		}
		if !c.Response().Committed {
			return err
		}
		_, body := s.refuse(err, c)
		return work.out.send("error", body)
	}
}
