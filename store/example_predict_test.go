package store_test

import (
	"context"
	"fmt"
	"log"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

// Parts of two suppliers: who made a new one, and what it will cost, by those most like it.
func ExampleCollection_Predict() {
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
	parts, err := db.CreateCollection(ctx, "parts", store.Config{Source: source.Table{}})
	if err != nil {
		log.Fatal(err)
	}
	var points []store.Point
	for i := range 200 {
		size := float64(i%50) + 1
		maker, weight := "North", 2*size
		if i%2 == 1 {
			maker, weight = "South", 5*size
		}
		points = append(points, store.Point{
			ID: store.NumID(uint64(i)), Record: map[string]any{"size": size, "weight": weight},
			Payload: store.Payload{"maker": maker, "price": weight + float64(i%7) + 0.5},
		})
	}
	if err := parts.Upsert(ctx, points...); err != nil {
		log.Fatal(err)
	}
	part := map[string]any{"size": 30, "weight": 149}
	made, err := parts.Predict(ctx, store.PredictQuery{Key: "maker", Records: []any{part}})
	if err != nil {
		log.Fatal(err)
	}
	costs, err := parts.Predict(ctx, store.PredictQuery{Key: "price", Records: []any{part}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(made[0].Value, "like", made[0].Neighbours[0].ID)
	fmt.Printf("%.0f, give or take %.0f; R² %.2f\n", costs[0].Value, *costs[0].Spread, *costs[0].Quality.R2)
	// Output:
	// South like 29
	// 152, give or take 2; R² 1.00
}
