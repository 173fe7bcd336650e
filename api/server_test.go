package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

func TestCheckListen(t *testing.T) {
	for _, tc := range []struct {
		addr, key string
		insecure  bool
		ok        bool
	}{
		{"127.0.0.1:6333", "", false, true},
		{"127.9.9.9:0", "", false, true},
		{"localhost:6333", "", false, true},
		{"[::1]:6333", "", false, true},
		{"0.0.0.0:6333", "", false, false},
		{":6333", "", false, false},
		{"[::]:6333", "", false, false},
		{"192.168.1.2:6333", "", false, false},
		{"example.org:6333", "", false, false},
		{"localhost.example.org:6333", "", false, false},
		{"0.0.0.0:6333", "secret", false, true},
		{":6333", "", true, true},
		{"6333", "secret", true, false},
		{"127.0.0.1:65535", "", false, true},
		{"127.0.0.1:65536", "", false, false},
		{"127.0.0.1:-1", "secret", true, false},
		{"127.0.0.1:", "secret", true, false},
		{"127.0.0.1:many", "secret", true, false},
	} {
		err := CheckListen(tc.addr, tc.key, tc.insecure)
		if (err == nil) != tc.ok {
			t.Errorf("CheckListen(%q, %q, %v) = %v, want ok %v", tc.addr, tc.key, tc.insecure, err, tc.ok)
		}
	}
}

func TestAuthentication(t *testing.T) {
	// Without a database: a request that got past the key would panic.
	h := New(nil, Config{APIKey: "secret"}).Handler()
	ask := func(method, path, name, value string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(method, path, strings.NewReader("{not json"))
		if name != "" {
			req.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		return w
	}
	for _, path := range []string{"/", "/healthz", "/livez", "/readyz"} {
		if w := ask("GET", path, "", ""); w.Code != http.StatusOK {
			t.Errorf("GET %s without a key: %d", path, w.Code)
		}
	}
	for _, tc := range []struct{ method, path, name, value string }{
		{"GET", "/metrics", "", ""},
		{"GET", "/collections", "", ""},
		{"GET", "/collections", "api-key", "wrong"},
		{"GET", "/collections", "api-key", "secret2"},
		{"GET", "/collections", "api-key", "secre"},
		{"GET", "/collections", "Authorization", "Bearer wrong"},
		{"GET", "/collections", "Authorization", "Basic secret"},
		{"GET", "/collections", "Authorization", "secret"},
		{"PUT", "/collections/x", "", ""},
		{"POST", "/no/such/route", "", ""},
		{"GET", "//", "", ""},
		{"GET", "/healthz/", "", ""},
	} {
		w := ask(tc.method, tc.path, tc.name, tc.value)
		if w.Code != http.StatusUnauthorized || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
			t.Errorf("%s %s with %s %q: %d %s", tc.method, tc.path, tc.name, tc.value, w.Code, w.Header().Get("Content-Type"))
		}
	}
	for _, header := range [][2]string{{"api-key", "secret"}, {"Authorization", "Bearer secret"}, {"Authorization", "bearer secret"}} {
		if w := ask("GET", "/no/such/route", header[0], header[1]); w.Code != http.StatusNotFound {
			t.Errorf("with %s: %d, want to reach the routes", header[0], w.Code)
		}
	}
}

func TestCrossOrigin(t *testing.T) {
	h := New(nil, Config{}).Handler()
	req := httptest.NewRequest("PUT", "http://127.0.0.1:6333/collections/x", strings.NewReader("{}"))
	req.Header.Set("Origin", "https://evil.example")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	if w.Code != http.StatusForbidden || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("another site's page: %d %q", w.Code, w.Body)
	}
}

// A page whose own name was made to lead to this machine is of the same origin
// as the server, so that only the name gives it away.
func TestRebinding(t *testing.T) {
	ask := func(cfg Config, local, host string) *httptest.ResponseRecorder {
		req := httptest.NewRequest("GET", "/healthz", nil)
		req.Host = host
		if local != "" {
			addr := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(local))
			req = req.WithContext(context.WithValue(req.Context(), http.LocalAddrContextKey, addr))
		}
		w := httptest.NewRecorder()
		New(nil, cfg).Handler().ServeHTTP(w, req)
		return w
	}
	const loopback = "127.0.0.1:6333"
	for _, host := range []string{"localhost", "LocalHost:6333", "localhost.", "db.localhost:80", "127.0.0.1", "127.9.9.9:6333", "[::1]:6333", "[::1]", "[::ffff:127.0.0.1]"} {
		if w := ask(Config{}, loopback, host); w.Code != http.StatusOK {
			t.Errorf("host %q: %d %s", host, w.Code, w.Body)
		}
	}
	for _, host := range []string{"", "evil.example:6333", "localhost.evil.example", "notlocalhost", "127.0.0.1.evil.example", "192.168.1.2:6333", "[::2]:6333", "a:b:c"} {
		for _, local := range []string{loopback, "[::1]:6333"} {
			w := ask(Config{}, local, host)
			if w.Code != http.StatusForbidden || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") ||
				!strings.Contains(w.Body.String(), "localhost") || !strings.Contains(w.Body.String(), "key") {
				t.Errorf("host %q on %s: %d %s", host, local, w.Code, w.Body)
			}
		}
		for _, elsewhere := range []*httptest.ResponseRecorder{
			ask(Config{APIKey: "secret"}, loopback, host), ask(Config{}, "192.168.1.2:6333", host), ask(Config{}, "", host),
		} {
			if elsewhere.Code != http.StatusOK {
				t.Errorf("host %q with a key or reached from elsewhere: %d %s", host, elsewhere.Code, elsewhere.Body)
			}
		}
	}
}

