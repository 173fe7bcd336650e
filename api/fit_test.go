package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latentdb/latentdb/store"
)

func TestFitAndQuality(t *testing.T) {
	c := newClient(t, Config{})
	c.fill("v", vectors(400, 8, 8))
	c.do("GET", "/collections/v/quality", nil).refused(400, "not fitted")
	if got := c.do("GET", "/collections/v/fit", nil).value().(map[string]any); got["state"] != "idle" {
		t.Errorf("before any fit: %v", got)
	}
	var fitted struct {
		Status     string
		Generation uint64
		Quality    map[string]any
	}
	c.do("POST", "/collections/v/fit", `{"dim":2,"encoder":"pca","epochs":1,"seed":3,"wait":true}`).result(&fitted)
	if fitted.Status != "completed" || fitted.Generation == 0 || fitted.Quality["dim"] != 2.0 {
		t.Errorf("fit: %+v", fitted)
	}
	for _, key := range []string{"generation", "source", "features", "dim", "encoder", "engine", "points", "held_out", "mse", "mse_input",
		"recall_at_10", "recall_at_50", "recall_at_100", "int8_recall_loss", "bytes_per_point", "compression", "fit_seconds",
		"calibration", "engines", "settings"} {
		if _, ok := fitted.Quality[key]; !ok {
			t.Errorf("the report has no %s", key)
		}
	}
	var again struct{ Generation uint64 }
	c.do("GET", "/collections/v/quality", nil).result(&again)
	if again.Generation != fitted.Generation {
		t.Errorf("quality of generation %d, want %d", again.Generation, fitted.Generation)
	}
	var described struct{ Latent map[string]any }
	c.do("GET", "/collections/v", nil).result(&described)
	if described.Latent["fitted"] == nil || described.Latent["generation"] != float64(fitted.Generation) {
		t.Errorf("described: %v", described.Latent)
	}
}

func TestModels(t *testing.T) {
	c := newClient(t, Config{})
	c.fill("v", vectors(300, 6, 9))
	for range 2 {
		c.do("POST", "/collections/v/fit?wait=true", `{"dim":2,"encoder":"pca"}`).result(nil)
	}
	type model struct {
		Generation uint64
		Active     bool
		SHA256     string
	}
	var models []model
	c.do("GET", "/collections/v/models", nil).result(&models)
	active := slices.IndexFunc(models, func(m model) bool { return m.Active })
	if len(models) < 2 || active < 0 || models[active].SHA256 == "" {
		t.Fatalf("models: %+v", models)
	}
	older := models[1-min(active, 1)]
	c.do("POST", "/collections/v/models/"+jsonOf(t, older.Generation)+"/activate", nil).result(nil)
	var quality struct{ Generation uint64 }
	c.do("GET", "/collections/v/quality", nil).result(&quality)
	if quality.Generation != older.Generation {
		t.Errorf("after the rollback generation %d, want %d", quality.Generation, older.Generation)
	}
	c.do("POST", "/collections/v/models/99/activate", nil).refused(404, "99")
	c.do("POST", "/collections/v/models/x/activate", nil).refused(400, "generation")
}

func TestFitInBackground(t *testing.T) {
	c := newClient(t, Config{})
	c.fill("v", vectors(400, 8, 10))
	a := c.do("POST", "/collections/v/fit", nil)
	var done writtenResult
	a.result(&done)
	if a.status != http.StatusAccepted || done.Status != "acknowledged" || done.OperationID == 0 {
		t.Errorf("fit: %d %+v", a.status, done)
	}
	events := c.events("GET", "/collections/v/fit", "")
	if last := events[len(events)-1]; last.name != "" || last.data["state"] != "done" || last.data["generation"] != float64(done.OperationID) {
		t.Errorf("last event: %v", last)
	}
	for _, e := range events[:len(events)-1] {
		if e.name != "" || e.data["state"] != "running" {
			t.Errorf("event before the last: %v", e)
		}
	}
	if got := c.do("DELETE", "/collections/v/fit", nil).value(); got != false {
		t.Errorf("cancelled a fit that had ended: %v", got)
	}
}

func TestFitCancel(t *testing.T) {
	c := newClient(t, Config{})
	c.fill("v", vectors(2000, 32, 11))
	c.do("POST", "/collections/v/fit", `{"encoder":"deep","epochs":1000}`).result(nil)
	c.do("POST", "/collections/v/fit", nil).refused(409, "running")
	if got := c.do("DELETE", "/collections/v/fit", nil).value(); got != true {
		t.Errorf("cancel: %v", got)
	}
	if got := c.do("GET", "/collections/v/fit", nil).value().(map[string]any); got["state"] != "cancelled" {
		t.Errorf("after the cancellation: %v", got)
	}
}

func TestWaitedFitOutlivesItsClient(t *testing.T) {
	c := newClient(t, Config{})
	c.fill("v", vectors(300, 6, 15))
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	req := httptest.NewRequestWithContext(ctx, "POST", "/collections/v/fit", strings.NewReader(`{"encoder":"pca","dim":2,"wait":true}`))
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, req)
	answer{t, "fit", w.Code, w.Header(), w.Body.String()}.result(nil)
}

func TestWaitedFitEndsWithTheServer(t *testing.T) {
	c := newClient(t, Config{})
	c.fill("v", vectors(2000, 32, 16))
	fit := make(chan answer)
	go func() { fit <- c.do("POST", "/collections/v/fit", `{"encoder":"deep","epochs":1000,"wait":true}`) }()
	coll, err := c.db.Collection("v")
	if err != nil {
		t.Fatal(err)
	}
	for coll.FitStatus().State != store.FitRunning {
		time.Sleep(time.Millisecond)
	}
	c.server.stop()
	(<-fit).refused(503, "shutting down")
}

func TestFitRefusals(t *testing.T) {
	c := newClient(t, Config{})
	c.do("PUT", "/collections/v", object{"vectors": object{"size": 2, "distance": "Euclid"}}).result(nil)
	for body, want := range map[string]string{
		`{"dims":3}`:          `unknown field "dims"`,
		`{"dim":0}`:           "dim: must be a whole number from 1 to 1024",
		`{"dim":1025}`:        "dim",
		`{"dim":"wide"}`:      "dim",
		`{"epochs":0}`:        "epochs",
		`{"epochs":1001}`:     "epochs",
		`{"epochs":"many"}`:   "epochs: must be a whole number",
		`{"encoder":"magic"}`: "encoder",
		`{"seed":-1}`:         "seed",
		`{"wait":3}`:          "wait: must be true or false",
		`{}`:                  "too little",
		`{"wait":true}`:       "too little",
	} {
		c.do("POST", "/collections/v/fit", body).refused(400, want)
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
