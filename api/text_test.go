package api

import "testing"

func TestTextRecords(t *testing.T) {
	c := newClient(t, Config{})
	c.do("PUT", "/collections/notes", `{"latent":{"source":{"kind":"text","meaning":0.3}}}`).result(nil)
	c.do("PUT", "/collections/notes/points?wait=true", `{"points":[{"id":1,"record":"A late parcel"},{"id":2,"record":"Guten Tag"}]}`).result(nil)
	var got imported
	c.send("POST", "/collections/notes/import?record=body", "text/csv", "id,body,n\n3,17,1\n4,parcels,2\n").result(&got)
	if got.Imported != 2 {
		t.Errorf("imported %+v", got)
	}
	var found struct {
		Points []struct {
			ID      int
			Payload map[string]any
		}
	}
	c.do("POST", "/collections/notes/points/query", `{"query":{"record":"PARCELS"},"limit":1,"with_payload":true}`).result(&found)
	if len(found.Points) != 1 || found.Points[0].ID != 4 || found.Points[0].Payload["n"] == nil {
		t.Errorf("found %+v", found)
	}
	c.do("PUT", "/collections/notes/points", `{"points":[{"id":1,"record":""}]}`).refused(400, "text is empty")
	c.do("PUT", "/collections/notes/points", `{"points":[{"id":1,"record":{"a":1}}]}`).refused(400, "a string (text)")
}
