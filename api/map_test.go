package api

import "testing"

func TestMap(t *testing.T) {
	c := newClient(t, Config{})
	c.fill("v", vectors(50, 4, 1))
	c.do("GET", "/collections/v/map", nil).refused(400, "not fitted")
	c.do("POST", "/collections/v/fit", `{"dim":2,"epochs":2,"wait":true}`).result(nil)
	var got struct {
		Generation int
		Points     []struct {
			ID   any
			X, Y *float64
		}
	}
	c.do("GET", "/collections/v/map?limit=20", nil).result(&got)
	if got.Generation != 1 || len(got.Points) != 20 || got.Points[0].X == nil || got.Points[0].ID == nil {
		t.Errorf("%+v", got)
	}
	c.do("GET", "/collections/v/map?limit=0", nil).refused(400, "limit")
	c.do("GET", "/collections/v/map?limit=many", nil).refused(400, "limit")
	c.do("GET", "/collections/none/map", nil).refused(404, "none")
}
