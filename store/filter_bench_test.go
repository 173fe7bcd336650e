package store

import (
	"errors"
	"fmt"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/latentdb/latentdb/index"
)

// BenchmarkFilter selects shares of 100,000 points, by payload indexes and by
// reading payloads: a keyword, a range of numbers that all differ, both together,
// and a keyword beside a condition that has no index.
//
//	go test ./store -run '^$' -bench 'Filter$' -benchtime 20x
func BenchmarkFilter(b *testing.B) {
	const n = 100_000
	shares := []int{1, 10, 100, 500} // thousandths
	db, err := OpenTemp(quiet())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	c := create(b, db, vectorConfig())
	points := make([]Point, n)
	for i := range points {
		at := i * 7919 % n // a permutation
		p := Payload{"n": float64(at) / n, "plain": "yes", "title": fmt.Sprintf("point %d of many", i), "tags": []any{"a", "b"}}
		for _, share := range shares {
			p[fmt.Sprint("k", share)] = fmt.Sprint(at < n*share/1000)
		}
		points[i] = Point{ID: NumID(uint64(i)), Vector: []float32{float32(i % 100), float32(i / 100)}, Payload: p}
	}
	mustUpsert(b, c, points...)
	type shape struct {
		name   string
		filter func(share int) *Filter
	}
	keyword := func(share int) Condition { return keyEquals(fmt.Sprint("k", share), "true") }
	below := func(share int) Condition {
		return Condition{Key: "n", Range: &Range{LT: new(float64(share) / 1000)}}
	}
	shapes := []shape{
		{"keyword", func(s int) *Filter { return &Filter{Must: []Condition{keyword(s)}} }},
		{"range", func(s int) *Filter { return &Filter{Must: []Condition{below(s)}} }},
		{"both", func(s int) *Filter { return &Filter{Must: []Condition{keyword(s)}, MustNot: []Condition{below(s / 2)}} }},
		{"partly", func(s int) *Filter { return &Filter{Must: []Condition{keyword(s), keyEquals("plain", "yes")}} }},
	}
	run := func(name string) {
		for _, sh := range shapes {
			for _, share := range shares {
				f := sh.filter(share)
				b.Run(fmt.Sprintf("%s/%s/%.1f%%", name, sh.name, float64(share)/10), func(b *testing.B) {
					for b.Loop() {
						if _, err := c.Count(ctx, f); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
	run("scan")
	for _, share := range shares {
		err = errors.Join(err, c.CreatePayloadIndex(ctx, fmt.Sprint("k", share), KindKeyword))
	}
	if err := errors.Join(err, c.CreatePayloadIndex(ctx, "n", KindFloat), c.WaitPayloadIndexes(ctx)); err != nil {
		b.Fatal(err)
	}
	run("index")
}

// BenchmarkSelectionForm is why a selection is a dense bitmap: what a walk asks of
// it, and what joining two of them costs, beside roaring bitmaps.
func BenchmarkSelectionForm(b *testing.B) {
	const n = 1_000_000
	for _, every := range []int{1000, 100, 10, 2} {
		d, r, d2, r2 := index.NewBitmap(), roaring.New(), index.NewBitmap(), roaring.New()
		for i := 0; i < n; i += every {
			slot, other := uint32(i*7919%n), uint32(i*6007%n)
			d.Set(slot)
			r.Add(slot)
			d2.Set(other)
			r2.Add(other)
		}
		at := func(i int) uint32 { return uint32(i) * 2654435761 % n }
		for name, f := range map[string]func(i int){
			"has/dense":   func(i int) { d.Has(at(i)) },
			"has/roaring": func(i int) { r.Contains(at(i)) },
			"and/dense":   func(int) { d.Clone().And(d2) },
			"and/roaring": func(int) { roaring.And(r, r2) },
			"to dense":    func(int) { dense(r) },
		} {
			b.Run(fmt.Sprintf("%s/1 in %d", name, every), func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					f(i)
				}
			})
		}
	}
}
