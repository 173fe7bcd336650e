package store_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

// Vectors that some other model made: here, points on a bent sheet in 16
// dimensions, which 4 numbers each can stand for.
func Example() {
	ctx := context.Background()
	db, err := store.OpenTemp(&store.Options{NoAutoFit: true}) // store.Open("data", nil) keeps it
	if err != nil {
		log.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			log.Fatal(err)
		}
	}()
	sheet, err := db.CreateCollection(ctx, "sheet", store.Config{Source: source.Vector{}, Dim: 4})
	if err != nil {
		log.Fatal(err)
	}
	var points []store.Point
	for i := range 400 {
		x, y := float64(i%20)/10, float64(i/20)/10
		v := make([]float32, 16)
		for j := range v {
			v[j] = float32(x*math.Sin(float64(j)) + y*math.Cos(float64(j)) + math.Sin(x*y))
		}
		points = append(points, store.Point{ID: store.NumID(uint64(i)), Vector: v, Payload: store.Payload{"row": i / 20}})
	}
	if err := sheet.Upsert(ctx, points...); err != nil {
		log.Fatal(err)
	}
	report, err := sheet.Fit(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d features as %d numbers\n", report.Features, report.Dim)
	hits, err := sheet.Search(ctx, store.Query{ID: store.NumID(210), Limit: 4, Recall: 0.99})
	if err != nil {
		log.Fatal(err)
	}
	for _, h := range hits {
		fmt.Println(h.ID, h.Payload["row"])
	}
	// Output:
	// 16 features as 4 numbers
	// 230 11
	// 211 10
	// 190 9
	// 209 10
}

// Records of a table, searched by the learned similarity and completed by it.
func Example_table() {
	ctx := context.Background()
	db, err := store.OpenTemp(&store.Options{NoAutoFit: true})
	if err != nil {
		log.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			log.Fatal(err)
		}
	}()
	parts, err := db.CreateCollection(ctx, "parts", store.Config{Source: source.Table{}, Dim: 2})
	if err != nil {
		log.Fatal(err)
	}
	for i := range 300 {
		size := float64(i % 50)
		colour := "grey"
		if size > 30 {
			colour = "red" // large parts are red, but for one
		}
		if i == 49 {
			colour = "grey"
		}
		record := map[string]any{"size": size, "weight": 3 * size, "colour": colour}
		if err := parts.Upsert(ctx, store.Point{ID: store.NumID(uint64(i)), Record: record}); err != nil {
			log.Fatal(err)
		}
	}
	if _, err := parts.Fit(ctx, nil); err != nil {
		log.Fatal(err)
	}
	odd, err := parts.Outliers(ctx, store.OutlierQuery{Limit: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("strangest:", odd.Outliers[0].ID, "for its", odd.Outliers[0].Parts[0].Name)
	back, err := parts.ReconstructRecords(ctx, map[string]any{"size": 45, "weight": 135, "colour": "red"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("kept:", back[0].Record.(map[string]any)["colour"])
	// Output:
	// strangest: 49 for its colour
	// kept: red
}
