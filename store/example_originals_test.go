package store_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

// A collection that learns once, and from then on keeps of each vector only the codes of
// its latent: 4 bytes here for 16 numbers.
func ExampleConfig_dropOriginals() {
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
	waves, err := db.CreateCollection(ctx, "waves", store.Config{Source: source.Vector{}, Dim: 4, DropOriginals: true})
	if err != nil {
		log.Fatal(err)
	}
	wave := func(i int) []float32 {
		v := make([]float32, 16)
		for j := range v {
			v[j] = float32(math.Sin(float64(j)/3) * float64(i%20) / 10)
			v[j] += float32(math.Cos(float64(j)/3) * float64(i/20) / 10)
		}
		return v
	}
	var points []store.Point
	for i := range 400 {
		points = append(points, store.Point{ID: store.NumID(uint64(i)), Vector: wave(i)})
	}
	if err := waves.Upsert(ctx, points...); err != nil {
		log.Fatal(err)
	}
	if _, err := waves.Fit(ctx, nil); err != nil {
		log.Fatal(err)
	}
	back, err := waves.Get(ctx, store.With{Vector: true}, store.NumID(210))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("wrote %.1f, read %.1f\n", wave(210)[:4], back[0].Vector[:4])
	result, err := waves.Explain(ctx, store.Query{Vector: wave(210), Limit: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("nearest is", result.Hits[0].ID, "by decoded rows:", result.Info.Decoded)
	_, err = waves.Fit(ctx, nil)
	fmt.Println("a second fit is refused:", errors.Is(err, store.ErrNoOriginals))
	// Output:
	// wrote [1.0 1.3 1.4 1.4], read [1.0 1.3 1.4 1.4]
	// nearest is 210 by decoded rows: true
	// a second fit is refused: true
}
