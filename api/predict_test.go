package api

import (
	"math"
	"testing"
)

type predicted struct {
	Value      any
	Confidence *float64
	Spread     *float64
	Neighbours []struct {
		ID    int
		Score *float64
		Value any
	}
	Quality struct {
		As       string
		K        int
		Accuracy *float64
		R2       *float64
	}
}

func TestPredict(t *testing.T) {
	c, rows := fitted(t)
	var got []predicted
	c.do("POST", "/collections/v/points/predict", object{"key": "group", "vectors": rows[:2], "k": 5}).result(&got)
	if len(got) != 2 || got[0].Value != 0. || *got[0].Confidence <= .5 || len(got[0].Neighbours) != 5 || got[0].Neighbours[0].Value == nil ||
		*got[0].Neighbours[0].Score != 0 || got[0].Quality.As != "class" || got[0].Quality.K != 5 || *got[0].Quality.Accuracy < .5 || got[0].Spread != nil {
		t.Errorf("predicted: %+v", got)
	}
	got = nil
	c.do("POST", "/collections/v/points/predict", `{"key":"n","ids":[4],"as":"number"}`).result(&got)
	if len(got) != 1 || got[0].Spread == nil || got[0].Quality.R2 == nil {
		t.Errorf("predicted a number: %+v", got)
	}
	for _, n := range got[0].Neighbours {
		if n.ID == 4 {
			t.Error("point 4 votes on itself")
		}
	}
	var quality struct {
		As     string
		Points int
		Tried  []any
	}
	c.do("GET", "/collections/v/quality?key=group", nil).result(&quality)
	if quality.As != "class" || quality.Points != 300 || len(quality.Tried) != 6 {
		t.Errorf("quality: %+v", quality)
	}
	for body, want := range map[string]string{
		`{"key":"group"}`:                                  "ids: is missing",
		`{"key":"group","ids":[]}`:                         "ids: is empty",
		`{"vectors":[[1,2,3,4,5,6]]}`:                      "key: is missing",
		`{"key":"colour","ids":[1]}`:                       `key: no point that may vote has a string, a boolean or a number under "colour"`,
		`{"key":"group","ids":[1],"k":0}`:                  "k: is 0; it must be 1 to 100",
		`{"key":"group","ids":[1],"vectors":[[1]]}`:        "either",
		`{"key":"group","vectors":[[1]]}`:                  "vectors[0]: ",
		`{"key":"group","records":[[1]]}`:                  "records[0]: ",
		`{"key":"group","ids":[1],"as":"word"}`:            "as: ",
		`{"key":"group","ids":[1],"space":"outer"}`:        "space: ",
		`{"key":"group","ids":[1],"neighbours":3}`:         `unknown field "neighbours"`,
		`{"key":"group","ids":[1],"filter":{"most":[]}}`:   "most",
		`{"key":"group","ids":[-1]}`:                       "ids[0]",
		`{"key":"group","ids":[1],"filter":{"must":[{}]}}`: "filter.must[0]",
	} {
		c.do("POST", "/collections/v/points/predict", body).refused(400, want)
	}
	c.do("POST", "/collections/v/points/predict", `{"key":"group","ids":[1,999]}`).refused(404, "999")
	c.do("POST", "/collections/none/points/predict", `{"key":"group","ids":[1]}`).refused(404, "none")
	c.do("GET", "/collections/v/quality?key=", nil).refused(400, "key: is missing")
	c.do("GET", "/collections/v/quality?key=group&k=many", nil).refused(400, "k: ")
}

func TestInterpolate(t *testing.T) {
	c, rows := fitted(t)
	var got struct {
		Generation uint64
		Vectors    [][]float64
	}
	c.do("POST", "/collections/v/points/interpolate", object{"from": 3, "to": object{"record": rows[4]}, "steps": 3}).result(&got)
	if got.Generation == 0 || len(got.Vectors) != 3 {
		t.Fatalf("path: %+v", got)
	}
	for j := range 6 { // the rows lie on a plane but for noise of 0.05, and PCA is linear
		for i, want := range []float64{float64(rows[3][j]), float64(rows[3][j]+rows[4][j]) / 2, float64(rows[4][j])} {
			if math.Abs(got.Vectors[i][j]-want) > .3 {
				t.Errorf("step %d is %v", i, got.Vectors[i])
			}
		}
	}
	c.do("POST", "/collections/v/points/interpolate", object{"from": object{"vector": rows[3]}, "to": 4}).result(&got)
	if len(got.Vectors) != 10 {
		t.Errorf("%d steps", len(got.Vectors))
	}
	for body, want := range map[string]string{
		`{"to":1}`:                       "from: is missing",
		`{"from":1}`:                     "to: is missing",
		`{"from":1,"to":{}}`:             "to: must have exactly one",
		`{"from":1,"to":{"id":2}}`:       "unknown field",
		`{"from":1,"to":2,"steps":1}`:    "steps: is 1; it must be 2 to 1000",
		`{"from":1,"to":2,"steps":-1}`:   "steps: is -1",
		`{"from":1,"to":{"record":[1]}}`: "to: ",
		`{"from":1,"to":{"record":3}}`:   "to.record: ",
		`{"from":-1,"to":2}`:             "from",
	} {
		c.do("POST", "/collections/v/points/interpolate", body).refused(400, want)
	}
	c.do("POST", "/collections/v/points/interpolate", `{"from":1,"to":999}`).refused(404, "999")
	c.fill("plain", rows[:5])
	c.do("POST", "/collections/plain/points/interpolate", `{"from":1,"to":2}`).refused(400, "fit it first")
	c.do("PUT", "/collections/image", `{"latent":{"source":{"kind":"image","width":8,"height":8}}}`).result(nil)
	c.do("POST", "/collections/image/points/interpolate", `{"from":1,"to":{"vector":[1]}}`).refused(400, "to.vector: this collection takes records of kind image")
}
