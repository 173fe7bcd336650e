package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/latentdb/latentdb/store"
)

// metrics live in a registry of their own: a program that embeds the server
// keeps the default one to itself.
type metrics struct {
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	handler   http.Handler
}

func newMetrics(db *store.DB) *metrics {
	labels := []string{"method", "route", "status"}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latentdb_http_requests_total",
			Help: "Requests answered.",
		}, labels),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "latentdb_http_request_duration_seconds",
			Help:    "Time from a request's header to the end of its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9),
		}, labels),
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.requests, m.durations, collectionMetrics{db},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return m
}

var knownMethods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut,
	http.MethodPatch, http.MethodDelete, http.MethodOptions}

// request counts one. Methods are the client's free text, so that unknown ones
// share a label.
func (m *metrics) request(method, route string, status int, took time.Duration) {
	if !slices.Contains(knownMethods, method) {
		method = "other"
	}
	values := []string{method, route, strconv.Itoa(status)}
	m.requests.WithLabelValues(values...).Inc()
	m.durations.WithLabelValues(values...).Observe(took.Seconds())
}

func (s *Server) serveMetrics(c echo.Context) error {
	s.metrics.handler.ServeHTTP(c.Response(), c.Request())
	return nil
}

// collectionMetrics reads the database when it is scraped, so that collections
// that were dropped leave nothing behind.
type collectionMetrics struct{ db *store.DB }

var (
	pointsDesc = prometheus.NewDesc("latentdb_collection_points",
		"Points a collection holds.", []string{"collection"}, nil)
	generationDesc = prometheus.NewDesc("latentdb_collection_generation",
		"Active generation of a collection, 0 before any fit.", []string{"collection"}, nil)
)

// Describe implements prometheus.Collector.
func (m collectionMetrics) Describe(out chan<- *prometheus.Desc) {
	out <- pointsDesc
	out <- generationDesc
}

// Collect implements prometheus.Collector.
func (m collectionMetrics) Collect(out chan<- prometheus.Metric) {
	for _, name := range m.db.Collections() {
		coll, err := m.db.Collection(name)
		if err != nil {
			continue // dropped meanwhile
		}
		info, err := coll.Info(context.Background())
		if err != nil {
			continue
		}
		out <- prometheus.MustNewConstMetric(pointsDesc, prometheus.GaugeValue, float64(info.Points), name)
		out <- prometheus.MustNewConstMetric(generationDesc, prometheus.GaugeValue, float64(info.Generation), name)
	}
}