func TestStatusTable(t *testing.T) {
	req := httptest.NewRequest("GET", "/x", nil)
	for _, tc := range []struct {
		err    error
		status int
		text   string
	}{
		{&store.InvalidError{Field: "limit", Reason: "is 0"}, 400, "limit: is 0"},
		{fmt.Errorf("x: %w", &store.InvalidError{Field: "limit", Reason: "is 0"}), 400, "limit: is 0"},
		{fmt.Errorf("%w: point 7", store.ErrNotFound), 404, "not found: point 7"},
		{store.ErrExists, 409, "already exists"},
		{store.ErrFitRunning, 409, "a fit is running"},
		{store.ErrNotFitted, 400, "not fitted"},
		{store.ErrTooFew, 400, "too little"},
		{store.ErrNoOriginals, 409, "originals are dropped"},
		{store.ErrReadOnly, 503, "read only"},
		{fmt.Errorf("store: %w", &os.PathError{Op: "write", Path: "/data/points.db", Err: syscall.ENOSPC}), 507, "the server's disk is full: nothing of this request was kept"},
		{store.ErrClosed, 503, "closed"},
		{fmt.Errorf("%w: page 7 of /secret/path", store.ErrCorrupt), 500, "internal error"},
		{fmt.Errorf("%w: x", source.ErrRecord), 400, "bad record"},
		{fmt.Errorf("%w: x", embed.ErrData), 400, "bad data"},
		{context.DeadlineExceeded, 504, "longer"},
		{context.Canceled, 499, "cancelled"},
		{&http.MaxBytesError{Limit: 9}, 413, "9 bytes"},
		{fmt.Errorf("wrapped: %w", echo.ErrNotFound), 404, "no route GET /x"},
		{echo.ErrMethodNotAllowed, 405, "GET"},
		{errors.New("open /secret/path: denied"), 500, "internal error"},
	} {
		status, text := describe(tc.err, req)
		if status != tc.status || !strings.Contains(text, tc.text) || strings.Contains(text, "/secret") {
			t.Errorf("describe(%v) = %d %q, want %d with %q", tc.err, status, text, tc.status, tc.text)
		}
	}
}

func TestPanicIsInternalError(t *testing.T) {
	var log bytes.Buffer
	s := New(nil, Config{Logger: logTo(&log)})
	s.echo.GET("/panic", func(echo.Context) error { panic("secret particulars") })
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/panic", nil))
	if w.Code != 500 || !strings.Contains(w.Body.String(), `"error":"internal error"`) || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("panic answered %d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "secret particulars") || !strings.Contains(log.String(), "route=/panic") {
		t.Errorf("panic not logged: %s", &log)
	}
}

func TestRoutesThatAreNotThere(t *testing.T) {
	h := New(nil, Config{}).Handler()
	for _, tc := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/nowhere", 404},
		{"POST", "/collections", 405},
		{"POST", "/collections/c/points/recommend", 400},
		{"POST", "/collections/c/points/query/groups", 400},
		{"POST", "/collections/c/facet", 400},
		{"GET", "/collections/c/nothing", 404},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(tc.method, tc.path, nil))
		answer{t, tc.method + " " + tc.path, w.Code, w.Header(), w.Body.String()}.refused(tc.status, tc.path)
	}
}

func TestBodyLimit(t *testing.T) {
	s := New(nil, Config{MaxBody: 10})
	s.echo.POST("/echo", func(c echo.Context) error {
		var v object
		if err := readLenient(c, &v); err != nil {
			return err
		}
		return writeResult(c, 200, v)
	})
	ask := func(body string, length int64, encoding string) answer {
		req := httptest.NewRequest("POST", "/echo", strings.NewReader(body))
		req.ContentLength = length
		if encoding != "" {
			req.Header.Set("Content-Encoding", encoding)
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, req)
		return answer{t, body, w.Code, w.Header(), w.Body.String()}
	}
	unread := httptest.NewRequest("POST", "/echo", iotest.ErrReader(errors.New("the body was read")))
	unread.ContentLength = 11
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, unread)
	answer{t, "by its header alone", w.Code, w.Header(), w.Body.String()}.refused(413, "10 bytes")
	ask(`{"a":1}`, 7, "").result(nil)
	ask(`{"a":1}   `, 10, "").result(nil)
	ask(`{"a":1}    `, 11, "").refused(413, "10 bytes")
	ask(`{"a":1}    `, -1, "").refused(413, "10 bytes")
	ask(`{"a":1}`, 7, "gzip").refused(415, "gzip")
}

func TestTimeout(t *testing.T) {
	s := New(nil, Config{Timeout: time.Nanosecond})
	s.echo.GET("/slow", func(c echo.Context) error {
		<-c.Request().Context().Done()
		return c.Request().Context().Err()
	})
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/slow", nil))
	answer{t, "GET /slow", w.Code, w.Header(), w.Body.String()}.refused(504, "longer")
}

func TestServeShutsDownGracefully(t *testing.T) {
	s := New(nil, Config{Version: "1.2.3"})
	entered, release := make(chan struct{}), make(chan struct{})
	s.echo.GET("/wait", func(c echo.Context) error {
		close(entered)
		<-release
		return c.String(200, "done")
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln) }()
	status := make(chan int, 1)
	go func() {
		resp, err := http.Get("http://" + ln.Addr().String() + "/wait")
		if err != nil {
			status <- 0
			return
		}
		resp.Body.Close()
		status <- resp.StatusCode
	}()
	<-entered
	cancel()
	<-s.stopping.Done()
	close(release)
	if got := <-status; got != 200 {
		t.Errorf("request during the shutdown: status %d", got)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve = %v", err)
	}
	if err := s.Serve(t.Context(), ln); err == nil {
		t.Error("Serve on a closed listener gave no error")
	}
}
