package store

import (
	"context"
	"math"
	"slices"
)

// endedStep is after how many comparisons a sort looks whether it should go on.
const endedStep = 1 << 16

// sortWhile sorts as slices.SortFunc does, as long as ctx lets it. Once it has ended, all
// count as alike, so that little is left to do, and the order means nothing.
func sortWhile[T any](ctx context.Context, v []T, compare func(a, b T) int) error {
	asked, ended := 0, false
	slices.SortFunc(v, func(a, b T) int {
		if asked++; asked%endedStep == 0 {
			ended = ctx.Err() != nil
		}
		if ended {
			return 0
		}
		return compare(a, b)
	})
	return ctx.Err()
}

// sortByKey sorts by a number, digit by digit from the least (LSD radix
// sort), as long as ctx lets it. What has the same key stays in order. Of millions of pairs
// it takes half the time that comparing them does, and room for as many more.
func sortByKey[T any](ctx context.Context, v []T, key func(*T) uint64) error {
	const digit = 11
	const mask = 1<<digit - 1
	from, to := v, make([]T, len(v))
	for shift := 0; shift < 64 && len(v) > 0; shift += digit {
		if err := ctx.Err(); err != nil {
			return err
		}
		var ends [mask + 1]int
		for i := range from {
			ends[key(&from[i])>>shift&mask]++
		}
		if ends[key(&from[0])>>shift&mask] == len(from) {
			continue // all have the same
		}
		sum := 0
		for d, n := range ends {
			ends[d], sum = sum, sum+n
		}
		for i := range from {
			d := key(&from[i]) >> shift & mask
			to[ends[d]] = from[i]
			ends[d]++
		}
		from, to = to, from
	}
	copy(v, from)
	return ctx.Err()
}

// floatKey orders numbers as they are.
func floatKey(x float64) uint64 {
	bits := math.Float64bits(x)
	if bits>>63 != 0 {
		return ^bits
	}
	return bits | 1<<63
}
