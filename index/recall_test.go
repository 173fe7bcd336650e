package index

import (
	"errors"
	"testing"
)

// halfBlind answers approximate searches with the farther half of the truth.
type halfBlind struct{ Index }

func (h halfBlind) Search(dst []Hit, query []float32, p Params) ([]Hit, error) {
	if p.Exact {
		return h.Index.Search(dst, query, p)
	}
	hits, err := h.Index.Search(dst, query, Params{K: p.K + p.K/2, Allow: p.Allow})
	return hits[min(p.K/2, len(hits)):], err
}

func TestRecall(t *testing.T) {
	idx, err := Flat.New(Config{Dim: 1})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := Recall(idx, []float32{1}, 3, Params{}); r != 1 || err != nil {
		t.Errorf("recall of nothing: %v, %v, want 1", r, err)
	}
	for slot := range uint32(100) {
		if err := idx.Upsert(slot, []float32{float32(slot)}); err != nil {
			t.Fatal(err)
		}
	}
	queries := []float32{-1, 200}
	for idx, want := range map[Index]float64{idx: 1, halfBlind{idx}: 0.5} {
		if r, err := Recall(idx, queries, 10, Params{}); r != want || err != nil {
			t.Errorf("recall %v, %v, want %v", r, err, want)
		}
	}
	if _, err := Recall(idx, nil, 3, Params{}); !errors.Is(err, ErrParams) {
		t.Errorf("no queries: %v, want ErrParams", err)
	}
	if _, err := Recall(idx, queries, 0, Params{}); !errors.Is(err, ErrParams) {
		t.Errorf("k = 0: %v, want ErrParams", err)
	}
	wide, err := Flat.New(Config{Dim: 3})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Recall(wide, queries, 3, Params{}); !errors.Is(err, ErrDim) {
		t.Errorf("part of a query: %v, want ErrDim", err)
	}
}

// TestRecallCountsTiesAsFound asks for 2 of 50 rows at the same distance.
func TestRecallCountsTiesAsFound(t *testing.T) {
	idx, err := Flat.New(Config{Dim: 1})
	if err != nil {
		t.Fatal(err)
	}
	for slot := range uint32(50) {
		if err := idx.Upsert(slot, []float32{1}); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := Recall(halfBlind{idx}, []float32{0}, 2, Params{}); r != 1 || err != nil {
		t.Errorf("recall %v, %v, want 1", r, err)
	}
}
