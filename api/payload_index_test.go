package api

import (
	"reflect"
	"testing"
)

func TestPayloadIndex(t *testing.T) {
	c := newClient(t, Config{})
	c.fill("v", vectors(40, 3, 1))
	const at = "/collections/v"
	for i, payload := range []string{`{"city":"Oslo","at":{"x":1.5}}`, `{"city":["Rome","Oslo"]}`, `{"city":7}`} {
		c.do("PUT", at+"/points/payload", `{"payload":`+payload+`,"points":[`+string(rune('1'+i))+`]}`).result(nil)
	}
	for path, body := range map[string]string{
		"/index":            `{"field_name":"city","field_schema":"keyword"}`,
		"/index?wait=false": `{"field_name":"at.x","field_schema":{"type":"float","on_disk":true}}`,
	} {
		var got writtenResult
		if c.do("PUT", at+path, body).result(&got); got.Status == "" || got.OperationID == 0 {
			t.Errorf("%s: %+v", path, got)
		}
	}
	schema := func() any { return c.do("GET", at, nil).value().(map[string]any)["payload_schema"] }
	wantCity := map[string]any{"data_type": "keyword", "points": 2.0}
	if got := schema().(map[string]any); !reflect.DeepEqual(got["city"], wantCity) || got["at.x"] == nil {
		t.Errorf("schema %v", got)
	}
	var answer queryResult
	c.do("POST", at+"/points/query", `{"query":[1,2,3],"params":{"explain":true},"filter":{"must":{"key":"city","match":{"value":"Oslo"}}}}`).result(&answer)
	if f := answer.Search.Filter; len(answer.Points) != 2 || f == nil || f.Matching != 2 || !f.Indexed || f.Scanned != 0 {
		t.Errorf("%d points, %+v", len(answer.Points), f)
	}
	for range 2 { // also where there is none
		c.do("DELETE", at+"/index/at.x", nil).result(nil)
	}
	if got := schema(); !reflect.DeepEqual(got, map[string]any{"city": wantCity}) {
		t.Errorf("schema %v", got)
	}
	for body, says := range map[string]string{
		`{"field_schema":"keyword"}`:                       "field_name: is missing",
		`{"field_name":"a"}`:                               "field_schema: is missing",
		`{"field_name":"a","field_schema":"text"}`:         `field_schema: "text" is not one of keyword`,
		`{"field_name":"a","field_schema":{"type":"geo"}}`: `field_schema: "geo" is not one of`,
		`{"field_name":"a","field_schema":5}`:              "field_schema: must be",
	} {
		c.do("PUT", at+"/index", body).refused(400, says)
	}
	c.do("PUT", "/collections/none/index", `{"field_name":"a","field_schema":"bool"}`).refused(404, "doesn't exist")
}
