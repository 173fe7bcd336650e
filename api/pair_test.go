package api

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestPairsOverREST(t *testing.T) {
	c := newClient(t, Config{})
	c.do("PUT", "/collections/p", `{"latent":{"source":{"kind":"pair","left":{"kind":"vector"},"right":{"kind":"table"}},"dim":4}}`).result(nil)
	record := func(i int) map[string]any {
		wave := func(k int) float64 { return math.Sin(float64(i) * (1 + 0.37*float64(k))) }
		return map[string]any{"left": []float64{wave(0), wave(1), wave(2), wave(3), wave(4)},
			"right": map[string]any{"a": wave(0) + wave(1), "b": wave(2), "c": wave(3) - wave(4), "d": wave(1) + wave(4)}}
	}
	var points []map[string]any
	for i := range 200 {
		points = append(points, map[string]any{"id": i, "record": record(i)})
	}
	c.do("PUT", "/collections/p/points", map[string]any{"points": points}).result(nil)
	lines := ""
	for i := 200; i < 220; i++ {
		lines += fmt.Sprintf(`{"id":%d,"record":{"left":null,"right":%s}}`+"\n", i, jsonOf(t, record(i)["right"]))
	}
	c.send("POST", "/collections/p/import", "application/x-ndjson", lines).result(nil)
	c.do("POST", "/collections/p/fit", `{"wait":true}`).result(nil)
	table := "vector,name,n\n\"[1,2,3,4,5]\",a,7\n,b,8\n\"[1,2]\",c,9\n"
	c.do("PUT", "/collections/n", `{"latent":{"source":{"kind":"pair","left":{"kind":"vector"},"right":{"kind":"text"}}}}`).result(nil)
	var taken struct{ Imported, Failed int }
	c.send("POST", "/collections/n/import?left=vector&right=name", "text/csv", table).result(&taken)
	if taken.Imported != 2 || taken.Failed != 1 {
		t.Errorf("imported %+v", taken)
	}
	var stored []struct {
		Record  map[string]any
		Payload map[string]any
	}
	c.do("POST", "/collections/n/points", `{"ids":[2],"with_record":true}`).result(&stored)
	if len(stored) != 1 || stored[0].Record["right"] != "b" || stored[0].Payload["n"] != 8. {
		t.Errorf("got %+v", stored)
	}
	c.send("POST", "/collections/n/import?left=vector", "text/csv", table).refused(400, "name the columns of both")

	var hits struct {
		Points []struct {
			ID     int
			Record map[string]any
		}
	}
	query := map[string]any{"query": map[string]any{"record": map[string]any{"left": record(207)["left"]}}, "limit": 3, "with_record": true}
	c.do("POST", "/collections/p/points/query", query).result(&hits)
	found := false
	for _, h := range hits.Points {
		if h.ID == 207 {
			found = true
			if h.Record["left"] != nil || h.Record["right"] == nil {
				t.Errorf("record %v", h.Record)
			}
		}
	}
	if !found {
		t.Errorf("the left side finds %+v", hits.Points)
	}
	var back []struct{ Record map[string]any }
	c.do("POST", "/collections/p/points/reconstruct", `{"ids":[207]}`).result(&back)
	if len(back) != 1 || back[0].Record["left"] == nil {
		t.Errorf("reconstructed %+v", back)
	}
	for body, want := range map[string]string{
		`{"query":{"record":{}}}`:                              "neither",
		`{"query":{"record":{"left":[1,2,3,4,5],"middle":1}}}`: `unknown key "middle"`,
		`{"query":{"record":{"left":{"x":1}}}}`:                "query.record.left: got an object, want a list of numbers",
		`{"query":{"record":{"right":"text"}}}`:                "query.record.right: got a string, want an object",
		`{"query":{"record":"text"}}`:                          `an object with "left" and "right"`,
	} {
		c.do("POST", "/collections/p/points/query", body).refused(400, want)
	}
	c.do("PUT", "/collections/q", `{"latent":{"source":{"kind":"pair","left":{"kind":"vector"}}}}`).refused(400, "latent.source: ", "right: is missing")
	var described struct {
		Latent struct{ Source map[string]any }
	}
	c.do("GET", "/collections/p", nil).result(&described)
	if left, ok := described.Latent.Source["left"].(map[string]any); !ok || left["kind"] != "vector" || left["size"] != 5.0 {
		t.Errorf("described as %v", described.Latent.Source)
	}
	if a := c.do("GET", "/collections/p/export", nil); strings.Count(a.body, "\n") != 220 {
		t.Errorf("export of %d lines", strings.Count(a.body, "\n"))
	}
}
