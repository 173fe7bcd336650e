package source

import (
	"cmp"
	"fmt"
	"slices"
)

// featureParts are the parts of a source whose features are its parts. It
// returns nil when a slice has another length than width.
func featureParts(width int, name func(int) string, contributions []float64, row, decoded []float32) []Part {
	if len(contributions) != width || len(row) != width || len(decoded) != width {
		return nil
	}
	parts := make([]Part, width)
	for i := range parts {
		parts[i] = Part{Name: name(i), Value: row[i], Expected: decoded[i], Weight: contributions[i]}
	}
	return ByWeight(parts)
}

// ByWeight gives parts in order, largest weight first; equal ones keep theirs.
func ByWeight(parts []Part) []Part {
	type weighed struct {
		weight float64
		at     int
	}
	order := make([]weighed, len(parts)) // which is moved about at less cost
	for i, p := range parts {
		order[i] = weighed{p.Weight, i}
	}
	slices.SortFunc(order, func(a, b weighed) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.at, b.at))
	})
	out := make([]Part, len(parts))
	for i, o := range order {
		out[i] = parts[o.at]
	}
	return out
}

func checkRow(row []float32, width int) error {
	if len(row) != width {
		return fmt.Errorf("%w: feature row has length %d, want %d", ErrRecord, len(row), width)
	}
	return nil
}
