package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/store"
)

// An error of the store's names the field by its path in the request.
func TestErrorsNameTheWholePath(t *testing.T) {
	c := newClient(t, Config{})
	for block, want := range map[string]string{
		`{"source":{"kind":"table"},"dim":0}`:                                "latent.dim: ",
		`{"source":{"kind":"table"},"encoder":"magic"}`:                      "latent.encoder: ",
		`{"source":{"kind":"table"},"engine":"diesel"}`:                      "latent.engine: ",
		`{"source":{"kind":"table"},"rows":"tape"}`:                          "latent.rows: ",
		`{"source":{"kind":"table"},"recall":2}`:                             "latent.recall: ",
		`{"source":{"kind":"table"},"m":1}`:                                  "latent.m: ",
		`{"source":{"kind":"table"},"m":0}`:                                  "latent.m: is 0; it must be at least 1",
		`{"source":{"kind":"table"},"ef_construct":2}`:                       "latent.ef_construct: ",
		`{"source":{"kind":"table"},"ef_construct":0}`:                       "latent.ef_construct: is 0; it must be at least 1",
		`{"source":{"kind":"table"},"watch":{}}`:                             "latent.watch.field: is missing",
		`{"source":{"kind":"table"},"watch":{"field":"a.b"}}`:                "latent.watch.field: ",
		`{"source":{"kind":"table"},"watch":{"field":"w","cut":0}}`:          "latent.watch.cut: is 0",
		`{"source":{"kind":"table"},"watch":{"field":"w","cut":1}}`:          "latent.watch.cut: is 1",
		`{"source":{"kind":"table"},"m":-3}`:                                 "latent.m: is -3",
		`{"source":{"kind":"table"},"auto_fit":{"min_points":1}}`:            "latent.auto_fit.min_points: ",
		`{"source":{"kind":"table"},"distance":"Cosine"}`:                    "latent.distance: ",
		`{"source":{"kind":"image","width":8,"height":8},"engine":"diesel"}`: "latent.engine: ",
	} {
		c.do("PUT", "/collections/x", `{"latent":`+block+`}`).refused(400)
		if text := c.do("PUT", "/collections/x", `{"latent":`+block+`}`).errorText(); !strings.HasPrefix(text, want) {
			t.Errorf("%s: %q, want %q", block, text, want)
		}
	}
	for body, want := range map[string]string{
		`{"vectors":{"size":2,"distance":"Dot"},"hnsw_config":{"m":1}}`:                           "hnsw_config.m: ",
		`{"vectors":{"size":2,"distance":"Dot","hnsw_config":{"ef_construct":3}}}`:                "vectors.hnsw_config.ef_construct: ",
		`{"vectors":{"size":2,"distance":"Dot"},"hnsw_config":{"m":4},"latent":{"m":1}}`:          "latent.m: ",
		`{"vectors":{"size":2,"distance":"Dot"},"hnsw_config":{"m":1},"latent":{"dim":2}}`:        "hnsw_config.m: ",
		`{"vectors":{"size":2,"distance":"Dot"},"hnsw_config":{"m":4},"latent":{"engine":"gas"}}`: "latent.engine: ",
	} {
		if text := c.do("PUT", "/collections/x", body).errorText(); !strings.HasPrefix(text, want) {
			t.Errorf("%s: %q, want %q", body, text, want)
		}
	}
	c.do("PUT", "/collections/%07", `{"latent":{"source":{"kind":"table"}}}`).refused(400, "collection: name")

	c.fill("v", vectors(5, 2, 1))
	for params, want := range map[string]string{
		`"space":"outer"`:                     "params.space: ",
		`"hnsw_ef":-1`:                        "params.hnsw_ef: is -1; it must be 0 or more",
		`"rerank":-1`:                         "params.rerank: is -1; it must be 0 or more",
		`"hnsw_ef":1000000000`:                "params.hnsw_ef: is 1000000000",
		`"rerank":1000000000`:                 "params.rerank: is 1000000000",
		`"warp":true`:                         "params.warp: goes with records that run in time",
		`"recall":0`:                          "params.recall: ",
		`"explain":true,"hnsw_ef":1000000000`: "params.hnsw_ef: ",
	} {
		search := fmt.Sprintf(`{"query":[1,2],"params":{%s}}`, params)
		if text := c.do("POST", "/collections/v/points/query", search).errorText(); !strings.HasPrefix(text, want) {
			t.Errorf("%s: %q, want %q", params, text, want)
		}
		batch := `{"searches":[` + search + `]}`
		if text := c.do("POST", "/collections/v/points/query/batch", batch).errorText(); !strings.HasPrefix(text, "searches[0]."+want) {
			t.Errorf("%s in a batch: %q", params, text)
		}
	}
	c.do("POST", "/collections/v/points/query", `{"query":[1,2],"limit":10000,"offset":1}`).refused(400, "offset: ")
	c.do("POST", "/collections/v/points/reconstruct", `{}`).refused(400, "ids: is missing")
	c.do("POST", "/collections/v/points/reconstruct", `{"ids":[]}`).refused(400, "ids: is empty")
}

