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
	return byWeight(parts)
}

// byWeight sorts parts, largest weight first; equal ones keep their order.
func byWeight(parts []Part) []Part {
	slices.SortStableFunc(parts, func(a, b Part) int { return cmp.Compare(b.Weight, a.Weight) })
	return parts
}

func checkRow(row []float32, width int) error {
	if len(row) != width {
		return fmt.Errorf("%w: feature row has length %d, want %d", ErrRecord, len(row), width)
	}
	return nil
}
