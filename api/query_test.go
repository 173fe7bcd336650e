package api

import (
	"math"
	"slices"
	"testing"
)

type hit struct {
	ID      int
	Version *int
	Score   float64
	Payload map[string]any
	Vector  []float32
	Record  any
}

func idsOf(hits []hit) []int {
	ids := make([]int, len(hits))
	for i, h := range hits {
		ids[i] = h.ID
	}
	return ids
}

// nearest is the exact answer: the ids of the rows nearest to q that keep lets
// through, nearest first.
func nearest(rows [][]float32, q []float32, limit int, keep func(int) bool) []int {
	distance := func(i int) (sum float64) {
		for j := range q {
			d := float64(rows[i][j]) - float64(q[j])
			sum += d * d
		}
		return sum
	}
	var ids []int
	for i := range rows {
		if keep(i) {
			ids = append(ids, i)
		}
	}
	slices.SortStableFunc(ids, func(a, b int) int {
		return int(math.Copysign(1, distance(a)-distance(b)))
	})
	return ids[:min(limit, len(ids))]
}

func all(int) bool { return true }

func TestQueryForms(t *testing.T) {
	c := newClient(t, Config{})
	rows := vectors(60, 8, 4)
	c.fill("v", rows)
	want := nearest(rows, rows[5], 5, all)
	for name, query := range map[string]any{
		"vector":          rows[5],
		"default field":   object{"": rows[5]},
		"nearest vector":  object{"nearest": rows[5]},
		"record":          object{"record": rows[5]},
		"using":           rows[5],
		"nearest default": object{"nearest": object{"": rows[5]}},
	} {
		var got struct{ Points []hit }
		c.do("POST", "/collections/v/points/query", object{"query": query, "limit": 5, "using": "", "prefetch": []any{}}).result(&got)
		if ids := idsOf(got.Points); !slices.Equal(ids, want) {
			t.Errorf("%s: %v, want %v", name, ids, want)
		}
		if h := got.Points[0]; h.Version == nil || h.Score != 0 || h.Payload != nil || h.Vector != nil {
			t.Errorf("%s: first hit %+v", name, h)
		}
	}
	others := nearest(rows, rows[5], 5, func(i int) bool { return i != 5 })
	for name, query := range map[string]any{"id": 5, "nearest id": object{"nearest": 5}} {
		var got struct{ Points []hit }
		c.do("POST", "/collections/v/points/query", object{"query": query, "limit": 5}).result(&got)
		if ids := idsOf(got.Points); !slices.Equal(ids, others) {
			t.Errorf("%s: %v, want %v", name, ids, others)
		}
	}
}

func TestQueryOptions(t *testing.T) {
	c := newClient(t, Config{})
	rows := vectors(60, 8, 5)
	c.fill("v", rows)
	var got struct {
		Points []hit
		Search map[string]any
	}
	c.do("POST", "/collections/v/points/query", object{
		"query": rows[9], "limit": 4, "offset": 2, "with_payload": true, "with_vector": true,
		"filter": object{"must": []any{object{"key": "group", "match": object{"value": 0}}}},
		"params": object{"exact": true, "explain": true, "hnsw_ef": 50, "quantization": object{"rescore": true}},
	}).result(&got)
	want := nearest(rows, rows[9], 6, func(i int) bool { return i%3 == 0 })[2:]
	if ids := idsOf(got.Points); !slices.Equal(ids, want) {
		t.Errorf("filtered, from 2: %v, want %v", ids, want)
	}
	first := got.Points[0]
	if first.Payload["n"] != float64(want[0]) || !slices.Equal(first.Vector, rows[want[0]]) {
		t.Errorf("first hit %+v", first)
	}
	if got.Search["exact"] != true || got.Search["generation"] != 0.0 {
		t.Errorf("explained: %v", got.Search)
	}
	got.Points, got.Search = nil, nil
	threshold := first.Score
	c.do("POST", "/collections/v/points/query", object{"query": rows[9], "score_threshold": threshold, "limit": 60}).result(&got)
	for _, h := range got.Points {
		if h.Score > threshold {
			t.Errorf("score %v beyond the threshold %v", h.Score, threshold)
		}
	}
	if got.Search != nil {
		t.Errorf("explained without being asked: %v", got.Search)
	}
}

