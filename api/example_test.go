package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/latentdb/latentdb/api"
	"github.com/latentdb/latentdb/store"
)

// A walk through the routes: create a collection, put points into it, search,
// learn a model, and ask what the model kept of a point.
func Example() {
	db, err := store.OpenTemp(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	server := httptest.NewServer(api.New(db, api.Config{}).Handler())
	defer server.Close()

	call := func(method, path, body string) json.RawMessage {
		req, err := http.NewRequest(method, server.URL+path, strings.NewReader(body))
		if err != nil {
			panic(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			panic(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			panic(err)
		}
		var answer struct{ Result json.RawMessage }
		if err := json.Unmarshal(text, &answer); err != nil || answer.Result == nil {
			panic(fmt.Sprintf("%s %s: %s", method, path, text))
		}
		return answer.Result
	}

	fmt.Printf("%s\n", call("PUT", "/collections/points", `{"vectors": {"size": 3, "distance": "Euclid"}}`))
	points := make([]string, 60)
	for i := range points {
		points[i] = fmt.Sprintf(`{"id": %d, "vector": [%d, %d, %d], "payload": {"even": %t}}`, i, i, 2*i, i*i%7, i%2 == 0)
	}
	call("PUT", "/collections/points/points", `{"points": [`+strings.Join(points, ",")+`]}`)
	fmt.Printf("%s\n", call("POST", "/collections/points/points/count", `{"filter": {"must": {"key": "even", "match": {"value": true}}}}`))

	var found struct {
		Points []struct{ ID int }
	}
	hits := call("POST", "/collections/points/points/query", `{"query": [7, 14, 0], "limit": 3}`)
	if err := json.Unmarshal(hits, &found); err != nil {
		panic(err)
	}
	fmt.Println(found.Points)

	var fit struct {
		Status     string
		Generation int
		Quality    struct{ Dim int }
	}
	report := call("POST", "/collections/points/fit", `{"dim": 2, "encoder": "pca", "wait": true}`)
	if err := json.Unmarshal(report, &fit); err != nil {
		panic(err)
	}
	fmt.Println(fit.Status, fit.Generation, fit.Quality.Dim)

	var kept []struct{ Vector []float64 }
	if err := json.Unmarshal(call("POST", "/collections/points/points/reconstruct", `{"ids": [7]}`), &kept); err != nil {
		panic(err)
	}
	fmt.Printf("%.0f\n", kept[0].Vector[:2])
	// Output:
	// true
	// {"count":30}
	// [{7} {6} {8}]
	// completed 1 2
	// [7 14]
}
