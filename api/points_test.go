package api

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// id is a number as plain JSON has it.
func id(n int) any { return float64(n) }

func TestCollections(t *testing.T) {
	c := newClient(t, Config{Version: "1.2.3"})
	if a := c.do("GET", "/", nil); !strings.Contains(a.body, `"version":"1.2.3"`) || strings.Contains(a.body, "status") {
		t.Errorf("GET /: %s", a.body)
	}
	plain := object{"vectors": object{"size": 4, "distance": "Cosine"}}
	name := "/collections/" + url.PathEscape("a b%c?é")
	c.do("PUT", name, plain).result(nil)
	c.do("PUT", name, plain).refused(409, "Collection `a b%c?é` already exists!")
	c.do("PUT", "/collections/b", object{"latent": object{"source": object{"kind": "table"}, "dim": 8}}).result(nil)
	got := c.do("GET", "/collections", nil).value()
	want := map[string]any{"collections": []any{map[string]any{"name": "a b%c?é"}, map[string]any{"name": "b"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("collections: %v", got)
	}
	for path, want := range map[string]bool{name: true, "/collections/zzz": false} {
		if got := c.do("GET", path+"/exists", nil).value(); !reflect.DeepEqual(got, map[string]any{"exists": want}) {
			t.Errorf("%s exists: %v", path, got)
		}
	}
	c.do("PATCH", name, `{"optimizers_config":{"indexing_threshold":1},"hnsw_config":{"m":8}}`).result(nil)
	c.do("PATCH", name, `{"latent":{"dim":8}}`).refused(400, "latent: is decided")
	c.do("PATCH", "/collections/zzz", `{}`).refused(404, "Collection `zzz` doesn't exist!")
	for _, want := range []bool{true, false} {
		if got := c.do("DELETE", name, nil).value(); got != want {
			t.Errorf("drop: %v, want %v", got, want)
		}
	}
	c.do("GET", name, nil).refused(404, "doesn't exist!")
	c.do("PUT", "/collections/bad%2Fname", plain).refused(400, "slash")
	c.do("PUT", "/collections/"+strings.Repeat("n", 300), plain).refused(400, "255")
	c.do("PUT", "/collections/x", `{"vectors":{"size":4,"distance":"Dot"},"latent":{"engine":"warp"}}`).refused(400, "engine", "warp")
	c.do("PUT", "/collections/x", `{"vectors"`).refused(400, "not valid JSON")
}

func TestDescribeCollection(t *testing.T) {
	c := newClient(t, Config{})
	c.fill("v", vectors(5, 4, 1))
	var got struct {
		Status          string
		OptimizerStatus string         `json:"optimizer_status"`
		PointsCount     int            `json:"points_count"`
		IndexedCount    *int           `json:"indexed_vectors_count"`
		Segments        *int           `json:"segments_count"`
		PayloadSchema   map[string]any `json:"payload_schema"`
		Config          struct {
			Params struct {
				Vectors struct {
					Size     int
					Distance string
				}
			}
			HNSW      map[string]float64  `json:"hnsw_config"`
			Optimizer map[string]*float64 `json:"optimizer_config"`
			WAL       map[string]*float64 `json:"wal_config"`
		}
		Latent map[string]any
	}
	c.do("GET", "/collections/v", nil).result(&got)
	if got.OptimizerStatus != "ok" || got.PointsCount != 5 || got.Segments == nil || got.IndexedCount == nil || got.PayloadSchema == nil {
		t.Errorf("description: %+v", got)
	}
	if v := got.Config.Params.Vectors; v.Size != 4 || v.Distance != "Euclid" {
		t.Errorf("vectors: %+v", v)
	}
	for _, key := range []string{"m", "ef_construct", "full_scan_threshold"} {
		if got.Config.HNSW[key] == 0 {
			t.Errorf("hnsw_config has no %s: %v", key, got.Config.HNSW)
		}
	}
	for _, key := range []string{"deleted_threshold", "vacuum_min_vector_number", "default_segment_number", "flush_interval_sec"} {
		if got.Config.Optimizer[key] == nil {
			t.Errorf("optimizer_config has no %s", key)
		}
	}
	wantFit := map[string]any{"enabled": true, "min_points": 10000.0, "drift": 1.5}
	if !reflect.DeepEqual(got.Latent["auto_fit"], wantFit) || got.Latent["dim"] != "auto" || got.Latent["generation"] != 0.0 {
		t.Errorf("latent: %v", got.Latent)
	}
	// The block can be sent back as it came, less what only answers have.
	for _, key := range []string{"generation", "fitted"} {
		delete(got.Latent, key)
	}
	c.do("PUT", "/collections/again", object{"latent": got.Latent}).result(nil)
}

func TestUpsertAndRead(t *testing.T) {
	c := newClient(t, Config{})
	c.do("PUT", "/collections/v", object{"vectors": object{"size": 2, "distance": "Euclid"}}).result(nil)
	var done struct {
		OperationID uint64 `json:"operation_id"`
		Status      string
	}
	c.do("PUT", "/collections/v/points?wait=true", `{"points":[
		{"id":7,"vector":[1,2],"payload":{"a":{"b":1,"c":2},"big":9007199254740993}},
		{"id":"7","vector":{"":[3,4]}},
		{"id":"550e8400e29b41d4a716446655440000","vector":[5,6],"payload":null,"ignored":true}],"ignored":1}`).result(&done)
	if done.Status != "completed" || done.OperationID == 0 {
		t.Errorf("upsert: %+v", done)
	}
	c.do("PUT", "/collections/v/points?wait=false", `{"batch":{"ids":[1,2],"vectors":{"":[[0,1],[0,2]]},"payloads":[{"x":1},null]}}`).result(&done)
	if done.Status != "acknowledged" || done.OperationID != 0 {
		t.Errorf("upsert without waiting: %+v", done)
	}
	c.do("PUT", "/collections/v/points", `{"batch":{"ids":[3],"records":[[0,3]]},"wait":true}`).result(&done)

	body := c.do("POST", "/collections/v/points", `{"ids":["7",7,99,"550e8400-e29b-41d4-a716-446655440000",1],"with_vector":true}`).body
	want := `{"result":[{"id":"7","payload":{},"vector":[3,4]},` +
		`{"id":7,"payload":{"a":{"b":1,"c":2},"big":9007199254740993},"vector":[1,2]},` +
		`{"id":"550e8400-e29b-41d4-a716-446655440000","payload":{},"vector":[5,6]},` +
		`{"id":1,"payload":{"x":1},"vector":[0,1]}],"status":"ok"`
	if !strings.HasPrefix(body, want) {
		t.Errorf("retrieved\n%s, want\n%s", body, want)
	}
	body = c.do("POST", "/collections/v/points", `{"ids":[7],"with_payload":["a.b"]}`).body
	if !strings.HasPrefix(body, `{"result":[{"id":7,"payload":{"a":{"b":1}}}]`) {
		t.Errorf("retrieved a.b: %s", body)
	}
	body = c.do("GET", "/collections/v/points/7", nil).body
	if !strings.HasPrefix(body, `{"result":{"id":7,"payload":{"a":{"b":1,"c":2},"big":9007199254740993},"vector":[1,2]}`) {
		t.Errorf("point 7: %s", body)
	}
	c.do("GET", "/collections/v/points/550e8400e29b41d4a716446655440000", nil).result(nil)
	c.do("GET", "/collections/v/points/8", nil).refused(404, "8")
	c.do("GET", "/collections/zzz/points/8", nil).refused(404, "Not found: Collection `zzz` doesn't exist!")
}

func TestUpsertRefusals(t *testing.T) {
	c := newClient(t, Config{})
	c.do("PUT", "/collections/v", object{"vectors": object{"size": 2, "distance": "Euclid"}}).result(nil)
	for body, want := range map[string]string{
		``:                              "points: is missing or empty",
		`{"points":[]}`:                 "points: is missing or empty",
		`{"points":{}}`:                 "points: must be a list",
		`{"points":[3]}`:                "points: must be an object",
		`{"points":[{"id":1}]}`:         "points[0]: has neither a vector nor a record",
		`{"points":[{"vector":[1,2]}]}`: "points[0].id: is missing",
		`{"points":[{"id":1,"vector":[1,2]},{"id":-1,"vector":[1,2]}]}`: "points[1].id: -1 is neither",
		`{"points":[{"id":1.5,"vector":[1,2]}]}`:                        "points[0].id",
		`{"points":[{"id":"","vector":[1,2]}]}`:                         "points[0].id",
		`{"points":[{"id":1,"vector":[1,2,3]}]}`:                        "points[0]",
		`{"points":[{"id":1,"vector":[1,1e39]}]}`:                       "points[0].vector[1]: must be a number in the range of float32",
		`{"points":[{"id":1,"vector":[[1,2]]}]}`:                        "multivectors",
		`{"points":[{"id":1,"vector":{"indices":[1],"values":[1]}}]}`:   "sparse",
		`{"points":[{"id":1,"vector":{"a":[1,2]}}]}`:                    "named vectors",
		`{"points":[{"id":1,"vector":[1,2],"record":[1,2]}]}`:           "both",
		`{"points":[{"id":1,"vector":[1,2],"payload":[1]}]}`:            "points[0].payload: must be an object",
		`{"points":[{"id":1,"vector":[1,2],"payload":{"x":1e400}}]}`:    "points[0].payload.x: 1e400 is out of",
		`{"points":[{"id":1,"vector":[1,2]}],"update_filter":{}}`:       "update_filter",
		`{"batch":{"ids":[1,2],"vectors":[[1,2]]}}`:                     "batch.vectors: has 1 entries for 2 ids",
		`{"batch":{"ids":[1],"vectors":[[1,2]],"payloads":[]}}`:         "batch.payloads: has 0 entries for 1 ids",
		`{"points":[],"batch":{"ids":[]}}`:                              "either points or batch",
		`{"points":[{"id":1,"vector":[1,2]}],"wait":"yes"}`:             "wait: must be true or false",
	} {
		c.do("PUT", "/collections/v/points", body).refused(400, want)
	}
	c.do("PUT", "/collections/v/points?wait=maybe", `{"points":[{"id":1,"vector":[1,2]}]}`).refused(400, "wait")
	if got := c.do("POST", "/collections/v/points/count", `{"exact":true}`).value(); !reflect.DeepEqual(got, map[string]any{"count": 0.0}) {
		t.Errorf("refused points were stored: %v", got)
	}
}

func TestDeleteCountScroll(t *testing.T) {
	c := newClient(t, Config{})
	c.fill("v", vectors(10, 4, 2))
	count := func(filter any) any {
		return c.do("POST", "/collections/v/points/count", object{"filter": filter}).value().(map[string]any)["count"]
	}
	group := func(n int) object { return object{"must": object{"key": "group", "match": object{"value": n}}} }
	if count(nil) != 10.0 || count(group(0)) != 4.0 {
		t.Errorf("count: %v, %v", count(nil), count(group(0)))
	}
	var seen []any
	var offset any
	for range 5 {
		var page struct {
			Points []struct {
				ID      any
				Payload map[string]any
				Vector  []float32
			}
			Next any `json:"next_page_offset"`
		}
		c.do("POST", "/collections/v/points/scroll", object{"limit": 3, "offset": offset, "with_payload": false, "with_vector": true}).result(&page)
		if len(page.Points) > 3 {
			t.Errorf("a page of 3 has %d points", len(page.Points))
		}
		for _, p := range page.Points {
			seen = append(seen, p.ID)
			if p.Payload != nil || len(p.Vector) != 4 {
				t.Errorf("scrolled %+v", p)
			}
		}
		if offset = page.Next; offset == nil {
			break
		}
	}
	want := make([]any, 10)
	for i := range want {
		want[i] = id(i)
	}
	if !reflect.DeepEqual(seen, want) {
		t.Errorf("scroll gave %v", seen)
	}
	var page struct {
		Points []struct{ Payload map[string]any }
	}
	c.do("POST", "/collections/v/points/scroll", object{"filter": group(1)}).result(&page)
	if len(page.Points) != 3 || page.Points[0].Payload["n"] != 1.0 {
		t.Errorf("filtered scroll: %+v", page)
	}
	c.do("POST", "/collections/v/points/delete", `{"points":[0,99]}`).result(nil)
	c.do("POST", "/collections/v/points/delete", object{"filter": group(1)}).result(nil)
	if count(nil) != 6.0 || count(group(1)) != 0.0 {
		t.Errorf("after deletion: %v, %v", count(nil), count(group(1)))
	}
	c.do("POST", "/collections/v/points/delete", `{"points":[]}`).result(nil)
	if count(nil) != 6.0 {
		t.Errorf("an empty list of ids deletes: %v points", count(nil))
	}
	for path, cases := range map[string]map[string]string{
		"delete": {
			`{}`:                         "points",
			`{"points":[null]}`:          "points[0]: is missing",
			`{"filter":{"moist":[]}}`:    "moist",
			`{"points":[1],"filter":{}}`: "either",
		},
		"scroll": {
			`{"limit":0}`:           "limit: is 0; it must be 1 to 10000",
			`{"limit":10001}`:       "limit: is 10001; it must be 1 to 10000",
			`{"order_by":"n"}`:      "order_by",
			`{"offset":-1}`:         "offset",
			`{"with_payload":3}`:    "with_payload",
			`{"with_vector":["a"]}`: "with_vector",
			`{"filter":{"must":[{"key":"a","match":{"valu":1}}]}}`: "valu",
		},
		"count": {`{"filter":3}`: "filter", `[]`: "body: must be an object"},
	} {
		for body, want := range cases {
			c.do("POST", "/collections/v/points/"+path, body).refused(400, want)
		}
	}
}

func TestPayloadRoutes(t *testing.T) {
	c := newClient(t, Config{})
	c.fill("v", vectors(3, 4, 3))
	payload := func(n int) any {
		return c.do("GET", fmt.Sprintf("/collections/v/points/%d", n), nil).value().(map[string]any)["payload"]
	}
	expect := func(n int, want object) {
		t.Helper()
		if got := payload(n); !reflect.DeepEqual(got, want) {
			t.Errorf("payload of %d: %v, want %v", n, got, want)
		}
	}
	c.do("POST", "/collections/v/points/payload", `{"payload":{"x":[1]},"points":[0]}`).result(nil)
	expect(0, object{"n": 0.0, "group": 0.0, "x": []any{1.0}})
	c.do("PUT", "/collections/v/points/payload", `{"payload":{"y":1},"filter":{"must":[{"has_id":[1]}]}}`).result(nil)
	expect(1, object{"y": 1.0})
	c.do("POST", "/collections/v/points/payload/delete", `{"keys":["n","zzz"],"points":[0]}`).result(nil)
	expect(0, object{"group": 0.0, "x": []any{1.0}})
	c.do("POST", "/collections/v/points/payload/clear", `{"points":[0,1]}`).result(nil)
	expect(0, object{})
	expect(1, object{})
	expect(2, object{"n": 2.0, "group": 2.0})

	c.do("POST", "/collections/v/points/payload", `{"payload":{},"points":[99]}`).refused(404, "99")
	c.do("POST", "/collections/v/points/payload", `{"points":[0]}`).refused(400, "payload: is missing")
	c.do("POST", "/collections/v/points/payload", `{"payload":{},"points":[0],"key":"a"}`).refused(400, "key")
	c.do("POST", "/collections/v/points/payload", `{"payload":{}}`).refused(400, "points")
	c.do("POST", "/collections/v/points/payload/delete", `{"points":[0]}`).refused(400, "keys")
}