// What would make an answer without bound is refused, and what is empty is not.
func TestBoundsOfAnswers(t *testing.T) {
	c := newClient(t, Config{})
	c.fill("v", vectors(5, 2, 1))
	many := strings.TrimSuffix(strings.Repeat("1,", store.MaxLimit+1), ",")
	c.do("POST", "/collections/v/points", `{"ids":[`+many+`]}`).refused(400, "ids: has 10001 entries, the limit is 10000")
	c.do("POST", "/collections/v/points", `{"ids":[1],"with_record":true}`).refused(400, "with_record")
	search := `{"query":[1,2],"limit":10000}`
	searches := strings.TrimSuffix(strings.Repeat(search+",", 11), ",")
	c.do("POST", "/collections/v/points/query/batch", `{"searches":[`+searches+`]}`).refused(400, "searches[10].limit")
	c.do("POST", "/collections/v/points/query", `{"query":{"nearest":null}}`).refused(400, "query.nearest: is null")
	conditions := strings.TrimSuffix(strings.Repeat(`{"key":"n","match":{"value":1}},`, 1001), ",")
	c.do("POST", "/collections/v/points/count", `{"filter":{"should":[`+conditions+`]}}`).refused(400, "filter: has 1001 conditions, the limit is 1000")
	for path, body := range map[string]string{"": `{"ids":[]}`, "/query/batch": `{"searches":[]}`, "/search/batch": `{"searches":[]}`} {
		if got := c.do("POST", "/collections/v/points"+path, body).value(); len(got.([]any)) != 0 {
			t.Errorf("%s %s: %v", path, body, got)
		}
	}
}

// What is known of the dialect and not there is refused alike, whether the
// collection exists or not.
func TestRoutesThatAreNotSupported(t *testing.T) {
	c := newClient(t, Config{})
	c.fill("v", vectors(5, 2, 1))
	for _, route := range []string{
		"GET /aliases", "GET /collections/v/aliases",
		"POST /collections/aliases", "POST /collections/v/points/query/groups", "POST /collections/v/points/recommend",
		"POST /collections/v/facet",
		"GET /collections/v/snapshots", "POST /collections/v/snapshots", "GET /collections/v/snapshots/a",
		"DELETE /collections/v/snapshots/a", "PUT /collections/v/snapshots/recover", "POST /collections/v/snapshots/upload",
		"GET /snapshots", "POST /snapshots", "GET /snapshots/a", "DELETE /snapshots/a",
	} {
		method, path, _ := strings.Cut(route, " ")
		c.do(method, path, nil).refused(400, "is not supported")
	}
	c.do("GET", "/collections/aliases", nil).refused(404, "aliases") // a name like any other
}

// A record in the wrong form is told by the names that JSON has for forms.
func TestWrongFormsOfRecords(t *testing.T) {
	c := newClient(t, Config{})
	c.do("PUT", "/collections/image", `{"latent":{"source":{"kind":"image","width":8,"height":8}}}`).result(nil)
	c.do("PUT", "/collections/table", `{"latent":{"source":{"kind":"table"}}}`).result(nil)
	c.do("PUT", "/collections/vector", `{"vectors":{"size":2,"distance":"Dot"}}`).result(nil)
	c.do("PUT", "/collections/image/points", `{"points":[{"id":1,"record":"`+picture(t, 3)+`"}]}`).result(nil)
	c.do("PUT", "/collections/table/points", `{"points":[{"id":1,"record":{"x":1}}]}`).result(nil)
	for kind, want := range map[string]string{"image": "want a base64 string (encoded image)", "table": "want an object"} {
		at := "/collections/" + kind
		for form, value := range map[string]string{"a vector": "[1,2]", "a number": "1", "true or false": "true", "a list": `["x"]`} {
			says := func(a answer) {
				t.Helper()
				a.refused(400, "got "+form+", "+want)
			}
			says(c.do("PUT", at+"/points", `{"points":[{"id":1,"record":`+value+`}]}`))
			says(c.do("POST", at+"/points/query", `{"query":{"record":`+value+`}}`))
			says(c.do("POST", at+"/points/outliers", `{"records":[`+value+`]}`))
			var got imported
			c.send("POST", at+"/import", jsonLines, `{"id":9,"record":`+value+`}`).result(&got)
			if reason := got.Errors[0].Reason; reason != "record: got "+form+", "+want {
				t.Errorf("import of %s: %s", value, reason)
			}
		}
		for _, body := range []string{`{"query":[1,2]}`, `{"query":{"nearest":[1,2]}}`} {
			c.do("POST", at+"/points/query", body).refused(400, "query", "got a vector, "+want, "record")
		}
		c.do("POST", at+"/points/search", `{"vector":[1,2]}`).refused(400, "vector: got a vector, "+want)
	}
	for value, want := range map[string]string{`{"x":1}`: "got an object, want a list", `"x"`: "must be a list of numbers, or base64"} {
		var got imported
		c.send("POST", "/collections/vector/import", jsonLines, `{"id":9,"record":`+value+`}`).result(&got)
		if reason := got.Errors[0].Reason; !strings.HasPrefix(reason, "record: "+want) {
			t.Errorf("import of %s: %s", value, reason)
		}
	}
}
