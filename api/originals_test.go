package api

import (
	"testing"
	"time"
)

// TestKeepOriginals makes a collection that gives its records up, and asks it for what it
// then has.
func TestKeepOriginals(t *testing.T) {
	c := newClient(t, Config{})
	c.do("PUT", "/collections/v", `{"latent": {"source": {"kind": "vector"}, "keep_originals": "no"}}`).refused(400, "latent.keep_originals")
	c.do("PUT", "/collections/v", `{"vectors": {"size": 6, "distance": "Euclid"},
		"latent": {"dim": 3, "keep_originals": false, "rows": "half"}}`).result(nil)
	latent := func() map[string]any {
		t.Helper()
		var described struct{ Latent map[string]any }
		c.do("GET", "/collections/v", nil).result(&described)
		return described.Latent
	}
	if l := latent(); l["keep_originals"] != false || l["shedding"] != false || l["auto_fit"].(map[string]any)["enabled"] != false {
		t.Errorf("before any fit: %v", l)
	}
	c.do("PUT", "/collections/told", `{"latent": {"source": {"kind": "vector"}, "keep_originals": false, "auto_fit": {"enabled": true}}}`).result(nil)
	var told struct {
		Latent struct {
			AutoFit map[string]any `json:"auto_fit"`
		}
	}
	if c.do("GET", "/collections/told", nil).result(&told); told.Latent.AutoFit["enabled"] != true {
		t.Errorf("told to fit by itself: %v", told)
	}
	rows := vectors(300, 6, 12)
	points := make([]object, len(rows))
	for i, r := range rows {
		points[i] = object{"id": i, "vector": r}
	}
	c.do("PUT", "/collections/v/points?wait=true", object{"points": points}).result(nil)
	c.do("POST", "/collections/v/fit?wait=true", `{"encoder": "pca"}`).result(nil)
	for waited := 0; latent()["shedding"] != false; waited++ {
		if waited == 10_000 {
			t.Fatal("records are never given up")
		}
		time.Sleep(time.Millisecond)
	}
	c.do("POST", "/collections/v/fit", `{}`).refused(409, "the originals are dropped")
	var quality struct {
		Decoded struct {
			Recall float64 `json:"recall_at_10"`
			Latent float64 `json:"latent_recall_at_10"`
		}
	}
	c.do("GET", "/collections/v/quality", nil).result(&quality)
	if d := quality.Decoded; d.Recall <= 0 || d.Latent <= 0 {
		t.Errorf("quality: %+v", d)
	}
	var found struct {
		Points []struct {
			ID     int
			Vector []float32
		}
		Search map[string]any
	}
	c.do("POST", "/collections/v/points/query", object{"query": rows[7], "with_vector": true, "params": object{"explain": true}}).result(&found)
	if found.Search["decoded"] != true || len(found.Points) != 10 || found.Points[0].ID != 7 {
		t.Errorf("found: %+v", found)
	}
	var back []struct {
		Vector []float32
		Error  float64
		Parts  []any
	}
	c.do("POST", "/collections/v/points/reconstruct", `{"ids": [7]}`).result(&back)
	if len(back) != 1 || back[0].Error <= 0 || back[0].Parts == nil || len(back[0].Parts) > 0 {
		t.Fatalf("reconstructed: %+v", back)
	}
	for i, x := range back[0].Vector {
		if d := x - found.Points[0].Vector[i]; d > 1e-4 || d < -1e-4 {
			t.Errorf("point 7 is %v and reconstructed as %v", found.Points[0].Vector, back[0].Vector)
			break
		}
	}
}
