package store

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestSorts compares both ways of sorting with the library's.
func TestSorts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		distance := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, 1, -1, 0.5, math.Inf(1), math.Inf(-1)}))
		values := rapid.SliceOf(distance).Draw(t, "distances")
		pairs := make([]scanPair, len(values))
		for i, d := range values {
			pairs[i] = scanPair{a: uint32(i), distance: d + 0} // no zero is negative
		}
		compare := func(p, q scanPair) int { return cmp.Compare(p.distance, q.distance) }
		want := slices.Clone(pairs)
		slices.SortStableFunc(want, compare)
		byKey := slices.Clone(pairs)
		if err := sortByKey(ctx, byKey, (*scanPair).key); err != nil || !slices.Equal(byKey, want) {
			t.Errorf("by key: %v, %v, want %v", byKey, err, want)
		}
		if err := sortWhile(ctx, pairs, compare); err != nil || !slices.IsSortedFunc(pairs, compare) {
			t.Errorf("by comparing: %v, %v", pairs, err)
		}
	})
}

// TestSortsEndWithTheirContext counts what is asked after the end.
func TestSortsEndWithTheirContext(t *testing.T) {
	const n = 1 << 18
	v := make([]uint64, n)
	for i := range v {
		v[i] = uint64(i*7919%n) << 40
	}
	ended, cancel := context.WithCancel(ctx)
	compared := 0
	err := sortWhile(ended, slices.Clone(v), func(a, b uint64) int {
		if compared++; compared == endedStep {
			cancel()
		}
		return cmp.Compare(a, b)
	})
	if !errors.Is(err, context.Canceled) || compared > 2*endedStep {
		t.Errorf("%v after %d comparisons", err, compared)
	}
	asked, looked := int64(2), 0
	err = sortByKey(endsAfter{ctx, &asked}, v, func(x *uint64) uint64 { looked++; return *x })
	if !errors.Is(err, context.Canceled) || looked > 6*n {
		t.Errorf("%v after %d looks", err, looked)
	}
}

// TestSettleEndsWithItsContext: each of the sorts of a scan says that it was not finished.
func TestSettleEndsWithItsContext(t *testing.T) {
	scan := func() *duplicateScan {
		s := &duplicateScan{}
		for i := range 40 {
			s.seen = append(s.seen, scannedPoint{slot: uint32(i), id: NumID(uint64(i * 7 % 40))})
			s.pairs = append(s.pairs, scanPair{a: uint32(i), b: uint32((i + 3) % 40), distance: float64(i % 5)})
		}
		return s
	}
	total := int64(math.MaxInt64)
	whole := scan()
	if err := whole.settle(endsAfter{ctx, &total}); err != nil {
		t.Fatal(err)
	}
	id := func(at uint32) ID { return whole.seen[at].id }
	if !slices.IsSortedFunc(whole.pairs, func(p, q scanPair) int {
		return cmp.Or(cmp.Compare(p.distance, q.distance), id(p.a).Compare(id(q.a)), id(p.b).Compare(id(q.b)))
	}) {
		t.Errorf("pairs are not in order: %v", whole.pairs)
	}
	for some := range math.MaxInt64 - total {
		asked := some
		if err := scan().settle(endsAfter{ctx, &asked}); !errors.Is(err, context.Canceled) {
			t.Errorf("ended when it was asked for the %dth time: %v", some+1, err)
		}
	}
	copies, asked := scan(), int64(0)
	if err := copies.addCopies(endsAfter{ctx, &asked}); !errors.Is(err, context.Canceled) {
		t.Errorf("copies: %v", err)
	}
}
