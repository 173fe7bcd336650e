package client

import (
	"fmt"
	"io"
	"net/http"
	"sync"
)

// handlerTransport answers requests by calling a handler.
type handlerTransport struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper. The body streams; closing it waits
// for the handler to return.
func (t handlerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	in := req.Clone(req.Context())
	in.RequestURI = req.URL.RequestURI()
	in.RemoteAddr = "127.0.0.1:0"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	body, pipe := io.Pipe()
	w := &answer{header: http.Header{}, body: pipe, begun: make(chan struct{})}
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		defer func() { _ = in.Body.Close() }()
		_ = pipe.CloseWithError(w.serve(t.handler, in))
	}()
	// The handler itself ends with the context; what it had done all the same is told.
	<-w.begun
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: &handlerBody{PipeReader: body, returned: returned}, ContentLength: -1, Request: req,
	}, nil
}

// handlerBody is the reading end of an answer.
type handlerBody struct {
	*io.PipeReader
	returned <-chan struct{}
}

// Close makes the handler's next write fail and waits until it has returned.
func (b *handlerBody) Close() error {
	err := b.PipeReader.Close()
	<-b.returned
	return err
}

// answer passes on what a handler writes.
type answer struct {
	header http.Header
	body   *io.PipeWriter

	once   sync.Once
	begun  chan struct{} // closed when status and sent are set
	status int
	sent   http.Header
}

// serve calls the handler; a panic is an answer cut short, as net/http has it.
func (a *answer) serve(h http.Handler, req *http.Request) (err error) {
	defer a.WriteHeader(http.StatusOK)
	defer func() {
		if r := recover(); r != nil {
			a.WriteHeader(http.StatusInternalServerError)
			err = fmt.Errorf("handler panicked: %v", r)
		}
	}()
	h.ServeHTTP(a, req)
	return nil
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter; the first call counts.
func (a *answer) WriteHeader(status int) {
	a.once.Do(func() {
		a.status, a.sent = status, a.header.Clone()
		close(a.begun)
	})
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// Flush implements http.Flusher; a pipe holds nothing back.
func (a *answer) Flush() { a.WriteHeader(http.StatusOK) }