func TestSearchAndBatches(t *testing.T) {
	c := newClient(t, Config{})
	rows := vectors(40, 8, 6)
	c.fill("v", rows)
	want := [][]int{nearest(rows, rows[1], 3, all), nearest(rows, rows[2], 2, all)}
	var hits []hit
	for _, vector := range []any{rows[1], object{"name": "", "vector": rows[1]}, object{"": rows[1]}} {
		c.do("POST", "/collections/v/points/search", object{"vector": vector, "limit": 3}).result(&hits)
		if !slices.Equal(idsOf(hits), want[0]) {
			t.Errorf("search: %v, want %v", idsOf(hits), want[0])
		}
	}
	var lists [][]hit
	c.do("POST", "/collections/v/points/search/batch", object{"searches": []any{
		object{"vector": rows[1], "limit": 3}, object{"vector": rows[2], "limit": 2}}}).result(&lists)
	var batch []struct{ Points []hit }
	c.do("POST", "/collections/v/points/query/batch", object{"searches": []any{
		object{"query": rows[1], "limit": 3}, object{"query": rows[2], "limit": 2}}}).result(&batch)
	if len(lists) != 2 || len(batch) != 2 {
		t.Fatalf("batches of 2 gave %d and %d answers", len(lists), len(batch))
	}
	for i := range want {
		if !slices.Equal(idsOf(lists[i]), want[i]) || !slices.Equal(idsOf(batch[i].Points), want[i]) {
			t.Errorf("batch[%d]: %v and %v, want %v", i, idsOf(lists[i]), idsOf(batch[i].Points), want[i])
		}
	}
}

func TestQueryRefusals(t *testing.T) {
	c := newClient(t, Config{})
	c.fill("v", vectors(5, 2, 7))
	for body, want := range map[string]string{
		`{}`:                         "query: is missing",
		`{"query":true}`:             "query",
		`{"query":[]}`:               "query: is empty",
		`{"query":[1,2,3]}`:          "dimensions",
		`{"query":[[1,2]]}`:          "multivectors",
		`{"query":{"fusion":"rrf"}}`: "query.fusion: is not supported",
		`{"query":{"recommend":{"positive":[1]}}}`:                          "query.recommend",
		`{"query":{"order_by":"n"}}`:                                        "query.order_by",
		`{"query":{"sample":"random"}}`:                                     "query.sample",
		`{"query":{"indices":[1],"values":[1]}}`:                            "sparse",
		`{"query":{"nearest":[1,2],"mmr":{}}}`:                              "query.mmr",
		`{"query":{"nearest":[1,2],"record":[1,2]}}`:                        "exactly one",
		`{"query":[1,2],"prefetch":{"query":[1,2]}}`:                        "prefetch",
		`{"query":[1,2],"lookup_from":{}}`:                                  "lookup_from",
		`{"query":[1,2],"using":"photo"}`:                                   "using",
		`{"query":[1,2],"limit":0}`:                                         "limit: is 0; it must be 1 to 10000",
		`{"query":[1,2],"limit":10001}`:                                     "10000",
		`{"query":[1,2],"limit":"x"}`:                                       "limit: must be a whole number",
		`{"query":[1,2],"offset":-1}`:                                       "offset",
		`{"query":[1,2],"offset":9999,"limit":2}`:                           "offset",
		`{"query":[1,2],"params":{"recall":0}}`:                             "params.recall",
		`{"query":[1,2],"params":{"recall":1.1}}`:                           "params.recall",
		`{"query":[1,2],"params":{"recall":"a"}}`:                           "params.recall: must be a number",
		`{"query":[1,2],"params":{"space":"outer"}}`:                        "space",
		`{"query":[1,2],"params":{"hnsw_ef":-1}}`:                           "hnsw_ef",
		`{"query":[1,2],"params":{"rerank":1000000}}`:                       "rerank",
		`{"query":[1,2],"score_threshold":1e999}`:                           "score_threshold",
		`{"query":[1,2],"filter":{"must":[{"key":"a","match":{"any":3}}]}}`: "filter",
	} {
		c.do("POST", "/collections/v/points/query", body).refused(400, want)
	}
	c.do("POST", "/collections/v/points/query", `{"query":99}`).refused(404, "99")
	c.do("POST", "/collections/v/points/search", `{}`).refused(400, "vector: is missing")
	c.do("POST", "/collections/v/points/search", `{"vector":{"name":"photo","vector":[1,2]}}`).refused(400, "photo")
	c.do("POST", "/collections/v/points/query/batch", `{}`).refused(400, "searches")
	c.do("POST", "/collections/v/points/query/batch", `{"searches":[{"query":1},{"query":99}]}`).refused(404, "searches[1]", "99")
	c.do("POST", "/collections/v/points/query/batch", `{"searches":[{"query":[1,2]},{"query":[1,2],"limit":0}]}`).refused(400, "searches[1].limit")
	c.do("POST", "/collections/v/points/query/batch", `{"searches":[{"query":[1,2]},{"query":[1,2],"limit":"x"}]}`).refused(400, "searches[1].limit")
}
