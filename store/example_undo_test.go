package store_test

import (
	"context"
	"fmt"
	"log"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

// Readings of which one arrived twice, and a late one that is out of range.
func ExampleCollection_UndoDeduplicate() {
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
	readings, err := db.CreateCollection(ctx, "readings", store.Config{Source: source.Vector{}, Watch: store.Watch{Field: "watch"}})
	if err != nil {
		log.Fatal(err)
	}
	var points []store.Point
	for i := range 120 {
		points = append(points, store.Point{ID: store.NumID(uint64(i)), Vector: []float32{float32(i % 11), float32(i % 13), float32(i % 17)}})
	}
	points = append(points, store.Point{ID: store.StringID("again"), Vector: points[5].Vector})
	if err := readings.Upsert(ctx, points...); err != nil {
		log.Fatal(err)
	}
	gone, err := readings.Deduplicate(ctx, store.DuplicateQuery{Threshold: new(float64)}, false)
	if err != nil {
		log.Fatal(err)
	}
	back, err := readings.UndoDeduplicate(ctx, gone.Undo)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("removed", gone.Removed[0].ID, "for", gone.Removed[0].Kept, "and restored", back.Restored)

	if err := readings.Upsert(ctx, store.Point{ID: store.StringID("late"), Vector: []float32{5, 6, 900}}); err != nil {
		log.Fatal(err)
	}
	strange := &store.Filter{Must: []store.Condition{{Key: "watch.outlier", Match: &store.Match{Value: true}}}}
	for p, err := range readings.Scroll(ctx, store.ScrollQuery{Filter: strange}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("strange:", p.ID)
	}
	// Output:
	// removed again for 5 and restored [again]
	// strange: late
}
