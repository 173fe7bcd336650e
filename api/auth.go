package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// open are the paths that need no key.
var open = []string{"/", "/healthz", "/livez", "/readyz"}

// crossOrigin refuses what a browser sends on behalf of another site's page:
// without a key, nothing else would keep such a page from a local server.
var crossOrigin = http.NewCrossOriginProtection()

// protect decides, before a route is looked up and a byte of the body is read,
// whether a request may be answered. Its refusals are plain text, as Qdrant's.
func (s *Server) protect(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		req := c.Request()
		if err := crossOrigin.Check(req); err != nil {
			return c.String(http.StatusForbidden, "Cross-origin request refused")
		}
		if s.cfg.APIKey == "" && reachedLocally(req) && !namesLoopback(req.Host) {
			return c.String(http.StatusForbidden,
				"Host refused: without an API key this server answers to localhost and 127.0.0.1 only; use one of them, or set a key")
		}
		if s.cfg.APIKey == "" || slices.Contains(open, req.URL.Path) || s.hasKey(req.Header) {
			return next(c)
		}
		c.Response().Header().Set("WWW-Authenticate", "Bearer")
		if !carriesKey(req.Header) {
			return c.String(http.StatusUnauthorized, "Must provide an API key or an Authorization bearer token")
		}
		return c.String(http.StatusUnauthorized, "Invalid API key")
	}
}

// reachedLocally tells whether a request came in over the loopback interface.
func reachedLocally(req *http.Request) bool {
	addr, ok := req.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && addr.IP.IsLoopback()
}

// namesLoopback tells whether a Host header can mean this machine only. Any
// other name may belong to a site that has it lead here (DNS rebinding), whose
// pages a browser then takes for the server's own.
func namesLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// hasKey compares in constant time: hashes, so that the lengths are equal too.
func (s *Server) hasKey(h http.Header) bool {
	given := sha256.Sum256([]byte(keyOf(h)))
	return subtle.ConstantTimeCompare(given[:], s.keyHash[:]) == 1
}

func carriesKey(h http.Header) bool { return keyOf(h) != "" }

// keyOf reads the header api-key, or else the bearer token.
func keyOf(h http.Header) string {
	if key := h.Get("api-key"); key != "" {
		return key
	}
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
