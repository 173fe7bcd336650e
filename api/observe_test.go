package api

import (
	"bytes"
	"strings"
	"testing"
)

func TestMetrics(t *testing.T) {
	c := newClient(t, Config{APIKey: "secret"})
	c.header.Set("api-key", "secret")
	c.fill("v", vectors(5, 4, 13))
	c.do("GET", "/collections/none", nil).refused(404)
	c.do("BREW", "/collections", nil).refused(405)
	c.header.Del("api-key")
	c.do("GET", "/metrics", nil)
	c.header.Set("api-key", "secret")
	text := c.do("GET", "/metrics", nil).body
	for _, want := range []string{
		`latentdb_http_requests_total{method="PUT",route="/collections/:c/points",status="200"} 1`,
		`latentdb_http_requests_total{method="GET",route="/collections/:c",status="404"} 1`,
		`latentdb_http_requests_total{method="GET",route="unmatched",status="401"} 1`,
		`latentdb_http_requests_total{method="other",route="/collections",status="405"} 1`,
		`latentdb_http_request_duration_seconds_count{method="PUT",route="/collections/:c/points",status="200"} 1`,
		`latentdb_collection_points{collection="v"} 5`,
		`latentdb_collection_generation{collection="v"} 0`,
		"go_goroutines",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	c.do("DELETE", "/collections/v", nil).result(nil)
	if text := c.do("GET", "/metrics", nil).body; strings.Contains(text, `collection="v"`) {
		t.Error("/metrics still tells of a dropped collection")
	}
}

func TestLogHasNoSecrets(t *testing.T) {
	var log bytes.Buffer
	c := newClient(t, Config{APIKey: "secret", Logger: logTo(&log)})
	c.header.Set("api-key", "secret")
	c.fill("private-name", vectors(2, 4, 14))
	c.do("POST", "/collections/private-name/points/count", `{"filter":{"must":{"key":"body","match":{"value":1}}}}`).result(nil)
	if !strings.Contains(log.String(), "method=POST route=/collections/:c/points/count status=200 duration=") {
		t.Errorf("log: %s", &log)
	}
	for _, secret := range []string{"secret", "private-name", "body"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("log tells %q: %s", secret, &log)
		}
	}
}
