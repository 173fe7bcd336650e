package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/store"
)

// client asks a server over a temporary database, in the same goroutine: what a
// request leaves in logs and metrics is there when its answer is.
type client struct {
	t       *testing.T
	db      *store.DB
	server  *Server
	handler http.Handler
	header  http.Header
}

// newClient opens a database, which is checked when the test ends.
func newClient(t *testing.T, cfg Config) *client {
	t.Helper()
	db, err := store.OpenTemp(&store.Options{NoAutoFit: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		report, err := db.Check(context.Background())
		if err == nil && !report.OK() {
			t.Errorf("database check: %v", report.Problems)
		}
		if err := errors.Join(err, db.Close()); err != nil {
			t.Error(err)
		}
	})
	s := New(db, cfg)
	return &client{t: t, db: db, server: s, handler: s.Handler(), header: http.Header{}}
}

// answer is a response, read.
type answer struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	body   string
}

// send sends a body as it is.
func (c *client) send(method, path, contentType, body string) answer {
	c.t.Helper()
	req := httptest.NewRequestWithContext(c.t.Context(), method, path, strings.NewReader(body))
	req.Header = c.header.Clone()
	req.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, req)
	return answer{c.t, method + " " + path, w.Code, w.Header(), w.Body.String()}
}

// do sends a body as JSON: text as it is, anything else encoded.
func (c *client) do(method, path string, body any) answer {
	c.t.Helper()
	text, ok := body.(string)
	if !ok && body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		text = string(data)
	}
	return c.send(method, path, "application/json", text)
}

// result fails the test unless the answer is a success, and reads its result.
func (a answer) result(dst any) {
	a.t.Helper()
	var env struct {
		Result json.RawMessage
		Status string
		Time   *float64
	}
	if a.status != http.StatusOK && a.status != http.StatusAccepted {
		a.t.Fatalf("%s: status %d: %s", a.what, a.status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), &env); err != nil || env.Status != "ok" || env.Time == nil || env.Result == nil {
		a.t.Fatalf("%s: no envelope: %s (%v)", a.what, a.body, err)
	}
	if dst == nil {
		return
	}
	if err := json.Unmarshal(env.Result, dst); err != nil {
		a.t.Fatalf("%s: %v in %s", a.what, err, a.body)
	}
}

// refused fails the test unless the answer is this error, in the envelope, with
// every one of the texts in it.
func (a answer) refused(status int, texts ...string) {
	a.t.Helper()
	var env struct {
		Result json.RawMessage
		Status struct{ Error string }
		Time   *float64
	}
	if err := json.Unmarshal([]byte(a.body), &env); err != nil || env.Status.Error == "" || env.Time == nil || env.Result != nil {
		a.t.Errorf("%s: status %d without an error in the envelope: %s", a.what, a.status, a.body)
		return
	}
	if a.status != status {
		a.t.Errorf("%s: status %d, want %d: %s", a.what, a.status, status, a.body)
	}
	for _, text := range texts {
		if !strings.Contains(env.Status.Error, text) {
			a.t.Errorf("%s: error %q does not say %q", a.what, env.Status.Error, text)
		}
	}
}

// errorText is the error in the envelope, "" if there is none.
func (a answer) errorText() string {
	var env struct{ Status struct{ Error string } }
	_ = json.Unmarshal([]byte(a.body), &env)
	return env.Status.Error
}

// value fetches a result as plain JSON.
func (a answer) value() any {
	a.t.Helper()
	var v any
	a.result(&v)
	return v
}

// vectors draws n vectors around a few centres on a plane, so that there is
// something to learn.
func vectors(n, dim int, seed uint64) [][]float32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	basis := [2][]float64{make([]float64, dim), make([]float64, dim)}
	for j := range dim {
		basis[0][j], basis[1][j] = math.Sin(float64(j)), math.Cos(2*float64(j))
	}
	out := make([][]float32, n)
	for i := range out {
		out[i] = make([]float32, dim)
		a, b := rng.NormFloat64(), rng.NormFloat64()+float64(i%3)*4
		for j := range dim {
			out[i][j] = float32(a*basis[0][j] + b*basis[1][j] + rng.NormFloat64()*0.05)
		}
	}
	return out
}

// fill creates a plain vector collection and puts vectors into it under the
// ids 0, 1, …, with payload {"n": id, "group": id%3}.
func (c *client) fill(name string, rows [][]float32) {
	c.t.Helper()
	c.do("PUT", "/collections/"+name, object{"vectors": object{"size": len(rows[0]), "distance": "Euclid"}}).result(nil)
	points := make([]object, len(rows))
	for i, row := range rows {
		points[i] = object{"id": i, "vector": row, "payload": object{"n": i, "group": i % 3}}
	}
	c.do("PUT", "/collections/"+name+"/points", object{"points": points}).result(nil)
}

// logTo is a logger that tests read.
func logTo(buf *bytes.Buffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(buf, nil))
}
