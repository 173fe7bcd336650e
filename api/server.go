package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/latentdb/latentdb/store"
)

// Defaults and fixed bounds of a server.
const (
	// DefaultMaxBody is the largest request body in bytes.
	DefaultMaxBody = 64 << 20
	// DefaultTimeout bounds the work on one request.
	DefaultTimeout = time.Minute

	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
	// readMargin and writeMargin let a request's own timeout answer before the
	// connection's deadlines cut it off without a word.
	readMargin  = 5 * time.Second
	writeMargin = 30 * time.Second
	// shutdownGrace is how long running requests may take to end.
	shutdownGrace = 10 * time.Second
)

// Config tunes a server; zero values mean the defaults.
type Config struct {
	// APIKey, if set, must come with every request but the health checks, as
	// the header "api-key" or as "Authorization: Bearer KEY".
	APIKey string
	// MaxBody is the largest request body in bytes; that of an import is not
	// limited, only its lines are. Default 64 MiB.
	MaxBody int64
	// Timeout bounds the work on one request; imports, exports, fits that are
	// waited for, samples and what is answered by events take as long as they need.
	// Default one minute.
	Timeout time.Duration
	// Version is what GET / reports. Default "0.0.0".
	Version string
	// Logger gets one line per request, and the causes of internal errors.
	// Neither bodies nor keys are logged. Default: silence.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.MaxBody <= 0 {
		c.MaxBody = DefaultMaxBody
	}
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Version == "" {
		c.Version = "0.0.0"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Server answers REST requests from one database.
type Server struct {
	db      *store.DB
	cfg     Config
	keyHash [sha256.Size]byte
	echo    *echo.Echo
	metrics *metrics
	// stopping ends when Serve begins to shut down: fits that are waited for
	// and event streams, with the work they tell of, must not hold it up.
	stopping context.Context
	stop     context.CancelFunc
}

// New makes a server over an open database, which stays the caller's to close.
func New(db *store.DB, cfg Config) *Server {
	s := &Server{db: db, cfg: cfg.withDefaults(), echo: echo.New()}
	s.keyHash = sha256.Sum256([]byte(s.cfg.APIKey))
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.metrics = newMetrics(db)
	s.echo.HTTPErrorHandler = s.answerError
	s.echo.Pre(s.observe, s.recoverPanic, s.protect)
	s.echo.Use(s.bound)
	s.routes()
	return s
}

// Handler gives the routes for a server of the caller's own.
func (s *Server) Handler() http.Handler { return s.echo }

// Serve answers on a listener until ctx ends, then lets running requests end
// for up to ten seconds. It returns nil after a graceful shutdown and closes
// the listener in any case. A server serves once.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       s.cfg.Timeout + readMargin,
		WriteTimeout:      s.cfg.Timeout + writeMargin,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return fmt.Errorf("api: serve: %w", err)
	case <-ctx.Done():
	}
	s.stop()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		return errors.Join(fmt.Errorf("api: requests still ran %s after the shutdown began: %w", shutdownGrace, err), srv.Close())
	}
	return nil
}

// ErrExposed is returned for a listen address that needs a key.
var ErrExposed = errors.New("api: the address would open the database to the network without a key")

// CheckListen refuses an address that is not HOST:PORT, and with ErrExposed one
// that others can reach (an empty host means every interface) while there is no
// key, unless insecure says that this is meant.
func CheckListen(addr, key string, insecure bool) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("api: listen address %q is not HOST:PORT: %w", addr, err)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("api: listen address %q: port %q is not a number from 0 to 65535", addr, port)
	}
	ip := net.ParseIP(host)
	if key != "" || insecure || host == "localhost" || (ip != nil && ip.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrExposed, addr)
}

// bound limits what one request may take: bytes of body and time.
func (s *Server) bound(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		req := c.Request()
		if enc := req.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
			return fail(http.StatusUnsupportedMediaType, "Content-Encoding %q is not supported: send the body as it is", enc)
		}
		if c.Path() == importRoute {
			return next(c)
		}
		if req.ContentLength > s.cfg.MaxBody {
			return &http.MaxBytesError{Limit: s.cfg.MaxBody}
		}
		req.Body = http.MaxBytesReader(c.Response(), req.Body, s.cfg.MaxBody)
		if c.Path() == exportRoute || c.Path() == fitRoute || c.Path() == sampleRoute || questions[c.Path()] != nil && wantsEvents(c) {
			return next(c)
		}
		ctx, cancel := context.WithTimeout(req.Context(), s.cfg.Timeout)
		defer cancel()
		c.SetRequest(req.WithContext(ctx))
		return next(c)
	}
}
