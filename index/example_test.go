package index_test

import (
	"bytes"
	"fmt"

	"github.com/latentdb/latentdb/index"
)

// The exact engine, restricted to some slots.
func ExampleFlat() {
	idx, err := index.Flat.New(index.Config{Dim: 2, Metric: index.L2})
	if err != nil {
		panic(err)
	}
	rows := [][]float32{{0, 0}, {3, 4}, {1, 1}, {6, 8}}
	for slot, row := range rows {
		if err := idx.Upsert(uint32(slot), row); err != nil {
			panic(err)
		}
	}
	hits, err := idx.Search(nil, []float32{0, 0}, index.Params{K: 2, Allow: index.NewBitmap(1, 2, 3)})
	if err != nil {
		panic(err)
	}
	for _, h := range hits {
		fmt.Printf("slot %d at squared distance %v\n", h.Slot, h.Distance)
	}
	// Output:
	// slot 2 at squared distance 2
	// slot 1 at squared distance 25
}

// A graph over a ring of rows, saved and loaded again.
func ExampleHNSW() {
	idx, err := index.HNSW.New(index.Config{Dim: 2, Metric: index.Cosine})
	if err != nil {
		panic(err)
	}
	for slot := range uint32(100) {
		x := float32(slot) - 50
		if err := idx.Upsert(slot, []float32{x, 10}); err != nil {
			panic(err)
		}
	}

	var file bytes.Buffer
	if err := index.Save(&file, index.Header{Generation: 3}, idx); err != nil {
		panic(err)
	}
	header, loaded, err := index.Load(&file, index.Flat, index.HNSW)
	if err != nil {
		panic(err)
	}
	hits, err := loaded.Search(nil, []float32{0, 1}, index.Params{K: 1, EF: 50})
	if err != nil {
		panic(err)
	}
	fmt.Println(header.Engine, header.Generation, loaded.Len(), hits[0].Slot)
	// Output:
	// hnsw 3 100 50
}

// The share of the true neighbours that a search of a given width finds.
func ExampleRecall() {
	idx, err := index.HNSW.New(index.Config{Dim: 1})
	if err != nil {
		panic(err)
	}
	for slot := range uint32(2000) {
		if err := idx.Upsert(slot, []float32{float32(slot * 7919 % 2000)}); err != nil {
			panic(err)
		}
	}
	recall, err := index.Recall(idx, []float32{10, 1000, 1990}, 10, index.Params{EF: 50})
	if err != nil {
		panic(err)
	}
	fmt.Println(recall)
	// Output:
	// 1
}
