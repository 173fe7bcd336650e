package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

func TestSearchBatch(t *testing.T) {
	c := create(t, tempDB(t, &Options{NoAutoFit: true, Workers: 3}), Config{Source: source.Vector{}})
	if hits, err := c.SearchBatch(ctx, nil); err != nil || len(hits) != 0 {
		t.Fatalf("no queries: %v, %v", hits, err)
	}
	var queries []Query
	for i := range 50 {
		v := []float32{float32(i % 7), float32(i), 1}
		mustUpsert(t, c, Point{ID: NumID(uint64(i)), Vector: v, Payload: Payload{"i": i}})
		queries = append(queries, Query{Vector: v, Limit: 1 + i%5, OmitPayload: i%2 == 0})
	}
	got, err := c.SearchBatch(ctx, queries)
	if err != nil {
		t.Fatal(err)
	}
	for i, q := range queries {
		want, err := c.Search(ctx, q)
		if err != nil || fmt.Sprint(got[i]) != fmt.Sprint(want) {
			t.Errorf("query %d: %v, alone %v (%v)", i, got[i], want, err)
		}
	}
	queries[7].Vector = []float32{1}
	if _, err := c.SearchBatch(ctx, queries); err == nil || !strings.Contains(err.Error(), "queries[7]") || !strings.Contains(err.Error(), "dimensions") {
		t.Errorf("a bad query: %v", err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := c.SearchBatch(gone, queries); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
